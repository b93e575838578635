"""The paper's program over kernels: its optimum against one found by hand, and what the solver makes of it."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time

import numpy as np
import numpy.typing as npt
import pytest
from reds_baselines import RedsKernelSolver
from reds_baselines.kernel import KernelOptions
from reds_baselines.kernel_model import KernelModel, kernel_model
from reds_baselines.mathopt import Backend, maximise

from reds_core.bench import NETWORKS, chain, knapsack, suite
from reds_core.errors import UnsupportedError
from reds_core.knapsack import Controls, Group, KnapsackProblem, Limit, Pair, Status, SumResource, solve, why_not

BACKENDS: tuple[Backend, ...] = ("scip", "cp-sat", "highs")
QUIET = Controls(time_limit_s=60, seed=0, threads=1)


def random_chain(seed: int, capacity: float = 0.4, step: int = 1) -> KnapsackProblem:
    """Three groups of unlike width with kernel scores in no order, and costs in proportion to widths."""
    rng = np.random.default_rng(seed)
    channels = [int(n) for n in rng.integers(2, 5, 3) * step]
    widths = [np.arange(step, n + 1, step) for n in channels]
    groups = tuple(Group(f"g{g}", w, np.cumsum(rng.integers(0, 4000, w.size))) for g, w in enumerate(widths))
    pairs = []
    for a, b in ((0, 1), (1, 2)):
        kernel = rng.integers(1, 1000, (channels[a], channels[b])).astype(float)
        sums = kernel.cumsum(axis=0).cumsum(axis=1)[np.ix_(widths[a] - 1, widths[b] - 1)]
        pairs.append(Pair(a, b, sums.astype(np.int64), kernel))
    costs = tuple(int(rng.integers(1, 6)) * w for w in widths)
    problem = KnapsackProblem("kernels", groups, tuple(pairs), (SumResource("macs", 0, 3, costs, (2, 3)),))
    full = problem.evaluate(problem.ceilings).usage["macs"]
    return problem.with_capacities({"macs": int(capacity * full)})


def kernel_value(problem: KnapsackProblem, widths: npt.NDArray[np.int64]) -> int:
    """The most that kernels and reading filters are worth at `widths`, each the best of so many (channels step 1)."""
    value = 0
    for group, x in zip(problem.groups, widths, strict=True):
        value += int(np.sort(np.diff(group.values, prepend=0))[::-1][:x].sum())
    for pair in problem.pairs:
        assert pair.kernel is not None
        for kernels in pair.kernel.T[: widths[pair.second]]:
            value += int(np.sort(kernels)[::-1][: widths[pair.first]].sum())
    return value


def optimum(problem: KnapsackProblem) -> int:
    """The optimum of the program, by trying all widths: within them the best kernels are the best of their filter."""
    values = []
    for choice in itertools.product(*(range(g.options) for g in problem.groups)):
        if problem.evaluate(choice).feasible:
            widths = np.array([g.widths[k] for g, k in zip(problem.groups, choice, strict=True)])
            values.append(kernel_value(problem, widths))
    return max(values)


# --- the program ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", [0, 3])
def test_the_program_has_the_optimum_found_by_hand(backend: Backend, seed: int) -> None:
    problem = random_chain(seed, capacity=0.3 + 0.1 * seed)
    found = maximise(kernel_model(problem), backend, QUIET, time.monotonic() + 60)
    assert found.widths is not None
    assert not found.stopped
    assert kernel_value(problem, found.widths) == optimum(problem)


def holds(model: KernelModel, x: npt.NDArray[np.float64]) -> bool:
    """Whether `x` meets every bound and constraint."""
    activity = np.bincount(model.row, model.coefficient * x[model.column], model.rows)
    within = (model.row_lower <= activity) & (activity <= model.row_upper)
    return bool(within.all() and np.all((model.lower <= x) & (x <= model.upper)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("step", [1, 3])
def test_every_choice_of_widths_is_a_solution_if_it_is_feasible(seed: int, step: int) -> None:
    """Kept filters, reading filters and kernels that come first: the program is a relaxation of the width problem."""
    problem = random_chain(seed, step=step)
    model = kernel_model(problem)
    channels = [int(g.widths[-1]) for g in problem.groups]
    seen = set()
    for choice in itertools.product(*(range(g.options) for g in problem.groups)):
        widths = [int(g.widths[k]) for g, k in zip(problem.groups, choice, strict=True)]
        first = [np.arange(n) < w for n, w in zip(channels, widths, strict=True)]
        kernels = [np.outer(first[p.second], first[p.first]).ravel() for p in problem.pairs]
        x = np.concatenate([np.array(widths, float), *(2 * first), *kernels]).astype(float)
        evaluation = problem.evaluate(choice)
        assert holds(model, x) == evaluation.feasible
        assert float(model.objective @ x) == evaluation.value
        seen.add(evaluation.feasible)
    assert seen == {True, False}


def test_constraints_of_one_pair_are_those_of_the_paper() -> None:
    """2 channels feed 1: which of the 2^6 settings of the binaries stand is said by hand."""
    groups = (Group("a", np.array([1, 2]), np.zeros(2)), Group("b", np.array([1]), np.zeros(1)))
    pair = Pair(0, 1, np.zeros((2, 1)), np.ones((2, 1)))
    model = kernel_model(KnapsackProblem("pair", groups, (pair,)))
    assert (model.groups, model.binaries) == (2, 8)
    standing = set()
    for bits in itertools.product((0, 1), repeat=8):
        x = np.array([sum(bits[0:2]), bits[2], *bits], float)
        if holds(model, x):
            standing.add(bits)
    # columns: kept a1 a2, kept b, reading a1 a2, reading b, kernels of b from a1 a2
    one = {(1, 0, 1, *reading, 1, *kernel) for reading in ((1, 0), (0, 1)) for kernel in ((1, 0), (0, 1))}
    assert standing == one | {(1, 1, 1, 1, 1, 1, 1, 1)}


def test_ds_cnn_s_has_a_binary_for_each_kernel() -> None:
    model = kernel_model(knapsack(NETWORKS["ds-cnn-s"](), kernels=True))
    filters, kernels = 5 * 64, 4 * 64 * 64
    assert model.binaries == 2 * filters + kernels == 17_024
    # x twice a group, order, a row for each kernel, three for each filter, the budget
    assert model.rows == 2 * 5 + 5 * 63 + kernels + 3 * 4 * 64 + 1 == 17_478


def test_options_apart_are_taken_whole() -> None:
    problem = random_chain(1, step=3)
    found = maximise(kernel_model(problem), "scip", QUIET, time.monotonic() + 4)
    assert found.widths is not None
    assert all(w in g.widths for w, g in zip(found.widths, problem.groups, strict=True))


def test_what_options_are_worth_is_spread_over_their_channels_without_loss() -> None:
    groups = (Group("a", np.array([3, 4, 9]), np.array([-5, 2**60 + 1, 7])),)
    costs = (np.array([10, 12, 11]),)
    model = kernel_model(KnapsackProblem("spread", groups, (), (SumResource("macs", 20, 0, costs),)))
    reading = model.objective[1 + 9 :]
    assert [reading[:3].sum(), reading[3:4].sum()] == [-5, 2**60 + 6]
    budget = model.row == model.rows - 1
    spent = dict(zip(model.column[budget].tolist(), model.coefficient[budget].tolist(), strict=True))
    by_channel = [spent.get(10 + c, 0) for c in range(9)]
    assert [sum(by_channel[:n]) for n in (3, 4, 9)] == [10, 12, 11]
    assert max(by_channel[:3]) - min(by_channel[:3]) <= 1


# --- the solver -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_it_answers_is_feasible_and_claims_nothing(backend: Backend) -> None:
    (tiny,) = (i for i in suite("tiny") if i.problem.name == "tiny-kernels")
    found = solve(tiny.problem, RedsKernelSolver(KernelOptions(backend)), QUIET)
    assert (found.status, found.bound, found.limit) == (Status.FEASIBLE, None, None)
    assert found.value is not None
    assert found.detail == ("kernel-level model: 176 binaries, 204 constraints",)


def test_floors_and_ceilings_and_two_sums_are_kept() -> None:
    problem = random_chain(2, capacity=0.9)
    macs = problem.sum_resources[0]
    second = SumResource("params", macs.capacity // 3, 0, macs.costs, (1, 1))
    both = KnapsackProblem("two", problem.groups, problem.pairs, (macs, second), (1, 0, 0), (1, 1, 1))
    found = solve(both, RedsKernelSolver(), QUIET)
    assert found.choice is not None
    assert both.evaluate(found.choice).feasible
    assert found.choice[0] == 1
    assert kernel_value(both, np.array(list((found.widths or {}).values()))) == optimum(both)


def test_widths_over_a_budget_that_kernels_meet_are_cut_by_score() -> None:
    """Costs that fall with the channel: the program reads the two cheap channels, widths hold the dear one as well."""
    groups = (Group("a", np.array([1, 2, 3]), np.array([0, 5, 10])), Group("b", np.array([1]), np.array([0])))
    pair = Pair(0, 1, np.array([[1], [2], [3]]), np.ones((3, 1)))
    resource = SumResource("macs", 11, 0, (np.array([10, 15, 16]), None), (0,))
    found = solve(KnapsackProblem("dear", groups, (pair,), (resource,)), RedsKernelSolver(), QUIET)
    assert (found.choice, found.value) == ((0, 0), 1)
    assert found.detail[1] == "its widths exceed a budget that its kernels meet"


def test_nothing_within_the_budget_is_no_solution_without_claim() -> None:
    found = solve(random_chain(0).with_capacities({"macs": 4}), RedsKernelSolver(), QUIET)
    assert (found.status, found.limit) == (Status.NO_SOLUTION, None)
    assert found.detail[1] == "no choice of kernels meets the budgets"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_time_limit_leaves_the_best_found_or_nothing(backend: Backend) -> None:
    (large,) = (i for i in suite("paper") if i.problem.name == "ds-cnn-s-kernels-25")
    started = time.perf_counter()
    found = solve(large.problem, RedsKernelSolver(KernelOptions(backend)), Controls(time_limit_s=1.5, threads=1))
    assert time.perf_counter() - started < 1.5 + 2.5
    assert found.limit is Limit.TIME
    assert found.status in (Status.FEASIBLE, Status.NO_SOLUTION)
    assert found.status is Status.NO_SOLUTION or found.value is not None


def test_no_model_is_built_without_time_to_do_so() -> None:
    (large,) = (i for i in suite("paper") if i.problem.name == "ds-cnn-s-kernels-25")
    found = solve(large.problem, RedsKernelSolver(), Controls(time_limit_s=0.01))
    assert (found.status, found.limit, found.choice) == (Status.FEASIBLE, Limit.TIME, large.problem.floors)
    assert "no time was left to build a model of 16,384 kernels" in found.detail
    assert "the choice is the cheapest one, not the back end's" in found.detail


def test_a_back_end_that_had_to_be_ended_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reds_baselines.mathopt.run_isolated", lambda *_: None)
    found = solve(random_chain(0), RedsKernelSolver(), Controls(time_limit_s=1))
    assert (found.status, found.limit, found.backend_s) == (Status.FEASIBLE, Limit.TIME, None)
    assert found.detail[1] == "the back end ran past the time limit and was ended"


def test_it_refuses_what_it_cannot_state() -> None:
    solver = RedsKernelSolver()
    without = knapsack(chain(3, 4))
    with pytest.raises(UnsupportedError, match=r"no kernel scores \(kernel/K\) of the pair 'c0' and 'c1'"):
        solve(without, solver)
    base = random_chain(0)
    table = tuple(np.ones((base.groups[p.first].options, base.groups[p.second].options)) for p in base.pairs)
    latency = KnapsackProblem("latency", base.groups, base.pairs, (SumResource("latency", 9, 0, (), (), table),))
    assert "pair costs in a table" in str(why_not(solver, latency))
    wide = tuple(Group(name, np.array([1500]), np.array([0])) for name in "ab")
    problem = KnapsackProblem("wide", wide, (Pair(0, 1, None, np.zeros((1500, 1500))),))
    assert "2,250,000 kernels" in str(why_not(solver, problem))


def test_kernels_that_are_all_zero_are_worth_nothing() -> None:
    groups = (Group("a", np.array([1, 2]), np.array([0, 3])), Group("b", np.array([1]), np.array([0])))
    pair = Pair(0, 1, None, np.zeros((2, 1)))
    found = solve(KnapsackProblem("zero", groups, (pair,)), RedsKernelSolver(), QUIET)
    assert found.choice == (1, 0)


def test_nothing_of_or_tools_is_loaded_here() -> None:
    """TensorFlow cannot be imported once MathOpt is there: its types have the same names."""
    code = """
import sys
from reds_core.bench import suite
from reds_core.knapsack import solve
from reds_baselines import RedsKernelSolver

(tiny,) = (i.problem for i in suite("tiny") if i.problem.name == "tiny-kernels")
assert solve(tiny, RedsKernelSolver()).value is not None
assert not [m for m in sys.modules if m.startswith("ortools")]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


ENDLESS = """
from reds_core.bench import suite
from reds_core.knapsack import solve
from reds_baselines import RedsKernelSolver

(large,) = (i.problem for i in suite("paper") if i.problem.name == "ds-cnn-s-kernels-25")
print("asked", flush=True)
solve(large, RedsKernelSolver())
"""


def test_ctrl_c_is_answered_while_the_back_end_searches() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell that runs the tests in the background has Ctrl-C ignored, which children inherit
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in errors


def test_a_time_limit_beyond_all_clocks_is_none() -> None:
    costs = (np.array([1, 2]),)
    problem = KnapsackProblem(
        "small", (Group("a", np.array([1, 2]), np.array([1, 3])),), (), (SumResource("macs", 2, 0, costs),)
    )
    assert solve(problem, RedsKernelSolver(), Controls(time_limit_s=1e30)).choice is not None
