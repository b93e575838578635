"""Measures what a search takes, for the figures beside those of publications; writes docs/results/literature.md.

    python benchmarks/literature.py [--out out/literature]     measures what is not recorded yet, and writes the tables
    python benchmarks/literature.py --from-records             writes them from the kept records

For each network, `reds prune --dry-run` chooses the widths of a family for 75, 50 and 25 % of the MACs. The command
`reds formulate` then writes the problem of the member with half of the MACs, and `reds solve` solves it in a process
that loads neither TensorFlow nor the network. Each command is a process of its own, whose peak of resident memory and
processor time the operating system tells. Networks that are recorded are not measured again. MobileNetV2 is that of
`keras.applications` without training, whose problem has the size of that of a trained one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from page_sections import put

from reds_core.system import RECORDS_FILE, RecordKind, make_folder, this_machine

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT.parent / "shared" / "assets"
PAGE = ROOT / "docs" / "results" / "literature.md"
KEPT = ROOT / "benchmarks" / "records" / "literature"
DEVICES = ROOT / "benchmarks" / "records" / "devices"
BUDGETS = "macs=0.75,0.5,0.25"
MIB = 2**20


@dataclass(frozen=True)
class Subject:
    """A network and how it is scored.

    Attributes:
        name: The displayed name.
        model: The file of the model in the folder of assets; None for MobileNetV2 of `keras.applications`.
        data: The file of the data; None to score without data.
    """

    name: str
    model: str | None
    data: str | None

    def arguments(self, folder: Path) -> list[str]:
        """Return the model, the data and the scorer as arguments of a command."""
        model = _untrained_mobilenet(folder) if self.model is None else ASSETS / "models" / self.model
        if self.data is None:
            return [str(model), "--scorer", "magnitude"]
        return [str(model), "--data", str(ASSETS / "data" / self.data)]


SUBJECTS = (
    Subject("DS-CNN S", "arm_kws_ds_cnn_s.keras", "speech_commands.npz"),
    Subject("ResNet8", "mlperf_tiny_resnet8_cifar10.h5", "cifar10.npz"),
    Subject("MobileNetV2", None, None),
)


@dataclass(frozen=True)
class Used:
    """What a process used.

    Attributes:
        wall_s: Its duration in seconds.
        processor_s: Its processor time in seconds.
        peak_bytes: Its peak of resident memory.
    """

    wall_s: float
    processor_s: float
    peak_bytes: int


@dataclass(frozen=True)
class SearchRecord:
    """What the search for one network takes.

    Attributes:
        network: The name of the network.
        groups: The number of channel groups, whose widths are chosen.
        search_s: The wall time of the search for the whole family, in seconds.
        gap: By what share the value of the family may be below the best possible one; 0 for a proof of optimality.
        dry_run: The whole command, which also imports TensorFlow, reads the data and scores channels.
        solve_s: The wall time of the solver for the member with half of the MACs, in seconds.
        solve_gap: The gap of that member.
        solver: The solver that answered.
        solve: The process that solved it.
        cpu: The processor of the machine.
    """

    network: str
    groups: int
    search_s: float
    gap: float | None
    dry_run: Used
    solve_s: float
    solve_gap: float | None
    solver: str
    solve: Used
    cpu: str


RECORDS = RecordKind(SearchRecord, "a search", "python benchmarks/literature.py")


def _untrained_mobilenet(folder: Path) -> Path:
    path = folder / "mobilenetv2.keras"
    if not path.exists():
        made = f"keras.applications.MobileNetV2(weights=None).save({str(path)!r})"
        program = f"import keras; keras.utils.set_random_seed(0); {made}"
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return path


def _run(arguments: Sequence[str]) -> tuple[Any, Used]:
    """Run a command of reds, and return its JSON and what it used.

    Raises:
        SystemExit: If it fails.
    """
    command = [sys.executable, "-m", "reds_core", "-q", *arguments]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        written = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    used = Used(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
    return json.loads(written) if "--json" in arguments else None, used


def measured(subject: Subject, folder: Path) -> SearchRecord:
    """Measure the search for one network."""
    given = subject.arguments(folder)
    tuning = ["--finetune-epochs", "0"] if subject.data is None else []
    plan, dry_run = _run(["prune", *given, "--budget", BUDGETS, *tuning, "--dry-run", "--json"])
    problem = folder / f"{subject.name}.npz"
    _run(["formulate", *given, "--budget", "macs=0.5", "--out", str(problem)])
    solution, solve = _run(["solve", str(problem), "--json"])
    return SearchRecord(
        network=subject.name,
        groups=len(plan["groups"]),
        search_s=sum(step["search_s"] or 0.0 for step in plan["steps"]),
        gap=plan["family"]["gap"] if plan.get("family") else max(member["gap"] for member in plan["subnetworks"]),
        dry_run=dry_run,
        solve_s=solution["wall_s"],
        solve_gap=solution["gap"],
        solver=solution["solver"],
        solve=solve,
        cpu=this_machine().cpu,
    )


def search_text(records: Sequence[SearchRecord]) -> str:
    """The table of searches."""
    lines = [
        "| network | groups | search, whole family (s) | gap | one member, solver (s) | its gap "
        "| memory of that process (MiB) | whole command (s of processor time) | its memory (MiB) |",
        "| --- |" + " ---: |" * 8,
    ]
    for each in records:
        lines.append(
            f"| {each.network} | {each.groups} | {each.search_s:.2f} | {_gap(each.gap)} | {each.solve_s:.3f} | "
            f"{_gap(each.solve_gap)} | {each.solve.peak_bytes / MIB:.0f} | {each.dry_run.processor_s:.0f} | "
            f"{each.dry_run.peak_bytes / MIB:.0f} |"
        )
    cpus = sorted({each.cpu for each in records})
    return "\n".join([*lines, "", f"Measured on {', '.join(cpus)}, with two cores that other programs used as well."])


def _gap(gap: float | None) -> str:
    return "–" if gap is None else "0 (proven)" if gap == 0 else f"{100 * gap:.2g} %"


def store_text(records: Mapping[str, Mapping[str, int]]) -> str:
    """The table of bytes of one store against separate networks, from the records of devices.py."""
    lines = [
        "| family | networks | one store (bytes) | of it weights | full network alone | an engine for each "
        "| .tflite files |",
        "| --- |" + " ---: |" * 6,
    ]
    for name, sizes in records.items():
        one = sizes["weights"] + sizes["tables"]
        others = (f"{sizes[key]:,} ({sizes[key] / one:.2f}x)" for key in ("full_engine", "separate_engines", "files"))
        lines.append(f"| {name} | {sizes['members']} | {one:,} | {sizes['weights']:,} | {' | '.join(others)} |")
    return "\n".join(lines)


def store_sizes() -> dict[str, dict[str, int]]:
    """What the families of docs/results/devices.md take, by name."""
    found = {}
    for name in ("ds-cnn-s", "ds-cnn-m", "resnet8"):
        content = json.loads((DEVICES / f"{name}.json").read_text(encoding="utf-8"))
        found[name] = {**content["sizes"], "members": len(content["members"])}
    return found


def main() -> None:
    """Measure, record and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "literature", help="where records are written")
    parser.add_argument("--from-records", action="store_true", help="write the tables from the kept records")
    given = parser.parse_args()
    folder = KEPT if given.from_records else given.out
    make_folder(folder)
    records = {each.network: each for each in RECORDS.read(folder)} if (folder / RECORDS_FILE).exists() else {}
    if not given.from_records:
        with RECORDS.opened(folder) as file:
            for subject in SUBJECTS:
                if subject.name not in records:
                    records[subject.name] = measured(subject, folder)
                    file.append(records[subject.name])
                    print(records[subject.name], flush=True)
        make_folder(KEPT)
        shutil.copyfile(folder / RECORDS_FILE, KEPT / RECORDS_FILE)
    put(PAGE, "searches", search_text([records[each.name] for each in SUBJECTS if each.name in records]))
    put(PAGE, "stores", store_text(store_sizes()))


if __name__ == "__main__":
    main()
