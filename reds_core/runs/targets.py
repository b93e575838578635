"""The targets of a run: the kinds of files that it writes for each network besides the model's own file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reds_core.errors import InputError, argument
from reds_core.formulation.space import Refusal
from reds_core.framework.file_kinds import FileKind, FileKinds
from reds_core.framework.framework import Framework
from reds_core.framework.target import Target
from reds_core.knapsack.levels import Dimension, LevelSettings
from reds_core.network.description import Network
from reds_core.registry import Registry
from reds_core.runs.participants import refuse_unused
from reds_core.runs.settings import RunSettings


@dataclass(frozen=True)
class RunTargets:
    """The targets of a run.

    Attributes:
        framework: The framework of the model.
        targets: The targets whose files are written besides the model's own file, in this order.
        is_default: Whether they are those that the framework names, since no others were asked for.
        is_version_1: Whether the plan is of version 1, in which the names of kinds have underscores for hyphens.
    """

    framework: Framework
    targets: tuple[Target, ...]
    is_default: bool
    is_version_1: bool

    @property
    def kinds(self) -> FileKinds:
        """The kinds of files, with their names in the plan."""
        return FileKinds(self._named(self.framework.file), tuple(self.kind(target) for target in self.targets))

    def kind(self, target: Target) -> FileKind:
        """The kind of the files of a target, with its name in the plan."""
        return self._named(target.file)

    def _named(self, kind: FileKind) -> FileKind:
        return kind.in_version_1 if self.is_version_1 else kind

    def notes(self, model: Any, is_calibrated: bool) -> tuple[str, ...]:
        """Notes on the files that users should read before training, one sentence each.

        Args:
            model: The model.
            is_calibrated: Whether there is data on which files can be calibrated.
        """
        written = (target for target in self.targets if is_calibrated or not target.file.is_calibrated)
        return tuple(dict.fromkeys(note for t in written for note in t.notes(self.framework, model)))

    def refused(self, target: Target, network: Network, levels: LevelSettings) -> dict[Dimension, str]:
        """Why files of a target cannot have some of the levels, by what is decided about which layer."""
        reasons = {each: target.refusal(network, each.site, each.what, level) for each, level in levels.chosen()}
        return {each: reason for each, reason in reasons.items() if reason is not None}


def refusal_by(targets: Sequence[Target], network: Network) -> Refusal:
    """Return what says why no file of some targets can have a layer at a level.

    The model's own file can hold the values of any level, so without targets every level can be realised.

    Args:
        targets: The targets, of which one has to realise a level.
        network: The description of the network.
    """

    def refusal(site: str, what: str, level: int) -> str | None:
        reasons = {target.name: target.refusal(network, site, what, level) for target in targets}
        if None in reasons.values():
            return None
        return "; ".join(f"target '{name}': {reason}" for name, reason in reasons.items()) or None

    return refusal


def run_targets(registry: Registry, framework: Framework, settings: RunSettings) -> RunTargets:
    """Create the targets of a run.

    Raises:
        InputError: If a target is unknown or made from models of another framework, if options are given for a target
            that takes no part, or if the settings contradict each other.
        UnavailableError: If a library that a target needs is not installed.
    """
    is_default = not settings.targets
    names = framework.targets if is_default else settings.targets
    targets = []
    for name in names:
        target = registry.create(Target, name, settings.options)
        if target.made_from != framework.name:
            fitting = sorted(n for n, cls in registry.available(Target).items() if cls.made_from == framework.name)
            raise InputError(
                f"target '{name}' is made from models of framework '{target.made_from}', not of '{framework.name}'",
                f"choose from: {', '.join(fitting) or 'none'}",
            )
        if target.file.is_calibrated and not is_default and not settings.int8:
            raise InputError(
                f"target '{name}' writes files that {argument('int8', False)} leaves out", "leave out one of them"
            )
        if target.file.name != framework.file.name:
            targets.append(target)
    known = {record.name for record in registry.records if record.kind == Target.kind}
    refuse_unused(registry, [name for name in settings.options if name in known - set(names)], {Target.kind})
    return RunTargets(framework, tuple(targets), is_default, not settings.names_targets)


def check_calibration(targets: RunTargets, has_data: bool) -> None:
    """Refuse targets that were asked for and need data if there is none.

    Raises:
        InputError: If there is such a target.
    """
    if targets.is_default or has_data:
        return
    for target in targets.targets:
        if target.file.is_calibrated:
            raise InputError(
                f"target '{target.name}' needs data to calibrate its files",
                f"give {argument('data')} or {argument('calibration')}, or leave the target out",
            )


def all_kinds(registry: Registry, framework: Framework) -> FileKinds:
    """The kinds of files that any run on models of a framework may write."""
    return FileKinds(framework.file, tuple(target.file for target in registry.targets_of(framework).values()))
