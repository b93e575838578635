"""Solution files of other solvers, read back into choices."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.errors import InputError
from reds_core.exchange.cost_network import cost_network
from reds_core.exchange.linear_files import COEFFICIENT_LIMIT
from reds_core.exchange.names import option_of_column, option_of_value
from reds_core.knapsack.levels import WIDTH
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Status
from reds_core.system.files import given_path
from reds_core.system.machine_faults import reason_of, shown

ANOTHER_FILE = "give a solution of a file that `reds convert` wrote"
"""What to do about a file that cannot be corrected."""
CHECK_PATH = "check the path"

INTEGRALITY = 1e-4
"""How far from 0 or 1 a solver may report a binary column. The tolerances of solvers are 1e-5 or less."""

_NOTHING_FOUND = re.compile(
    r"^(integer )?infeasible|^no feasible|no (integer )?solution|^unbounded|^# primal solution values\nnone",
    re.IGNORECASE | re.MULTILINE,
)
"""What HiGHS, CBC and SCIP write where there is no solution. CBC then lists the columns of its last attempt."""

_INFEASIBLE = re.compile(r"\s*(model status\n|solution status:\s*)?(integer )?infeasible\b(?! or)", re.IGNORECASE)
"""How files of infeasible models begin. Further down, HiGHS also calls its last, imprecise solution infeasible."""

_DUALS = re.compile(r"^# *dual", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class SolutionFile:
    """The contents of a solution file.

    Attributes:
        choice: one option index for each group, in the order of the problem; None if the file holds no solution.
        bound: the upper bound on the value that a JSON answer states, or None. It is not checked.
        status: what the file says about the solution. A JSON answer may state any status, and other files only that the
            problem is infeasible, which is ignored where numbers are so large that solvers round them; None if the file
            says nothing. It is not checked.
    """

    choice: tuple[int, ...] | None
    bound: int | None = None
    status: Status | None = None


def read_solution(problem: KnapsackProblem, path: str | PathLike[str]) -> SolutionFile:
    """Read a solution file of a problem that was written by this package.

    The format is recognised by the content:

    - columns with their values, as HiGHS, CBC, SCIP and Gurobi write them for an MPS or LP file;
    - a solution of toulbar2 for a CFN or WCSP file on the first line, as indices, names of values, or names of
      variables and values. Further lines are ignored: toulbar2 writes each better solution over the previous one, of
      which a rest may remain;
    - JSON: `{"choice": [...], "bound": null}` with an option index for each group, or `{"widths": {group: width}}`, as
      `reds solve --json` prints it, with `{"settings": {site: {what: level}}}` if groups have levels. The key `status`
      may be "optimal", "feasible", "infeasible" or "no_solution".

    Args:
        problem: the problem.
        path: path of the file.

    Returns:
        The choice, which is neither evaluated nor compared with floors, ceilings and capacities.

    Raises:
        InputError: if the file cannot be read, is of no known format, or does not choose one option of each group.
    """
    path = given_path(path, "path of the solution")
    try:
        text = path.read_text(encoding="utf-8-sig")  # some programs on Windows begin a file with a byte-order mark
    except (OSError, UnicodeError) as error:
        raise InputError(f"solution file {shown(path)} cannot be read ({reason_of(error)})", CHECK_PATH) from error
    if text.lstrip().startswith("{"):
        return _of_json(problem, path, text)
    first = next((line.split() for line in text.splitlines() if line.strip()), None)
    if first is None or _NOTHING_FOUND.search(text):
        is_proof = _INFEASIBLE.match(text) is not None and problem.magnitude < COEFFICIENT_LIMIT
        return SolutionFile(None, status=Status.INFEASIBLE if is_proof else None)
    levels = _levels(text)
    if levels:
        return SolutionFile(_of_levels(problem, path, levels))
    return SolutionFile(_of_values(problem, path, first))


def choice_of_solution(problem: KnapsackProblem, path: str | PathLike[str]) -> tuple[int, ...]:
    """The choice in a solution file; see `read_solution`.

    Returns:
        One option index for each group, in the order of the problem.

    Raises:
        InputError: for the reasons given at `read_solution`, or if the file holds no solution.
    """
    choice = read_solution(problem, path).choice
    if choice is None:
        raise InputError(f"solution file {shown(Path(path))} holds no solution", "give the file of a solved problem")
    return choice


def _refused(path: Path, what: str, fix: str = ANOTHER_FILE) -> InputError:
    return InputError(f"solution file {shown(path)} {what}", fix)


def _levels(text: str) -> dict[tuple[int, int], float]:
    """The value of each column of an option, by group and option. Dual values, which may follow, are ignored."""
    duals = _DUALS.search(text)
    levels: dict[tuple[int, int], float] = {}
    for line in (text if duals is None else text[: duals.start()]).splitlines():
        tokens = line.split()
        for name, level in pairwise(tokens):
            option = option_of_column(name)
            if option is not None:
                try:
                    levels.setdefault(option, float(level))
                except ValueError:
                    continue
    return levels


def _of_levels(problem: KnapsackProblem, path: Path, levels: Mapping[tuple[int, int], float]) -> tuple[int, ...]:
    chosen: dict[int, int] = {}
    for (group, option), level in levels.items():
        if group >= len(problem.groups) or option >= problem.groups[group].options:
            raise _refused(path, f"has a column of option {option} of group {group}, which the problem does not have")
        if not math.isfinite(level) or min(abs(level), abs(level - 1)) > INTEGRALITY:
            raise _refused(path, f"has the value {level:g} for a binary column", "solve it as a mixed-integer program")
        if level > 0.5:
            if group in chosen:
                raise _refused(path, f"chooses two options of group '{problem.groups[group].name}'")
            chosen[group] = option
    return _complete(problem, path, chosen)


def _complete(problem: KnapsackProblem, path: Path, chosen: Mapping[int, int]) -> tuple[int, ...]:
    missing = [group.name for g, group in enumerate(problem.groups) if g not in chosen]
    if missing:
        raise _refused(path, f"chooses no option of group '{missing[0]}'")
    return tuple(chosen[g] for g in range(len(problem.groups)))


def _of_values(problem: KnapsackProblem, path: Path, tokens: list[str]) -> tuple[int, ...]:
    """The choice in a solution of toulbar2: one token for each group, and then one for each variable of a pair."""
    groups = len(problem.groups)
    if option_of_value(tokens[0]) is None:
        raise _refused(path, "is of no known format")
    if len(tokens) != groups and len(tokens) != len(cost_network(problem).sizes):
        raise _refused(path, f"has values of {len(tokens)} variables, but the problem has {groups} groups")
    chosen = []
    for place, token in enumerate(tokens[:groups]):
        group, option = option_of_value(token) or (-1, 0)
        if group not in (None, place):
            raise _refused(path, f"has '{token[:40]}' where the option of group {place} is expected")
        chosen.append(option)
    return _within(problem, path, tuple(chosen))


def _within(problem: KnapsackProblem, path: Path, choice: tuple[int, ...]) -> tuple[int, ...]:
    for group, option in zip(problem.groups, choice, strict=True):
        if not 0 <= option < group.options:
            raise _refused(path, f"chooses option {option} of group '{group.name}', which has {group.options} options")
    return choice


def _of_json(problem: KnapsackProblem, path: Path, text: str) -> SolutionFile:
    try:
        content: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(path, "is not valid JSON", "correct it") from error
    bound, choice, widths = content.get("bound"), content.get("choice"), content.get("widths")
    if bound is not None and type(bound) is not int:
        raise _refused(path, f"has the bound {bound!r}", "give an integer or null")
    status = _status(path, content.get("status"))
    if choice is None and widths is None:
        is_stated = status in (Status.INFEASIBLE, Status.NO_SOLUTION) or {"choice", "widths"} & content.keys()
        if not is_stated:
            raise _refused(path, "has neither 'choice' nor 'widths'", "give a list of option indices as 'choice'")
        return SolutionFile(None, bound, status)
    if choice is None:
        return SolutionFile(_of_settings(problem, path, widths, content.get("settings") or {}), bound, status)
    if not isinstance(choice, list) or any(type(option) is not int for option in choice):
        raise _refused(path, "has a 'choice' that is not a list of integers", "give one option index for each group")
    if len(choice) != len(problem.groups):
        raise _refused(path, f"has {len(choice)} options, but the problem has {len(problem.groups)} groups")
    return SolutionFile(_within(problem, path, tuple(choice)), bound, status)


def _status(path: Path, stated: Any) -> Status | None:
    known = {status.value: status for status in Status}
    if stated is None:
        return None
    if not isinstance(stated, str) or stated not in known:
        raise _refused(path, f"has the status {stated!r}", f"give {', '.join(known)} or null")
    return known[stated]


def _of_settings(problem: KnapsackProblem, path: Path, widths: Any, settings: Any) -> tuple[int, ...]:
    """The choice that has the given widths, by group, and the given levels, as `{site: {what: level}}`."""
    if not isinstance(widths, dict):
        raise _refused(path, "has 'widths' that are not an object", "give the width of each group by its name")
    if not isinstance(settings, dict) or not all(isinstance(levels, dict) for levels in settings.values()):
        raise _refused(path, "has 'settings' that are not objects", "give levels as {site: {what: level}}")
    chosen = {}
    for g, group in enumerate(problem.groups):
        matches = np.ones(group.options, np.bool_)
        if group.has_widths:
            matches &= _equal(group.widths, widths.get(group.name))
        if group.levels is not None:
            for dimension, column in zip(group.dimensions, group.levels.T, strict=True):
                if dimension.what != WIDTH:
                    matches &= _equal(column, settings.get(dimension.site, {}).get(dimension.what))
        options = np.flatnonzero(matches)
        if options.size != 1:
            what = "no width that it offers" if group.levels is None else "no width and levels that it offers"
            raise _refused(path, f"gives group '{group.name}' {what}")
        chosen[g] = int(options[0])
    return _complete(problem, path, chosen)


def _equal(column: IntArray, wanted: Any) -> BoolArray:
    """Which entries equal `wanted`; none if it is not an integer."""
    return column == wanted if type(wanted) is int else np.zeros(len(column), np.bool_)
