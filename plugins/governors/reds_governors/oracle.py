"""The governor `oracle`, which knows all that will happen: a yardstick for the others."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.errors import InputError
from reds_core.runtime import (
    SLEEP,
    Action,
    Controller,
    Figures,
    Future,
    Governor,
    Moment,
    Observation,
    PlantState,
    RunningPlant,
    Situation,
    State,
    ValueFunctions,
    fitted,
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


@dataclass(frozen=True, eq=False)
class ValueController(Controller):
    """Answers each request with the member that is worth most, less what its energy is worth later.

    Attributes:
        members: The figures of the members.
        values: The value of the rest of the trace.
        is_eager: Whether energy that is worth as much later is spent now.
    """

    members: tuple[Figures, ...]
    values: ValueFunctions
    is_eager: bool

    @property
    def start(self) -> State:
        """The number of steps so far."""
        return (0,)

    def decide(self, state: State, observed: Observation) -> Action:
        """Go up the hull as long as an edge is worth more than the energy later."""
        (step,) = state
        if observed.waiting <= 0 or step >= self.values.length * len(self.values.energies_nJ):
            return Action((step + 1,), SLEEP)
        price = self.values.marginal(step, observed.charge_nJ)
        rung = -1
        for slope in self.values.slopes.tolist():
            if slope < price or (slope == price and not self.is_eager):
                break
            rung += 1
        return Action((step + 1,), fitted(self.members, self.values.rungs[max(rung, 0)], observed))


class OracleGovernor(Governor):
    """Knows all that will happen, and chooses what answers most requests correctly.

    For a trace of a few steps, it searches all choices. For a longer one, it prices energy by the linear relaxation of
    the knapsack over the whole trace, which also bounds what any governor can reach.
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
        values = value_functions(plant, blocks=self.options.blocks)
        tried = [ValueController(members, values, is_eager) for is_eager in (True, False)]
        begin = Moment(future.begin, tried[0].start)

        def right(controller: Controller) -> int:
            answered = simulate_steps(plant, controller, begin).counts.answered
            return sum(member.accuracy_ppm * count for member, count in zip(members, answered, strict=True))

        return max(tried, key=right)


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
