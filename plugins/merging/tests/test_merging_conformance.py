from __future__ import annotations

from reds_merging import Fold, FoldOptions

from reds_core.testing import realisation_conformance
from reds_core.testing.runner import CheckRun


@realisation_conformance(Fold)
def test_fold(check: CheckRun[object]) -> None:
    check()


@realisation_conformance(lambda: Fold(FoldOptions("iterative", "none")))
def test_iterative_merging_without_repair(check: CheckRun[object]) -> None:
    check()
