"""Every behaviour that reds asks of a framework, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_tensorflow.framework import TensorFlowFramework

from reds_core.testing import framework_conformance


@framework_conformance(TensorFlowFramework)
def test_conformance(check: Callable[[], None]) -> None:
    check()
