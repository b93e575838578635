"""What is particular to the highs plugin: a shared instance, and that highspy stays out of this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from reds_highs import HighsSolver

from reds_core.knapsack import Controls, Feature, Status, load_problem, solve
from reds_core.knapsack.relaxation import LinearOptions
from reds_core.testing import problems

INSTANCES = Path(__file__).parents[4] / "shared" / "instances"
FACTS = json.loads((INSTANCES / "optimal.json").read_text()) if INSTANCES.exists() else {}
OPTIMA = {name: fact["value"] for name, fact in FACTS.items()}
pytestmark = pytest.mark.skipif(bool(HighsSolver.missing()), reason="needs highspy: pip install highspy")
plain = LinearOptions(presolve=False)


def test_highspy_is_not_imported_here() -> None:
    """Importing OR-Tools after it would end this process."""
    assert solve(problems.roomy(0, Feature.ALL), HighsSolver(plain)).status is Status.OPTIMAL
    assert "highspy" not in sys.modules


@pytest.mark.skipif(not OPTIMA, reason="the shared instances are not here")
def test_a_small_instance_is_proved() -> None:
    solution = solve(load_problem(INSTANCES / "ds-cnn-s-kws-25.npz"), HighsSolver(), Controls(time_limit_s=60.0))
    assert (solution.status, solution.value) == (Status.OPTIMAL, OPTIMA["ds-cnn-s-kws-25"])
