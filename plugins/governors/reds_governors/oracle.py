"""The governor `oracle`, which knows all that will happen: a yardstick for the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reds_core.errors import InputError
from reds_core.runtime import (
    SLEEP,
    Action,
    Controller,
    Future,
    Governor,
    Law,
    LawController,
    Moment,
    Observation,
    Plant,
    PlantState,
    RunningPlant,
    Situation,
    State,
    StaticLaw,
    TimedThresholdLaw,
    simulate_steps,
    value_functions,
)

_MOST_STATES = 20_000
"""So many states of the device are followed at most in an exact search."""


@dataclass(frozen=True)
class OracleOptions:
    """Options of `oracle`.

    Attributes:
        exact_steps: The largest number of steps of a trace over which all choices are searched.
        blocks: The largest number of blocks in which the steps of longer traces are added up.
    """

    exact_steps: int = 10
    blocks: int = 20_000

    def __post_init__(self) -> None:
        """Refuse numbers of steps and of blocks that are none."""
        if not 0 <= self.exact_steps <= 64:
            raise InputError(f"option oracle.exact_steps cannot be {self.exact_steps}", "give 0 to 64 steps")
        if not 1 <= self.blocks <= 1_000_000:
            raise InputError(f"option oracle.blocks cannot be {self.blocks}", "give 1 to 1000000 blocks")


@dataclass(frozen=True)
class ScheduleController(Controller):
    """Repeats a schedule.

    Attributes:
        schedule: The member of each step.
    """

    schedule: tuple[int, ...]

    @property
    def start(self) -> State:
        """The number of steps so far."""
        return (0,)

    def decide(self, state: State, observed: Observation) -> Action:
        """Answer with the member of the step; after the schedule, sleep."""
        (step,) = state
        return Action((step + 1,), self.schedule[step] if step < len(self.schedule) else SLEEP)


class OracleGovernor(Governor):
    """Knows all that will happen, and chooses what answers most requests correctly.

    For a trace of a few steps, it searches all choices. For a longer one, it prices energy by the linear relaxation of
    the knapsack over the whole trace, which also bounds what any governor can reach. If one member all the time does
    better than these prices, which leave out deadlines and the queue, it runs that one.
    """

    name = "oracle"
    sees_future = True
    Options = OracleOptions

    def controller(self, situation: Situation) -> Controller:
        """Return the schedule, or the prices, for a trace."""
        future = situation.future
        if future is None:
            raise InputError("the oracle is not told what will happen", "give it a trace, as `reds simulate` does")
        if future.plant.steps <= self.options.exact_steps:
            schedule = _exact(future)
            if schedule is not None:
                return ScheduleController(schedule)
        plant, members = future.plant, future.plant.members
        laws: list[Law] = [*_prices(plant, self.options.blocks), *(StaticLaw(m) for m in range(len(members)))]
        tried = [LawController(members, law) for law in laws]

        def right(controller: LawController) -> int:
            answered = simulate_steps(plant, controller, Moment(future.begin, controller.start)).counts.answered
            return sum(member.accuracy_ppm * count for member, count in zip(members, answered, strict=True))

        return max(tried, key=right)


def _prices(plant: Plant, blocks: int) -> list[TimedThresholdLaw]:
    """The thresholds of the charge at which one more nanojoule becomes worth less than each edge of the hull.

    On an edge that is worth as much as energy later, either member may run, so there are two such laws: one saves that
    energy, the other spends it.
    """
    values = value_functions(plant, blocks)
    below = np.cumsum(values.energies_nJ, axis=1)
    return [TimedThresholdLaw(values.rungs, limits, values.length) for limits in (below[:, :-1], below[:, 1:])]


def _exact(future: Future) -> tuple[int, ...] | None:
    """The best schedule, by a search over all of them; None if it would follow too many states.

    Two schedules that lead to the same state of the device are followed as one.
    """
    plant = future.plant
    accuracy = [member.accuracy_ppm for member in plant.members]
    reached: dict[PlantState, tuple[int, tuple[int, ...]]] = {future.begin: (0, ())}
    for step in range(plant.steps):
        following: dict[PlantState, tuple[int, tuple[int, ...]]] = {}
        for state, (value, schedule) in reached.items():
            for member in range(SLEEP, len(accuracy)):
                running = RunningPlant(plant.part(step, step + 1), state)
                running.arrive()
                answered, _ = running.run(member)
                worth = value + (answered * accuracy[member] if member >= 0 else 0)
                found = following.get(running.state)
                if found is None or worth > found[0]:
                    following[running.state] = worth, (*schedule, member)
        if len(following) > _MOST_STATES:
            return None
        reached = following
    return max(reached.values(), key=lambda found: found[0])[1]
