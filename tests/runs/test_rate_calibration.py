"""The exchange rate fitted to short trainings in a run of a toy model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_plugins import toy_registry
from toy_runs import Listener, Workplace, contents, make_workplace, settings, skip_report
from toy_transforms import ToyBits, ToyTarget

from reds_core.errors import UnsupportedError
from reds_core.framework.family import Family
from reds_core.runs.checkpoint import load_scores
from reds_core.runs.rate_calibration import calibrated_rate, drawn_choices
from reds_core.runs.tools import RunTools
from reds_core.scoring.exchange_rate import TIE_BREAK, FittedRate, default_rate
from reds_core.scoring.level_losses import LevelLosses
from reds_core.scoring.scorer import ScoreTable

LEVELS = settings(transforms=("toy-bits",), targets=("toy-device",))
BUDGETS = {"macs": [0.8, 0.5], "weight_bytes": [0.5, 0.3]}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    skip_report(monkeypatch)
    return make_workplace(tmp_path)


def prune(place: Workplace, **changes: Any) -> Any:
    asked: dict[str, Any] = {
        "budgets": BUDGETS,
        "settings": dataclasses.replace(LEVELS, calibrate=6),
        "registry": toy_registry(ToyBits, ToyTarget),
    }
    return place.prune(**(asked | changes))


class Captured:
    """What the calibration of a run was given, and what came of it."""

    tools: Any
    scores: ScoreTable
    losses: LevelLosses
    fit: FittedRate


@pytest.fixture
def captured(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> Captured:
    found = Captured()

    def calibrated(tools: Any, scores: ScoreTable, losses: LevelLosses, *rest: Any) -> FittedRate:
        found.tools, found.scores, found.losses = tools, scores, losses
        found.fit = calibrated_rate(tools, scores, losses, *rest)
        return found.fit

    monkeypatch.setattr("reds_core.runs.tools.calibrated_rate", calibrated)
    prune(place)
    return found


def test_a_run_values_levels_at_the_fitted_rate(place: Workplace, captured: Captured) -> None:
    assert captured.fit.choices == 6
    values = load_scores(place.out / "scores.npz").level_values
    assert values.keys() == captured.losses.rises.keys()
    for key, rises in captured.losses.rises.items():
        ties = TIE_BREAK * default_rate(captured.scores) * np.arange(len(rises))[::-1]
        np.testing.assert_allclose(values[key], -captured.fit.rate * rises - ties)


def test_choices_are_different_meet_their_budgets_and_vary_both_values(captured: Captured) -> None:
    tools = captured.tools
    found = list(drawn_choices(tools, captured.scores, captured.losses, 5))
    assert len(found) == len({repr((dict(c.widths), c.settings.levels)) for c in found}) == 5
    statement = tools._session.statement
    for choice in found:
        assert any(not statement.excesses(budget, choice.widths, choice.settings) for budget in tools.budgets)
        assert {group: len(kept) for group, kept in choice.kept.items()} == dict(choice.widths)
    assert len({tuple(choice.widths.values()) for choice in found}) > 2
    assert len({captured.losses.rise(choice.settings) for choice in found}) > 2


def test_the_same_seed_draws_the_same(captured: Captured) -> None:
    first, second = (
        [(dict(c.widths), c.settings) for c in drawn_choices(captured.tools, captured.scores, captured.losses, 4)]
        for _ in range(2)
    )
    assert first == second


def test_fewer_choices_than_asked_for_are_no_endless_search(captured: Captured) -> None:
    found = list(drawn_choices(captured.tools, captured.scores, captured.losses, 500))
    assert 4 < len(found) < 100


def test_kernel_scores_are_refused(captured: Captured) -> None:
    scores = ScoreTable(captured.scores.channels, {("stem", "inside"): np.ones((6, 5))})
    with pytest.raises(UnsupportedError, match="cannot be fitted to scores of kernels"):
        next(drawn_choices(captured.tools, scores, captured.losses, 2))


def test_each_choice_is_trained_alone_with_its_levels(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[tuple[Family[Any], int]] = []
    finetune = RunTools.finetune

    def remembered(self: RunTools, family: Family[Any]) -> Family[Any]:
        trained.append((family, self._step.epochs))
        return finetune(self, family)

    monkeypatch.setattr(RunTools, "finetune", remembered)
    listener = Listener()
    prune(place, watcher=listener)
    alone = [(family, epochs) for family, epochs in trained if not family.members]
    assert len(alone) == 6
    assert all(epochs == 2 and family.full_settings for family, epochs in alone)
    assert sum("for the exchange rate" in note for note in listener.notes) == 6


def test_a_killed_calibration_resumes(place: Workplace) -> None:
    prune(place, out=place.folder / "whole")
    expected = contents(place.folder / "whole")
    with pytest.raises(KeyboardInterrupt):
        prune(place, watcher=Stopping())
    prune(place, mode="resume")
    found = contents(place.out)
    for name in ("scores.npz", "order.npz", "nested.keras"):
        assert found[name] == expected[name], name


class Stopping(Listener):
    """Ends the run in the second training of the calibration."""

    def note(self, text: str) -> None:
        super().note(text)
        if text.startswith("training 2 of 6"):
            raise KeyboardInterrupt


def test_a_dry_run_trains_nothing_and_says_so(place: Workplace) -> None:
    listener = Listener()
    prune(place, dry_run=True, watcher=listener)
    assert listener.epochs == 0
    assert any("the exchange rate is fitted to trainings" in text for text in listener.warnings)
