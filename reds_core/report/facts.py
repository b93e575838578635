"""What reports show of a run: the plan's figures beside the sizes of the files found, one member a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from reds_core.framework.file_kinds import FileKind, FileKinds, file_kinds_of
from reds_core.plan import FULL_NETWORK, Accuracy, Plan, SubnetworkRecord
from reds_core.registry import Registry
from reds_core.report import units


@dataclass(frozen=True)
class Metric:
    """What the accuracies of a plan measure.

    Attributes:
        name: as in sentences.
        is_share: whether it is a share of cases that are right, shown in percent; higher is then better.
    """

    name: str = "accuracy"
    is_share: bool = True

    def text(self, figure: float | None) -> str:
        """A figure as shown."""
        if self.is_share or figure is None or not units.exists(figure):
            return units.percent(figure)
        return f"{figure:.4g}"


@dataclass(frozen=True)
class ExportedFile:
    """A file of a member.

    Attributes:
        name: relative to the run's folder.
        size: in bytes; None where it is not in the folder.
        accuracy: of this file on test data.
    """

    kind: FileKind
    name: str
    size: int | None
    accuracy: float | None


@dataclass(frozen=True)
class Member:
    """The full network (record None) or a subnetwork.

    Attributes:
        label: how it is called in tables and plots.
        usage: by resource, in base units.
        share: by resource, usage / that of the full network, where that is known.
        accuracy: figures that are not numbers are None.
        files: those that the plan names, the model's first.
    """

    label: str
    usage: Mapping[str, int]
    share: Mapping[str, float]
    accuracy: Accuracy
    files: tuple[ExportedFile, ...]
    record: SubnetworkRecord | None

    def file(self, kind: FileKind | None) -> ExportedFile | None:
        """Its file of a kind, or None."""
        return next((f for f in self.files if f.kind == kind), None)

    def accuracy_of(self, kind: FileKind | None) -> float | None:
        """On test data, of its file of a kind that devices run; None where it was not measured."""
        return None if kind is None else self.accuracy.exported.get(kind.name)

    @property
    def smallest_file(self) -> ExportedFile | None:
        """The smallest of its files found, or None."""
        found = [f for f in self.files if f.size is not None]
        return min(found, key=lambda f: f.size or 0, default=None)


@dataclass(frozen=True)
class FamilyFacts:
    """All networks of a run.

    Attributes:
        full: the full network.
        subnetworks: smallest first.
        kinds: the kinds of files that the run wrote.
        metric: what accuracies measure.
        reference: accuracy of the input model, or of the full network where only that is known.
    """

    full: Member
    subnetworks: tuple[Member, ...]
    kinds: FileKinds
    metric: Metric
    reference: float | None

    @property
    def largest_first(self) -> tuple[Member, ...]:
        """The full network, then the subnetworks down to the smallest."""
        return (self.full, *reversed(self.subnetworks))

    @property
    def resources(self) -> tuple[str, ...]:
        """Resources that any member uses, those of the full network first."""
        return tuple(dict.fromkeys(r for m in self.largest_first for r in m.usage))


def gather(plan: Plan, folder: Path) -> FamilyFacts:
    """The family of `plan`, with the sizes of its files as found in `folder`.

    What kinds of files are called is declared by the framework plugins that are installed. Where none of them knows the
    plan's kinds, they go by their names in the plan.
    """
    kinds = file_kinds_in(plan)
    record = plan.full
    accuracy = _numbers(Accuracy(record.accuracy.before, record.accuracy.after), kinds)
    files = _files(folder, kinds.file_names(FULL_NETWORK), accuracy, kinds)
    found = tuple(f for f in files if f.kind == kinds.model or f.size is not None)
    full = Member("full", record.usage, dict.fromkeys(record.usage, 1.0), accuracy, found, None)
    subnetworks = tuple(_subnetwork(s, record.usage, folder, kinds) for s in plan.subnetworks)
    reference = accuracy.after if accuracy.before is None else accuracy.before
    return FamilyFacts(full, subnetworks, kinds, metric_of(plan.options.get("task")), reference)


def file_kinds_in(plan: Plan) -> FileKinds:
    """The kinds of files that `plan` names, as an installed framework declares them."""
    names = dict.fromkeys(kind for record in plan.subnetworks for kind in record.files)
    return file_kinds_of(names, Registry().file_kinds())


def _subnetwork(record: SubnetworkRecord, full: Mapping[str, int], folder: Path, kinds: FileKinds) -> Member:
    accuracy = _numbers(record.accuracy, kinds)
    share = {r: used / full[r] for r, used in record.usage.items() if full.get(r)}
    return Member(_label(record), record.usage, share, accuracy, _files(folder, record.files, accuracy, kinds), record)


def _numbers(accuracy: Accuracy, kinds: FileKinds) -> Accuracy:
    """`accuracy` with None in place of figures that are no numbers, and for kinds that it does not name."""
    exported = {kind.name: _number(accuracy.exported.get(kind.name)) for kind in kinds.exported}
    return Accuracy(_number(accuracy.before), _number(accuracy.after), exported)


def _label(record: SubnetworkRecord) -> str:
    """The name, with a percent sign where the name is the percent of a budget."""
    names = (f"{100 * b:.12g}" for b in record.budget.values() if units.is_fraction(b))
    name = units.printable(record.name)
    return f"{name}{units.THIN}%" if record.name in names else name


def _files(
    folder: Path, names: Mapping[str, str | None], accuracy: Accuracy, kinds: FileKinds
) -> tuple[ExportedFile, ...]:
    accuracies = {kinds.model.name: accuracy.after, **accuracy.exported}
    return tuple(
        ExportedFile(kind, name, _size(folder, name), accuracies[kind.name])
        for kind in kinds.all
        if (name := names.get(kind.name)) is not None
    )


def _size(folder: Path, name: str) -> int | None:
    """Size in bytes of a file within `folder`; None where it is missing or the name leads out of the folder."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        return None
    try:
        path = folder / relative
        return path.stat().st_size if path.is_file() else None
    except (OSError, ValueError):
        return None


def _number(figure: float | None) -> float | None:
    return figure if units.exists(figure) else None


def metric_of(task: Any) -> Metric:
    """The metric by a run's option "task"; accuracy unless it names another."""
    name = task.get("metric") if isinstance(task, Mapping) else None
    if not isinstance(name, str) or not name or "acc" in name.lower():
        return Metric()
    return Metric(name, is_share=False)
