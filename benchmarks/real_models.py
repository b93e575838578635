"""Prunes the real models of ../shared/assets: writes docs/results/real-models.md and the picture of the README.

`python benchmarks/real_models.py`. The command resumes where it stopped, since finished runs in OUT are kept.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reds_core import Plan, load_plan
from reds_core.cli import run
from reds_core.report import accuracy_figure, gather
from reds_core.system import write_archive

REPOSITORY = Path(__file__).resolve().parents[1]
ASSETS = REPOSITORY.parent / "shared" / "assets"
SHOWN = "ds-cnn-m"
"""The case in the picture."""


@dataclass(frozen=True)
class Case:
    """One model, its data and the options of its run."""

    name: str
    model: str
    data: str | None
    options: tuple[str, ...]


CASES = (
    Case("ds-cnn-s", "arm_kws_ds_cnn_s.keras", "speech_commands.npz", ("--budget", "macs=0.75,0.5,0.25")),
    Case("ds-cnn-m", "arm_kws_ds_cnn_m.keras", "speech_commands.npz", ("--budget", "macs=0.75,0.5,0.25")),
    Case("cnn-s", "arm_kws_cnn_s.keras", "speech_commands.npz", ("--budget", "macs=0.75,0.5,0.25")),
    Case("dnn-s", "arm_kws_dnn_s.keras", "speech_commands_flat.npz", ("--budget", "macs=0.75,0.5,0.25")),
    Case("resnet8", "mlperf_tiny_resnet8_cifar10.h5", "cifar10.npz", ("--budget", "macs=0.75,0.5")),
    Case(
        "vww-96",
        "mlperf_tiny_vww_96.keras",
        None,
        ("--budget", "macs=0.5", "--budget", "peak_ram=0.7", "--scorer", "magnitude", "--finetune-epochs", "0"),
    ),
)


def flat_speech_commands(folder: Path) -> Path:
    """The data for the fully connected model: every second frame, flattened to one row."""
    path = folder / "speech_commands_flat.npz"
    if not path.exists():
        with np.load(ASSETS / "data" / "speech_commands.npz", allow_pickle=False) as data:
            arrays = {key: data[key] for key in data.files}
        for key in ("x_train", "x_test"):
            arrays[key] = arrays[key][:, ::2].reshape(-1, 250)
        write_archive(path, arrays)
    return path


def prune(case: Case, out: Path) -> Plan:
    """The plan of one case, which is run unless OUT has it already."""
    folder = out / case.name
    model = str(ASSETS / "models" / case.model)
    arguments = ["prune", model, *case.options, "--align", "1", "--out", str(folder), "--resume"]
    if case.data is not None:
        shared = ASSETS / "data" / case.data
        arguments += ["--data", str(shared if shared.exists() else flat_speech_commands(out))]
    status = run(arguments)
    if status:
        sys.exit(status)
    return load_plan(folder)


def percent(share: float | None) -> str:
    """A share as text, or a dash."""
    return "-" if share is None else f"{100 * share:.1f}"


def table(plans: dict[str, Plan]) -> str:
    """One line a network."""
    columns = ("model", "network", "MACs", "params, bytes", "peak RAM, bytes", "accuracy before", "after", "LiteRT")
    columns += ("int8", "gap", "solver, ms")
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for name, plan in plans.items():
        full, usage = plan.full, plan.full.usage
        lines.append(
            f"| {name} | full | {usage['macs']:,} | {usage['params']:,} | {usage['peak_ram']:,} "
            f"| {percent(full.accuracy.before)} | {percent(full.accuracy.after)} | - | - | - | - |"
        )
        for s in reversed(plan.subnetworks):
            a, usage = s.accuracy, s.usage
            gap = "none" if s.gap is None else f"{100 * s.gap:.3g} %"
            lines.append(
                f"| {name} | {s.name} | {usage['macs']:,} | {usage['params']:,} | {usage['peak_ram']:,} "
                f"| {percent(a.before)} | {percent(a.after)} "
                f"| {percent(a.exported['tflite'])} | {percent(a.exported['tflite_int8'])} "
                f"| {gap} | {s.solver}, {1000 * (s.wall_s or 0):.0f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/real-models"), help="folder of the runs")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    plans = {case.name: prune(case, out) for case in CASES}
    text = (
        "# Real models\n\nMade by `python benchmarks/real_models.py`. Accuracies are in percent on test data, which no "
        "choice depends on. Before: accuracy of the input model, or of the extracted subnetwork before fine-tuning; "
        "after: accuracy of the exported Keras file. All settings but the budgets and `--align 1` are the defaults, "
        "except for vww-96, which is pruned without data.\n\n"
    )
    (REPOSITORY / "docs" / "results" / "real-models.md").write_text(text + table(plans), encoding="utf-8")
    picture = accuracy_figure(gather(plans[SHOWN], out / SHOWN), "macs")
    assert picture is not None
    picture.savefig(REPOSITORY / "docs" / "images" / "example-accuracy.png", dpi=160)
    sys.stdout.write(table(plans))


if __name__ == "__main__":
    main()
