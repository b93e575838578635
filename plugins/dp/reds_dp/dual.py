"""Minimisation of the Lagrangian dual, which also yields choices."""

from __future__ import annotations

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.inference import POSSIBLE, CuttingPlanes, Factors, original
from reds_dp.search import DpSearch, NothingBetter

STEPS = 60
_PRECISION = 1e-7


class Dual:
    """The dual over shrinking sets of options. Cutting planes found with one set are valid with all.

    Args:
        search: receives the bounds, and the choices met as possible incumbents.
        factors: the terms of the problem, which define the scales.
    """

    def __init__(self, search: DpSearch, factors: Factors) -> None:
        self._search = search
        self._planes: list[tuple[float, FloatArray]] = []
        self._value_scale = max(float(factors.magnitudes[0]), 1.0)
        self._scales = np.maximum(np.abs(factors.room), 1e-6 * factors.magnitudes[1:]) + 1.0
        self.multipliers: FloatArray = np.zeros(len(factors.room))
        self._outside: list[tuple[int, tuple[int, ...]]] = []

    def minimise(self, factors: Factors, whole: bool, steps: int = STEPS) -> bool:
        """Move `multipliers` towards the minimum over `factors`.

        Args:
            factors: the terms over the remaining options.
            whole: whether `factors` contains every choice better than the incumbent, so that bounds are valid.
            steps: the largest number of sweeps.

        Returns:
            Whether the minimum was reached.

        Raises:
            NothingBetter: if it is proven that no choice is worth the floor of the search.
            OutOfTime: if the deadline has passed.
        """
        sweeps = self._search.buckets(factors)
        room = factors.room
        master = CuttingPlanes(self._value_scale, self._scales)
        for plane in self._planes:
            master.add(*plane)
        best = np.inf
        multipliers = master.lowest()[1] if self._planes else self.multipliers
        for _ in range(steps):
            self._search.limits.check_time()
            weights = np.concatenate(([1.0], -multipliers))[None]
            messages = sweeps.sweep(weights)
            if messages.best[0] < POSSIBLE:
                if whole:
                    raise NothingBetter
                return True
            value = float(messages.best[0] + multipliers @ room)
            margin = float(factors.margin(weights)[0])
            if value < best:
                best, self.multipliers = value, multipliers
            choice = original(factors, sweeps.decode(messages))
            evaluation = self._search.offer(choice)
            if not evaluation.feasible:
                self._outside.append((len(self._planes), choice))
            if whole:
                self._search.limit(value + margin)
            resources = self._search.problem.sum_resources
            excess = np.array([float(evaluation.usage[r.name] - r.capacity) for r in resources])
            self._planes.append((float(evaluation.value), excess))
            master.add(*self._planes[-1])
            level, multipliers = master.lowest()
            while best - level <= max(_PRECISION * abs(best), 0.01 + margin):
                if not master.raise_ceiling():
                    return True
                level, multipliers = master.lowest()
        return False

    def outside(self) -> tuple[int, ...] | None:
        """The choice of the largest priced value at the multipliers among the infeasible ones met, or None."""

        def priced_value(entry: tuple[int, tuple[int, ...]]) -> float:
            value, excess = self._planes[entry[0]]
            return value - float(self.multipliers @ excess)

        return max(self._outside, key=priced_value)[1] if self._outside else None
