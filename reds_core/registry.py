"""The plugins that are installed.

Each plugin is ok, unavailable (with what to install) or broken (with the reason). A faulty plugin never keeps the
others from being found.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

from reds_core import kinds
from reds_core.discovery import Discovery, PluginRecord, PluginStatus, without_conflicts
from reds_core.errors import InputError, UnavailableError, UnsupportedError, argument, command, suggestion
from reds_core.exchange.command_solver import command_solver, is_command
from reds_core.framework.file_kinds import FileKinds
from reds_core.framework.framework import Framework
from reds_core.framework.target import Target
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solver import Claim, Solver, why_not
from reds_core.plugin import Plugin, PluginOptions, equipped, installed_entry_points
from reds_core.system.users_code import UsersCode
from reds_core.transforms.compression import Compression
from reds_core.transforms.realisation import Realisation
from reds_core.transforms.transform import Transform

P = TypeVar("P", bound=Plugin)


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
        discovery = Discovery(specifications)
        records = [record for entry_point in unique.values() for record in discovery.records_of(entry_point)]
        order = [base.kind for base in discovery.kinds.values()]
        self.records = tuple(
            sorted(
                without_conflicts(records),
                key=lambda r: (order.index(r.kind) if r.kind in order else len(order), r.name),
            )
        )

    def file_kinds(self) -> tuple[FileKinds, ...]:
        """The kinds of files of each framework and its targets, whether or not their libraries are installed.

        For each framework these are first the kinds that are written by default, under their names in plans of version
        1, and then those of all its targets.
        """
        found: list[FileKinds] = []
        for framework in (r.plugin for r in self.records if r.plugin is not None):
            if issubclass(framework, Framework):
                targets = self.targets_of(framework)
                default = (targets[name].file.in_version_1 for name in framework.targets if name in targets)
                found.append(FileKinds(framework.file.in_version_1, tuple(default)))
                found.append(FileKinds(framework.file, tuple(target.file for target in targets.values())))
        return tuple(found)

    def targets_of(self, framework: Framework | type[Framework]) -> dict[str, type[Target]]:
        """The targets that write files for models of a framework besides its own model files, by name.

        They are listed whether or not their libraries are installed.
        """
        classes = [r.plugin for r in self.records if r.plugin is not None and issubclass(r.plugin, Target)]
        made = {cls.name: cls for cls in classes if issubclass(cls, Target) and cls.made_from == framework.name}
        return {name: cls for name, cls in made.items() if cls.file.name != framework.file.name}

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
                _check_base(base, record)
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


def _check_base(base: type[Plugin], record: PluginRecord) -> None:
    """Refuse a plugin of the right kind that is of another sort: a device for a target, a realisation for a transform.

    Raises:
        InputError: If the plugin is such a plugin.
    """
    if record.plugin is None or issubclass(record.plugin, base):
        return
    if issubclass(record.plugin, Compression) and issubclass(base, Compression):
        sorts = {Transform: "offers levels of layers", Realisation: "says how the widths of groups are realised"}
        does = next((text for sort, text in sorts.items() if issubclass(record.plugin, sort)), "does something else")
        raise InputError(f"{base.kind} '{record.name}' {does}", f"say {argument(record.plugin.setting, record.name)}")
    raise InputError(
        f"{base.kind} '{record.name}' writes no files, it profiles or deploys those of other {base.kind}s",
        f"use it with {command('profile')} or {command('export')}, or name a {base.kind} that writes files",
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
