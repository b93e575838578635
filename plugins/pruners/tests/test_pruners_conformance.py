"""Every behaviour that reds asks of a pruning strategy, one test each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_pruners import LayerwisePruner, NestedPruner, OneShotPruner, ProgressivePruner, UniformPruner
from reds_pruners.layerwise import LayerwiseOptions
from reds_pruners.nested import NestedOptions
from reds_pruners.progressive import ProgressiveOptions
from reds_pruners.uniform import UniformOptions

from reds_core.pruning import Pruner
from reds_core.testing import check_pruner, pruner_conformance


@pruner_conformance(NestedPruner)
def test_nested(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(LayerwisePruner)
def test_layerwise(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(ProgressivePruner)
def test_progressive(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(OneShotPruner)
def test_oneshot(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(UniformPruner)
def test_uniform(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize(
    "pruner",
    [
        NestedPruner(NestedOptions("bottom-up")),
        NestedPruner(NestedOptions("top-down")),
        NestedPruner(NestedOptions("joint")),
        LayerwisePruner(LayerwiseOptions(order="backward", horizon="local", block=2)),
        LayerwisePruner(LayerwiseOptions(order="sensitivity", finetune="joint", final=0.0)),
        LayerwisePruner(LayerwiseOptions(horizon="local", final=1.0)),
        ProgressivePruner(ProgressiveOptions(steps=1, finetune="joint")),
        ProgressivePruner(ProgressiveOptions(steps=3, schedule="geometric")),
        UniformPruner(UniformOptions("joint")),
        UniformPruner(UniformOptions("alone")),
    ],
    ids=lambda pruner: f"{pruner.name}-{pruner.options}",
)
def test_every_option_keeps_the_contract(pruner: Pruner) -> None:
    report = check_pruner(pruner)
    assert report.ok, report
