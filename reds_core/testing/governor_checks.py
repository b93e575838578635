"""Checks of governors.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from reds_core.registry import Registry
from reds_core.runtime.governor import Controller, Future, Governor, Situation
from reds_core.runtime.observation import SLEEP, Action, Observation, State
from reds_core.runtime.operating_points import Figures
from reds_core.runtime.plant import Moment, Outcome, Plant, PlantState
from reds_core.runtime.running import simulate_in_python
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.plugin_checks import PluginSubject, check_declaration, imports_nothing_heavy
from reds_core.testing.report import Failure, Settings
from reds_core.testing.runner import Check

MJ = 1_000_000
"""Nanojoules of a millijoule."""
FAMILY = (
    Figures(1 * MJ, 20_000, 700_000),
    Figures(2 * MJ, 40_000, 800_000),
    Figures(4 * MJ, 80_000, 850_000),
)
"""1, 2 and 4 mJ; 20, 40 and 80 ms; 70, 80 and 85 %."""
CAPACITY_NJ = 400 * MJ
STEPS = 600


@dataclass(frozen=True)
class Scene:
    """A device, what happens to it, and its first charge.

    Attributes:
        name: What happens, in messages.
        plant: The device.
        begin: Its first state.
    """

    name: str
    plant: Plant
    begin: PlantState


def scene(name: str, income_mJ: float, charge_mJ: float, *, members: tuple[Figures, ...] = FAMILY) -> Scene:
    """A scene in which each step brings the same energy and one request, except every tenth, which brings none."""
    ones = np.ones(STEPS, np.int64)
    requests = ones.copy()
    requests[9::10] = 0
    plant = Plant(
        members=members,
        capacity_nJ=CAPACITY_NJ,
        queue=4,
        step_us=1_000_000,
        income_nJ=ones * round(income_mJ * MJ),
        leakage_nJ=ones * 1000,
        requests=requests,
        deadline_us=ones * 500_000,
        harvest_uW=ones * round(income_mJ * 1000),
        temperature_mC=ones * 25_000,
    )
    return Scene(name, plant, PlantState(round(charge_mJ * MJ)))


def scenes() -> Iterator[Scene]:
    """Scenes with much energy, with little, with none, and with a single member."""
    yield scene("with more energy than needed", 6.0, 400.0)
    yield scene("between two members", 1.5, 200.0)
    yield scene("with little energy", 0.3, 20.0)
    yield scene("without energy", 0.0, 0.0)
    yield scene("with a single member", 1.5, 200.0, members=FAMILY[1:2])


class GovernorSubject(PluginSubject[Governor]):
    """A governor under test.

    Args:
        make: Makes a governor with its options.
        settings: The expectations that the author states.
        registry: The other plugins that it may use.
    """

    def __init__(self, make: Callable[[], Governor], settings: Settings, registry: Registry) -> None:
        def equipped() -> Governor:
            made = make()
            made.equip(registry, {})
            return made

        super().__init__(equipped, settings)

    def controller(self, at: Scene, governor: Governor | None = None) -> Controller:
        """What decides in a scene."""
        governor = governor or self.plugin
        plant = at.plant
        future = Future(plant, at.begin) if governor.sees_future else None
        return governor.controller(Situation(plant.members, plant.capacity_nJ, plant.step_us, 1.0, future))

    def outcome(self, at: Scene) -> Outcome:
        """What comes of a scene."""
        controller = self.controller(at)
        return simulate_in_python(at.plant, controller, Moment(at.begin, controller.start))


class _Watched(Controller):
    """Checks each decision of another controller.

    Args:
        inner: The other controller.
        members: The number of members.
    """

    def __init__(self, inner: Controller, members: int) -> None:
        self._inner = inner
        self._members = members

    @property
    def start(self) -> State:
        return _checked_state(self._inner.start, "start")

    def decide(self, state: State, observed: Observation) -> Action:
        action = self._inner.decide(state, observed)
        if not isinstance(action, Action):
            raise Failure(f"decide returned {action!r}, not an Action")
        if type(action.member) is not int or not SLEEP <= action.member < self._members:
            raise Failure(f"decide chose member {action.member!r} of {self._members}")
        _checked_state(action.state, "the state of an action")
        if self._inner.decide(state, observed) != action:
            raise Failure(f"decide answers differently when it is asked again in state {state}")
        return action


def _checked_state(state: object, what: str) -> State:
    if not isinstance(state, tuple) or not all(type(each) is int for each in state):
        raise Failure(f"{what} is {state!r}, not a tuple of integers")
    return state


def declares_what_it_is(subject: GovernorSubject) -> None:
    """Discovery relies on these declarations, and only a governor that declares it is told the future."""
    check_declaration(subject.plugin)
    if not isinstance(getattr(subject.plugin, "sees_future", None), bool):
        raise Failure(f"sees_future is {getattr(subject.plugin, 'sees_future', None)!r}, not a bool")


def decides_by_what_it_is_told(subject: GovernorSubject) -> None:
    """A decision must depend on the state and the observation alone, so that a device can repeat it.

    Members are integers from 0, or SLEEP, and states are tuples of integers, which can be written to a file.
    """
    for at in scenes():
        watched = _Watched(subject.controller(at), len(at.plant.members))
        simulate_in_python(at.plant, watched, Moment(at.begin, watched.start))


def continues_where_it_was_interrupted(subject: GovernorSubject) -> None:
    """A device may restart at any time, so all that a governor remembers must be in its state."""
    for at in scenes():
        whole, half = subject.outcome(at), STEPS // 2
        controller = subject.controller(at)
        first = simulate_in_python(at.plant.part(0, half), controller, Moment(at.begin, controller.start))
        other = subject.controller(at, subject.make())
        second = simulate_in_python(at.plant.part(half, STEPS), other, first.end)
        if (first.counts + second.counts, second.end) != (whole.counts, whole.end):
            raise Failure(f"{at.name}, a device that restarts after {half} steps behaves differently")


def answers_all_requests_where_it_can(subject: GovernorSubject) -> None:
    """A governor that lets requests pass although there is energy and time is worse than none."""
    for at in (scene("with more energy than needed", 6.0, 400.0), scene("between two members", 1.5, 200.0)):
        missed = subject.outcome(at).counts.missed
        if missed:
            raise Failure(f"{at.name}, {missed} of {int(at.plant.requests.sum())} requests are missed")


def settles_where_nothing_changes(subject: GovernorSubject) -> None:
    """Where all inputs stay as they are, a governor may alternate between two members, but not wander between more."""
    for income in (1.5, 3.0, 6.0):
        member = subject.outcome(scene("", income, 200.0)).course.member[STEPS // 2 :]
        found = sorted(set(member[member >= 0].tolist()))
        if len(found) > 2 or (len(found) == 2 and found[1] - found[0] > 1):
            raise Failure(
                f"with {income:g} mJ for each step, members {', '.join(map(str, found))} run in turn for ever"
            )


def uses_a_larger_member_with_more_energy(subject: GovernorSubject) -> None:
    """More energy must not lead to fewer right answers."""

    def right(income: float) -> int:
        answered = subject.outcome(scene("", income, 200.0)).counts.answered
        return sum(figures.accuracy_ppm * count for figures, count in zip(FAMILY, answered, strict=True))

    poor, rich = right(0.5), right(6.0)
    if rich < poor:
        raise Failure(f"{rich / 1e6:g} right answers with much energy, {poor / 1e6:g} with little")


def prints_nothing(subject: GovernorSubject) -> None:
    """With --json, stdout must contain nothing but JSON, so a plugin must not print."""
    with captured_stdout() as captured:
        subject.outcome(scene("", 1.5, 200.0))
    if captured.text:
        raise Failure(f"printed {captured.text[:80]!r}")


_GROUND = ("decides_by_what_it_is_told",)
GOVERNOR_CHECKS: tuple[Check[GovernorSubject], ...] = (
    Check(declares_what_it_is),
    Check(imports_nothing_heavy),
    Check(decides_by_what_it_is_told, ("declares_what_it_is",)),
    *(
        Check(run, _GROUND)
        for run in (
            continues_where_it_was_interrupted,
            answers_all_requests_where_it_can,
            uses_a_larger_member_with_more_energy,
            prints_nothing,
        )
    ),
    Check(settles_where_nothing_changes, (*_GROUND, "answers_all_requests_where_it_can")),
)
"""Every check of a governor, in the order of the report."""
