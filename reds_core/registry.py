"""Discovery of plugins.

Each plugin is ok, unavailable (with what to install) or broken (with the reason). A faulty plugin never keeps the
others from being found.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, cast, get_args, get_type_hints

import pluggy

from reds_core import kinds
from reds_core.errors import ContractViolation, InputError, UnavailableError, UnsupportedError, command, suggestion
from reds_core.exchange.command_solver import command_solver, is_command
from reds_core.framework.file_kinds import FileKinds
from reds_core.framework.framework import Framework
from reds_core.framework.target import Target
from reds_core.hooks import PROJECT
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solver import Claim, Solver, why_not
from reds_core.plugin import Plugin, PluginOptions, equipped, installed_entry_points
from reds_core.system.users_code import UsersCode

P = TypeVar("P", bound=Plugin)


class PluginStatus(Enum):
    """Whether a plugin can be used."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"


@dataclass(frozen=True)
class PluginRecord:
    """A plugin that was found, and whether it can be used.

    Attributes:
        name: The name of the plugin, or that of its entry point if it is broken.
        kind: The kind of the plugin, such as "solver"; None if it is broken.
        status: Whether it can be used.
        detail: What to install, or why it is broken; empty if it is ok.
        distribution: The distribution that contains it; None if that is unknown.
        version: The version of the distribution; None if that is unknown.
        plugin: The class; None if it is broken.
    """

    name: str
    kind: str | None
    status: PluginStatus
    detail: str
    distribution: str | None
    version: str | None
    plugin: type[Plugin] | None


def _distribution(entry_point: importlib.metadata.EntryPoint) -> tuple[str | None, str | None]:
    dist = entry_point.dist
    return (None, None) if dist is None else (dist.name, dist.version)


def _broken(entry_point: importlib.metadata.EntryPoint, why: str) -> PluginRecord:
    name, version = _distribution(entry_point)
    return PluginRecord(entry_point.name, None, PluginStatus.BROKEN, " ".join(why.split()), name, version, None)


def _guarded(
    found: Iterator[PluginRecord], entry_point: importlib.metadata.EntryPoint, where: str = ""
) -> Iterator[PluginRecord]:
    """Yield the records of `found`. If an error is raised, the last record reports it.

    Args:
        found: The records, which may run code of the plugin.
        entry_point: The entry point of the plugin.
        where: The text in front of the error, such as "hook 'reds_solvers' failed with ".
    """
    try:
        yield from found
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # even SystemExit must not stop the other plugins
        yield _broken(entry_point, f"{where}{type(error).__name__}: {error}")


def _checked_class(cls: Any, base: type[Plugin], hook: str) -> type[Plugin]:
    """Return `cls` if it is a complete plugin class of kind `base`.

    Raises:
        ContractViolation: If it is not.
    """

    def violated(what: str) -> ContractViolation:
        return ContractViolation(f"{hook} returned {what}", f"return subclasses of {base.__name__}")

    if not inspect.isclass(cls) or not issubclass(cls, base):
        raise violated(f"{cls!r}, which is not a subclass of {base.__name__}")
    if inspect.isabstract(cls):
        raise violated(f"{cls.__name__}, which lacks {', '.join(sorted(vars(cls)['__abstractmethods__']))}")
    if not isinstance(getattr(cls, "name", None), str) or not cls.name:
        raise violated(f"{cls.__name__}, which has no name")
    lacking = [a for a in base.declares if not hasattr(cls, a)]
    if lacking:
        raise violated(f"{cls.__name__}, which does not declare {', '.join(lacking)}")
    if not isinstance(cls.requires, tuple) or not all(isinstance(library, str) for library in cls.requires):
        raise violated(f"{cls.__name__}, whose requires is not a tuple of import names")
    options = cls.Options
    if not dataclasses.is_dataclass(options) or not options.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise violated(f"{cls.__name__}, whose Options is not a frozen dataclass")
    for option in dataclasses.fields(options):
        if option.default is dataclasses.MISSING and option.default_factory is dataclasses.MISSING:
            raise violated(f"{cls.__name__}, whose Options has no default for {option.name}")
    try:
        get_type_hints(options)  # which options are converted by
    except Exception as error:  # whatever evaluating the author's annotations raises
        raise violated(f"{cls.__name__}, whose Options has a type that cannot be resolved ({error})") from error
    return cls


def _record(cls: type[Plugin], entry_point: importlib.metadata.EntryPoint) -> Iterator[PluginRecord]:
    name, version = _distribution(entry_point)
    missing = cls.missing()
    status, detail = PluginStatus.OK, ""
    if missing:
        status = PluginStatus.UNAVAILABLE
        detail = f"needs {', '.join(missing)}: {cls.install or 'pip install ' + ' '.join(missing)}"
    yield PluginRecord(cls.name, cls.kind, status, detail, name, version, cls)


class _Discovery:
    """Loads entry points and calls the hooks of their modules.

    Args:
        specifications: A module of hook specifications, each of which returns classes of one kind.
    """

    def __init__(self, specifications: Any) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(specifications)
        self.kinds = {
            hook: _base_of(getattr(specifications, hook))
            for hook in vars(specifications)
            if self._manager.parse_hookspec_opts(specifications, hook) is not None
        }

    def records_of(self, entry_point: importlib.metadata.EntryPoint) -> list[PluginRecord]:
        """The plugins of one entry point. Errors of the module, each hook and each class are reported separately."""
        records = list(_guarded(self._of_module(entry_point), entry_point))
        return records or [_broken(entry_point, f"module '{entry_point.value}' implements no hook of reds")]

    def _of_module(self, entry_point: importlib.metadata.EntryPoint) -> Iterator[PluginRecord]:
        module = entry_point.load()
        self._manager.register(module, name=f"{entry_point.name} ({entry_point.value})")
        try:
            self._manager.check_pending()  # names misspelt hooks, which would otherwise be ignored
        except BaseException:
            self._manager.unregister(module)
            raise
        for hook, base in self.kinds.items():
            # not through the manager's caller, in which one failing plugin would abort the call for all
            for implementation in getattr(self._manager.hook, hook).get_hookimpls():
                if implementation.plugin is module:
                    offered = _of_hook(hook, base, implementation.function, entry_point)
                    yield from _guarded(offered, entry_point, f"hook '{hook}' failed with ")


def _of_hook(
    hook: str, base: type[Plugin], function: Callable[[], Any], entry_point: importlib.metadata.EntryPoint
) -> Iterator[PluginRecord]:
    classes: Any = function()
    if not isinstance(classes, Iterable):
        fix = f"return a list of subclasses of {base.__name__}"
        raise ContractViolation(f"it returned {classes!r}, not a list", fix)
    for offered in classes:
        yield from _guarded(_of_class(offered, base, hook, entry_point), entry_point)


def _of_class(
    offered: Any, base: type[Plugin], hook: str, entry_point: importlib.metadata.EntryPoint
) -> Iterator[PluginRecord]:
    cls = _checked_class(offered, base, hook)
    yield from _guarded(_record(cls, entry_point), entry_point, f"{cls.__name__} failed with ")


def _base_of(specification: Callable[..., Any]) -> type[Plugin]:
    """The base class of a kind, such as Solver for a hook that returns Sequence[type[Solver]]."""
    (classes,) = get_args(get_type_hints(specification)["return"])
    base: type[Plugin] = get_args(classes)[0]
    return base


def _without_conflicts(records: Iterable[PluginRecord]) -> list[PluginRecord]:
    """Mark plugins with the same name and kind as broken, since which of them is used must not be left to chance."""
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


class Registry:
    """The plugins that were found. A registry does not change after it is created.

    Args:
        entry_points: Where to look for plugins. By default they are those installed in the group `reds`.
        specifications: The hook specifications of the kinds of plugins, as a module.
    """

    def __init__(
        self, entry_points: Iterable[importlib.metadata.EntryPoint] | None = None, specifications: Any = kinds
    ) -> None:
        if entry_points is None:
            installed_entry_points.cache_clear()
            entry_points = installed_entry_points()
        unique: dict[str, importlib.metadata.EntryPoint] = {}
        for entry_point in sorted(entry_points, key=lambda e: (e.name, e.value)):
            unique.setdefault(entry_point.value, entry_point)
        discovery = _Discovery(specifications)
        records = [record for entry_point in unique.values() for record in discovery.records_of(entry_point)]
        order = [base.kind for base in discovery.kinds.values()]
        self.records = tuple(
            sorted(
                _without_conflicts(records),
                key=lambda r: (order.index(r.kind) if r.kind in order else len(order), r.name),
            )
        )

    def file_kinds(self) -> tuple[FileKinds, ...]:
        """The kinds of files of each framework and its targets, whether or not their libraries are installed.

        For each framework these are first the kinds that are written by default, under their names in plans of version
        1, and then those of all its targets.
        """
        classes = [r.plugin for r in self.records if r.plugin is not None]
        found: list[FileKinds] = []
        for cls in classes:
            if issubclass(cls, Framework):
                made = {t.name: t.file for t in classes if issubclass(t, Target) and t.made_from == cls.name}
                default = tuple(made[name].in_version_1 for name in cls.targets if name in made)
                found.append(FileKinds(cls.file.in_version_1, default))
                found.append(FileKinds(cls.file, tuple(k for k in made.values() if k.name != cls.file.name)))
        return tuple(found)

    def available(self, base: type[P]) -> dict[str, type[P]]:
        """The usable plugin classes of the kind `base`, by name."""
        return {
            r.name: r.plugin
            for r in self.records
            if r.status is PluginStatus.OK and r.plugin is not None and issubclass(r.plugin, base)
        }

    def get(self, base: type[P], name: str) -> type[P]:
        """The plugin class of kind `base` named `name`. The name of a solver may be a command; see `command_solver`.

        Raises:
            UnavailableError: If it needs a library that is not installed.
            InputError: If it is unknown or broken, or a command is malformed.
        """
        if base is Solver and is_command(name):
            return cast(type[P], command_solver(name))
        found = self.available(base)
        if name in found:
            return found[name]
        for record in self.records:
            if record.name == name and record.kind == base.kind:
                raise UnavailableError(f"{base.kind} '{name}' is not available here", record.detail)
            if record.name == name and record.status is PluginStatus.BROKEN:
                raise InputError(f"plugin '{name}' is broken ({record.detail})", "fix or uninstall it")
        broken = dict.fromkeys(r.name for r in self.records if r.status is PluginStatus.BROKEN)
        rest = f"; broken: {', '.join(broken)}, see {command('plugins')}" if broken else ""
        raise InputError(
            f"unknown {base.kind} '{name}'",
            f"{suggestion(name, found)}installed: {', '.join(sorted(found)) or 'none'}{rest}",
        )

    def create(self, base: type[P], name: str, settings: PluginOptions | None = None) -> P:
        """Create the plugin named `name` with its options from `settings`, equipped with other plugins that it uses.

        Raises:
            UnavailableError: If it needs a library that is not installed.
            InputError: If it is unknown or broken, or if an option is unknown or malformed.
        """
        return equipped(self.get(base, name), self, settings or {})

    @property
    def default_framework_name(self) -> str:
        """The name of the framework that reads model files, whether or not it is installed."""
        return next(iter(self.available(Framework)), "tensorflow")

    def default_framework(self, settings: PluginOptions | None = None, imports: Sequence[str] = ()) -> Framework:
        """The framework that reads model files, with its options from `settings`.

        Args:
            settings: Options of plugins.
            imports: The user's own files and modules, which it imports before it reads a model file.

        Raises:
            UnavailableError: If none is installed; the message says what to install.
            InputError: If an option is unknown or malformed.
        """
        framework = self.create(Framework, self.default_framework_name, settings)
        framework.users_code = UsersCode(tuple(imports))
        return framework

    def framework_of(self, model: Any, settings: PluginOptions | None = None, imports: Sequence[str] = ()) -> Framework:
        """The framework that a model object belongs to, with its options from `settings`.

        Args:
            model: The model object.
            settings: Options of plugins.
            imports: The user's own files and modules, which it imports before it reads a model file.

        Raises:
            InputError: If the model belongs to no installed framework, or an option is unknown or malformed.
        """
        frameworks = self.available(Framework)
        for name in frameworks:
            framework = self.create(Framework, name, settings)
            if framework.owns(model):
                framework.users_code = UsersCode(tuple(imports), model)
                return framework
        known = " or ".join(dict.fromkeys(cls.file.format for cls in frameworks.values()))
        raise InputError(
            f"a model of type {type(model).__name__} belongs to no installed framework",
            f"give a {known} model" if known else f"install a framework; see {command('plugins')}",
        )

    def solvers_for(self, problem: KnapsackProblem, settings: PluginOptions | None = None) -> Iterator[Solver]:
        """Yield the solvers that `--solver auto` tries, in order: exact ones first, then those with a bound.

        Only solvers that accept `problem` are yielded. Whether a solver does is checked when its turn comes.

        Raises:
            UnsupportedError: If no solver accepts it.
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
            f"no installed solver accepts problem '{problem.name}' ({'; '.join(reasons)})", "install another solver"
        )


def given_registry(registry: Registry | None) -> Registry:
    """The registry that a caller gives, or one of all plugins that are installed.

    Raises:
        InputError: If it is not a registry.
    """
    if not isinstance(registry, Registry | None):
        raise InputError(f"registry of type {type(registry).__name__} is not a registry", "give a `Registry`")
    return Registry() if registry is None else registry


def plugins() -> tuple[PluginRecord, ...]:
    """List the plugins that are installed, and whether each of them can be used.

    This is what `reds plugins` does. No library behind a plugin is imported.

    Returns:
        One record for each plugin, sorted by kind and name. Its `status` is "ok", "unavailable" if a library is
        missing, in which case `detail` says what to install, or "broken", in which case `detail` says why.

    Example:
        >>> [record.name for record in reds_core.plugins() if record.kind == "solver"]
    """
    return Registry().records
