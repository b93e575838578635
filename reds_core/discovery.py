"""Discovery of plugins: entry points are loaded, their hooks are called, and what these return is checked."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_type_hints

import pluggy

from reds_core.errors import ContractViolation
from reds_core.hooks import PROJECT
from reds_core.plugin import Plugin, name_and_version


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
    return (None, None) if entry_point.dist is None else name_and_version(entry_point.dist)


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
    lacking = [a for a in cls.declares if not hasattr(cls, a)]
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


class Discovery:
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


def without_conflicts(records: Iterable[PluginRecord]) -> list[PluginRecord]:
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
