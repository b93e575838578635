"""The check of what transforms begin with, alone and in families with smaller networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack.levels import Nesting
from reds_core.network.axis import Fixed
from reds_core.network.description import Weight
from reds_core.testing.report import Failure
from reds_core.testing.transform_subject import TransformSubject, near
from reds_core.transforms.start import Smaller, Start


def begins_with_a_projection(subject: TransformSubject) -> None:
    """A network that starts with its weights computes with what begun() returns, which must be a projection as well.

    Its values are finite float64 arrays of the same shape, projecting them twice changes nothing, and the weights of
    layers at the last level stay as they are. It starts alone, and as a network of a family with a smaller one. A
    network that starts with what `projected` returns computes with these values.
    """
    for site, level in subject.levels:
        levels = [] if subject.plugin.network_level is not None else subject.offered(site).levels.tolist()
        is_last = level in levels[-1:]
        inner = level if subject.plugin.nests is Nesting.EQUAL else min(levels, default=level)
        for weight, values in [*site.weights, *site.narrower]:
            if not subject.plugin.projects(weight):
                continue
            _check_begun(subject, weight, level, Start(values.copy()), is_last)
            if not is_last:
                smaller = Smaller(inner, _first_half(weight, values.shape))
                _check_begun(subject, weight, level, Start(values.copy(), smaller=(smaller,)), is_last)


def _first_half(weight: Weight, shape: tuple[int, ...]) -> tuple[IntArray, ...]:
    """The positions of a weight that a network with half of the channels has, rounded up."""
    sizes = [n if isinstance(axis, Fixed) else -(-n // 2) for axis, n in zip(weight.axes, shape, strict=True)]
    return tuple(np.arange(size, dtype=np.int64) for size in sizes)


def _check_begun(subject: TransformSubject, weight: Weight, level: int, start: Start, is_last: bool) -> None:
    begun = subject.plugin.begun(start, weight, level)
    family = f" with a smaller network at level {start.smaller[0].level}" if start.smaller else ""
    later = start.values[::-1].copy()  # what a training may have made of them
    for progress in (0.0, 0.5, 1.0):
        for given in (start.values, later):
            found = begun(given.copy(), progress)
            where = f"'{weight.name}' at level {level}, begun{family} and at progress {progress},"
            if not isinstance(found, np.ndarray) or found.shape != given.shape or found.dtype != np.float64:
                raise Failure(f"{where} is not float64 {given.shape}")
            if not np.isfinite(found).all():
                raise Failure(f"{where} is not finite")
            if not near(begun(found.copy(), progress), found):
                raise Failure(f"{where} changes when it is projected for the second time")
            if is_last and not np.array_equal(found, given):
                raise Failure(f"{where} is changed although the level is the last")
    held = subject.project(start.values, weight, level)
    if not near(subject.plugin.begun(replace(start, values=held, smaller=()), weight, level)(held.copy(), 1.0), held):
        raise Failure(f"'{weight.name}' at level {level}, projected and then begun, changes again")
