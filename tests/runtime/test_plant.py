"""The battery and the queue: what happens in a step, and what can never happen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_families import LARGE, MEMBERS, plant

from reds_core.errors import InputError
from reds_core.runtime import (
    Action,
    Controller,
    Counts,
    Moment,
    Observation,
    Outcome,
    PlantState,
    RunningPlant,
    State,
    simulate_in_python,
)

MJ = 1_000_000


class Repeated(Controller):
    """Repeats a schedule of members."""

    def __init__(self, schedule: list[int]) -> None:
        self.schedule = schedule

    @property
    def start(self) -> State:
        return (0,)

    def decide(self, state: State, observed: Observation) -> Action:
        return Action((state[0] + 1,), self.schedule[state[0] % len(self.schedule)])


def run(of: object, schedule: list[int], charge_mJ: float = 50.0) -> Outcome:
    return simulate_in_python(of, Repeated(schedule), Moment(PlantState(round(charge_mJ * MJ)), (0,)))  # type: ignore[arg-type]


def test_inferences_take_energy_before_the_harvest_of_the_step_arrives() -> None:
    outcome = run(plant([3, 3]), [2, 2], charge_mJ=4)
    assert outcome.course.charge_nJ.tolist() == [4 * MJ, 3 * MJ]
    assert outcome.course.answered.tolist() == [1, 0]
    assert outcome.end.plant.charge_nJ == 6 * MJ
    assert outcome.counts.used_nJ == LARGE.energy_nJ


def test_requests_that_cannot_be_paid_for_wait_until_their_deadline() -> None:
    outcome = run(plant([0, 0, 4, 0], deadline_ms=2500), [2], charge_mJ=0)
    assert outcome.course.answered.tolist() == [0, 0, 0, 1]
    assert outcome.course.missed.tolist() == [0, 0, 0, 1]
    assert len(outcome.end.plant.waiting) == 2


def test_a_request_that_a_member_answers_too_late_is_dropped() -> None:
    outcome = run(plant([0, 0], deadline_ms=60), [2, 1])
    assert outcome.course.answered.tolist() == [0, 1]
    assert outcome.counts.missed == 1


def test_requests_that_find_no_place_are_missed() -> None:
    outcome = run(plant([0, 0], requests=[7, 0], queue=4, deadline_ms=5000), [-1, 0])
    assert outcome.course.missed.tolist() == [3, 0]
    assert outcome.course.answered.tolist() == [0, 4]


@pytest.mark.parametrize("queue", [1, 16])
def test_expired_requests_hold_no_place(queue: int) -> None:
    """Each expires before the next step, in the first of which the battery is empty."""
    outcome = run(plant([1] * 5, capacity_mJ=100, queue=queue, deadline_ms=500), [0], charge_mJ=0)
    assert outcome.course.answered.tolist() == [0, 1, 1, 1, 1]
    assert outcome.course.missed.tolist() == [0, 1, 0, 0, 0]


def test_requests_that_expire_behind_one_that_waits_longer_hold_no_place() -> None:
    income, deadlines, requests = [0, 0, 1000, 0], [5000, 500, 500, 500], [1, 3, 0, 3]
    outcome = run(plant(income, capacity_mJ=1000, queue=4, deadline_ms=deadlines, requests=requests), [0], charge_mJ=0)
    assert outcome.course.answered.tolist() == [0, 0, 0, 4]
    assert outcome.course.missed.tolist() == [0, 0, 3, 0]


def test_an_inference_that_ends_in_a_later_step_keeps_the_device_busy() -> None:
    """80 ms take four steps of 25 ms, of which the third ends with 5 ms to go."""
    outcome = run(plant(0, 5, requests=[2, 0, 0, 0, 0], step_us=25_000), [2])
    assert outcome.course.answered.tolist() == [1, 0, 0, 1, 0]
    assert outcome.end.plant.busy_us == 35_000


def test_what_the_battery_cannot_hold_is_lost_and_leakage_stops_at_nothing() -> None:
    outcome = run(plant([80, 0, 0], capacity_mJ=100, leakage_mJ=60, requests=0), [-1])
    assert outcome.course.charge_nJ.tolist() == [50 * MJ, 40 * MJ, 0]
    assert (outcome.counts.spilled_nJ, outcome.counts.leaked_nJ) == (30 * MJ, 100 * MJ)


def test_switches_are_changes_of_the_member_that_runs() -> None:
    """A pause is no switch, and neither is the first member."""
    assert run(plant(0, 6), [-1, 0, -1, 0, 1, 0]).counts.switches == 2


def test_a_charge_outside_of_the_battery_is_refused() -> None:
    with pytest.raises(InputError, match="cannot hold its first charge"):
        RunningPlant(plant([0], capacity_mJ=1), PlantState(2 * MJ))


# --- what holds for all --------------------------------------------------------------------------------------------

ENERGIES = st.integers(0, 9_000_000)
STEPS = st.lists(
    st.tuples(ENERGIES, st.integers(0, 3), st.integers(0, 400), st.integers(-1, 2)), min_size=1, max_size=12
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[object, list[int], PlantState]:
    steps = draw(STEPS)
    capacity = draw(st.integers(1_000_000, 20_000_000))
    made = plant(
        [income / 1e6 for income, *_ in steps],
        capacity_mJ=capacity / 1e6,
        requests=[count for _, count, *_ in steps],
        deadline_ms=[float(deadline) for *_, deadline, _ in steps],
        leakage_mJ=draw(st.integers(0, 500_000)) / 1e6,
        queue=draw(st.integers(1, 4)),
        step_us=draw(st.sampled_from([15_000, 50_000, 1_000_000])),
    )
    return made, [member for *_, member in steps], PlantState(draw(st.integers(0, capacity)))


@given(cases())
@settings(max_examples=60, deadline=None)
def test_energy_and_requests_are_conserved(case: tuple[object, list[int], PlantState]) -> None:
    of, schedule, begin = case
    outcome = simulate_in_python(of, Repeated(schedule), Moment(begin, (0,)))  # type: ignore[arg-type]
    counts, end = outcome.counts, outcome.end.plant
    assert counts.used_nJ <= begin.charge_nJ + counts.income_nJ
    assert begin.charge_nJ + counts.income_nJ == counts.used_nJ + counts.spilled_nJ + counts.leaked_nJ + end.charge_nJ
    assert counts.used_nJ == sum(n * m.energy_nJ for n, m in zip(counts.answered, MEMBERS, strict=True))
    assert outcome.course.charge_nJ.min() >= 0
    assert outcome.course.charge_nJ.max() <= of.capacity_nJ  # type: ignore[attr-defined]
    assert counts.requests == sum(counts.answered) + counts.missed + len(end.waiting)
    assert counts.missed == outcome.course.missed.sum()


@given(cases(), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_a_trace_may_be_split_anywhere(case: tuple[object, list[int], PlantState], cut: int) -> None:
    of, schedule, begin = case
    cut = min(cut, of.steps)  # type: ignore[attr-defined]
    controller = Repeated(schedule)
    whole = simulate_in_python(of, controller, Moment(begin, (0,)))  # type: ignore[arg-type]
    first = simulate_in_python(of.part(0, cut), controller, Moment(begin, (0,)))  # type: ignore[attr-defined]
    second = simulate_in_python(of.part(cut, of.steps), controller, first.end)  # type: ignore[attr-defined]
    assert first.counts + second.counts == whole.counts
    assert second.end == whole.end


def test_nothing_is_the_zero_of_counts() -> None:
    counts = run(plant([3, 3]), [0, 2]).counts
    assert counts + Counts.none(3) == counts
