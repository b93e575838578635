"""Every behaviour that reds asks of a target, one test each, on the sample models of the framework."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_litert.targets import DynamicTarget, Float16Target, FloatTarget, Int8Target, Int16x8Target

from reds_core.testing import target_conformance


@target_conformance(Int8Target)
def test_int8(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@target_conformance(FloatTarget)
def test_float(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@target_conformance(Int16x8Target)
def test_16x8(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@target_conformance(Float16Target)
def test_float16(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@target_conformance(DynamicTarget)
def test_dynamic(check: Callable[[], None]) -> None:
    check()
