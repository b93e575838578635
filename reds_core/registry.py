"""Finds plugins. Of each it says ok, unavailable (what to install) or broken (why); none can stop the others."""

from __future__ import annotations

import dataclasses
import difflib
import importlib.metadata
import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import pluggy

from reds_core import hooks
from reds_core.errors import ContractViolation, InputError, RedsError, UnavailableError, UnsupportedError
from reds_core.framework.file_kinds import FileKinds
from reds_core.framework.framework import Framework
from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solver import Claim, Solver, why_not
from reds_core.plugin import Plugin, PluginOptions, build_options, installed_entry_points
from reds_core.pruning.pruner import Pruner
from reds_core.scoring.scorer import Scorer
from reds_core.system.users_code import UsersCode

P = TypeVar("P", bound=Plugin)

_HOOKS: tuple[tuple[str, type[Plugin]], ...] = (
    ("reds_solvers", Solver),
    ("reds_scorers", Scorer),
    ("reds_pruners", Pruner),
    ("reds_frameworks", Framework),
    ("reds_layers", LayerPlugin),
)


class PluginStatus(Enum):
    """Whether a plugin can be used."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"


@dataclass(frozen=True)
class PluginRecord:
    """What is known of one plugin.

    Attributes:
        name: of the plugin; of its entry point where it is broken.
        kind: solver, scorer, pruner, framework or layers; None where it is broken.
        detail: what to install, or why it is broken; empty where it is ok.
        plugin: the class; None where it is broken.
    """

    name: str
    kind: str | None
    status: PluginStatus
    detail: str
    distribution: str | None
    version: str | None
    plugin: type[Plugin] | None


def _broken(entry_point: importlib.metadata.EntryPoint, why: str) -> PluginRecord:
    name, version = _distribution(entry_point)
    return PluginRecord(entry_point.name, None, PluginStatus.BROKEN, " ".join(why.split()), name, version, None)


def _distribution(entry_point: importlib.metadata.EntryPoint) -> tuple[str | None, str | None]:
    dist = entry_point.dist
    return (None, None) if dist is None else (dist.name, dist.version)


def _checked_class(cls: Any, base: type[Plugin], hook: str) -> type[Plugin]:
    """`cls` if it is a complete plugin class of kind `base`."""

    def violated(what: str) -> ContractViolation:
        return ContractViolation(f"{hook} returned {what}", f"return subclasses of {base.__name__}")

    if not inspect.isclass(cls) or not issubclass(cls, base):
        raise violated(f"{cls!r}, which is no subclass of {base.__name__}")
    if inspect.isabstract(cls):
        raise violated(f"{cls.__name__}, which lacks {', '.join(sorted(vars(cls)['__abstractmethods__']))}")
    if not isinstance(getattr(cls, "name", None), str) or not cls.name:
        raise violated(f"{cls.__name__}, which has no name")
    declared = {Solver: ("features", "claims", "controls"), LayerPlugin: ("framework",)}.get(base, ())
    lacking = [a for a in declared if not hasattr(cls, a)]
    if lacking:
        raise violated(f"{cls.__name__}, which does not declare {', '.join(lacking)}")
    options = cls.Options
    if not dataclasses.is_dataclass(options) or not options.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise violated(f"{cls.__name__}, whose Options is no frozen dataclass")
    for option in dataclasses.fields(options):
        if option.default is dataclasses.MISSING and option.default_factory is dataclasses.MISSING:
            raise violated(f"{cls.__name__}, whose Options has no default for {option.name}")
    return cls


def _records_of(manager: pluggy.PluginManager, entry_point: importlib.metadata.EntryPoint) -> list[PluginRecord]:
    """Load one entry point under its own guard, register it, and ask its hooks."""
    module = None
    try:
        module = entry_point.load()
        manager.register(module, name=f"{entry_point.name} ({entry_point.value})")
        manager.check_pending()  # names a misspelt hook, which would else be passed over
        records: list[PluginRecord] = []
        for hook, base in _HOOKS:
            # called one by one, not through the manager's caller, which one failing plugin would abort for all
            for implementation in getattr(manager.hook, hook).get_hookimpls():
                if implementation.plugin is module:
                    records += [_record(_checked_class(c, base, hook), entry_point) for c in implementation.function()]
        if not records:
            return [_broken(entry_point, f"module '{entry_point.value}' implements no hook of reds")]
        return records
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # even SystemExit at import must not stop the others
        if module is not None and manager.is_registered(module):
            manager.unregister(module)
        return [_broken(entry_point, f"{type(error).__name__}: {error}")]


def _record(cls: type[Plugin], entry_point: importlib.metadata.EntryPoint) -> PluginRecord:
    name, version = _distribution(entry_point)
    missing = cls.missing()
    status, detail = PluginStatus.OK, ""
    if missing:
        status = PluginStatus.UNAVAILABLE
        detail = f"needs {', '.join(missing)}: {cls.install or 'pip install ' + ' '.join(missing)}"
    return PluginRecord(cls.name, cls.kind, status, detail, name, version, cls)


def _without_conflicts(records: Iterable[PluginRecord]) -> list[PluginRecord]:
    """Mark plugins that share name and kind as broken: which of them would answer must not be left to chance."""
    by_key: dict[tuple[str | None, str], list[PluginRecord]] = {}
    for record in records:
        by_key.setdefault((record.kind, record.name), []).append(record)
    result = []
    for (kind, name), same in by_key.items():
        if kind is not None and len(same) > 1:
            sources = " and ".join(f"{r.distribution} {r.version}" for r in same)
            why = f"two {kind}s are named '{name}', in {sources}: uninstall one"
            same = [PluginRecord(name, None, PluginStatus.BROKEN, why, r.distribution, r.version, None) for r in same]
        result += same
    return result


def _made(cls: type[P], settings: PluginOptions | None) -> P:
    """A plugin with the options that `settings` holds for it."""
    return cls(build_options(cls, (settings or {}).get(cls.name, {})))


class Registry:
    """The plugins that were found. Owns the pluggy manager; read-only once made.

    Args:
        entry_points: where to look; those installed in the group `reds` by default.
    """

    def __init__(self, entry_points: Iterable[importlib.metadata.EntryPoint] | None = None) -> None:
        if entry_points is None:
            installed_entry_points.cache_clear()
            entry_points = installed_entry_points()
        self.manager = pluggy.PluginManager(hooks.PROJECT)
        self.manager.add_hookspecs(hooks)
        unique: dict[str, importlib.metadata.EntryPoint] = {}
        for entry_point in sorted(entry_points, key=lambda e: (e.name, e.value)):
            unique.setdefault(entry_point.value, entry_point)
        records: list[PluginRecord] = []
        for entry_point in unique.values():
            records += _records_of(self.manager, entry_point)
        kinds = [base.kind for _, base in _HOOKS]
        self.records = tuple(
            sorted(
                _without_conflicts(records),
                key=lambda r: (kinds.index(r.kind) if r.kind in kinds else len(kinds), r.name),
            )
        )

    def file_kinds(self) -> tuple[FileKinds, ...]:
        """What each framework plugin that was found writes of a network, whether or not its libraries are installed."""
        found = (r.plugin for r in self.records if r.plugin is not None)
        return tuple(cls.files for cls in found if issubclass(cls, Framework))

    def available(self, base: type[P]) -> dict[str, type[P]]:
        """The usable plugin classes of the kind `base`, by name."""
        return {
            r.name: r.plugin
            for r in self.records
            if r.status is PluginStatus.OK and r.plugin is not None and issubclass(r.plugin, base)
        }

    def get(self, base: type[P], name: str) -> type[P]:
        """The plugin class of kind `base` named `name`.

        Raises:
            UnavailableError: if it needs a library that is not installed.
            InputError: if it is unknown or broken.
        """
        found = self.available(base)
        if name in found:
            return found[name]
        for record in self.records:
            if record.name == name and record.kind == base.kind:
                raise UnavailableError(f"{base.kind} '{name}' is not available here", record.detail)
            if record.name == name and record.status is PluginStatus.BROKEN:
                raise InputError(f"plugin '{name}' is broken ({record.detail})", "fix or uninstall it")
        close = difflib.get_close_matches(name, found, n=1)
        mend = f"did you mean '{close[0]}'? " if close else ""
        raise InputError(f"unknown {base.kind} '{name}'", f"{mend}installed: {', '.join(sorted(found)) or 'none'}")

    def create(self, base: type[P], name: str, settings: PluginOptions | None = None) -> P:
        """The plugin named `name` with the options that `settings` holds for it, and for the scorers that it asks.

        Raises:
            UnavailableError, InputError: as `get`, and if an option is unknown or malformed.
        """
        plugin = _made(self.get(base, name), settings)
        if isinstance(plugin, Framework):
            plugin.layer_plugins = self._layer_plugins(name, settings)
        if isinstance(plugin, Scorer):
            plugin.asked = {cls.name: _made(cls, settings) for cls in plugin.asks}
        return plugin

    def _layer_plugins(self, framework: str, settings: PluginOptions | None) -> tuple[LayerPlugin, ...]:
        found = self.available(LayerPlugin)
        return tuple(self.create(LayerPlugin, name, settings) for name, c in found.items() if c.framework == framework)

    def default_framework(self, settings: PluginOptions | None = None, imports: Sequence[str] = ()) -> Framework:
        """The framework that reads model files, with the options that `settings` holds for it.

        Args:
            imports: files and modules of the user's own that it imports before it reads a model file.

        Raises:
            UnavailableError: if none is installed; says what to install.
            InputError: if an option is unknown or malformed.
        """
        framework = self.create(Framework, next(iter(self.available(Framework)), "tensorflow"), settings)
        framework.users_code = UsersCode(tuple(imports))
        return framework

    def check_settings(self, settings: PluginOptions) -> None:
        """Check every option given, also those of plugins that this run may not use.

        Raises:
            InputError: if no plugin has that name, or none of that name has the option.
        """
        for name, options in settings.items():
            owners = [r.plugin for r in self.records if r.name == name and r.plugin is not None]
            if not owners:
                raise InputError(f"--option names '{name}', which is no plugin", "see `reds plugins`")
            errors: list[RedsError] = []
            for owner in owners:
                try:
                    build_options(owner, options)
                except RedsError as error:
                    errors.append(error)
            if len(errors) == len(owners):
                raise errors[0]

    def solvers_for(self, problem: KnapsackProblem, settings: PluginOptions | None = None) -> Iterator[Solver]:
        """What `--solver auto` asks, in turn: those that take `problem`, exact ones first, then those with a bound.

        Whether a solver takes the problem is found out when its turn has come.

        Raises:
            UnsupportedError: if none takes it.
        """
        solvers = [self.create(Solver, name, settings) for name in self.available(Solver)]
        solvers.sort(key=lambda s: (s.auto_rank, Claim.OPTIMAL not in s.claims, Claim.BOUND not in s.claims, s.name))
        reasons = []
        for solver in solvers:
            reason = why_not(solver, problem)
            if reason is None:
                yield solver
            else:
                reasons.append(f"{solver.name}: {reason}")
        if len(reasons) < len(solvers):
            return
        raise UnsupportedError(
            f"no installed solver takes problem '{problem.name}' ({'; '.join(reasons)})", "install another solver"
        )
