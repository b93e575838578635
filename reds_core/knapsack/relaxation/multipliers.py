"""Search for multipliers and shares that minimise the dual bound of `reds_core.knapsack.relaxation.dual`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.relaxation.dual import Dual, DualPoint, Shares

LINE_STEPS = 40
POLYAK_STEPS = 60
DOUBLINGS = 60
ROUNDS = 6
RELATIVE_PRECISION = 1e-9
ROUND_PRECISION = 1e-4


@dataclass
class DualSearch:
    """Minimises the dual bound and collects the choices that are met on the way.

    Attributes:
        dual: the dual function.
        start: initial multipliers, float64 (rows,).
        target: a known lower bound on the minimum, which is the value of the incumbent, or None.
        deadline: `time.perf_counter()` at which to stop, or None.
        shares: the current shares.
        best: the point of the smallest bound so far.
        met: the distinct maximisers that were met, oldest first.
    """

    dual: Dual
    start: FloatArray
    target: int | None = None
    deadline: float | None = None
    shares: Shares = field(init=False)
    best: DualPoint = field(init=False)
    met: dict[tuple[int, ...], None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shares = self.dual.no_shares()
        self.best = self._at(self.start)
        self.best_shares = self.shares

    def run(self) -> None:
        """Improve multipliers and shares in turn, until the bound hardly falls any more."""
        self._multipliers()
        if not self.dual.chords:
            return
        for _ in range(ROUNDS * 4):
            before = self.best.bound
            if self._late() or self._closed():
                return
            self.shares = self.dual.balance(self.best.multipliers, self.shares)
            moved = self._at(self.best.multipliers)
            self._keep(moved)
            self._multipliers(moved)
            if before - self.best.bound <= ROUND_PRECISION * self._span():
                return

    def _span(self) -> float:
        return max(1.0, self.best.bound - self.target) if self.target is not None else max(1.0, abs(self.best.bound))

    def _late(self) -> bool:
        return self.deadline is not None and time.perf_counter() >= self.deadline

    def _closed(self) -> bool:
        return self.target is not None and self.best.bound < self.target + 1

    def _at(self, multipliers: FloatArray) -> DualPoint:
        point = self.dual.evaluate(multipliers, self.shares)
        self.met.pop(point.positions, None)
        self.met[point.positions] = None
        return point

    def _keep(self, point: DualPoint) -> None:
        if point.bound < self.best.bound:
            self.best, self.best_shares = point, self.shares

    def _multipliers(self, start: DualPoint | None = None) -> None:
        point = self.best if start is None else start
        active = np.flatnonzero((point.multipliers > 0) | (point.gradient < 0))
        if active.size == 0:
            return
        point = self._coordinates(point)
        if len(self.dual.limits) > 1:
            for _ in range(ROUNDS):
                before = self.best.bound
                self._polyak(self.best if point.bound > self.best.bound else point)
                self._coordinates(self.best)
                if self._late() or self._closed() or before - self.best.bound <= ROUND_PRECISION * self._span():
                    return

    def _coordinates(self, point: DualPoint) -> DualPoint:
        """One exact line search for each row, in turn."""
        for row in range(len(self.dual.limits)):
            if self._late() or self._closed():
                break
            if point.multipliers[row] > 0 or point.gradient[row] < 0:
                point = self._line(point, row)
        return point

    def _line(self, start: DualPoint, row: int) -> DualPoint:
        """The minimum along one multiplier, by intersecting the supporting lines of both sides (cutting planes)."""

        def at(multiplier: float) -> DualPoint:
            multipliers = start.multipliers.copy()
            multipliers[row] = multiplier
            point = self._at(multipliers)
            self._keep(point)
            return point

        low, high = self._bracket(start, row, at)
        if low is None or high is None:
            return start if high is None else high
        best = min(low, high, key=lambda p: p.bound)
        for _ in range(LINE_STEPS):
            if self._late():
                break
            x0, x1 = float(low.multipliers[row]), float(high.multipliers[row])
            g0, g1 = float(low.gradient[row]), float(high.gradient[row])
            crossing = (high.bound - low.bound + g0 * x0 - g1 * x1) / (g0 - g1)
            if not x0 < crossing < x1:
                break
            predicted = low.bound + g0 * (crossing - x0)
            if best.bound - predicted <= RELATIVE_PRECISION * max(1.0, abs(best.bound)):
                break
            point = at(crossing)
            best = min(best, point, key=lambda p: p.bound)
            if point.gradient[row] < 0:
                low = point
            else:
                high = point
        return best

    def _bracket(
        self, start: DualPoint, row: int, at: Callable[[float], DualPoint]
    ) -> tuple[DualPoint | None, DualPoint | None]:
        """Two points between which the bound has its minimum along one multiplier.

        The first is None if the minimum is at the second; the second is None if the bound only falls.
        """
        if start.gradient[row] >= 0:
            if start.multipliers[row] == 0:
                return None, start
            zero = at(0.0)
            return (None, zero) if zero.gradient[row] >= 0 else (zero, start)
        low, reach = start, max(float(start.multipliers[row]), self.first_step(row))
        for _ in range(DOUBLINGS):
            point = at(float(start.multipliers[row]) + reach)
            if point.gradient[row] >= 0:
                return low, point
            if self._late():
                break
            low, reach = point, reach * 4.0
        return low, None

    def first_step(self, row: int) -> float:
        """A multiplier at which the costs of the row weigh a tenth of the values."""
        costs = self.dual.costs[row].magnitude()
        return 0.1 * max(self.dual.values.magnitude(), 1.0) / max(costs, 1.0)

    def _polyak(self, start: DualPoint) -> None:
        """Projected subgradient steps towards the target, halved when they fail (Polyak, 1969)."""
        scales = np.array([self.first_step(r) for r in range(len(self.dual.limits))])
        point, factor, failed = start, 1.0, 0
        direction = np.zeros(scales.size)
        for _ in range(POLYAK_STEPS):
            if self._late() or self._closed():
                return
            gradient = point.gradient * scales
            gradient = np.where((point.multipliers <= 0) & (gradient > 0), 0.0, gradient)
            direction = gradient + 0.3 * direction
            norm = float(direction @ direction)
            if norm <= 0.0:
                return
            goal = self.best.bound - max(0.05 * self._span(), 1e-6) if self.target is None else float(self.target)
            step = factor * max(point.bound - goal, 0.0) / norm
            moved = self._at(np.maximum(point.multipliers - step * direction * scales, 0.0))
            failed = 0 if moved.bound < self.best.bound else failed + 1
            self._keep(moved)
            point = moved
            if failed >= 4:
                factor, failed, point, direction = factor / 2, 0, self.best, np.zeros(scales.size)
                if factor < 0.01:
                    return
