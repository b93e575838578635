"""Problems in which groups keep only some options: each choice has the value and usage that it has in the whole one."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.errors import InputError
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair
from reds_core.knapsack.solver import Feature
from reds_core.testing.oracle import all_choices
from reds_core.testing.problems import random_problem


@pytest.mark.parametrize("seed", range(25))
def test_choices_keep_their_value_widths_and_usage(seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = random_problem(seed, Feature.ALL)
    options = []
    for low, high in zip(problem.floors, problem.ceilings, strict=True):
        allowed = np.arange(low, high + 1)
        options.append(np.sort(rng.choice(allowed, int(rng.integers(1, len(allowed) + 1)), replace=False)))
    restricted = problem.restricted(options)
    small = restricted.problem
    for choice in all_choices(small).tolist():
        own = restricted.outer(choice)
        assert restricted.inner(own) == tuple(choice)
        assert small.evaluate(choice) == problem.evaluate(own)
        assert small.widths(choice) == problem.widths(own)


def test_kernels_end_at_the_widest_option() -> None:
    kernel = np.arange(12.0).reshape(3, 4)
    groups = (Group("a", np.arange(1, 4), np.zeros(3)), Group("b", np.arange(1, 5), np.zeros(4)))
    problem = KnapsackProblem("kernels", groups, (Pair(0, 1, kernel=kernel),))
    small = problem.restricted([np.array([0, 1]), np.array([1])]).problem
    np.testing.assert_array_equal(small.pairs[0].kernel, kernel[:2, :2])


def test_a_group_without_options_is_refused() -> None:
    problem = KnapsackProblem("one", (Group("a", np.arange(1, 4), np.zeros(3)),))
    with pytest.raises(InputError, match="group 'a' has no options"):
        problem.restricted([np.array([], np.int64)])
