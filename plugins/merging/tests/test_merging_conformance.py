"""Every behaviour that reds asks of a realisation, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_merging import Fold, FoldOptions

from reds_core.testing import realisation_conformance


@realisation_conformance(Fold)
def test_fold(check: Callable[[], None]) -> None:
    check()


@realisation_conformance(lambda: Fold(FoldOptions("iterative", "none")))
def test_iterative_merging_without_repair(check: Callable[[], None]) -> None:
    check()
