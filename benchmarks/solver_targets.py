"""Compares the exact solver of this checkout with another version, on problems with wanted times and gaps.

    python benchmarks/solver_targets.py --against PATH [--only REGEX] [--repeats N] [--solver dp] [--out DIR]
    python benchmarks/solver_targets.py --from-records DIR [--write]

PATH is a checkout of another version, or a Python interpreter in which one is installed. Without it, only this checkout
is measured. The versions take turns: each solve of one is followed by the same solve of the other, and the order
changes from round to round. Each solve has a process of its own, which has solved two small problems before, and solves
a short problem several times, of which the median counts. Times are processor seconds, and so are time limits. Records
are added to DIR/records.jsonl, and solves recorded there are not repeated unless the code has changed. `--write` puts
the table into docs/results/solver-speed.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from page_sections import put
from target_problems import TARGETS, Target

from reds_core.system import Machine, RecordKind, this_machine, utc_now

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "results" / "solver-speed.md"
WORKER = Path(__file__).with_name("timed_solve.py")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class TargetRecord:
    """One solve.

    Attributes:
        problem, solver: What was solved by which solver.
        version: "this" for the checkout of this script, "other" for the one that it is compared with.
        code: The commit of that version, with a hash of the changes that are not committed.
        repeat: The number of the repeat, from 0.
        limit_s: The time limit in processor seconds.
        status, limit, value, bound, gap: As in `Solution`; the status is "failed" if the process failed.
        cpu_s: Processor seconds of the solve, with all threads and children.
        wall_s: Seconds of wall time of the solve.
        before_bytes, peak_bytes: Resident memory of the process before the solve, and its peak.
        answered_by: The solver whose choice it is.
        load: The load average of the last minute when the process was started.
        started_at: UTC, ISO 8601.
        machine: Where the solve ran.
        detail: Remarks of the solver, or the last line on standard error of a process that failed.
    """

    problem: str
    solver: str
    version: str
    code: str
    repeat: int
    limit_s: float
    status: str
    load: float
    started_at: str
    machine: Machine
    limit: str | None = None
    value: int | None = None
    bound: int | None = None
    gap: float | None = None
    cpu_s: float | None = None
    wall_s: float | None = None
    before_bytes: int | None = None
    peak_bytes: int | None = None
    answered_by: str | None = None
    detail: tuple[str, ...] = field(default=())

    @property
    def key(self) -> tuple[str, str, str, str, int, float]:
        """What distinguishes it from other solves."""
        return self.problem, self.solver, self.version, self.code, self.repeat, self.limit_s

    @property
    def is_proved(self) -> bool:
        return self.status == "optimal"


RECORDS = RecordKind(TargetRecord, "a solve", "python benchmarks/solver_targets.py")


@dataclass(frozen=True)
class Version:
    """A version of reds that can be measured.

    Attributes:
        name: "this" or "other".
        code: The commit, with a hash of the changes that are not committed.
        python: The interpreter.
        path: Folders for PYTHONPATH.
    """

    name: str
    code: str
    python: Path
    path: tuple[Path, ...]

    @classmethod
    def of(cls, name: str, place: Path) -> Version:
        """The version at `place`, a checkout or an interpreter."""
        if place.is_dir():
            plugins = sorted(p.parent for p in (place / "plugins").glob("*/pyproject.toml"))
            return cls(name, _code(place), Path(sys.executable), (place, *plugins))
        find = [str(place), "-c", "import reds_core; print(reds_core.__file__)"]
        core = Path(subprocess.run(find, capture_output=True, text=True, check=True).stdout.strip())
        return cls(name, _code(core.parent), place, ())

    def solve(self, target: Target, solver: str, repeat: int, folder: Path) -> TargetRecord:
        """Solve a problem once in a new process."""
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        environment["PYTHONPATH"] = os.pathsep.join(map(str, self.path))
        command = [str(self.python), "-P", str(WORKER), str(target.file(folder)), solver, str(target.limit_s)]
        load, started_at = os.getloadavg()[0], utc_now()
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        lines = done.stdout.splitlines()
        found: dict[str, Any]
        if done.returncode or not lines:
            found = {"status": "failed", "detail": (done.stderr.strip().splitlines() or ["no answer"])[-1:]}
        else:
            found = json.loads(lines[-1])
        found["detail"] = tuple(found["detail"])
        return TargetRecord(
            target.name,
            solver,
            self.name,
            self.code,
            repeat,
            target.limit_s,
            load=load,
            started_at=started_at,
            machine=this_machine(),
            **found,
        )


def _code(folder: Path) -> str:
    """The commit of a checkout, followed by a hash of what differs from it, if anything does."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
        return done.stdout

    commit = git("rev-parse", "--short", "HEAD").strip()
    changes = git("diff", "HEAD", "--", "reds_core", "plugins")
    return f"{commit}+{hashlib.sha256(changes.encode()).hexdigest()[:6]}" if changes else commit


def measure(
    versions: Sequence[Version], targets: Sequence[Target], solver: str, repeats: int | None, out: Path
) -> None:
    """Run the solves that are not recorded yet: round by round, versions in turn."""
    rounds = max(repeats or target.repeats for target in targets)
    with RECORDS.opened(out) as records:
        done = {record.key for record in records.before}
        for repeat in range(rounds):
            for target in targets:
                if repeat >= (repeats or target.repeats):
                    continue
                for version in versions[:: -1 if repeat % 2 else 1]:
                    if (target.name, solver, version.name, version.code, repeat, target.limit_s) in done:
                        continue
                    record = version.solve(target, solver, repeat, out / "problems")
                    records.append(record)
                    sys.stdout.write(f"{target.name} {version.name} {version.code}: {_result([record])}\n")
                    sys.stdout.flush()


def latest(records: Sequence[TargetRecord]) -> list[TargetRecord]:
    """The records of the code of each version that was measured last on each problem."""
    code = {(r.problem, r.solver, r.version): r.code for r in records}
    return [r for r in records if r.code == code[r.problem, r.solver, r.version]]


def _result(records: Sequence[TargetRecord]) -> str:
    """The median time to the proof, or the gap at the limit."""
    if not records:
        return "–"
    if all(r.is_proved for r in records):
        return f"{median(r.cpu_s or 0.0 for r in records):.3g} s"
    worst = max(records, key=lambda r: (r.status == "failed", r.gap is None, r.gap or 0.0))
    if worst.status == "failed":
        return f"failed ({worst.detail[0][:60]})"
    if worst.is_proved or worst.gap is None:
        return worst.status
    return f"gap {100 * worst.gap:.2g} % at {median(r.cpu_s or 0.0 for r in records):.3g} s"


def _wanted(target: Target) -> str:
    if target.wanted_s is not None:
        return f"{target.wanted_s:g} s"
    assert target.wanted_gap is not None
    return f"gap {100 * target.wanted_gap:g} % at {target.limit_s:g} s"


def reached(target: Target, records: Sequence[TargetRecord]) -> bool:
    """Whether the records of one version show what is wanted."""
    if target.wanted_s is not None:
        return all(r.is_proved for r in records) and median(r.cpu_s or 0.0 for r in records) <= target.wanted_s
    return all(r.gap is not None and r.gap <= (target.wanted_gap or 0.0) for r in records)


def shifted_mean(numbers: Sequence[float], shift: float) -> float:
    """The geometric mean of the numbers plus `shift`, less `shift`, which limits the weight of tiny numbers."""
    return math.exp(sum(math.log(n + shift) for n in numbers) / len(numbers)) - shift


def table(records: Sequence[TargetRecord]) -> str:
    """The table of one machine, solver by solver, as Markdown."""
    records = latest(records)
    parts = []
    for machine in dict.fromkeys(r.machine for r in records):
        for solver in dict.fromkeys(r.solver for r in records if r.machine == machine):
            parts.append(_table([r for r in records if r.machine == machine and r.solver == solver]))
    return "\n\n".join(parts)


def _table(records: Sequence[TargetRecord]) -> str:
    lines = [
        "| problem | earlier version | this version | times as fast | wanted | reached | memory before and now |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    pairs: list[tuple[float, float]] = []
    for target in TARGETS:
        own = [r for r in records if r.problem == target.name and r.version == "this"]
        other = [r for r in records if r.problem == target.name and r.version == "other"]
        if not own:
            continue
        ratio = "–"
        if other and all(r.is_proved for r in (*own, *other)):
            pairs.append((median(r.cpu_s or 0.0 for r in other), median(r.cpu_s or 0.0 for r in own)))
            ratio = f"{pairs[-1][0] / pairs[-1][1]:.2f}"
        memory = " and ".join(_memory(each) for each in (other, own))
        lines.append(
            f"| {target.name} | {_result(other)} | {_result(own)} | {ratio} | {_wanted(target)} | "
            f"{'yes' if reached(target, own) else 'no'} | {memory} |"
        )
    remarks = [_conditions(records)]
    if pairs:
        mean = math.exp(sum(math.log(before / now) for before, now in pairs) / len(pairs))
        before, now = (shifted_mean([pair[i] for pair in pairs], 0.01) for i in (0, 1))
        remarks.append(
            f"On the {len(pairs)} problems that both versions proved, this version is {mean:.2f} times as "
            f"fast (geometric mean). Shifted geometric means (10 ms): {1000 * before:.1f} ms before, "
            f"{1000 * now:.1f} ms now."
        )
    return "\n".join([*lines, "", " ".join(remarks)])


def _memory(records: Sequence[TargetRecord]) -> str:
    peaks = [r.peak_bytes for r in records if r.peak_bytes is not None]
    return f"{max(peaks) / 2**20:.0f} MiB" if peaks else "–"


def _conditions(records: Sequence[TargetRecord]) -> str:
    machine = records[0].machine
    codes = {name: ", ".join(dict.fromkeys(r.code for r in records if r.version == name)) for name in ("other", "this")}
    loads = [r.load for r in records]
    compared = f"commits {codes['other']} and {codes['this']}" if codes["other"] else f"commit {codes['this']}"
    return (
        f"Solver `{records[0].solver}`, {compared}, {machine.cpu} with {machine.cores} cores, Python {machine.python}, "
        f"{min(r.started_at for r in records)} to {max(r.started_at for r in records)}, load average "
        f"{min(loads):.1f} to {max(loads):.1f}. Times are processor seconds to the proof, the median of the repeats. "
        "Processes have solved other problems before, and solve short ones several times. "
        "Gaps are those at the limit, the worst of the repeats."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="a checkout of another version, or a Python interpreter with one")
    parser.add_argument("--only", default="", help="regular expression: which problems")
    parser.add_argument("--repeats", type=int, help="how often each version solves each problem")
    parser.add_argument("--solver", default="dp", help="name of a solver, or auto")
    parser.add_argument("--out", type=Path, default=Path("out/solver-targets"), help="folder for problems and records")
    parser.add_argument("--from-records", type=Path, help="make the table of this folder's records, without a solve")
    parser.add_argument("--write", action="store_true", help="put the table into docs/results/solver-speed.md")
    given = parser.parse_args()
    if given.from_records is None:
        targets = [target for target in TARGETS if re.search(given.only, target.name)]
        if not targets:
            parser.error(f"no problem has a name that matches '{given.only}'")
        versions = [Version.of("this", REPOSITORY)]
        if given.against is not None:
            versions.insert(0, Version.of("other", given.against.absolute()))
        measure(versions, targets, given.solver, given.repeats, given.out)
    text = table(RECORDS.read(given.from_records or given.out))
    sys.stdout.write(text + "\n")
    if given.write:
        put(PAGE, "targets", text)


if __name__ == "__main__":
    main()
