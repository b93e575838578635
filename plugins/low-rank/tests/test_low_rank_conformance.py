"""Every behaviour that reds asks of a transform, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_low_rank import LowRank
from reds_low_rank.low_rank import LowRankOptions

from reds_core.testing import transform_conformance


@transform_conformance(LowRank)
def test_defaults(check: Callable[[], None]) -> None:
    check()


@transform_conformance(lambda: LowRank(LowRankOptions(levels="10,90", scheme="channels", nesting="free")))
def test_channels(check: Callable[[], None]) -> None:
    check()


@transform_conformance(lambda: LowRank(LowRankOptions(levels="40", scheme="tucker", nesting="equal")))
def test_tucker(check: Callable[[], None]) -> None:
    check()
