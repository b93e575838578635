"""The conformance kit for scorers and pruners: honest ones pass, each bad one fails the check meant for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kit_reports import failed

from reds_core.errors import UnsupportedError
from reds_core.framework.family import Family
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.pruning.pruner import Pruner
from reds_core.scoring.attribution import masked
from reds_core.scoring.scorer import Scorer
from reds_core.testing import (
    PRUNER_CHECKS,
    SCORER_CHECKS,
    CheckOutcome,
    check,
    check_pruner,
    check_scorer,
    pruner_conformance,
    scorer_conformance,
)
from reds_core.testing.tiny import TinyFramework, tiny_data, tiny_model

SUPPORT = Path(__file__).parent / "support"
sys.path.insert(0, str(SUPPORT))  # so that a fresh interpreter, too, can import the mocks by name
import mock_scorers as mocks  # noqa: E402

sys.path.remove(str(SUPPORT))

BAD_SCORERS: list[tuple[type[Scorer], str, str]] = [
    (mocks.Undeclared, "declares_what_it_is", "needs_data is None"),
    (mocks.Incomplete, "scores_every_channel", "group 'dense0'"),
    (mocks.Positional, "scores_follow_the_channels", "change with the order of its channels"),
    (mocks.Inverted, "ranks_a_dead_channel_last", "a channel without weights is scored"),
    (mocks.Unseeded, "repeats_itself_with_one_seed", "differ under one seed"),
    (mocks.Remembering, "answers_the_same_twice", "differently from a new one"),
    (mocks.Spoiling, "leaves_model_and_data_unchanged", "changed the model"),
    (mocks.Levelless, "declares_what_it_is", "not a frozenset of ScoreLevel"),
    (mocks.MissingKernels, "scores_every_channel", "(level kernel)"),
    (mocks.TurnedKernels, "scores_follow_the_channels", "change with the order of its channels"),
    (mocks.CurvedByPlace, "scores_follow_the_channels", "change with the order of its channels"),
    (mocks.Curious, "takes_data_it_does_not_need", "scores differently with data"),
    (mocks.PrintingScorer, "prints_nothing", "printed 'scoring"),
]
BAD_PRUNERS: list[tuple[type[Pruner], str, str]] = [
    (mocks.Shouting, "declares_what_it_is", "not a lower-case word"),
    (mocks.SameNames, "names_its_steps", "are not unique"),
    (mocks.OtherWhere, "names_its_steps", "or steps_where() does although every group has a choice"),
    (mocks.Inventing, "names_its_steps", "decides ['nowhere']"),
    (mocks.LeavesOneOut, "decides_every_budget", "decided 2 of 3 budgets"),
    (mocks.Wasteful, "keeps_every_budget", "macs of"),
    (mocks.Unnested, "nests", "shrinks from"),
    (mocks.Suffix, "makes_the_models_that_it_decided", "not the first channels"),
    (mocks.Overtraining, "trains_as_asked", "8 epochs in total although 4 are asked for"),
    (mocks.Hoarding, "resumes_after_every_step", "a different result"),
    (mocks.Wandering, "repeats_itself", "a different result"),
    (mocks.Vandal, "leaves_the_input_model_unchanged", "weights of the input model changed"),
    (mocks.PrintingPruner, "prints_nothing", "printed 'choosing"),
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("scorer", "name", "reason"), BAD_SCORERS, ids=lambda x: getattr(x, "__name__", None))
def test_a_bad_scorer_fails_the_check_meant_for_it(scorer: type[Scorer], name: str, reason: str) -> None:
    found = failed(check_scorer(scorer))
    assert list(found) == [name]
    assert reason in found[name]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("pruner", "name", "reason"), BAD_PRUNERS, ids=lambda x: getattr(x, "__name__", None))
def test_a_bad_pruner_fails_the_check_meant_for_it(pruner: type[Pruner], name: str, reason: str) -> None:
    found = failed(check_pruner(pruner))
    assert list(found) == [name]
    assert reason in found[name]


def test_every_check_has_a_plugin_that_fails_it() -> None:
    shared = {"imports_nothing_heavy"}
    assert {b[1] for b in BAD_SCORERS} | shared == {c.name for c in SCORER_CHECKS}
    assert {b[1] for b in BAD_PRUNERS} | shared == {c.name for c in PRUNER_CHECKS}


@scorer_conformance(mocks.KernelScorer)
def test_an_honest_scorer_of_kernels_passes(check: Callable[[], None]) -> None:
    check()


@pytest.mark.usefixtures("quick")
def test_scores_that_mean_nothing_are_not_held_against_the_channels() -> None:
    report = check_scorer(mocks.Uninformed)
    assert failed(report) == {}
    skipped = {r.name for r in report.with_outcome(CheckOutcome.SKIPPED)}
    assert {"scores_follow_the_channels", "ranks_a_dead_channel_last"} <= skipped


@scorer_conformance(mocks.HonestScorer)
def test_an_honest_scorer_passes(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(mocks.HonestPruner)
def test_an_honest_pruner_passes(check: Callable[[], None]) -> None:
    check()


def test_check_finds_scorers_and_pruners_by_name() -> None:
    for name, kind in (("magnitude", "scorer"), ("taylor", "scorer"), ("nested", "pruner")):
        (report,) = check(name)
        assert (report.plugin, report.kind, report.ok) == (name, kind, True)


# --- the tiny framework ----------------------------------------------------------------------------------------------


def test_gradients_are_those_of_the_loss() -> None:
    framework, model, data = TinyFramework(), tiny_model(0, 5, 4), tiny_data(0, 8)
    network = framework.inspect(model)
    (found,) = framework.gradients(model, network, data, Task(), 8)
    model.weights = [w.astype(np.float64) for w in model.weights]
    step = 1e-6
    for array, gradient in zip(model.weights, found, strict=True):
        for at in np.ndindex(array.shape):
            array[at] += step
            above = framework.loss(model, data, Task())
            array[at] -= 2 * step
            below = framework.loss(model, data, Task())
            array[at] += step
            assert (above - below) / (2 * step) == pytest.approx(gradient[at], abs=2e-5)


def test_extracting_equals_masking_and_training_lowers_the_loss() -> None:
    framework, model, data = TinyFramework(), tiny_model(0, 6, 5), tiny_data(0)
    network = framework.inspect(model)
    kept = {"dense0": np.array([4, 0, 2]), "dense1": np.array([1, 3])}
    by_hand = tiny_model(0, 6, 5)
    for layer, group in enumerate(kept):
        gone = np.setdiff1d(np.arange(network.channels[group]), kept[group])
        by_hand.weights[2 * layer + 2][gone] = 0
    small = framework.extract(model, network, kept)
    assert small.widths == [3, 2, 3]
    assert np.allclose(framework.predict(small, data.x), framework.predict(by_hand, data.x), atol=1e-6)
    assert np.ptp(framework.predict(small, data.x)) > 0.1
    (found,) = framework.losses(model, network, [masked(network, model.weights, kept)], data, Task())
    assert found == pytest.approx(framework.loss(small, data, Task()))
    (inner,) = framework.activation_statistics(model, network, [1], data.x, 8)
    hidden = np.maximum((data.x @ model.weights[0] + model.weights[1]) * model.weights[6], 0)
    assert np.allclose(inner.magnitude, hidden.mean(axis=0))
    assert np.array_equal(inner.active, (hidden > 0).mean(axis=0))

    before = framework.loss(model, data, Task())
    family: Family[object] = Family(model, (small,), ({"dense0": 3, "dense1": 2},))
    settings = FinetuneSettings(epochs=20, learning_rate=0.1)
    framework.finetune(family, Training(data, settings, 0, lambda progress: None))
    assert framework.loss(model, data, Task()) < before
    assert np.array_equal(small.weights[0], model.weights[0][:, :3])


def test_the_framework_has_no_files(tmp_path: Path) -> None:
    framework = TinyFramework()
    for attempt in (
        lambda: framework.load_model(tmp_path),
        lambda: framework.save_model(tiny_model(0, 2), tmp_path),
        lambda: framework.load_dataset("digits"),
    ):
        with pytest.raises(UnsupportedError, match="no files"):
            attempt()
