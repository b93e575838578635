"""What core does about back ends that leak over limits, lie, give up, or compute with numbers too large for floats."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from reds_core.arrays import IntArray
from reds_core.knapsack.cheapest import trivial_bound
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource
from reds_core.knapsack.relaxation.linear import LinearModel
from reds_core.knapsack.relaxation.milp import BackendOutcome, LinearOptions, LinearSolver, whole_bound
from reds_core.knapsack.solution import Limit, Solution, Status
from reds_core.knapsack.solver import Control, Controls, solve, why_not


@dataclass(frozen=True)
class ScriptOptions(LinearOptions):
    presolve: bool = False


class Scripted(LinearSolver):
    """A back end that gives the best choice it is given but for those excluded, with slips as told."""

    name = "scripted"
    controls = Control.TIME_LIMIT | Control.HINT
    Options = ScriptOptions
    slack: ClassVar[int] = 0
    outcome: ClassVar[BackendOutcome | None] = None

    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> BackendOutcome:
        if type(self).outcome is not None:
            return type(self).outcome
        grid = np.stack(np.meshgrid(*model.domain.options, indexing="ij"), -1).reshape(-1, len(model.domain.options))
        best: tuple[int, tuple[int, ...]] | None = None
        for choice in grid:
            z = model.solution(choice)
            activity = np.bincount(model.row, model.coefficient * z[model.column], model.rows)
            leak = np.where(model.rhs > len(model.domain.options), self.slack, 0)
            if np.all(np.where(model.equality, activity == model.rhs, activity <= model.rhs + leak)):
                value = model.offset + int(model.objective @ z)
                best = max(best or (value, ()), (value, tuple(int(i) for i in choice)))
        if best is None:
            return BackendOutcome(exhausted=True)
        return BackendOutcome(best[1], best[0], True)


def problem(capacity: int = 50, unit: int = 1) -> KnapsackProblem:
    rng = np.random.default_rng(5)
    groups = tuple(Group(f"g{g}", np.arange(1, 5), np.sort(rng.integers(0, 40, 4))) for g in range(3))
    costs = tuple(np.sort(rng.integers(0, 30, 4)) * unit for _ in groups)
    return KnapsackProblem("p", groups, (), (SumResource("r", capacity * unit, 0, costs),))


def answered(cls: type[Scripted], asked: KnapsackProblem, **controls: float | tuple[int, ...]) -> Solution:
    return solve(asked, cls(), Controls(**controls))  # type: ignore[arg-type]


def saying(outcome: BackendOutcome, exact: int | None = None) -> type[Scripted]:
    return type("Saying", (Scripted,), {"outcome": outcome, "exact_below": exact})


def test_an_exact_back_end_is_believed() -> None:
    solution = answered(Scripted, problem())
    assert solution.status is Status.OPTIMAL
    assert solution.detail == ()


def test_choices_that_leak_are_excluded_until_one_fits() -> None:
    leaky = type("Leaky", (Scripted,), {"slack": 3})
    used = answered(Scripted, problem()).usage
    assert used is not None
    tight = problem(capacity=used["r"] - 1)
    solution, truth = answered(leaky, tight), answered(Scripted, tight)
    assert (solution.status, solution.value, solution.bound) == (Status.OPTIMAL, truth.value, truth.value)
    assert any("exceed a limit" in d for d in solution.detail)


def test_a_back_end_that_leaks_on_and_on_is_repaired_and_proves_nothing() -> None:
    wild = type("Wild", (Scripted,), {"slack": 10**6})
    solution, truth = answered(wild, problem(capacity=20)), answered(Scripted, problem(capacity=20))
    assert solution.status is Status.FEASIBLE
    assert solution.bound is not None
    assert truth.value is not None
    assert solution.bound >= truth.value


def test_a_bound_below_the_value_is_left_out() -> None:
    solution = answered(saying(BackendOutcome((0, 0, 0), -1000, True)), problem())
    assert solution.status is Status.FEASIBLE
    assert solution.bound == trivial_bound(problem())
    assert any("left out" in d for d in solution.detail)


@pytest.mark.parametrize("exhausted", [True, False])
def test_numbers_above_what_floats_tell_apart_prove_nothing(exhausted: bool) -> None:
    solution = answered(saying(BackendOutcome((0, 0, 0), 10, exhausted), exact=10), problem())
    assert (solution.status, solution.bound) == (Status.FEASIBLE, trivial_bound(problem()))
    empty = answered(saying(BackendOutcome(exhausted=True), exact=10), problem())
    assert empty.status is Status.FEASIBLE  # infeasibility is not believed either, and repair finds a choice
    assert any("too large" in d for d in empty.detail)


def test_numbers_too_large_for_presolve_leave_the_sum_of_the_largest_values_as_bound() -> None:
    """A row that can only be met exactly, whose dual has no minimum in floating point."""
    values = ([20587884010836553, 100326507088149123], [2**57 - 2], [-(2**57), -106127659069940817, -24072897445799695])
    widths = ([4, 6], [3], [2, 3, 7])
    groups = tuple(Group(f"g{g}", *map(np.array, pair)) for g, pair in enumerate(zip(widths, values, strict=True)))
    first = (None, np.array([34683001512716119]), np.array([-(2**57), -(2**57) + 2, 7406526321068797]))
    second = (np.array([0, 90043970246848445]), np.array([20587884010836551]), None)
    resources = (
        SumResource("s0", -109432186563139755, -2, first),
        SumResource("s1", 110631854257684998, 2, second),
    )
    problem = KnapsackProblem("large", groups, (), resources)

    class Presolving(Scripted):
        exact_below = 2**50
        Options = LinearOptions

    with warnings.catch_warnings(action="error"):
        solution = solve(problem, Presolving(), Controls())
    assert solution.value == 100326507088149121
    assert solution.bound == trivial_bound(problem)


def test_a_stopped_search_keeps_the_hint_and_the_limit() -> None:
    best = answered(Scripted, problem()).choice
    assert best is not None
    solution = answered(saying(BackendOutcome(limit=Limit.TIME)), problem(), hint=best)
    assert (solution.status, solution.limit, solution.choice) == (Status.FEASIBLE, Limit.TIME, best)


def test_a_back_end_that_overlooks_the_cheapest_choice_proves_nothing() -> None:
    solution = answered(saying(BackendOutcome(exhausted=True)), problem())
    assert (solution.status, solution.bound) == (Status.FEASIBLE, trivial_bound(problem()))
    assert any("there is no better choice, but there is" in d for d in solution.detail)


def test_without_any_choice_there_is_no_solution() -> None:
    tight = problem(capacity=-1)
    nothing = saying(BackendOutcome(limit=Limit.TIME))
    assert answered(nothing, tight).status is Status.INFEASIBLE  # the row says so without the back end
    shared = KnapsackProblem("s", tight.groups, (), (*problem().resources,))
    assert answered(nothing, shared).status is Status.FEASIBLE


def test_presolve_takes_the_back_end_out_of_what_it_proves() -> None:
    solution = solve(problem(), saying(BackendOutcome(limit=Limit.TIME))(LinearOptions(presolve=True)))
    assert solution.bound is not None
    assert solution.value is not None


def test_float_bounds_are_rounded_down_only_past_their_error() -> None:
    assert whole_bound(41.9999999) == 42
    assert whole_bound(42.0000001) == 42
    assert whole_bound(42.9) == 43
    assert whole_bound(42.5) == 42
    assert whole_bound(-42.9999999) == -43
    assert whole_bound(float("inf")) is None
    assert whole_bound(float("nan")) is None


def test_numbers_without_a_linear_model_are_refused() -> None:
    groups = (Group("g", np.array([1, 2]), np.array([0, 2**61 + 1])),)
    assert why_not(Scripted(), KnapsackProblem("p", groups)) == "its sums may pass 2^61"


def test_no_model_is_built_without_time_to_do_so() -> None:
    solution = answered(saying(BackendOutcome((0, 0, 0), 0, True)), problem(), time_limit_s=1e-9)
    assert (solution.status, solution.limit, solution.bound) == (Status.FEASIBLE, Limit.TIME, trivial_bound(problem()))
    assert any("no time" in d for d in solution.detail)
