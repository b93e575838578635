"""What tests of comparing runs share: recipes on the toy framework, runs in this process, records that never ran."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from toy_plugins import toy_registry
from toy_runs import make_workplace

from reds_core.compare.auditing import audit_finished
from reds_core.compare.grid import Grid
from reds_core.compare.process import RunEnd, RunPaths
from reds_core.compare.reader import read_results
from reds_core.compare.record import ResultRecord, RunKey, RunOutcome, Subnetwork
from reds_core.compare.runner import CompareRun, CompareSettings, run_grid
from reds_core.compare.watcher import CompareWatcher
from reds_core.errors import RedsError
from reds_core.plan import Accuracy, FullAccuracy
from reds_core.registry import Registry
from reds_core.runs.api import prune
from reds_core.runs.folder import Mode
from reds_core.system.machine import Machine
from reds_core.watcher import Watcher

MACHINE = Machine("Linux 6.1", "Example CPU @ 2.5 GHz", 2, 8 * 2**30, "3.11.9")
RECIPE: Mapping[str, Any] = {
    "model": "model.keras",
    "data": "data.npz",
    "budgets": {"macs": [0.75, 0.5]},
    "scorer": "magnitude",
    "finetune": {"epochs": 1, "batch_size": 16, "learning_rate": 0.05},
}


def write_recipe(folder: Path, name: str = "toy", **changes: Any) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, **changes}))
    return path


@dataclass
class Performer:
    """Makes runs in this process. `registries` gives another registry for some runs, by their number from 0."""

    registries: Mapping[int, Registry] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def __call__(self, paths: RunPaths, told: Callable[[str], None]) -> RunEnd:
        number = len(self.made)
        self.made.append(paths.folder.name)
        told("pruning")
        try:
            registry = self.registries.get(number, toy_registry())
            prune(recipe=paths.recipe, out=paths.folder, mode=Mode.RESUME, registry=registry)
            failure = ""
            if paths.audit is not None:
                failure = audit_finished(paths.folder, paths.audit, Watcher(), registry)
        except RedsError as error:
            return RunEnd(RunOutcome.REFUSED, str(error))
        return RunEnd(RunOutcome.FINISHED, "", failure)


@dataclass(frozen=True)
class ComparePlace:
    """A folder with a model, data and a recipe, and room for a comparison."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def recipe(self) -> Path:
        return self.folder / "toy.yaml"

    def run(
        self, *recipes: Path, perform: Performer | None = None, retry: bool = False, audit: bool = False, **grid: Any
    ) -> tuple[CompareRun, tuple[ResultRecord, ...]]:
        settings = CompareSettings(Grid(recipes or (self.recipe,), **grid), retry, audit=audit)
        run = run_grid(settings, self.out, CompareWatcher(), toy_registry(), perform or Performer())
        return run, read_results(self.out)


def make_compare_place(folder: Path) -> ComparePlace:
    make_workplace(folder)
    write_recipe(folder)
    return ComparePlace(folder)


def result(
    pruner: str = "nested",
    seed: int = 0,
    after: float | None = 0.9,
    budget: float = 0.5,
    before: float | None = 0.3,
    **changes: Any,
) -> ResultRecord:
    """A finished run at one budget. Fields of RunKey and Subnetwork may stand among `changes`."""
    key = RunKey("fashion", pruner, "taylor", "auto", seed)
    accuracy = Accuracy(before=before, after=after, exported={"tflite": after, "tflite_int8": after})
    made = Subnetwork(
        name=f"{100 * budget:g}",
        budget={"macs": budget},
        usage={"macs": int(1000 * budget), "params": 500, "peak_ram": 300},
        share={"macs": budget - 0.01, "params": 0.5, "peak_ram": 0.6},
        widths={"conv": 4},
        accuracy=accuracy,
        value=1000,
        bound=1000,
        gap=0.0,
        status="optimal",
        solver="dp",
    )
    parts = {"run": key, "subnetwork": made}
    for name, part in parts.items():
        own = {f.name for f in dataclasses.fields(part)} & changes.keys() - {"name"}  # type: ignore[arg-type]
        parts[name] = dataclasses.replace(part, **{k: changes.pop(k) for k in own})  # type: ignore[type-var]
    base = ResultRecord(
        name=f"fashion--{pruner}--taylor--auto--seed{seed}",
        outcome=RunOutcome.FINISHED,
        reason=None,
        metric=None,
        full=FullAccuracy(0.92, 0.91),
        epochs=5,
        steps=2,
        search_s=1.5,
        finetune_s=60.0,
        wall_s=70.0,
        started_at="2026-01-02T03:04:05+00:00",
        machine=MACHINE,
        versions={"reds-core": "0.1.0", "numpy": "2.4.6"},
        model_sha256="a" * 64,
        data_sha256="b" * 64,
        **parts,  # type: ignore[arg-type]
    )
    return dataclasses.replace(base, **changes)


def failure(pruner: str = "nested", seed: int = 0, reason: str = "no memory; buy some", **changes: Any) -> ResultRecord:
    return dataclasses.replace(
        result(pruner, seed, **changes),
        outcome=RunOutcome.OUT_OF_MEMORY,
        reason=reason,
        subnetwork=None,
        full=FullAccuracy(),
        steps=None,
        search_s=None,
        finetune_s=None,
        versions={},
    )
