"""Wall time of the exact solver on problems with the shapes of real networks, beside one plain max-sum sweep.

python -m pytest benchmarks/test_solve.py --benchmark-group-by=param:case
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from reds_dp import DpSolver
from reds_lagrangian import LagrangianSolver

from reds_core.bench import NETWORKS, chain, knapsack
from reds_core.knapsack import Controls, KnapsackProblem, Status, solve, why_not
from reds_core.knapsack.inference import MaxSum, build_factors

SUM = {"macs": 0.5}
SUMS_AND_PEAK = {"macs": 0.5, "params": 0.5, "peak_ram": 0.7}


@dataclass(frozen=True)
class Case:
    """A problem, and the wall time it should take on a quiet machine.

    Attributes:
        network: name in `NETWORKS`, or "chain" for 20 groups of 64 channels.
        step: distance of the widths on offer.
        fractions: budget of each resource.
        target_s: seconds.
        kind: of the scores.
    """

    network: str
    step: int
    fractions: Mapping[str, float]
    target_s: float
    kind: str = "lognormal"

    def __str__(self) -> str:
        return f"{self.network}-{self.step}-{'+'.join(self.fractions)}-{self.kind}"

    def problem(self) -> KnapsackProblem:
        network = chain(20, 64) if self.network == "chain" else NETWORKS[self.network]()
        return knapsack(network, self.kind, self.step, tuple(self.fractions), self.fractions)


CASES = [
    Case("ds-cnn-s", 1, SUM, 0.02),
    Case("ds-cnn-m", 1, SUM, 0.05),
    Case("ds-cnn-l", 1, SUM, 0.1),
    Case("mobilenet-v1", 8, SUM, 0.1),
    Case("mobilenet-v1", 1, SUM, 1.0),
    Case("mobilenet-v2", 8, SUM, 0.3),
    Case("resnet-50", 8, SUM, 2.0),
    Case("vit-b", 8, SUM, 0.3),
    Case("ds-cnn-s", 1, SUMS_AND_PEAK, 0.15),
    Case("mobilenet-v2", 8, SUMS_AND_PEAK, 2.0),
    Case("chain", 1, SUM, 5.0, "near-equal"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_dp(case: Case, benchmark: Any) -> None:
    problem = case.problem()
    solution = benchmark.pedantic(lambda: solve(problem, DpSolver()), rounds=3, warmup_rounds=1)
    benchmark.extra_info |= {"target_s": case.target_s, "detail": " ".join(solution.detail)}
    assert solution.status is Status.OPTIMAL


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_sweep(case: Case, benchmark: Any) -> None:
    """The floor: every table read once, under one set of multipliers."""
    problem = case.problem()
    factors = build_factors(problem)
    sweeps = MaxSum(factors)
    weights = np.concatenate(([1.0], np.full(factors.rows - 1, -1.0)))[None]
    messages = benchmark.pedantic(lambda: sweeps.sweep(weights), rounds=3, warmup_rounds=1)
    assert np.isfinite(messages.best).all()


def test_resnet_50_in_single_steps_is_left_to_lagrangian(benchmark: Any) -> None:
    problem = knapsack(NETWORKS["resnet-50"]())
    reason = why_not(DpSolver(), problem)
    assert reason is not None
    assert "table_limit" in reason
    solution = benchmark.pedantic(
        lambda: solve(problem, LagrangianSolver(), Controls(time_limit_s=60)), rounds=1, warmup_rounds=0
    )
    assert solution.gap is not None
    assert solution.gap <= 1e-3
