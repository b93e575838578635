"""Minimisation of a Lagrangian dual over its multipliers by cutting planes.

Every choice x bounds the dual from below by a plane: D(m) >= V(x) - m . (usage(x) - capacity). The planes' lower
envelope is minimised over m >= 0 (Kelley, J. SIAM 8, 1960) through its linear dual, whose basis has one row more than
there are resources. With a single resource, a step intersects two lines. A simplex step of this size takes
microseconds.
"""

from __future__ import annotations

import ctypes

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.compiled.library import address, compiled_library

_TOLERANCE = 1e-9
_PIVOTS = 200
_SMALLEST = 1e-12


class CuttingPlanes:
    """The planes added so far, and the minimum of their envelope.

    An artificial plane of value -`value_scale` and excess -`excess_scales` keeps the multipliers finite until choices
    within the capacities are known. `raise_ceiling` moves it away if it determines the minimum.

    Args:
        value_scale: typical magnitude of values, above 0.
        excess_scales: typical magnitude of the excess over each capacity, above 0; float64 (resources,).
    """

    def __init__(self, value_scale: float, excess_scales: FloatArray) -> None:
        self._value_scale = value_scale
        self._scales = excess_scales
        count = len(excess_scales)
        # columns: the artificial plane, one slack for each resource, then the planes
        self._columns = [np.concatenate(([1.0], -np.ones(count)))]
        self._columns += [np.concatenate(([0.0], unit)) for unit in np.eye(count)]
        self._objective = [-1.0] + [0.0] * count
        self._basis = list(range(count + 1))
        # a slightly raised right-hand side keeps bases apart, so that the simplex does not cycle
        self._right = np.concatenate(([1.0], 1e-10 * np.arange(1, count + 1)))

    def add(self, value: float, excess: FloatArray) -> None:
        """Add the plane of a choice.

        Args:
            value: value of the choice.
            excess: usage - capacity of each resource, float64 (resources,).
        """
        self._columns.append(np.concatenate(([1.0], excess / self._scales)))
        self._objective.append(value / self._value_scale)

    def raise_ceiling(self) -> bool:
        """Move the artificial plane away by a factor of 8 if it determines the minimum. Returns whether it did."""
        supports = 0 in self._basis and len(self._columns) > len(self._scales) + 1
        if supports:
            self._objective[0] *= 8.0
        return supports

    def lowest(self) -> tuple[float, FloatArray]:
        """The minimum of the envelope and the multipliers there, float64 (resources,)."""
        library = compiled_library()
        prices = self._simplex() if library is None else self._compiled_simplex(library)
        multipliers = np.maximum(prices[1:], 0.0) * (self._value_scale / self._scales)
        return float(prices[0]) * self._value_scale, multipliers

    def _compiled_simplex(self, library: ctypes.PyDLL) -> FloatArray:
        """The same as `_simplex` by compiled code."""
        columns, objective = np.array(self._columns), np.array(self._objective)
        basis, prices = np.array(self._basis), np.empty(len(self._right))
        status = library.reds_lowest(
            *(len(columns), len(prices), address(columns), address(objective), address(basis), address(self._right)),
            *(_PIVOTS, _TOLERANCE, _SMALLEST, address(prices)),
        )
        if status:
            return self._simplex()
        self._basis = basis.tolist()
        return prices

    def _simplex(self) -> FloatArray:
        """The dual prices of the best basis: the level of the envelope, then the scaled multipliers."""
        columns = np.array(self._columns).T
        objective = np.array(self._objective)
        prices = np.zeros(len(columns))
        for _ in range(_PIVOTS):
            basis = columns[:, self._basis]
            prices = np.linalg.solve(basis.T, objective[self._basis])
            reduced = objective - prices @ columns
            reduced[self._basis] = 0.0
            entering = int(reduced.argmax())
            if reduced[entering] <= _TOLERANCE * max(1.0, abs(prices[0])):
                break
            solved = np.linalg.solve(basis, np.stack((self._right, columns[:, entering]), axis=1))
            direction = solved[:, 1]
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios = np.where(direction > _SMALLEST, solved[:, 0] / direction, np.inf)
            leaving = int(ratios.argmin())
            if not np.isfinite(ratios[leaving]):
                break
            self._basis[leaving] = entering
        return prices
