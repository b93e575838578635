"""Selects the solvers of a comparison from texts such as `cpsat[presolve=false]`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reds_core.bench.history import LeftOut
from reds_core.bench.record import Contender
from reds_core.discovery import PluginRecord, PluginStatus
from reds_core.errors import InputError, UnavailableError, command
from reds_core.exchange.command_solver import is_command
from reds_core.knapsack.solver import Solver
from reds_core.plugin import PluginOptions, build_options, parse_plugin_list, plugin_text
from reds_core.registry import Registry
from reds_core.runs.participants import refuse_unknown, refuse_unused
from reds_core.runs.search import AUTO

ALL = "all"
"""Stands for every available solver with its default options."""


@dataclass(frozen=True)
class SelectedSolver:
    """A contender and what is needed to run it.

    Attributes:
        contender: description of the contender in records.
        settings: options as typed, including those of --option.
        solver: class of the solver.
    """

    contender: Contender
    settings: Mapping[str, str]
    solver: type[Solver]


@dataclass(frozen=True)
class SolverSelection:
    """The solvers that take part, and the requested ones that cannot."""

    entries: tuple[SelectedSolver, ...]
    left_out: tuple[LeftOut, ...]


def select_solvers(registry: Registry, texts: Sequence[str], settings: PluginOptions) -> SolverSelection:
    """Select the solvers that take part.

    Args:
        registry: the installed plugins.
        texts: lists of contenders; empty means all solvers.
        settings: options of plugins for all contenders of a solver; options in brackets take precedence.

    Raises:
        InputError: if a solver or option is unknown, or two contenders are the same.
        UnavailableError: if no solver is available.
    """
    refuse_unknown(registry, settings)
    wanted = [each for text in texts or (ALL,) for each in _listed(text)]
    records = {r.name: r for r in registry.records if r.kind == Solver.kind}
    left_out: dict[str, LeftOut] = {}
    entries: dict[str, SelectedSolver] = {}
    for name, options in wanted:
        if name == AUTO:
            raise InputError(
                "'auto' is not a solver but runs several of them", f"name them, such as dp,lagrangian, or '{ALL}'"
            )
        if name == ALL:
            left_out |= {r.name: _left_out(r) for r in registry.records if _is_missed(r)}
            names = [r.name for r in records.values() if r.status is PluginStatus.OK]
        else:
            names = [name]
        for each in names:
            record = records.get(each)
            if record is not None and record.status is PluginStatus.UNAVAILABLE:
                left_out[each] = _left_out(record)
                continue
            entry = _entry(registry, record, each, {**settings.get(each, {}), **options})
            label = entry.contender.label
            if label not in entries:
                entries[label] = entry
            elif name != ALL and (ALL, {}) not in wanted:
                raise InputError(f"solver '{label}' is named twice", "name it once, or with other options")
    if not entries:
        missing = "; ".join(f"{each.name}: {each.detail}" for each in left_out.values())
        raise UnavailableError(
            f"no solver is available ({missing or 'none is installed'})", f"see {command('plugins')}"
        )
    taking_part = {entry.contender.solver for entry in entries.values()} | set(left_out)
    refuse_unused(registry, [name for name in settings if name not in taking_part], {Solver.kind})
    return SolverSelection(tuple(entries.values()), tuple(left_out.values()))


def _listed(text: str) -> list[tuple[str, dict[str, str]]]:
    """The solvers of a list with their options. A command is not a list, since its arguments may have commas."""
    return [(text.strip(), {})] if is_command(text.strip()) else parse_plugin_list(text, Solver.kind)


def _is_missed(record: PluginRecord) -> bool:
    """Whether "all" leaves the plugin out; a broken plugin counts, since it may be a solver."""
    if record.status is PluginStatus.UNAVAILABLE:
        return record.kind == Solver.kind
    return record.status is PluginStatus.BROKEN


def _left_out(record: PluginRecord) -> LeftOut:
    return LeftOut(record.name, record.status.value, record.detail)


def _entry(registry: Registry, record: PluginRecord | None, name: str, settings: Mapping[str, str]) -> SelectedSolver:
    solver = registry.get(Solver, name)
    options = build_options(solver, settings)
    texts = {f.name: _text(getattr(options, f.name)) for f in dataclasses.fields(options)}
    defaults = solver.Options()
    changed = {key: text for key, text in texts.items() if text != _text(getattr(defaults, key))}
    presolve = getattr(options, "presolve", None)
    contender = Contender(
        label=plugin_text(name, changed),
        solver=name,
        options=texts,
        presolve=presolve if isinstance(presolve, bool) else None,
        distribution=(record and record.distribution) or "unknown",
        version=solver.version(),
    )
    return SelectedSolver(contender, settings, solver)


def _text(option: Any) -> str:
    """The value of an option as users write it."""
    return str(option).lower() if isinstance(option, bool | None) else str(option)
