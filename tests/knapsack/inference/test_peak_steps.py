"""The steps of peak resources during a local search, against the evaluation of whole choices."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.knapsack.inference.peak_steps import PeakSteps
from reds_core.knapsack.solver import Feature
from reds_core.testing.problems import random_problem


@pytest.mark.parametrize("seed", range(40))
def test_changes_of_one_group_are_allowed_and_exceed_as_whole_choices_do(seed: int) -> None:
    problem = random_problem(seed, Feature.ALL)
    kept = [np.arange(g.options) for g in problem.groups]
    sizes = np.array([len(k) for k in kept])
    starts = np.cumsum(sizes) - sizes
    steps = PeakSteps(problem, kept, starts)
    rng = np.random.default_rng(seed)
    at = np.array([int(rng.integers(n)) for n in sizes])
    count = int(sizes.sum())
    fits = np.ones(count, np.bool_)
    steps.exclude(at, fits, None)
    excess = np.broadcast_to(steps.excess(at, count), (count,))
    for g, n in enumerate(sizes):
        own = np.ones(n, np.bool_)
        steps.exclude(at, own, g)
        for option in range(n):
            choice = at.copy()
            choice[g] = option
            usage = problem.evaluate([int(i) for i in choice]).usage
            within = all(usage[r.name] <= r.capacity for r in problem.peak_resources)
            assert fits[starts[g] + option] == within
            assert steps.allow(at, {g: option}) or not within
            assert (excess[starts[g] + option] < 1e-9) == within
            assert float(steps.excess(choice, None)[0]) == pytest.approx(excess[starts[g] + option], abs=1e-9)
            if steps.excess(at, None)[0] == 0:
                assert own[option] == within == steps.allow(at, {g: option})
