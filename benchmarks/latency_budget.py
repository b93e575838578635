"""A latency budget on MobileNetV2 (alpha 0.35, 96 x 96), measured on the exported file, beside a MACs budget.

    python benchmarks/latency_budget.py --out FOLDER [--page docs/guide/latency.md]

The weights are random: what a network computes does not change how long it takes. The table is measured once and gone
on with; every exported file is timed several times, in turns, so that all of them see the machine in the same states.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import reds_core
from reds_core import Registry, RunSettings, measure_latency
from reds_core.cost import LatencySettings, LatencyTable
from reds_core.framework import ExportSource, Framework, Target

SHARES = (0.8, 0.7, 0.6)
TURNS = 9
SETTINGS = LatencySettings(element_size_bytes=4, points=4, checks=4)


@dataclass(frozen=True)
class Row:
    """One exported subnetwork. Times in microseconds; measured: one a turn."""

    name: str
    macs_share: float
    predicted_us: float
    measured_us: tuple[float, ...]


def model_file(folder: Path) -> Path:
    """MobileNetV2 with random weights, made once."""
    path = folder / "mobilenet_v2.keras"
    if not path.exists():
        import keras

        keras.utils.set_random_seed(0)
        keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=10).save(path)
    return path


def measured(files: list[Path], framework: Framework) -> list[tuple[float, ...]]:
    """Each file timed TURNS times, in turns."""
    probe = Registry().create(Target, "tflite").probe(framework, dataclasses.replace(SETTINGS, repeats=100))
    assert probe is not None
    turns = [[probe.exported(f.read_bytes()).ns / 1000 for f in files] for _ in range(TURNS)]
    return [tuple(column) for column in zip(*turns, strict=True)]


def rows(folder: Path, table: LatencyTable) -> list[Row]:
    """The full network; subnetworks under latency budgets; and under the MACs budgets that predict the same latency."""
    settings = RunSettings(latency_table=str(folder / "table.json"), element_size_bytes=4, scorer="magnitude")
    model, framework = model_file(folder), Registry().default_framework()

    def pruned(name: str, budgets: dict[str, list[float]]) -> reds_core.Plan:
        out = folder / name
        return reds_core.prune(model, None, budgets, out=out, settings=settings, finetune_epochs=0, mode="resume")

    by_latency = pruned("by-latency", {"latency": list(SHARES)})
    tried = [round(s, 3) for s in np.arange(0.15, 1.0, 0.05)]
    by_macs = pruned("by-macs", {"macs": tried})
    network = framework.inspect(framework.load_model(model))
    form = table.form(network)
    full_macs, full_ns = by_latency.full.usage["macs"], form.at(network.channels)
    chosen = [("full", 1.0, float(full_ns), folder / "full.tflite")]
    if not chosen[0][3].exists():
        target = Registry().create(Target, "tflite")
        target.export(ExportSource(framework, framework.load_model(model), network), chosen[0][3])
    for share in SHARES:
        member = next(s for s in by_latency.subnetworks if s.budget["latency"] == share)
        file = folder / "by-latency" / str(member.files["tflite"])
        chosen.append((f"latency={share}", member.usage["macs"] / full_macs, float(member.usage["latency"]), file))
        under = [s for s in by_macs.subnetworks if form.at(s.widths) <= share * full_ns]
        largest = max(under, key=lambda s: s.usage["macs"])
        name = f"macs={largest.budget['macs']}"
        file = folder / "by-macs" / str(largest.files["tflite"])
        chosen.append((name, largest.usage["macs"] / full_macs, float(form.at(largest.widths)), file))
    times = measured([file for *_, file in chosen], framework)
    return [Row(name, macs, ns / 1000, t) for (name, macs, ns, _), t in zip(chosen, times, strict=True)]


def page(table: LatencyTable, found: list[Row]) -> str:
    """The page as Markdown."""
    full = float(np.median(found[0].measured_us))
    lines = [
        "# Latency budgets",
        "",
        "`reds latency MODEL --out table.json` times each segment of a network that LiteRT runs as one unit, at",
        "several widths. The segments are timed as exported files on this machine, and the samples are stored with",
        "their spread. Times between the measured widths are interpolated, and their sum is scaled to the measured",
        "time of the whole network. With `--latency-table table.json` and `--budget latency=0.6` (or `2ms`), `reds",
        "prune` keeps the sum within the budget, and reports the measured time of each exported file next to the",
        "prediction.",
        "",
        f"`python benchmarks/latency_budget.py`: MobileNetV2, alpha 0.35, 96 x 96, float32, {table.settings.threads}",
        f"thread on {table.machine.cpu}; {len(table.samples)} samples of {len(table.segments)} segments. All",
        f"files are timed in turn, {TURNS} times each (lower decile of 100 runs); the range is over these times.",
        "",
        "| budget | MACs | predicted, us | measured, us | range, us | share of full: predicted | measured |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found:
        middle = float(np.median(row.measured_us))
        lines.append(
            f"| {row.name} | {100 * row.macs_share:.0f} % | {row.predicted_us:.0f} | {middle:.0f} | "
            f"{min(row.measured_us):.0f} to {max(row.measured_us):.0f} | "
            f"{100 * row.predicted_us / found[0].predicted_us:.1f} % | {100 * middle / full:.1f} % |"
        )
    lines += ["", "Whole subnetworks of random widths, as reported by `reds latency`:", ""]
    lines += ["| predicted, us | measured, us | error |", "|---:|---:|---:|"]
    for check in table.checks:
        error = 100 * (check.predicted_ns / check.measured.ns - 1)
        lines.append(f"| {check.predicted_ns / 1000:.0f} | {check.measured.ns / 1000:.0f} | {error:+.1f} % |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    table = measure_latency(
        model_file(arguments.out), arguments.out / "table.json", SETTINGS, told=lambda d, of: print(d, "of", of)
    )
    text = page(table, rows(arguments.out, table))
    print(text)
    if arguments.page is not None:
        arguments.page.write_text(text)


if __name__ == "__main__":
    main()
