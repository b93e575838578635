"""`sensitivity`: its order is another scorer's, with that one's options; its value is a share of the loss."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reds_scorers import MagnitudeScorer, SensitivityScorer, TaylorScorer
from toy_framework import ToyFramework, describe, residual_model, toy_arrays
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, make_workplace, skip_report

from reds_core import Registry, load_scores
from reds_core.cost import resource_forms
from reds_core.errors import InputError
from reds_core.formulation import formulate
from reds_core.framework import Arrays, Task
from reds_core.scoring import Scorer, ScoreTable, score

MODEL = residual_model()
MODEL_GROUPS = tuple(describe(MODEL).channels)
REGISTRY = toy_registry()
CASES: list[tuple[str, dict[str, str]]] = [
    ("taylor", {"criterion": "squared"}),
    ("taylor", {"examples": "5"}),
    ("taylor", {"batch_size": "7"}),
    ("taylor", {"criterion": "squared", "normalise": "log"}),
    ("magnitude", {"norm": "l1"}),
]


def scored(name: str, options: dict[str, dict[str, str]], registry: Registry = REGISTRY) -> ScoreTable:
    arrays = toy_arrays(MODEL, train=40)
    data = Arrays(arrays["x_train"], arrays["y_train"])
    return score(registry.create(Scorer, name, options), ToyFramework(), MODEL, describe(MODEL), data, Task())


@pytest.mark.parametrize(("order", "options"), CASES, ids=str)
def test_the_order_is_that_of_the_scorer_with_its_options(order: str, options: dict[str, str]) -> None:
    changed = scored("sensitivity", {"sensitivity": {"order": order}, order: options})
    expected = scored(order, {order: options})
    plain = scored("sensitivity", {"sensitivity": {"order": order}})
    for group in MODEL_GROUPS:
        np.testing.assert_array_equal(changed.channels[group], expected.channels[group])
    assert any(not np.array_equal(changed.channels[g], plain.channels[g]) for g in MODEL_GROUPS)


def test_options_of_the_scorer_that_gives_the_order_are_checked() -> None:
    with pytest.raises(InputError, match=r"option taylor.criterion cannot be 'cubed'"):
        REGISTRY.create(Scorer, "sensitivity", {"taylor": {"criterion": "cubed"}})


def test_without_a_registry_its_defaults_hold() -> None:
    assert [type(s) for s in SensitivityScorer().asked.values()] == [TaylorScorer, MagnitudeScorer]
    assert all(s.options == type(s).Options() for s in SensitivityScorer().asked.values())
    assert MagnitudeScorer().asked == {}


def test_a_run_passes_them_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    found: list[Any] = []
    for name, criterion in (("one", "abs"), ("other", "squared")):
        options = {"taylor": {"criterion": criterion}}
        place.prune(
            settings=dataclasses.replace(NO_TRAINING, scorer="sensitivity", options=options), out=tmp_path / name
        )
        found.append(load_scores(tmp_path / name / "scores.npz").channels)
    assert any(not np.allclose(found[0][g], found[1][g]) for g in found[0])


@pytest.mark.parametrize("curve", ["measured", "monotone"])
def test_a_value_is_the_share_of_the_loss_that_widths_beyond_one_channel_take_off(curve: str) -> None:
    """The full network is worth 2^31 also where a measured loss rises with a channel."""
    network = describe(MODEL)
    table = scored("sensitivity", {"sensitivity": {"order": "taylor", "curve": curve, "widths": "10"}})
    falls = [np.any(np.diff(c) < 0) for c in table.curves.values()]
    assert any(falls) is (curve == "measured")
    problem = formulate(network, table, resource_forms(network, ["macs"]), {"macs": 1}, "p").problem
    assert problem.evaluate(problem.ceilings).value == pytest.approx(2**31, abs=2)
    full = sum(c[-1] for c in table.curves.values())
    for choice in itertools.product(*(range(g.options) for g in problem.groups)):
        share = sum(table.curves[g.name][k] for g, k in zip(problem.groups, choice, strict=True)) / full
        assert problem.evaluate(choice).value == pytest.approx(share * 2**31, abs=2)
