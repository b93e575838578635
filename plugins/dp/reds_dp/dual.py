"""Minimisation of the Lagrangian dual, which also yields choices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.inference import POSSIBLE, CuttingPlanes, Factors, original
from reds_dp.search import DpSearch, NothingBetter

STEPS = 60
_PRECISION = 1e-7


@dataclass(frozen=True, eq=False)
class _Plane:
    """A choice that was met, its value, and its excess over each capacity, float64 (resources,)."""

    choice: tuple[int, ...]
    feasible: bool
    value: float
    excess: FloatArray


class Dual:
    """The dual over shrinking sets of options. The cutting plane of a choice is valid with all sets that contain it.

    Args:
        search: receives the bounds, and the choices met as possible incumbents.
        factors: the terms of the problem, which define the scales.
        multipliers: where to start, float64 (resources,); None for zeros.
    """

    def __init__(self, search: DpSearch, factors: Factors, multipliers: FloatArray | None = None) -> None:
        self._search = search
        self._planes: list[_Plane] = []
        self._value_scale = max(float(factors.magnitudes[0]), 1.0)
        self._scales = np.maximum(np.abs(factors.room), 1e-6 * factors.magnitudes[1:]) + 1.0
        self.multipliers: FloatArray = np.zeros(len(factors.room)) if multipliers is None else multipliers

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
        planes = self._inside(factors)
        for plane in planes:
            master.add(plane.value, plane.excess)
        best = np.inf
        multipliers = master.lowest()[1] if planes else self.multipliers
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
            if whole:
                self._search.limit(value + margin)
            resources = self._search.problem.sum_resources
            excess = np.array([float(evaluation.usage[r.name] - r.capacity) for r in resources])
            plane = _Plane(choice, evaluation.feasible, float(evaluation.value), excess)
            self._planes.append(plane)
            master.add(plane.value, plane.excess)
            level, multipliers = master.lowest()
            while best - level <= max(_PRECISION * abs(best), 0.01 + margin):
                if not master.raise_ceiling():
                    return True
                level, multipliers = master.lowest()
        return False

    def outside(self) -> tuple[int, ...] | None:
        """The choice of the largest priced value at the multipliers among the infeasible ones met, or None."""
        infeasible = [plane for plane in self._planes if not plane.feasible]
        if not infeasible:
            return None
        return max(infeasible, key=lambda plane: plane.value - float(self.multipliers @ plane.excess)).choice

    def _inside(self, factors: Factors) -> list[_Plane]:
        """The planes of choices whose options are all among those of `factors`."""
        left = [set(kept.tolist()) for kept in factors.kept] if self._planes else []
        return [p for p in self._planes if all(i in options for i, options in zip(p.choice, left, strict=True))]
