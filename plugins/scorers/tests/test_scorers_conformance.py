"""Every behaviour that reds asks of a scorer, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_scorers import MagnitudeScorer, TaylorScorer
from reds_scorers.magnitude import MagnitudeOptions
from reds_scorers.taylor import TaylorOptions

from reds_core.testing import scorer_conformance


@scorer_conformance(MagnitudeScorer)
def test_magnitude(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(lambda: MagnitudeScorer(MagnitudeOptions(norm="l1")))
def test_magnitude_l1(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(TaylorScorer)
def test_taylor(check: Callable[[], None]) -> None:
    check()


@scorer_conformance(lambda: TaylorScorer(TaylorOptions(criterion="squared", batch_size=16, examples=40)))
def test_taylor_squared(check: Callable[[], None]) -> None:
    check()
