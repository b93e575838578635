"""Every behaviour that reds asks of a pruning strategy, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_pruners import NestedPruner
from reds_pruners.nested import NestedOptions

from reds_core.testing import pruner_conformance


@pruner_conformance(NestedPruner)
def test_bottom_up(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(lambda: NestedPruner(NestedOptions("top-down")))
def test_top_down(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(lambda: NestedPruner(NestedOptions("joint")))
def test_joint(check: Callable[[], None]) -> None:
    check()
