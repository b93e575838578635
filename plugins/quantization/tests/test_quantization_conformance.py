"""Every behaviour that reds asks of a transform, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_quantization import ActivationBits, TruncatedBits, WeightBits
from reds_quantization.weight_bits import WeightBitsOptions

from reds_core.testing import transform_conformance


@transform_conformance(WeightBits)
def test_weight_bits(check: Callable[[], None]) -> None:
    check()


@transform_conformance(lambda: WeightBits(WeightBitsOptions(levels="8,4,2", nesting="equal")))
def test_weight_bits_down_to_two(check: Callable[[], None]) -> None:
    check()


@transform_conformance(TruncatedBits)
def test_truncated_bits(check: Callable[[], None]) -> None:
    check()


@transform_conformance(ActivationBits)
def test_activation_bits(check: Callable[[], None]) -> None:
    check()
