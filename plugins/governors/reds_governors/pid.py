"""The governor `pid`: holds the charge, or the time that answers take, at a target by proportion, sum and change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reds_core.errors import InputError
from reds_core.runtime import (
    PPM,
    SLEEP,
    Action,
    Controller,
    Figures,
    Governor,
    Observation,
    Situation,
    State,
    alternated,
    efficient,
    fitted,
    quotient,
)
from reds_governors.pi import LONGEST_SHIFT, shift_for

_THOUSAND = 1000
_LEAST_SMOOTHED = 16
"""The change of the charge is smoothed over a quarter of the horizon, but at least over so many requests."""
_SMOOTHED = 1 << 16
"""The smoothed change of the charge is kept in fractions of a nanojoule of this size."""


@dataclass(frozen=True)
class PidOptions:
    """Options of `pid`.

    Attributes:
        budget: What is held at a target: the charge of the battery ("energy"), or the share of the time until the first
            deadline that the answers to all waiting requests take ("latency").
        target: The share of the capacity, or of that time. By default 0.95 of the capacity, or half of that time.
        horizon: With budget=energy, the number of requests over which an excess of charge is spent, rounded down to a
            power of two. By default it is such that a full battery pays for the most accurate member.
        proportional: The gain of the error, relative to the usual one.
        integral: The gain of the sum of errors, relative to the usual one.
        derivative: The gain of the change: with budget=energy, the share of the change of the charge that is spent or
            saved at once.
    """

    budget: Literal["energy", "latency"] = "energy"
    target: float | None = None
    horizon: int | None = None
    proportional: float = 1.0
    integral: float = 1.0
    derivative: float = 0.5

    def __post_init__(self) -> None:
        """Refuse targets and gains that control nothing."""
        # a battery that leaks is never full when a step begins
        if self.target is not None and not 0 <= self.target < 1:
            raise InputError(f"option pid.target cannot be {self.target:g}", "give a share from 0 to below 1")
        if self.horizon is not None and not 1 <= self.horizon <= 2**LONGEST_SHIFT:
            raise InputError(f"option pid.horizon cannot be {self.horizon}", f"give 1 to {2**LONGEST_SHIFT} requests")
        for name in ("proportional", "integral", "derivative"):
            if not 0 <= getattr(self, name) <= 100:
                raise InputError(f"option pid.{name} cannot be {getattr(self, name):g}", "give a gain from 0 to 100")


@dataclass(frozen=True)
class _Gains:
    """Gains in thousandths."""

    proportional: int
    integral: int
    derivative: int


@dataclass(frozen=True)
class EnergyController(Controller):
    """Holds the charge at a target.

    The state is the integral, what smaller members saved, the charge at the last step with requests (-1 before the
    first), and the smoothed change of the charge for each request.

    Attributes:
        members: The figures of the members.
        rungs: The members on the hull.
        target_nJ: The charge that is aimed at.
        shift: The base-2 logarithm of the horizon in requests.
        gains: The gains.
    """

    members: tuple[Figures, ...]
    rungs: tuple[int, ...]
    target_nJ: int
    shift: int
    gains: _Gains

    @property
    def start(self) -> State:
        """No integral, nothing saved, and no charge seen yet."""
        return (0, 0, -1, 0)

    def decide(self, state: State, observed: Observation) -> Action:
        """Compute what each request may take, and run the member that takes it."""
        integral, residue, before, change = state
        waiting = observed.waiting
        if waiting <= 0:
            return Action(state, SLEEP)
        energies = [self.members[m].energy_nJ for m in self.rungs]
        horizon, unit, largest = 1 << self.shift, 1 << (2 * self.shift + 2), energies[-1]
        if before >= 0:
            gained = quotient((observed.charge_nJ - before) * _SMOOTHED, waiting)
            change += quotient(gained - change, max(horizon // 4, _LEAST_SMOOTHED))
        error = observed.charge_nJ - self.target_nJ
        rest = quotient(self.gains.proportional * quotient(error, horizon), _THOUSAND)
        rest += quotient(self.gains.derivative * quotient(change, _SMOOTHED), _THOUSAND)
        wanted = rest + quotient(integral, unit)
        if not ((wanted >= largest and error > 0) or (wanted <= 0 and error < 0)):
            added = quotient(self.gains.integral * error * waiting, _THOUSAND)
            integral = min(max(integral + added, 0), largest * unit)
            wanted = rest + quotient(integral, unit)
        rung, residue = alternated(energies, wanted, residue, waiting)
        return Action((integral, residue, observed.charge_nJ, change), fitted(self.members, self.rungs[rung], observed))


@dataclass(frozen=True)
class LatencyController(Controller):
    """Holds the time that the answers to all waiting requests take at a share of the time until the first deadline.

    The state is the integral (a latency, in thousandths of a microsecond), what faster members saved, the last rung,
    and the last error.

    Attributes:
        members: The figures of the members.
        rungs: The members on the hull, by rising latency.
        target_ppm: The share, in millionths.
        gains: The gains.
    """

    members: tuple[Figures, ...]
    rungs: tuple[int, ...]
    target_ppm: int
    gains: _Gains

    @property
    def start(self) -> State:
        """The slowest member."""
        last = len(self.rungs) - 1
        return (self.members[self.rungs[last]].latency_us * _THOUSAND, 0, last, 0)

    def decide(self, state: State, observed: Observation) -> Action:
        """Compute how long each answer may take, and run the member that takes so long."""
        integral, residue, rung, before = state
        waiting = observed.waiting
        if waiting <= 0:
            return Action(state, SLEEP)
        latencies = [self.members[m].latency_us for m in self.rungs]
        slowest, fastest = latencies[-1], latencies[0]
        taken = quotient(latencies[rung] * waiting * PPM, max(observed.slack_us, 1))
        error = min(max(self.target_ppm - taken, -PPM), PPM)
        share = 3 * self.gains.proportional * error + 3 * self.gains.derivative * (error - before)
        rest = quotient(share * slowest, 10 * PPM)  # thousandths of a microsecond, as the gains are thousandths
        wanted = integral + rest
        if not ((wanted >= slowest * _THOUSAND and error > 0) or (wanted <= fastest * _THOUSAND and error < 0)):
            integral += quotient(self.gains.integral * error * slowest, 10 * PPM)
            integral = min(max(integral, fastest * _THOUSAND), slowest * _THOUSAND)
            wanted = integral + rest
        rung, residue = alternated(latencies, quotient(wanted, _THOUSAND), residue, waiting)
        return Action((integral, residue, rung, error), fitted(self.members, self.rungs[rung], observed))


class PidGovernor(Governor):
    """Holds the charge of the battery, or the time that answers take, at a target.

    With budget=energy it decides as `pi` does, and also spends at once a share of the energy that the charge gains with
    each request, before an error builds up. With budget=latency, the members that run are those whose answers take a
    share of the time until the first deadline.
    """

    name = "pid"
    Options = PidOptions

    def controller(self, situation: Situation) -> Controller:
        """Return the gains for a family and a battery."""
        options, members = self.options, situation.members
        rungs = efficient(members)
        gains = _Gains(
            *(round(_THOUSAND * gain) for gain in (options.proportional, options.integral, options.derivative))
        )
        if options.budget == "latency":
            share = 0.5 if options.target is None else options.target
            return LatencyController(members, _rising(members, rungs), round(share * PPM), gains)
        share = 0.95 if options.target is None else options.target
        shift = shift_for(situation, members[rungs[-1]].energy_nJ, share, options.horizon)
        return EnergyController(members, rungs, round(share * situation.capacity_nJ), shift, gains)


def _rising(members: Sequence[Figures], rungs: Sequence[int]) -> tuple[int, ...]:
    """Those of some members whose latency is above that of all before them."""
    kept: list[int] = []
    for member in rungs:
        if not kept or members[member].latency_us > members[kept[-1]].latency_us:
            kept.append(member)
    return tuple(kept)
