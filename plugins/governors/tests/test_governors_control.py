"""What is claimed of the governors: they settle, they hold their budgets, and errors in energies do little harm."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core import Registry
from reds_core.errors import InputError
from reds_core.runtime import (
    PPM,
    Battery,
    Figures,
    Future,
    Governor,
    LawController,
    Moment,
    Observation,
    Outcome,
    Plant,
    PlantState,
    Situation,
    StaticLaw,
    TraceSettings,
    generate_trace,
    highest_accuracy,
    plant_of,
    simulate_in_python,
    simulate_steps,
)

MEMBERS = (
    Figures(1_000_000, 20_000, 700_000),
    Figures(2_000_000, 40_000, 800_000),
    Figures(4_000_000, 80_000, 850_000),
)
"""1, 2 and 4 mJ; 20, 40 and 80 ms; 70, 80 and 85 %."""
FEEDBACK = ("threshold", "pi", "pid")
REGISTRY = Registry()
MJ = 1_000_000


def constant(income_mJ: float, steps: int, capacity_mJ: float = 2000.0, **changes: object) -> Plant:
    """A device that harvests the same energy in each step, in each of which one request arrives."""

    def column(value: float) -> np.ndarray:
        return np.full(steps, round(value), np.int64)

    columns = {
        "income_nJ": column(income_mJ * MJ),
        "leakage_nJ": column(0),
        "requests": column(1),
        "deadline_us": column(500_000),
        "harvest_uW": column(income_mJ * 1000),
        "temperature_mC": column(25_000),
    }
    return Plant(MEMBERS, round(capacity_mJ * MJ), 4, 1_000_000, **(columns | changes))  # type: ignore[arg-type]


def controlled(
    name: str, plant: Plant, charge_mJ: float, options: dict[str, str] | None = None, members: object = MEMBERS
) -> Outcome:
    governor = REGISTRY.create(Governor, name, {name: options or {}})
    begin = PlantState(round(charge_mJ * MJ))
    future = Future(plant, begin) if governor.sees_future else None
    controller = governor.controller(Situation(members, plant.capacity_nJ, plant.step_us, 1.0, future))  # type: ignore[arg-type]
    return simulate_steps(plant, controller, Moment(begin, controller.start))


def accuracy(outcome: Outcome) -> float:
    right = sum(m.accuracy_ppm * n for m, n in zip(MEMBERS, outcome.counts.answered, strict=True))
    return right / (PPM * outcome.counts.requests)


# --- constant input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("charge_mJ", [0.0, 1000.0, 2000.0])
@pytest.mark.parametrize("name", FEEDBACK)
@pytest.mark.parametrize(("income_mJ", "member"), [(5.0, 2), (0.9, 0)])
def test_the_member_no_longer_changes_once_the_harvest_is_outside_of_what_members_take(
    name: str, income_mJ: float, member: int, charge_mJ: float
) -> None:
    """No limit cycle: with more than the largest member takes, that one runs all the time; with less than the smallest,
    that one runs whenever the battery covers it. Settling takes no longer than charging the battery, or emptying it."""
    steps = 9000
    outcome = controlled(name, constant(income_mJ, steps), charge_mJ)
    end = outcome.course.member[steps - 2000 :]
    assert set(end[end >= 0].tolist()) == {member}


@pytest.mark.parametrize("name", FEEDBACK)
@pytest.mark.parametrize("income_mJ", [1.2, 1.5, 2.5, 3.9])
def test_between_two_members_these_two_alternate_and_use_what_is_harvested(name: str, income_mJ: float) -> None:
    """The documented dither: only the two neighbours of the harvest run, and their mean is the harvest."""
    steps, settled = 16_000, 8_000
    outcome = controlled(name, constant(income_mJ, steps), 1000.0)
    end = outcome.course.member[settled:]
    lower = 0 if income_mJ < 2 else 1
    assert set(end.tolist()) == {lower, lower + 1}
    mean = np.array([m.energy_nJ for m in MEMBERS])[end].mean() / MJ
    assert mean == pytest.approx(income_mJ, abs=0.02)


def test_the_threshold_alternates_no_faster_than_its_hysteresis_allows() -> None:
    """The charge rises and falls by the hysteresis, 20 mJ, and by at most 1 mJ in each step."""
    member = controlled("threshold", constant(1.5, 16_000), 1000.0).course.member[8000:]
    changes = np.flatnonzero(np.diff(member)).tolist()
    assert len(changes) > 2
    assert min(np.diff(changes)) >= 20


@pytest.mark.parametrize("name", ["pi", "pid"])
def test_the_charge_settles_at_the_target_within_a_stated_time(name: str) -> None:
    """With two poles at 1 / (2 N), a deviation is below 2 % of the range after 12 N requests."""
    options = {"target": "0.5", "horizon": "128"}
    outcome = controlled(name, constant(2.5, 6000), 1000.0, options)
    late = outcome.course.charge_nJ[12 * 128 :] / MJ
    assert np.abs(late - 1000.0).max() < 0.02 * 128 * 4 + 4
    assert np.abs(outcome.course.charge_nJ[6000 - 500 :] / MJ - 1000.0).max() <= 8


@pytest.mark.parametrize("name", ["pi", "pid"])
def test_the_integral_does_not_wind_up(name: str) -> None:
    """After a long time with too little energy, the output follows within the settling time."""
    options = {"target": "0.5", "horizon": "64"}
    poor, rich = constant(0.0, 20_000), constant(5.0, 3000)
    governor = REGISTRY.create(Governor, name, {name: options})
    controller = governor.controller(Situation(MEMBERS, poor.capacity_nJ, poor.step_us))
    between = simulate_steps(poor, controller, Moment(PlantState(0), controller.start)).end
    member = simulate_steps(rich, controller, between).course.member
    # the battery takes 250 steps to reach the target if nothing else runs than the smallest member
    assert (member[: 250 + 12 * 64 + 64] == 2).any()


def test_the_latency_budget_is_held() -> None:
    """Answers may take half of 100 ms: the members of 40 and 80 ms alternate so that their mean is 50 ms."""
    plant = constant(5.0, 4000, deadline_us=np.full(4000, 100_000))
    outcome = controlled("pid", plant, 2000.0, {"budget": "latency"})
    member = outcome.course.member[1000:]
    assert np.array([20, 40, 80])[member].mean() == pytest.approx(50, abs=2)
    assert outcome.counts.missed == 0


# --- errors in energies ---------------------------------------------------------------------------------------------


def day(name: str) -> tuple[Plant, int]:
    trace = generate_trace(name, TraceSettings(2.6, 320.0, duration_s=86_400, step_s=8, seed=1))
    trace = type(trace)(
        trace.name, 1.0, trace.harvest_mW, trace.deadline_ms, trace.temperature_C, trace.requests
    )  # as many requests as seconds
    return plant_of(trace, Battery(3000.0, efficiency=0.9), MEMBERS), 1_500_000_000


@pytest.mark.parametrize("error", [-0.3, 0.3])
@pytest.mark.parametrize("trace", ["constant", "failures"])
@pytest.mark.parametrize("name", FEEDBACK)
def test_wrong_energies_never_use_more_than_there_is_and_cost_little(name: str, trace: str, error: float) -> None:
    plant, initial = day(trace)
    believed = tuple(Figures(round(m.energy_nJ / (1 + error)), m.latency_us, m.accuracy_ppm) for m in plant.members)
    right = controlled(name, plant, initial / MJ)
    wrong = controlled(name, plant, initial / MJ, members=believed)
    assert wrong.counts.used_nJ <= initial + wrong.counts.income_nJ
    assert wrong.course.charge_nJ.min() >= 0
    assert accuracy(wrong) > accuracy(right) - 0.02


# --- the oracle -----------------------------------------------------------------------------------------------------


@st.composite
def tiny(draw: st.DrawFn) -> tuple[Plant, PlantState]:
    steps = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.booleans()), min_size=1, max_size=4))
    capacity = draw(st.integers(2, 8))
    plant = constant(0, len(steps), capacity)
    columns = {
        "income_nJ": [income * MJ for income, *_ in steps],
        "requests": [count for _, count, _ in steps],
        "deadline_us": [60_000 if urgent else 1_500_000 for *_, urgent in steps],
    }
    arrays = {name: np.array(values, np.int64) for name, values in columns.items()}
    return Plant(**(vars(plant) | arrays)), PlantState(draw(st.integers(0, capacity)) * MJ)


def best_by_force(plant: Plant, begin: PlantState) -> int:
    """The most right answers in millionths, over all schedules."""
    best = 0
    for schedule in product(range(-1, 3), repeat=plant.steps):
        state, right = begin, 0
        for step, member in enumerate(schedule):
            law = LawController(MEMBERS, StaticLaw(member))
            outcome = simulate_in_python(plant.part(step, step + 1), law, Moment(state, ()))
            state = outcome.end.plant
            right += sum(m.accuracy_ppm * n for m, n in zip(MEMBERS, outcome.counts.answered, strict=True))
        best = max(best, right)
    return best


@given(tiny())
@settings(max_examples=12, deadline=None)
def test_the_oracle_finds_the_best_schedule_and_no_governor_beats_it(case: tuple[Plant, PlantState]) -> None:
    plant, begin = case

    def right(outcome: Outcome) -> int:
        return sum(m.accuracy_ppm * n for m, n in zip(MEMBERS, outcome.counts.answered, strict=True))

    best = right(controlled("oracle", plant, begin.charge_nJ / MJ))
    assert best == best_by_force(plant, begin)
    for name in (*FEEDBACK, "mpc"):
        assert right(controlled(name, plant, begin.charge_nJ / MJ)) <= best
    bound = highest_accuracy(plant, begin.charge_nJ)
    assert bound is None or best <= bound * PPM * int(plant.requests.sum())


@pytest.mark.parametrize("trace", ["constant", "solar", "bursts", "failures"])
def test_on_long_traces_the_oracle_is_near_the_bound_and_beats_everyone(trace: str) -> None:
    plant, initial = day(trace)
    best = accuracy(controlled("oracle", plant, initial / MJ))
    bound = highest_accuracy(plant, initial)
    assert bound is not None
    assert bound - 0.03 < best <= bound
    for name in FEEDBACK:
        assert accuracy(controlled(name, plant, initial / MJ)) <= best + 1e-3


def test_the_oracle_has_to_be_told_what_will_happen() -> None:
    with pytest.raises(InputError, match="is not told what will happen"):
        REGISTRY.create(Governor, "oracle").controller(Situation(MEMBERS, MJ, 1))


# --- planning -------------------------------------------------------------------------------------------------------


def test_the_plan_is_the_best_choice_of_its_knapsack() -> None:
    """Over two blocks of one hour without harvest, 1.5 mJ for each request pay for half of each of two members."""
    options = {"blocks": "24", "horizon": "2", "reserve": "0"}
    controller = REGISTRY.create(Governor, "mpc", {"mpc": options}).controller(Situation(MEMBERS, 20_000 * MJ, 10**6))
    observed = Observation(round(1.5 * 7200 * MJ), 0, 500_000, 1, 25_000, arrived=1)
    problem, energies = controller.problem(0, 3600, 0, [-1] * 24, observed)  # type: ignore[attr-defined]
    assert energies == [0, 1_000_000, 1_500_000, 2_000_000, 3_000_000, 4_000_000]
    assert [resource.capacity for resource in problem.sum_resources] == [observed.charge_nJ]
    wanted = controller.decide(controller.start, observed).state[1]
    assert wanted in (1_000_000, 1_500_000, 2_000_000)  # 1 and 2 mJ in turn are worth as much


def test_requests_that_wait_are_counted_once() -> None:
    """However long they wait for energy that does not come."""
    controller = REGISTRY.create(Governor, "mpc").controller(Situation(MEMBERS, 2000 * MJ, 10**6))
    plant = constant(0.0, 50, deadline_us=np.full(50, 600_000_000, np.int64))
    outcome = simulate_in_python(plant, controller, Moment(PlantState(0), controller.start))
    assert len(outcome.end.plant.waiting) == plant.queue
    assert outcome.end.governor[3] == 50


@pytest.mark.parametrize("solver", ["dp", "greedy"])
def test_any_solver_can_plan(solver: str) -> None:
    outcome = controlled("mpc", constant(1.5, 7300, 5000.0), 2500.0, {"solver": solver, "horizon": "4"})
    assert outcome.counts.missed == 0
    assert accuracy(outcome) > 0.7


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("threshold", {"lowest": "0.9", "highest": "0.5"}, "are not two rising shares"),
        ("threshold", {"highest": "1"}, "are not two rising shares; give numbers from 0 to below 1"),
        ("pi", {"target": "1"}, "option pi.target cannot be 1; give a share from 0 to below 1"),
        ("pid", {"target": "1"}, "option pid.target cannot be 1"),
        ("threshold", {"hysteresis": "0"}, "option threshold.hysteresis cannot be 0"),
        ("pi", {"target": "2"}, "option pi.target cannot be 2"),
        ("pi", {"horizon": "0"}, "option pi.horizon cannot be 0"),
        ("pid", {"derivative": "-1"}, "option pid.derivative cannot be -1"),
        ("pid", {"budget": "money"}, "option pid.budget cannot be 'money'"),
        ("mpc", {"horizon": "30"}, "option mpc.horizon cannot be 30"),
        ("mpc", {"solver": "abacus"}, "unknown solver 'abacus'"),
        ("oracle", {"blocks": "0"}, "option oracle.blocks cannot be 0"),
    ],
)
def test_options_without_sense_are_refused(name: str, options: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        REGISTRY.create(Governor, name, {name: options})


def test_a_horizon_is_shortened_where_the_integral_would_overflow() -> None:
    members = (Figures(10**12, 1, 1), Figures(10**13, 2, 2))
    make: Callable[[], Governor] = lambda: REGISTRY.create(Governor, "pi", {"pi": {"horizon": "16777216"}})  # noqa: E731
    controller = make().controller(Situation(members, 10**15, 1))
    assert isinstance(controller, LawController)
    assert (10**13) << (2 * controller.law.shift + 2) <= 2**61  # type: ignore[union-attr]
