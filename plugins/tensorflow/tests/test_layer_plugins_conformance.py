"""The conformance kit on plugins of Keras layers, and the report of `reds check`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mixer_layers
import pytest
from reds_tensorflow.framework import TensorFlowFramework

import reds_core
from reds_core.cli import run
from reds_core.framework import LayerPlugin
from reds_core.testing import LAYER_CHECKS, CheckOutcome, check_layers, layer_conformance


@layer_conformance(mixer_layers.Mixers, make_framework=TensorFlowFramework)
def test_mixers(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize(
    ("layers", "name", "reason"),
    [
        (mixer_layers.LyingMixers, "costs_equal_an_independent_count", "counted by hand"),
        (mixer_layers.FailingMixers, "describes_every_weight", "'failing-mixers' that failed (KeyError: channels)"),
    ],
)
def test_a_handler_that_does_not_tell_the_truth_fails_one_check(
    layers: type[LayerPlugin], name: str, reason: str
) -> None:
    report = check_layers(layers, make_framework=TensorFlowFramework)
    failed = {r.name: r.reason for r in report.with_outcome(CheckOutcome.FAILED)}
    assert list(failed) == [name], failed
    assert reason in failed[name]


def test_the_command_checks_a_plugin_of_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "mixer_layers:Mixers"]) == 0
    *checks, summary = capsys.readouterr().out.splitlines()
    assert summary == f"layers 'mixers': {len(LAYER_CHECKS)} passed"
    assert all(line.startswith("passed   ") for line in checks)


@pytest.mark.slow
def test_a_new_package_of_layers_passes_every_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(reds_core.new_plugin("layers", "freshly-made", tmp_path))
    (report,) = reds_core.check("reds_freshly_made:FreshlyMadeLayers")
    assert report.ok, str(report)
    assert len(report.with_outcome(CheckOutcome.PASSED)) == len(LAYER_CHECKS)


@pytest.mark.slow
def test_a_new_package_of_a_target_passes_every_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(reds_core.new_plugin("target", "freshly-aimed", tmp_path))
    (report,) = reds_core.check("reds_freshly_aimed:FreshlyAimedTarget")
    assert report.ok, str(report)
    skipped = {result.name for result in report.with_outcome(CheckOutcome.SKIPPED)}
    assert skipped == {"usage_equals_the_described_network"}
