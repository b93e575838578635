"""The laws by which the governors `threshold` and `pi` decide, as numbers and as the decision itself.

`reds_governor.c` decides by the same numbers. Both use integers only, and divisions round towards zero as in C99, so
that the decisions are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.arrays import IntArray
from reds_core.runtime.observation import SLEEP, Action, Observation, State
from reds_core.runtime.operating_points import Figures

LARGEST_INTEGRAL = 2**61
"""No integral may get larger, so that nothing overflows in 64 bits."""


@dataclass(frozen=True)
class StaticLaw:
    """One member all the time.

    Attributes:
        member: Its index.
    """

    member: int

    @property
    def start(self) -> State:
        """Nothing is remembered."""
        return ()

    def decide(self, members: Sequence[Figures], state: State, observed: Observation) -> Action:
        """Answer with the member, whatever is observed."""
        return Action(state, self.member)


@dataclass(frozen=True)
class ThresholdLaw:
    """The member follows the charge of the battery, with hysteresis.

    Attributes:
        rungs: The members to choose from, by their indices, from the least energy to the most.
        rising_nJ: The charge from which each rung gives way to the next larger one; one fewer than rungs.
        falling_nJ: The charge below which the larger one gives way again; each less than `rising_nJ`.
    """

    rungs: tuple[int, ...]
    rising_nJ: tuple[int, ...]
    falling_nJ: tuple[int, ...]

    @property
    def start(self) -> State:
        """The smallest rung."""
        return (0,)

    def decide(self, members: Sequence[Figures], state: State, observed: Observation) -> Action:
        """Go up or down the rungs until the charge fits, and run the member there."""
        (rung,) = state
        charge = observed.charge_nJ
        while rung < len(self.rising_nJ) and charge >= self.rising_nJ[rung]:
            rung += 1
        while rung > 0 and charge < self.falling_nJ[rung - 1]:
            rung -= 1
        return Action((rung,), fitted(members, self.rungs[rung], observed))


@dataclass(frozen=True)
class ProportionalIntegralLaw:
    """The energy of an inference follows the charge of the battery and its history.

    With the error e, which is the charge less the target, and N = 2^shift, each request may take
    e / N + the sum of e over all requests so far / (4 N^2): the gains of a controller that is critically damped, whose
    two poles are at 1 / (2 N). The sum stops growing while the output is at a limit. Where the output lies between the
    energies of two members, they alternate, so that their mean is the output.

    Attributes:
        rungs: The members to choose from, by their indices, from the least energy to the most.
        target_nJ: The charge that is aimed at, in nanojoules.
        shift: The base-2 logarithm of the number of requests over which an excess of charge is spent.
    """

    rungs: tuple[int, ...]
    target_nJ: int
    shift: int

    @property
    def start(self) -> State:
        """No integral, and nothing saved."""
        return (0, 0)

    def decide(self, members: Sequence[Figures], state: State, observed: Observation) -> Action:
        """Compute what each request may take, and run the member that takes it."""
        integral, residue = state
        waiting = observed.waiting
        if waiting <= 0:
            return Action(state, SLEEP)
        horizon, unit = 1 << self.shift, 1 << (2 * self.shift + 2)
        largest = members[self.rungs[-1]].energy_nJ
        error = observed.charge_nJ - self.target_nJ
        wanted = quotient(error, horizon) + quotient(integral, unit)
        if not ((wanted >= largest and error > 0) or (wanted <= 0 and error < 0)):
            integral = min(max(integral + error * waiting, 0), largest * unit)
            wanted = quotient(error, horizon) + quotient(integral, unit)
        rung, residue = alternated([members[m].energy_nJ for m in self.rungs], wanted, residue, waiting)
        return Action((integral, residue), fitted(members, self.rungs[rung], observed))


@dataclass(frozen=True, eq=False)
class TimedThresholdLaw:
    """The member follows the charge of the battery by thresholds that change over time, without hysteresis.

    Attributes:
        rungs: The members to choose from, by their indices, from the least energy to the most.
        rising_nJ: For each block, the charge from which each rung gives way to the next larger one, int64
            (blocks, rungs - 1). The last block lasts for ever.
        length: The number of steps in a block.
    """

    rungs: tuple[int, ...]
    rising_nJ: IntArray
    length: int

    @property
    def start(self) -> State:
        """The number of steps so far."""
        return (0,)

    def decide(self, members: Sequence[Figures], state: State, observed: Observation) -> Action:
        """Go up the rungs until the charge fits, and run the member there."""
        (step,) = state
        limits = self.rising_nJ[min(step // self.length, len(self.rising_nJ) - 1)]
        rung = 0
        while rung < len(limits) and observed.charge_nJ >= limits[rung]:
            rung += 1
        return Action((step + 1,), fitted(members, self.rungs[rung], observed))


Law = StaticLaw | ThresholdLaw | ProportionalIntegralLaw | TimedThresholdLaw


def quotient(dividend: int, divisor: int) -> int:
    """The quotient rounded towards zero, as C divides."""
    size = abs(dividend) // divisor
    return size if dividend >= 0 else -size


def alternated(energies: Sequence[int], wanted: int, residue: int, waiting: int) -> tuple[int, int]:
    """The rung whose energy is wanted. Between two of them, both take turns so that their mean is what is wanted.

    Args:
        energies: The energy of each rung in nanojoules, from the least to the most.
        wanted: The energy that a request may take, in nanojoules.
        residue: What the smaller of the two saved so far, in nanojoules.
        waiting: The number of requests that are answered at once.

    Returns:
        The rung, and the residue from then on.
    """
    rung = 0
    while rung + 1 < len(energies) and energies[rung + 1] <= wanted:
        rung += 1
    if wanted <= energies[rung] or rung + 1 == len(energies):
        return rung, 0
    step = (energies[rung + 1] - energies[rung]) * waiting
    residue += (wanted - energies[rung]) * waiting
    if residue < step:
        return rung, residue
    return rung + 1, min(residue - step, step)


def fitted(members: Sequence[Figures], largest: int, observed: Observation) -> int:
    """The member to run if `largest` is the most that is wanted.

    It is the largest one, by the order of the members, with which all requests that wait can be paid for and would be
    answered before the deadline of the first. If there is none, it is the first member by which at least one request
    can be.

    Args:
        members: The figures of the members, those of the least energy first.
        largest: The index of the member that is wanted.
        observed: What is observed.

    Returns:
        The index of a member, or `SLEEP` if none can run, or no request waits.
    """
    waiting, slack, charge = observed.waiting, observed.slack_us, observed.charge_nJ
    if waiting <= 0:
        return SLEEP
    for index in range(largest, -1, -1):
        if members[index].latency_us * waiting <= slack and members[index].energy_nJ * waiting <= charge:
            return index
    for index, member in enumerate(members):
        if member.latency_us <= slack and member.energy_nJ <= charge:
            return index
    return SLEEP
