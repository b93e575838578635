"""The file formats `reds-problem/1` and `/2`: a NumPy .npz with a JSON header, read without pickle.

Problems whose options are widths alone are written in version 1, others in version 2.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import Table
from reds_core.errors import InputError
from reds_core.knapsack.header import HEADERS, LevelsHeader, ProblemHeader, ResourceHeader, StepHeader, read_header
from reds_core.knapsack.integers import as_integers, refused
from reds_core.knapsack.levels import WIDTH, Dimension
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, Resource, SumResource
from reds_core.system.archive import ArchiveError, read_archive, write_archive
from reds_core.system.files import given_path
from reds_core.system.records import to_plain


def _refuse(path: Path, what: str, fix: str = "write the file again with `reds formulate`") -> InputError:
    return InputError(f"problem file '{path}' {what}", fix)


class _Arrays:
    """The arrays of one file. Each can be taken once, so that arrays that nothing refers to can be reported."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._left = dict(arrays)
        self._claimed: set[str] = set()

    def take(self, key: str) -> npt.NDArray[Any] | None:
        _claim(self._claimed, key)
        return self._left.pop(key, None)

    def left(self) -> list[str]:
        return sorted(self._left)


def _claim(claimed: set[str], key: str) -> None:
    """Claim the array `key`, once.

    Names may contain '/', so two tables can refer to the same array: the costs of group b/c in resource a, and those of
    group c in resource a/b.

    Raises:
        InputError: if `key` was claimed before.
    """
    if key in claimed:
        raise InputError(f"the array '{key}' is claimed twice", "rename a group or a resource")
    claimed.add(key)


def _read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        return read_archive(path)
    except FileNotFoundError:
        raise InputError(f"problem file '{path}' does not exist", "check the path") from None
    except ArchiveError as error:
        raise _refuse(path, f"is not a readable .npz without pickled objects ({error.reason})") from error


def load_problem(path: str | PathLike[str]) -> KnapsackProblem:
    """Read a problem from a file of format `reds-problem/1` or `reds-problem/2`.

    Raises:
        InputError: if the file is missing, damaged, of another format, or does not state a valid problem.
    """
    path = given_path(path, "path")
    arrays = _Arrays(_read_arrays(path))
    header_array = arrays.take("header")
    if header_array is None or header_array.ndim != 0 or header_array.dtype.kind != "U":
        raise _refuse(path, "has no header string")
    try:
        header = json.loads(str(header_array[()]))
    except (ValueError, RecursionError) as error:
        raise _refuse(path, "has a header that is not JSON") from error
    if not isinstance(header, dict) or header.get("format") not in list(HEADERS):
        raise _refuse(path, f"is not of format {' or '.join(HEADERS)}")
    try:
        problem = _problem(read_header(header), arrays)
    except InputError as error:
        raise _refuse(path, f"does not state a valid problem: {error.what}", error.fix) from error
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise _refuse(path, f"has an incomplete or malformed header ({type(error).__name__}: {error})") from error
    if arrays.left():
        raise _refuse(path, f"holds the array '{arrays.left()[0]}' that its header does not refer to", "remove it")
    return problem


def _problem(header: ProblemHeader, arrays: _Arrays) -> KnapsackProblem:
    index = {name: i for i, name in enumerate(header.groups)}
    dimensions = header.levels if isinstance(header, LevelsHeader) else {}
    for name in dimensions:
        if name not in index:
            raise ValueError(f"'levels' names '{name}', which is not a group")
    given = {name: arrays.take(f"widths/{name}") for name in header.groups}
    groups = [_group(name, given[name], dimensions.get(name, ()), arrays) for name in header.groups]
    pairs = []
    for k, (a, b) in enumerate(header.pairs):
        pairs.append(Pair(index[a], index[b], arrays.take(f"pair_value/{k}"), arrays.take(f"kernel/{k}")))
    bilinear = header.bilinear or tuple({} for _ in pairs)
    if len(bilinear) != len(pairs):
        raise ValueError("'bilinear' does not have one entry for each pair")
    sums = {r.name for r in header.resources if r.kind == "sum"}
    for entry in bilinear:
        for resource in entry:
            if resource not in sums:
                raise ValueError(f"'bilinear' names '{resource}', which is not a sum resource")
    for joined, entry in zip(header.pairs, bilinear, strict=True):
        lacking = [name for name in joined if given[name] is None]
        if lacking and any(entry.values()):
            raise _missing(f"widths/{lacking[0]}", "whose widths 'bilinear' multiplies")
    return KnapsackProblem(
        header.name,
        tuple(groups),
        tuple(pairs),
        tuple(_resource(r, index, bilinear, arrays) for r in header.resources),
        floors=_bounds(header.floors, index, [0] * len(groups)),
        ceilings=_bounds(header.ceilings, index, [g.options - 1 for g in groups]),
        nesting=header.nesting if isinstance(header, LevelsHeader) else {},
    )


def _group(name: str, widths: npt.NDArray[Any] | None, dimensions: tuple[Dimension, ...], arrays: _Arrays) -> Group:
    """One group. Widths that are left out are those of its levels, or 0."""
    values = arrays.take(f"value/{name}")
    if not dimensions:
        if widths is None:
            raise _missing(f"widths/{name}", "whose options are widths alone")
        return Group(name, widths, np.zeros(widths.shape, np.int64) if values is None else values)
    levels = arrays.take(f"level/{name}")
    if levels is None:
        raise _missing(f"level/{name}", "whose options are rows of levels")
    rows = as_integers(levels, f"levels of group '{name}'")
    if rows.ndim != 2 or rows.shape[1] != len(dimensions):
        raise refused(
            f"levels of group '{name}' have shape {rows.shape} where options x {len(dimensions)} dimensions is expected"
        )
    if widths is None:
        width = Dimension(name, WIDTH)
        widths = rows[:, dimensions.index(width)] if width in dimensions else np.zeros(len(rows), np.int64)
    return Group(name, widths, np.zeros(widths.shape, np.int64) if values is None else values, dimensions, rows)


def _missing(key: str, why: str) -> InputError:
    return refused(f"it lacks the array '{key}' of a group {why}", "write the file again")


def _resource(
    entry: ResourceHeader, index: Mapping[str, int], bilinear: Sequence[Mapping[str, int]], arrays: _Arrays
) -> Resource:
    name = entry.name
    if entry.kind == "sum":
        return SumResource(
            name,
            entry.capacity,
            entry.base or 0,
            tuple(arrays.take(f"cost/{name}/{g}") for g in index),
            tuple(b.get(name, 0) for b in bilinear),
            tuple(arrays.take(f"pair_cost/{name}/{k}") for k in range(len(bilinear))),
        )
    if entry.steps is None:
        raise ValueError(f"the peak resource '{name}' has no steps")
    steps = []
    for s, step in enumerate(entry.steps):
        costs = tuple(arrays.take(f"peak/{name}/{s}/{g}") for g in step.groups)
        steps.append(PeakStep(step.base, tuple(index[g] for g in step.groups), costs))
    return PeakResource(name, entry.capacity, tuple(steps))


def _bounds(entry: Mapping[str, int] | None, index: Mapping[str, int], default: list[int]) -> tuple[int, ...]:
    bounds = list(default)
    for name, option in (entry or {}).items():
        bounds[index[name]] = option
    return tuple(bounds)


def save_problem(problem: KnapsackProblem, path: str | PathLike[str]) -> None:
    """Write `problem` to a file, without tables that are all zero.

    A problem whose options are widths alone is written in the format `reds-problem/1`, any other in `reds-problem/2`.

    Raises:
        InputError: if the file cannot be written, or two tables would share an array because names contain '/'.
    """
    header, arrays = _contents(problem)
    write_archive(given_path(path, "path"), {"header": np.array(json.dumps(header)), **arrays}, compressed=True)


def problem_digest(problem: KnapsackProblem) -> str:
    """The SHA-256 digest of the content of a problem, in hexadecimal.

    A problem and its copy read from a file have the same digest. The digest covers everything that a solver or an
    answer can depend on, including kernel scores and the names of groups and resources. It covers neither the name of
    the problem nor whether a table of zeros is given or left out.

    Raises:
        InputError: if two tables would share an array of the file format because names contain '/'.
    """
    header, arrays = _contents(problem)
    header.pop("name")
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for key in sorted(arrays):
        table = np.ascontiguousarray(arrays[key], dtype=arrays[key].dtype.newbyteorder("<"))
        digest.update(json.dumps([key, table.dtype.str, table.shape]).encode())
        digest.update(table.tobytes())
    return digest.hexdigest()


def _contents(problem: KnapsackProblem) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The header and the arrays of the file format."""
    names = [g.name for g in problem.groups]
    arrays: dict[str, npt.NDArray[Any]] = {}
    claimed: set[str] = set()

    def put(key: str, table: Table) -> None:
        _claim(claimed, key)
        if table is not None and table.any():
            arrays[key] = table

    for group in problem.groups:
        if group.has_widths:
            arrays[f"widths/{group.name}"] = group.widths
        if group.levels is not None:
            arrays[f"level/{group.name}"] = group.levels
        put(f"value/{group.name}", group.values)
    for k, pair in enumerate(problem.pairs):
        put(f"pair_value/{k}", pair.values)
        if pair.kernel is not None:
            arrays[f"kernel/{k}"] = pair.kernel
    bilinear: list[dict[str, int]] = [{} for _ in problem.pairs]
    resources = []
    for resource in problem.resources:
        if isinstance(resource, SumResource):
            resources.append(ResourceHeader(resource.name, "sum", resource.capacity, base=resource.base))
            for g, table in zip(names, resource.costs, strict=True):
                put(f"cost/{resource.name}/{g}", table)
            for k, (coefficient, table) in enumerate(zip(resource.bilinear, resource.pair_costs, strict=True)):
                put(f"pair_cost/{resource.name}/{k}", table)
                if coefficient:
                    bilinear[k][resource.name] = coefficient
        else:
            steps = tuple(StepHeader(tuple(names[g] for g in s.groups), base=s.base) for s in resource.steps)
            resources.append(ResourceHeader(resource.name, "peak", resource.capacity, steps=steps))
            for i, step in enumerate(resource.steps):
                for member, table in zip(step.groups, step.costs, strict=True):
                    put(f"peak/{resource.name}/{i}/{names[member]}", table)
    floors = {g.name: f for g, f in zip(problem.groups, problem.floors, strict=True) if f > 0}
    ceilings = {g.name: c for g, c in zip(problem.groups, problem.ceilings, strict=True) if c < g.options - 1}
    parts = (
        problem.name,
        tuple(names),
        tuple((names[p.first], names[p.second]) for p in problem.pairs),
        tuple(resources),
        tuple(bilinear),
        floors or None,
        ceilings or None,
    )
    header = ProblemHeader(*parts)
    if problem.has_levels:
        header = LevelsHeader(*parts, {g.name: g.dimensions for g in problem.groups if g.dimensions}, problem.nesting)
    return to_plain(header), arrays
