"""What is particular to the scip plugin: a shared instance, and short times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reds_scip import ScipSolver

from reds_core.knapsack import Controls, Feature, Limit, Status, load_problem, solve
from reds_core.knapsack.relaxation import LinearOptions
from reds_core.testing import problems

INSTANCES = Path(__file__).parents[4] / "shared" / "instances"
FACTS = json.loads((INSTANCES / "optimal.json").read_text()) if INSTANCES.exists() else {}
OPTIMA = {name: fact["value"] for name, fact in FACTS.items()}
pytestmark = pytest.mark.skipif(bool(ScipSolver.missing()), reason="needs pyscipopt: pip install pyscipopt")
plain = LinearOptions(presolve=False)


@pytest.mark.skipif(not OPTIMA, reason="the shared instances are not here")
def test_a_small_instance_is_proved() -> None:
    solution = solve(load_problem(INSTANCES / "ds-cnn-s-kws-25.npz"), ScipSolver(), Controls(time_limit_s=60.0))
    assert (solution.status, solution.value) == (Status.OPTIMAL, OPTIMA["ds-cnn-s-kws-25"])


def test_a_model_that_takes_too_long_to_build_is_not_built() -> None:
    problem = problems.large(1, Feature.ALL, groups=80)
    solution = solve(problem, ScipSolver(plain), Controls(time_limit_s=0.5))
    assert solution.limit is Limit.TIME
    assert any("no time" in d for d in solution.detail)
