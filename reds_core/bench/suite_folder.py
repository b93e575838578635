"""Writes a suite of problems to a folder that can be published by itself."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Literal

from reds_core.bench import suite_checker
from reds_core.bench.suites import SuiteProblem, SuiteRecord, suite, suite_record
from reds_core.errors import InputError
from reds_core.knapsack.file import problem_digest, save_problem
from reds_core.knapsack.problem import SumResource
from reds_core.system.files import folder_written_beside, given_path, make_folder, write_bytes, write_text
from reds_core.system.machine_faults import shown
from reds_core.system.records import to_json

FORMAT = "reds-suite/1"
INDEX_FILE = "index.json"
CHECKER_FILE = "check_solution.py"
_FILES = Path(__file__).with_name("suite_files")


@dataclass(frozen=True)
class IndexedResource:
    """A resource of a problem.

    Attributes:
        name: name of the resource.
        kind: `sum` for what all groups use together, `peak` for the most that a step uses.
        capacity: the largest usage that is allowed.
    """

    name: str
    kind: Literal["sum", "peak"]
    capacity: int


@dataclass(frozen=True)
class IndexedProblem:
    """A problem of a suite.

    Attributes:
        name: name of the problem within the suite.
        file: path of the problem file, relative to the folder.
        sha256: SHA-256 digest of the file.
        content_sha256: digest of what the file states, which does not depend on how it is compressed.
        groups: number of groups.
        options: number of options of all groups.
        pairs: number of pairs of groups with pairwise terms.
        joint_options: number of pairs of options of these pairs.
        resources: the resources, each with its capacity.
        reason: why the suite contains the problem.
        optimum: proven optimal value; null if the problem is infeasible or no proof is known.
        infeasible: whether it is proven that no choice is feasible.
        proved_by: solvers that independently proved the optimum or infeasibility.
        lp_bound: value of the LP relaxation, rounded down, or null.
    """

    name: str
    file: str
    sha256: str
    content_sha256: str
    groups: int
    options: int
    pairs: int
    joint_options: int
    resources: tuple[IndexedResource, ...]
    reason: str
    optimum: int | None
    infeasible: bool
    proved_by: tuple[str, ...]
    lp_bound: int | None


@dataclass(frozen=True)
class SuiteIndex:
    """The index of a suite in a folder.

    Attributes:
        suite: name of the suite.
        description: what its problems have in common.
        source: where its networks and numbers come from.
        licence: SPDX identifier of the licence of all files.
        version: version of reds that wrote the folder.
        problems: the problems, in the order of the suite.
    """

    format: str = field(default=FORMAT, kw_only=True)
    suite: str
    description: str
    source: str
    licence: str
    version: str
    problems: tuple[IndexedProblem, ...]


def export_suite(name: str, folder: str | PathLike[str]) -> SuiteIndex:
    """Write a suite of problems to a folder that can be published by itself.

    This is what `reds suite` does for `export`. The folder contains the problem files, an index with their sizes and
    proven optima, a README that describes the format, a script that checks solutions without reds, and the licence. Two
    exports by the same versions of reds and NumPy are equal byte by byte.

    Args:
        name: The name of the suite. `reds_core.suites` lists them.
        folder: The folder to write. It must be empty or not exist.

    Returns:
        The index of the folder, as `index.json` holds it.

    Raises:
        InputError: If there is no suite of that name, or the folder is not empty or cannot be written.

    Example:
        >>> index = reds_core.export_suite("tiny", "tiny-suite")
        >>> [(problem.file, problem.optimum) for problem in index.problems]
    """
    folder = given_path(folder, "folder")
    instances = suite(name)
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"folder {shown(folder)} is not empty", "give another folder")
    if folder.is_dir():  # may be the current folder, so it is not replaced by another
        return _write_suite(folder, name, instances)
    with folder_written_beside(folder) as temporary:
        return _write_suite(temporary, name, instances)


def _write_suite(folder: Path, name: str, instances: Sequence[SuiteProblem]) -> SuiteIndex:
    make_folder(folder / "problems")
    record = suite_record(name, instances)
    problems = tuple(_write_problem(folder, each) for each in instances)
    index = SuiteIndex(name, record.description, record.source, "Apache-2.0", _version(), problems)
    write_bytes(folder / "LICENSE", (_FILES / "LICENSE").read_bytes())
    write_bytes(folder / CHECKER_FILE, Path(suite_checker.__file__).read_bytes())
    write_text(folder / "README.md", _readme(record, index, instances))
    write_text(folder / INDEX_FILE, to_json(index))
    return index


def _version() -> str:
    from importlib.metadata import version

    return version("reds-core")


def _write_problem(folder: Path, instance: SuiteProblem) -> IndexedProblem:
    problem = instance.problem
    file = f"problems/{problem.name}.npz"
    save_problem(problem, folder / file)
    return IndexedProblem(
        problem.name,
        file,
        hashlib.sha256((folder / file).read_bytes()).hexdigest(),
        problem_digest(problem),
        groups=len(problem.groups),
        options=sum(group.options for group in problem.groups),
        pairs=len(problem.pairs),
        joint_options=sum(problem.groups[p.first].options * problem.groups[p.second].options for p in problem.pairs),
        resources=tuple(
            IndexedResource(r.name, "sum" if isinstance(r, SumResource) else "peak", r.capacity)
            for r in problem.resources
        ),
        reason=instance.reason,
        optimum=instance.optimum,
        infeasible=instance.infeasible,
        proved_by=instance.proved_by,
        lp_bound=instance.lp_bound,
    )


def _readme(record: SuiteRecord, index: SuiteIndex, instances: Sequence[SuiteProblem]) -> str:
    smallest = min(instances, key=lambda each: len(each.problem.groups))
    table = "\n".join(
        f"| {p.name} | {p.groups} | {p.options} | {p.pairs} | {_optimum(p)} | {p.reason} |" for p in index.problems
    )
    return (_FILES / "README.md").read_text(encoding="utf-8").format(
        name=record.name,
        description=record.description,
        source=textwrap.fill(record.source, 120),
        problems=record.problems,
        proved=record.proved,
        example=[0] * len(smallest.problem.groups),
        example_file=f"problems/{smallest.problem.name}.npz",
        table=table,
        version=index.version,
    )  # fmt: skip


def _optimum(problem: IndexedProblem) -> str:
    if problem.infeasible:
        return "infeasible"
    return "not proven" if problem.optimum is None else str(problem.optimum)
