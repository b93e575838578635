"""Every behaviour that reds asks of a target, one test each, on some of the sample models of the framework."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_tensorflow.framework import TensorFlowFramework
from reds_tflite_micro.lookup_device import LookupTables

from reds_core.testing import target_conformance

pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")


@pytest.mark.slow
@target_conformance(LookupTables, samples=TensorFlowFramework().samples()[:1])
def test_conformance(check: Callable[[], None]) -> None:
    check()
