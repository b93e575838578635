"""What is particular to the cpsat plugin: large sums, short times, the shared instances."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from reds_cpsat import CpsatSolver

from reds_core.knapsack import (
    Controls,
    Feature,
    Group,
    KnapsackProblem,
    Limit,
    Status,
    SumResource,
    load_problem,
    solve,
)
from reds_core.knapsack.relaxation import LinearOptions
from reds_core.testing import problems

INSTANCES = Path(__file__).parents[4] / "shared" / "instances"
FACTS = json.loads((INSTANCES / "optimal.json").read_text()) if INSTANCES.exists() else {}
OPTIMA = {name: fact["value"] for name, fact in FACTS.items()}
SMALL = sorted(n for n in OPTIMA if n.startswith(("graph-", "hard-", "ds-cnn-s-")))


@pytest.mark.skipif(not OPTIMA, reason="the shared instances are not here")
@pytest.mark.parametrize("name", SMALL)
def test_small_instances_are_proved(name: str) -> None:
    solution = solve(load_problem(INSTANCES / f"{name}.npz"), CpsatSolver(), Controls(time_limit_s=20.0))
    if OPTIMA[name] is None:
        assert solution.status is Status.INFEASIBLE
    else:
        assert (solution.status, solution.value) == (Status.OPTIMAL, OPTIMA[name])


def test_sums_too_large_for_cpsat_leave_a_choice_without_proof() -> None:
    """Each choice fits int64, the sum over all options does not; CP-SAT calls such a model invalid."""
    huge = 2**57
    groups = tuple(Group(f"g{g}", np.arange(1, 41), np.arange(40) * (huge // 40)) for g in range(8))
    resource = SumResource("r", 3 * huge, 0, tuple(np.arange(40) * (huge // 40) + g for g in range(8)))
    problem = KnapsackProblem("huge", groups, (), (resource,))
    solution = solve(problem, CpsatSolver(LinearOptions(presolve=False)))
    assert solution.status is Status.FEASIBLE
    assert any("too large for CP-SAT" in d for d in solution.detail)


def test_no_model_is_handed_over_without_time_to_do_so() -> None:
    problem = problems.large(1, Feature.ALL, groups=80)
    solution = solve(problem, CpsatSolver(LinearOptions(presolve=False)), Controls(time_limit_s=0.5))
    assert solution.limit is Limit.TIME
    assert any("no time" in d for d in solution.detail)


BESIDE_TENSORFLOW = """
import sys
import numpy as np
import tensorflow as tf
from reds_core.knapsack import Group, KnapsackProblem, SumResource, solve
from reds_cpsat import CpsatSolver

widths = np.arange(1, 9)
groups = tuple(Group(name, widths, 3 * widths) for name in "ab")
problem = KnapsackProblem("beside", groups, (), (SumResource("macs", 9, 0, (widths, widths)),))
for presolve in (True, False):
    solution = solve(problem, CpsatSolver(CpsatSolver.Options(presolve=presolve)))
    assert (solution.status.value, solution.value) == ("optimal", 27), solution
assert float(tf.reduce_sum(tf.ones((3, 3)) @ tf.ones((3, 3)))) == 27
"""


@pytest.mark.slow
def test_it_lives_beside_tensorflow_loaded_first() -> None:
    """Without deep binding CP-SAT crashed the process of a `reds prune --solver cpsat`."""
    pytest.importorskip("tensorflow")
    done = subprocess.run([sys.executable, "-c", BESIDE_TENSORFLOW], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
