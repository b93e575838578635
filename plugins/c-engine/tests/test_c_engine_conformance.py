"""Every behaviour that reds asks of a target, one test each, on some of the sample models of the framework."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow")

from reds_c_engine.engine_device import CEngine
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.testing import target_conformance


@target_conformance(CEngine, samples=TensorFlowFramework().samples()[:2])
def test_conformance(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@target_conformance(CEngine)
def test_conformance_on_all_samples(check: Callable[[], None]) -> None:
    check()
