"""Which plugins take part in a command. Options of all others are refused, since they would have no effect."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from reds_core.discovery import PluginStatus
from reds_core.errors import InputError, command, suggestion
from reds_core.framework.framework import Framework
from reds_core.framework.target import Target
from reds_core.knapsack.solver import Solver
from reds_core.plugin import Plugin, PluginOptions, build_options
from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry
from reds_core.runs.search import AUTO
from reds_core.runs.settings import RunSettings
from reds_core.scoring.scorer import Scorer
from reds_core.transforms.realisation import BEST, DROP, Realisation
from reds_core.transforms.transform import Transform

Participant = tuple[type[Plugin], str | None]
"""A kind of plugins and the name of one of them; None if any plugin of the kind may take part."""

FRAMEWORKS: Participant = (Framework, None)
"""The framework of the model, which is only known after the model is read, with its layer plugins."""

TARGETS: Participant = (Target, None)
"""The targets of a framework, which is only known after the model is read."""


def solvers(name: str) -> Participant:
    """The solvers that a choice of solver may use: any of them for "auto"."""
    return (Solver, None if name == AUTO else name)


def run_participants(settings: RunSettings) -> tuple[Participant, ...]:
    """The plugins that take part in a run with these settings."""
    return (
        *((Pruner, settings.strategy), (Scorer, settings.scorer), solvers(settings.solver), FRAMEWORKS),
        *realisation_participants(settings),
        *level_participants(settings),
    )


def realisation_participants(settings: RunSettings) -> tuple[Participant, ...]:
    """The realisations that take part in a run with these settings."""
    if settings.realise == DROP:
        return ()
    return ((Realisation, None if settings.realise == BEST else settings.realise),)


def level_participants(settings: RunSettings) -> tuple[Participant, ...]:
    """The transforms and targets that take part in a command with these settings."""
    return (
        *((Transform, name) for name in settings.transforms),
        *target_participants(settings),
    )


def target_participants(settings: RunSettings) -> tuple[Participant, ...]:
    """The targets that take part in a run; any of them if the framework names them, which is not known yet."""
    return tuple((Target, name) for name in settings.targets) or (TARGETS,)


def check_options(registry: Registry, options: PluginOptions, participants: Sequence[Participant]) -> None:
    """Check that options are given for plugins that take part, and that these have such options.

    Args:
        registry: The plugins that are installed.
        options: The options of plugins, as plugin name -> key -> text.
        participants: The plugins that take part. Plugins that these use take part as well.

    Raises:
        UnavailableError: If a library that a named participant needs is not installed.
        InputError: If an option is unknown or malformed, or belongs to a plugin that is unknown or takes no part.
    """
    refuse_unknown(registry, options)
    kinds = {base.kind for base, _ in participants}
    refuse_unused(registry, unused_options(registry, options, participants), kinds)


def unused_options(registry: Registry, options: PluginOptions, participants: Iterable[Participant]) -> tuple[str, ...]:
    """The names of the plugins that have options but take no part.

    Raises:
        UnavailableError: If a library that a named participant needs is not installed.
        InputError: If a participant is unknown, or one of its options is unknown or malformed.
    """
    noted = _NotedOptions(options)
    for base, name in participants:
        if name is not None:
            registry.create(base, name, noted)
            continue
        for record in registry.records:
            if record.plugin is not None and issubclass(record.plugin, base):
                if record.status is PluginStatus.OK:
                    registry.create(base, record.name, noted)
                else:  # it may take part on another machine
                    build_options(record.plugin, noted.get(record.name, {}))
    return tuple(name for name in options if name not in noted.asked)


def refuse_unknown(registry: Registry, options: PluginOptions) -> None:
    """Refuse options of plugins that are not installed.

    Raises:
        InputError: If there is no plugin of that name.
    """
    known = {record.name for record in registry.records}
    for name in options:
        if name not in known:
            fix = f"{suggestion(name, known)}see {command('plugins')}"
            raise InputError(f"an option names '{name}', which is not a plugin", fix)


def refuse_unused(registry: Registry, unused: Sequence[str], kinds: Collection[str | None], where: str = "") -> None:
    """Refuse options of plugins that take no part.

    Args:
        registry: The plugins that are installed.
        unused: The names of the plugins that have options but take no part.
        kinds: The kinds of plugins that can be chosen instead.
        where: The text in front of the message.

    Raises:
        InputError: If there are any; the message names the first.
    """
    for name in unused:
        kind = next((r.kind for r in registry.records if r.name == name and r.kind is not None), "plugin")
        raise InputError(
            f"{where}{kind} '{name}' takes no part, so its options have no effect",
            f"leave them out, or use that {kind}" if kind in kinds else "leave them out",
        )


class _NotedOptions(Mapping[str, Mapping[str, str]]):
    """Options of plugins that note for which plugins they are looked up.

    Attributes:
        asked: The names of these plugins.
    """

    def __init__(self, options: PluginOptions) -> None:
        self._options = options
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Mapping[str, str]:
        self.asked.add(name)
        return self._options[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)
