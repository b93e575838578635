"""Every behaviour that reds asks of a device, with a stand-in for the service, and without a service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from model_files import dense
from reds_edge_impulse.device import EdgeImpulse
from stand_in import StandIn
from toy_framework import ToyFramework
from toy_plugins import FIRST_PARTY, PluginModule
from toy_targets import ToyInt8

from reds_core import Registry
from reds_core.framework import ExportSource
from reds_core.testing import CheckOutcome, check, device_conformance


class RealFiles(ToyInt8):
    """Writes files that can be read as .tflite, whatever the model is."""

    def export(self, source: ExportSource, path: Path) -> None:
        path.write_bytes(dense(12, 4, is_int8=True))


CLASSES = (*(plugin for plugin in FIRST_PARTY if plugin is not ToyInt8), ToyFramework, RealFiles, EdgeImpulse)
REGISTRY = Registry([PluginModule("toy", CLASSES)])


@device_conformance(EdgeImpulse, samples=ToyFramework().samples()[:1], registry=REGISTRY)
def test_conformance(check: Callable[[], None], service: StandIn) -> None:
    check()


@pytest.mark.parametrize("key", [None, "ei_any"])
def test_without_key_or_service_the_checks_say_what_they_need(
    installed: None, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.setattr("reds_core.testing.plugin_checks.imports_of", lambda module: set())
    monkeypatch.delenv("EI_API_KEY", raising=False)
    monkeypatch.setenv("EI_API_ENDPOINT", "http://127.0.0.1:9/v1")  # the port "discard", where nothing listens
    if key is not None:
        monkeypatch.setenv("EI_API_KEY", key)
    (report,) = check("edge-impulse", REGISTRY)
    assert report.ok, str(report)
    skipped = {result.name: result.reason for result in report.with_outcome(CheckOutcome.SKIPPED)}
    assert set(skipped) == {
        *("profiles_files", "profiles_the_same_twice", "runs_files", "refuses_damaged_files"),
        "times_files_elsewhere",
    }
    needs = "needs an API key" if key is None else "cannot be reached at 127.0.0.1:9"
    assert needs in skipped["profiles_files"]
    assert needs in skipped["refuses_damaged_files"]
