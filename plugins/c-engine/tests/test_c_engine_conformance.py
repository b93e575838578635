"""Every behaviour that reds asks of a device, one test each, on one of the sample models of the framework."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow")

from engines import compiler
from reds_c_engine.engine_device import CEngine
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.testing import device_conformance


@device_conformance(CEngine, samples=TensorFlowFramework().samples()[:1])
def test_conformance(check: Callable[[], None]) -> None:
    compiler()
    check()
