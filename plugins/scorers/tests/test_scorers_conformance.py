"""Every behaviour that reds asks of a scorer, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_scorers import (
    BatchNormScaleScorer,
    FisherScorer,
    GeometricMedianScorer,
    MagnitudeScorer,
    MeanActivationScorer,
    RandomScorer,
    SensitivityScorer,
    TaylorScorer,
    ZerosScorer,
)
from reds_scorers.fisher import FisherOptions
from reds_scorers.magnitude import MagnitudeOptions
from reds_scorers.sensitivity import SensitivityOptions
from reds_scorers.taylor import TaylorOptions

from reds_core.testing import scorer_conformance


@scorer_conformance(MagnitudeScorer)
def test_magnitude(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(lambda: MagnitudeScorer(MagnitudeOptions(norm="l1", normalise="mean")))
def test_magnitude_l1(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(TaylorScorer)
def test_taylor(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(lambda: TaylorScorer(TaylorOptions(criterion="squared", batch_size=16, examples=40)))
def test_taylor_squared(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(FisherScorer)
def test_fisher(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(lambda: FisherScorer(FisherOptions(batch_size=8, examples=40, normalise="l2")))
def test_fisher_of_batches(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(BatchNormScaleScorer)
def test_bn_scale(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(GeometricMedianScorer)
def test_fpgm(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(MeanActivationScorer)
def test_mean_activation(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(ZerosScorer)
def test_apoz(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(SensitivityScorer)
def test_sensitivity(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(lambda: SensitivityScorer(SensitivityOptions(3, "magnitude", "measured", 20)))
def test_sensitivity_as_measured(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(RandomScorer)
def test_random(check: Callable[[], None]) -> None:
    check()
