"""Compiled label setting and dominance against NumPy, and the whole solver with and without compiled code."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reds_dp import DpSolver
from reds_dp.answer import plan
from reds_dp.dominance import undominated
from reds_dp.dual import Dual
from reds_dp.fixing import neighbours, priced, slacks, with_usage
from reds_dp.labels import Found, LabelSearch
from reds_dp.search import DpSearch, NothingBetter, OutOfMemory, OutOfTime, SearchLimits
from reds_dp.solver import DpOptions
from reds_dp.terms import ExactTerms

from reds_core.arrays import IntArray
from reds_core.knapsack import Controls, Feature, KnapsackProblem, PeakResource, Solution, Status, solve
from reds_core.knapsack.compiled import VARIABLE, compiled_library, undominated_labels
from reds_core.knapsack.inference import original, peak_masks, possible_options
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import long_chain, random_problem, scaled
from reds_core.testing.strategies import knapsack_problems

pytestmark = pytest.mark.skipif(compiled_library() is None, reason="no compiled library is installed")


# --- dominance --------------------------------------------------------------------------------------------------------


def _dominates(a: int, b: int, states: IntArray, values: IntArray, usage: IntArray) -> bool:
    return bool(states[a] == states[b] and values[a] >= values[b] and (usage[:, a] <= usage[:, b]).all())


@given(st.integers(0, 2**32), st.integers(0, 5), st.integers(1, 400), st.sampled_from([1, 2**20, 2**40, 2**57]))
@settings(max_examples=200, deadline=None)
def test_only_labels_that_a_kept_one_dominates_are_dropped(seed: int, resources: int, count: int, scale: int) -> None:
    compiled = compiled_library()
    assert compiled is not None
    rng = np.random.default_rng(seed)
    states = rng.integers(0, rng.integers(1, 9), count) * int(rng.choice([1, 2**33]))
    reach = int(rng.choice([3, 12]))
    values = rng.integers(-reach, reach + 1, count) * scale
    usage = rng.integers(-reach, reach + 1, (resources, count)) * scale
    kept = undominated_labels(compiled, states, values, usage).tolist()
    assert len(set(kept)) == len(kept)
    assert (np.diff(states[kept]) >= 0).all()
    for label in set(range(count)) - set(kept):
        assert any(_dominates(k, label, states, values, usage) for k in kept)
    if resources < 3:
        different = [k for k in kept if resources == 0 or (usage[0, kept] == usage[0, k]).sum() == 1]
        assert not any(a != b and _dominates(a, b, states, values, usage) for a in kept for b in different)


@pytest.mark.parametrize("resources", [0, 1, 2, 3])
def test_many_labels_keep_what_numpy_keeps(resources: int) -> None:
    compiled = compiled_library()
    assert compiled is not None
    rng = np.random.default_rng(resources)
    count = 20_000
    states = rng.integers(0, 7, count)
    usage = np.array([rng.permutation(count) for _ in range(resources)], dtype=np.int64).reshape(resources, count)
    values = usage.sum(axis=0) + rng.permutation(count)
    kept = undominated_labels(compiled, states, values, usage)
    reference = undominated(states, values, usage, lambda: None)
    if resources < 3:
        assert set(kept.tolist()) == set(reference.tolist())
    else:
        # with three resources, both keep some labels in vain
        assert len(kept) < 1.05 * len(reference)


# --- label setting ----------------------------------------------------------------------------------------------------


def _both(
    problem: KnapsackProblem, below: float, beam: int | None, table_limit: int, limits: SearchLimits
) -> tuple[list[Found | type[Exception]], list[int], DpSearch] | None:
    """Runs of label setting with NumPy and with compiled code, and the labels that they kept; None if none is run."""
    kept = possible_options(problem)
    if kept is None:
        return None
    order, held = plan(problem, table_limit)
    search = DpSearch(problem, order, kept, SearchLimits(math.inf, 2**21))
    factors = search.build(peak_masks(problem, kept, table_limit, held))
    dual = Dual(search, factors)
    try:
        dual.minimise(factors, whole=True)
    except NothingBetter:
        return None
    assert search.bound is not None
    threshold = search.bound - int(below * abs(search.bound)) - 1
    sweeps = search.buckets(factors)
    messages = sweeps.sweep(with_usage(priced(neighbours(dual.multipliers)), factors))
    spare = slacks(factors, messages, threshold)
    found: list[Found | type[Exception]] = []
    labels = []
    for each in (replace(messages, flat=None), messages):
        setting = LabelSearch(sweeps, ExactTerms(problem, factors, sweeps), search.room)
        try:
            found.append(setting.run(each, spare, limits, beam))
        except (OutOfTime, OutOfMemory) as error:
            found.append(type(error))
        labels.append(setting.kept)
    for run in found:
        if isinstance(run, Found) and run.positions is not None:
            evaluation = problem.evaluate(original(factors, run.positions))
            assert all(evaluation.usage[r.name] <= r.capacity for r in problem.resources)
    return found, labels, search


def _value(problem: KnapsackProblem, search: DpSearch, found: Found) -> int | None:
    if found.positions is None:
        return None
    return problem.evaluate([int(k[i]) for k, i in zip(search.kept, found.positions, strict=True)]).value


UNLIMITED = SearchLimits(math.inf, 2**21)


@given(
    knapsack_problems(groups=6),
    st.sampled_from([0.0, 0.1, 0.5, 3.0]),
    st.sampled_from([None, 1, 40]),
    st.sampled_from([2**24, 4]),
)
@settings(max_examples=200, deadline=None)
def test_runs_find_the_same_value(problem: KnapsackProblem, below: float, beam: int | None, table_limit: int) -> None:
    pair = _both(problem, below, beam, table_limit, UNLIMITED)
    if pair is None:
        return
    (reference, compiled), _, search = pair
    assert isinstance(reference, Found)
    assert isinstance(compiled, Found)
    if reference.complete and compiled.complete:
        assert _value(problem, search, compiled) == _value(problem, search, reference)
    if beam is None:
        assert compiled.complete


@pytest.mark.parametrize("resources", [Feature.NONE, Feature.MULTI_RESOURCE, Feature.PEAK])
@pytest.mark.parametrize("table_limit", [2**24, 10])
def test_larger_runs_find_the_same_value(resources: Feature, table_limit: int) -> None:
    ran = 0
    for seed in range(40):
        problem = random_problem(seed, resources | Feature.PAIR_TERMS, groups=8, options=8, low=0.05, high=0.4)
        if seed % 2:
            problem = scaled(problem, 2**50)
        pair = _both(problem, 0.3, None, table_limit, UNLIMITED)
        if pair is not None:
            (reference, compiled), (kept_by_numpy, kept), search = pair
            assert isinstance(reference, Found)
            assert isinstance(compiled, Found)
            assert compiled.complete
            assert reference.complete
            assert _value(problem, search, compiled) == _value(problem, search, reference)
            # ties and the windows of three or more resources may differ
            assert kept <= 1.2 * kept_by_numpy + 50
            ran += 1
    assert ran > 20


def test_a_limit_beyond_64_bits_is_no_limit() -> None:
    pair = _both(long_chain(3, groups=6), 0.2, None, 2**24, SearchLimits(math.inf, 2**64))
    assert pair is not None
    (reference, compiled), _, search = pair
    assert isinstance(reference, Found)
    assert isinstance(compiled, Found)
    assert _value(search.problem, search, compiled) == _value(search.problem, search, reference)


def test_a_beam_that_drops_labels_says_so() -> None:
    pair = _both(long_chain(3, groups=8), 0.2, 16, 2**24, UNLIMITED)
    assert pair is not None
    (reference, compiled), _, _ = pair
    assert isinstance(reference, Found)
    assert isinstance(compiled, Found)
    assert (reference.complete, compiled.complete) == (False, False)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (SearchLimits(math.inf, 30), OutOfMemory),
        (SearchLimits(math.inf, 2**21, memory=10_000), OutOfMemory),
        (SearchLimits(-math.inf, 2**21), OutOfTime),
    ],
)
def test_limits_end_a_run(limits: SearchLimits, expected: type[Exception]) -> None:
    pair = _both(long_chain(3, groups=12, options=40, linked=True), 0.3, None, 2**24, limits)
    assert pair is not None
    assert pair[0] == [expected, expected]


# --- the whole solver -------------------------------------------------------------------------------------------------


def _solved(problem: KnapsackProblem, compiled: bool, **options: int) -> Solution:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "1" if compiled else "0")
        return solve(problem, DpSolver(DpOptions(**options)), Controls(time_limit_s=120))


def _check(problem: KnapsackProblem) -> None:
    truth = brute_force(problem)
    for compiled in (False, True):
        solution = _solved(problem, compiled)
        assert solution.value == truth.value, compiled
        assert solution.status is (Status.INFEASIBLE if truth.value is None else Status.OPTIMAL)


@given(knapsack_problems(groups=5), st.sampled_from([1, 2**20, 2**50, 2**52]))
@settings(max_examples=150, deadline=None)
def test_both_prove_the_optimum_of_generated_problems(problem: KnapsackProblem, factor: int) -> None:
    _check(scaled(problem, factor))


def test_both_prove_the_optimum_of_random_problems() -> None:
    shapes = [Feature.ALL, Feature.PAIR_TERMS, Feature.PAIR_TERMS | Feature.PEAK | Feature.MULTI_RESOURCE]
    for seed in range(60):
        _check(random_problem(seed, shapes[seed % 3], groups=6, options=5))


def test_peak_steps_without_masks_are_checked_label_by_label() -> None:
    for seed in range(30):
        problem = random_problem(seed, Feature.PEAK | Feature.PAIR_TERMS, groups=6, options=5)
        assert any(isinstance(r, PeakResource) for r in problem.resources)
        solver = DpSolver(DpOptions(table_limit=25))
        if solver.refusal(problem) is None:
            assert _solved(problem, True, table_limit=25).value == _solved(problem, False, table_limit=25).value


@pytest.mark.parametrize("compiled", [True, False])
def test_the_answer_says_which_implementation_was_used(compiled: bool) -> None:
    detail = " ".join(_solved(long_chain(1, groups=6), compiled).detail)
    assert ("compiled code" in detail) == compiled
    assert ("NumPy" in detail) != compiled
