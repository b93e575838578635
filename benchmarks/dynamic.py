"""Trains families whose members differ in exit, widths and bits, and writes docs/results/dynamic.md.

    python benchmarks/dynamic.py [--cells 'resnet8-*']
    python benchmarks/dynamic.py --plan
    python benchmarks/dynamic.py --from-records

Each cell trains one nested family of three members and the full network, by widths alone, by widths and bits, or by
widths, bits and early exits. Early exit by confidence is measured on the full network of the last kind. A cell that was
stopped resumes after its last finished epoch. With --from-records the page is written from benchmarks/records/dynamic.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cell_runs import CellRuns
from dynamic_page import PAGE, write_page
from dynamic_records import (
    ALL,
    NETWORKS,
    RECORDS,
    SHARES,
    WIDTH,
    Cell,
    DynamicRecord,
    EarlyExit,
    MemberFigures,
    Network,
    cells,
)

import reds_core
from reds_core.system import make_folder

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT.parent / "shared" / "assets"
EPOCHS, HEAD_EPOCHS = 10, 5
ENGINE = "c-engine"


def perform(cell: Cell, out: Path) -> DynamicRecord:
    """Train the family of a cell, or resume it, and return what it found."""
    began, folder = time.process_time(), out / "runs" / cell.name
    network = next(each for each in NETWORKS if each.name == cell.network)
    model, data = ASSETS / "models" / network.model, ASSETS / "data" / network.data
    make_folder(folder)
    if cell.arm == ALL:
        given, model = model, folder / "exits.keras"
        if not model.exists():
            reds_core.exits(given, "auto", model, data=data, epochs=HEAD_EPOCHS, seed=cell.seed)
    plan = reds_core.prune(
        model, str(data), _budgets(cell, network), out=folder / "run", mode="resume", **_settings(cell, network)
    )
    exported = reds_core.export(folder / "run", target=ENGINE, out=folder / "engine", mode="overwrite")
    alone = [_store_bytes(folder, member.name) for member in plan.subnetworks]
    thresholds = _thresholds(cell, folder, data) if cell.arm == ALL else None
    return DynamicRecord(
        network=cell.network,
        arm=cell.arm,
        seed=cell.seed,
        epochs=cell.epochs,
        before=plan.full.accuracy.before or 0.0,
        after=plan.full.accuracy.after or 0.0,
        full_macs=plan.full.usage["macs"] if thresholds is None else thresholds.exits[-1].cost_alone,
        members=tuple(_member(member) for member in plan.subnetworks),
        exits=() if thresholds is None else _static(thresholds),
        early=() if thresholds is None else _early(thresholds),
        store_bytes=exported.weights_bytes,
        apart_bytes=(exported.weights_bytes or 0) + sum(alone),
        cpu_s=time.process_time() - began,
        versions=plan.versions,
    )


def _store_bytes(folder: Path, member: str) -> int:
    """Return what the weights of one member take in an engine of its own, without the full network."""
    out, options = folder / f"engine-{member}", {ENGINE: {"full": "false"}}
    alone = reds_core.export(
        folder / "run", target=ENGINE, members=[member], out=out, options=options, mode="overwrite", verbose=0
    )
    return alone.weights_bytes or 0


def _budgets(cell: Cell, network: Network) -> dict[str, Any]:
    budgets: dict[str, Any] = {"macs": list(SHARES)}
    return budgets if cell.arm == WIDTH else {**budgets, "weight_bytes": list(network.byte_shares)}


def _settings(cell: Cell, network: Network) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "finetune_epochs": cell.epochs,
        "batch_size": 64,
        "seed": cell.seed,
        "augment": network.augment,
        "targets": ENGINE,
    }
    return settings if cell.arm == WIDTH else {**settings, "transforms": "truncated-bits"}


def _member(member: Any) -> MemberFigures:
    bits = [level["truncated_bits"] for level in (member.settings or {}).values() if "truncated_bits" in level]
    exported = member.accuracy.exported.get(ENGINE)
    return MemberFigures(
        member.name,
        member.exit,
        member.usage["macs"],
        member.usage.get("weight_bytes"),
        (member.accuracy.after if exported is None else exported) or 0.0,
        sum(each < 8 for each in bits),
        len(bits),
    )


def _thresholds(cell: Cell, folder: Path, data: Path) -> Any:
    return reds_core.choose_thresholds(
        folder / "run", data, folder / "thresholds", seed=cell.seed, mode="overwrite", measure="margin"
    )


def _static(thresholds: Any) -> tuple[MemberFigures, ...]:
    return tuple(
        MemberFigures(each.name, each.name, each.cost_alone, None, each.accuracy_test or 0.0)
        for each in thresholds.exits
    )


def _early(thresholds: Any) -> tuple[EarlyExit, ...]:
    return tuple(
        EarlyExit(point.measure, point.cost_held_back, point.cost_test or 0.0, point.accuracy_test or 0.0)
        for point in thresholds.curve
    )


def write(records: Sequence[DynamicRecord], folder: Path, page: Path) -> None:
    """Write the tables into the page, or into a copy of it."""
    if not page.exists():
        shutil.copyfile(PAGE, page)
    write_page(records, page)


STUDY = CellRuns(
    records=RECORDS,
    cells=lambda records, epochs: cells(EPOCHS if epochs is None else epochs),
    perform=perform,
    write=write,
    page=PAGE,
    kept=ROOT / "benchmarks" / "records" / "dynamic",
    out=Path("out", "dynamic"),
)


if __name__ == "__main__":
    STUDY.main(__doc__)
