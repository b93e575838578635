"""Runs on toy models: files to work on, calls with good defaults, plans without what may differ from run to run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_framework import ToyFramework, residual_model, toy_arrays
from toy_plugins import toy_registry

from reds_core.framework.finetuning import FinetuneSettings
from reds_core.plan import Plan
from reds_core.registry import Registry
from reds_core.runs import api
from reds_core.runs.folder import Mode
from reds_core.runs.settings import RunSettings
from reds_core.watcher import Watcher

QUICK = RunSettings(finetune=FinetuneSettings(epochs=2, batch_size=16, learning_rate=0.05))
NO_TRAINING = dataclasses.replace(QUICK, scorer="magnitude", finetune=FinetuneSettings(epochs=0))
EXPORTS = ["subnet-{}.keras", "subnet-{}.tflite", "subnet-{}-int8.tflite"]
"""Files of a subnetwork, by its name."""
BUDGETS: Mapping[str, Any] = {"macs": [0.75, 0.5, 0.25]}


def settings(**changes: Any) -> RunSettings:
    """Settings of a quick run, with some of them changed."""
    return dataclasses.replace(QUICK, **changes)


@dataclass(frozen=True)
class Workplace:
    """A folder with a model and data, and room for runs."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model.keras"

    @property
    def data(self) -> Path:
        return self.folder / "data.npz"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def prune(self, **changes: Any) -> Plan:
        """`reds_core.runs.api.prune` of the model on the data to `out`."""
        asked: dict[str, Any] = {
            "model": self.model,
            "data": self.data,
            "budgets": BUDGETS,
            "out": self.out,
            "settings": QUICK,
            "registry": toy_registry(),
        }
        return api.prune(**(asked | changes))

    def resume(self, **changes: Any) -> Plan:
        return self.prune(mode=Mode.RESUME, **changes)


def make_workplace(folder: Path) -> Workplace:
    place = Workplace(folder)
    model = residual_model()
    ToyFramework().save_model(model, place.model)
    np.savez(place.data, **toy_arrays(model))
    return place


def without_times(plan: Plan) -> Plan:
    """`plan` with every figure of a clock removed."""
    subnetworks = tuple(dataclasses.replace(s, wall_s=None) for s in plan.subnetworks)
    steps = tuple(dataclasses.replace(s, search_s=None, finetune_s=None) for s in plan.steps)
    found = plan.max_drop
    if found is not None:
        probes, trainings = (
            tuple(dataclasses.replace(t, seconds=0.0) for t in tried) for tried in (found.probes, found.trainings)
        )
        found = dataclasses.replace(found, probes=probes, trainings=trainings)
    return dataclasses.replace(plan, subnetworks=subnetworks, steps=steps, max_drop=found)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the plan and the report, which hold times."""
    skipped = ("plan.json", "report.html")
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in skipped)
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def skip_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have tests of their own and cost more than all the rest of a toy run."""

    def write_report(plan: Plan, folder: Path) -> Path:
        path = folder / "report.html"
        path.write_text(f"{len(plan.subnetworks)} subnetworks")
        return path

    monkeypatch.setattr("reds_core.runs.publishing.write_report", write_report)


class Interrupted(BaseException):
    """A run is killed. Not an Exception, so that nothing handles it."""


class Tripwire:
    """Counts calls; raises at the one numbered `at`, from 0."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.calls = at, 0

    def pass_by(self) -> None:
        number, self.calls = self.calls, self.calls + 1
        if number == self.at:
            raise Interrupted


def tripping_registry(wire: Tripwire) -> Registry:
    """A registry whose framework is killed at one of its calls, before it did its work."""

    def tripping(name: str) -> Any:
        original = getattr(ToyFramework, name)

        def method(self: ToyFramework, *arguments: Any, **named: Any) -> Any:
            wire.pass_by()
            return original(self, *arguments, **named)

        return method

    names = ("load_model", "save_model", "inspect", "weights", "extract", "finetune", "export", "exported_accuracy")
    members = {name: tripping(name) for name in (*names, "accuracy", "build_baseline")}
    return toy_registry(framework=type("TrippingFramework", (ToyFramework,), members))


REMARK_ON_DATA = re.compile("the (training|test) data has (only|no example)")
"""How warnings begin that the small data sets of tests give, whatever is tested."""


class Listener(Watcher):
    """Remembers what it hears, and sets remarks on small data apart from other warnings."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.warnings: list[str] = []
        self.remarks: list[str] = []
        self.notes: list[str] = []
        self.epochs = 0

    def stage(self, text: str) -> None:
        self.stages.append(text)

    def epoch(self, progress: Any) -> None:
        self.epochs += 1

    def warn(self, text: str) -> None:
        (self.remarks if REMARK_ON_DATA.match(text) else self.warnings).append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)
