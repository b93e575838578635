"""The minimum of an envelope of planes, against a linear programme solved by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from reds_core.knapsack.compiled.library import VARIABLE
from reds_core.knapsack.inference.cutting_planes import CuttingPlanes


@pytest.mark.parametrize("compiled", ["0", "1"])
@pytest.mark.parametrize("resources", [0, 1, 2, 3, 4])
def test_the_lowest_point_is_that_of_a_linear_programme(
    resources: int, compiled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, compiled)
    for seed in range(40):
        rng = np.random.default_rng([seed, resources])
        scales = 10.0 ** rng.uniform(0, 6, resources)
        planes = [(float(rng.normal()) * 1e9, rng.normal(size=resources) * scales) for _ in range(12)]
        planes.append((-2e9, -3.0 * scales))  # within all capacities, so that the multipliers stay finite
        master = CuttingPlanes(1e9, scales)
        for plane in planes:
            master.add(*plane)
            master.lowest()
        while master.raise_ceiling():
            master.lowest()
        level, multipliers = master.lowest()
        # minimise t with t >= value - multipliers . excess
        rows = np.array([[-1.0, *(-excess / scales)] for _, excess in planes])
        values = np.array([value for value, _ in planes]) / 1e9
        bounds = [(None, None)] + [(0, None)] * resources
        expected = linprog([1.0] + [0.0] * resources, A_ub=rows, b_ub=-values, bounds=bounds).fun * 1e9
        assert level == pytest.approx(expected, rel=1e-6, abs=1.0)
        attained = max(value - float(multipliers @ excess) for value, excess in planes)
        assert attained == pytest.approx(expected, rel=1e-6, abs=1.0)


def test_without_a_plane_within_capacity_the_ceiling_can_be_raised_for_ever() -> None:
    master = CuttingPlanes(1.0, np.ones(1))
    master.add(0.0, np.ones(1))
    levels = []
    for _ in range(5):
        levels.append(master.lowest()[0])
        assert master.raise_ceiling()
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] < 8 * levels[0] < 0
