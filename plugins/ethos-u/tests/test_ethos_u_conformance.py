"""Every behaviour that reds asks of a device, one test each, on a sample model of the framework."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_ethos_u.device import EthosU
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.testing import device_conformance

pytest.importorskip("ethosu", reason="ethos-u-vela is not installed")


@device_conformance(EthosU, samples=TensorFlowFramework().samples()[:1])
def test_conformance(check: Callable[[], None]) -> None:
    check()
