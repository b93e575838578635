"""Every behaviour that reds requires of a governor."""

from __future__ import annotations

from collections.abc import Callable

from reds_governors import (
    OracleGovernor,
    PidGovernor,
    PredictiveGovernor,
    ProportionalIntegralGovernor,
    ThresholdGovernor,
)

from reds_core.testing import governor_conformance


@governor_conformance(ThresholdGovernor)
def test_threshold(check: Callable[[], None]) -> None:
    check()


@governor_conformance(ProportionalIntegralGovernor)
def test_pi(check: Callable[[], None]) -> None:
    check()


@governor_conformance(PidGovernor)
def test_pid(check: Callable[[], None]) -> None:
    check()


@governor_conformance(lambda: PidGovernor(PidGovernor.Options(budget="latency")))
def test_pid_with_a_budget_of_latency(check: Callable[[], None]) -> None:
    check()


@governor_conformance(PredictiveGovernor)
def test_mpc(check: Callable[[], None]) -> None:
    check()


@governor_conformance(OracleGovernor)
def test_oracle(check: Callable[[], None]) -> None:
    check()
