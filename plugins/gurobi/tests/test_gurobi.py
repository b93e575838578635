"""What is particular to the gurobi plugin: the size of models under the free licence."""

from __future__ import annotations

import pytest
from reds_gurobi import GurobiSolver
from reds_gurobi.solver import _is_size_limited

from reds_core.errors import UnsupportedError
from reds_core.knapsack import Controls, Feature, solve
from reds_core.knapsack.relaxation import LinearOptions, linear_model
from reds_core.testing import problems

pytestmark = pytest.mark.skipif(bool(GurobiSolver.missing()), reason="needs gurobipy: pip install gurobipy")
plain = LinearOptions(presolve=False)


def test_a_model_beyond_the_free_licence_is_refused_in_words() -> None:
    if not _is_size_limited():
        pytest.skip("there is a licence without limits")
    problem = problems.large(1, Feature.ALL, groups=80)
    with pytest.raises(UnsupportedError, match=r"columns, and Gurobi's free licence takes 2,000"):
        solve(problem, GurobiSolver(plain))


def test_what_is_too_large_after_presolve_is_answered_with_a_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal counts columns of options and pairs; Gurobi itself refuses rows as well."""
    if not _is_size_limited():
        pytest.skip("there is a licence without limits")
    model = linear_model(problems.large(1, Feature.ALL, groups=80))
    monkeypatch.setattr("reds_gurobi.solver._fill", None)  # a large model takes seconds to build, so it must not be
    outcome = GurobiSolver().optimise(model, Controls(), None)
    assert outcome.choice is None
    assert outcome.bound is None
    assert not outcome.exhausted
    assert "Gurobi's free licence takes 2,000 of each" in outcome.detail[0]
