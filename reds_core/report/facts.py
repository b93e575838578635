"""The facts that reports show about a run: the figures of the plan, and the sizes of the files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from reds_core.cost.energy_models import EnergySource
from reds_core.framework.file_kinds import FileKind, FileKinds, file_kinds_of
from reds_core.framework.task import FEATURE_SIMILARITY, TaskKind, as_text
from reds_core.plan import FULL_NETWORK, Accuracy, DeviceRecord, Plan, SubnetworkRecord
from reds_core.registry import Registry
from reds_core.report import units

UNTRAINED, OWN_WEIGHTS = "not trained", "own weights"
"""The marks of members that were added after the run: without training, and trained by themselves."""


_SIMILARITY = (
    "Feature similarity is the mean cosine similarity of the outputs of a network and {}: 100 % if they point in the "
    "same direction, 0 % if they have nothing in common."
)
_OF_TEACHER, _OF_LABELS = "of the input model for the same example", "the labels of the same example"

_ACCURACIES = {"accuracy", "acc", "binaryaccuracy", "categoricalaccuracy", "sparsecategoricalaccuracy"}
"""The names of the share of correct predictions, in lower case without underscores."""
_IS_ACCURACY = re.compile(r"(^|_|[^A-Z_](?=A))(acc|accuracy|Accuracy)$")
"""What the name of another accuracy ends with, as a word of its own."""
_OUTSIDE_BRACKETS = re.compile(r", (?![^\[]*\])")
"""What separates the metrics of several outputs."""


@dataclass(frozen=True)
class Metric:
    """What the accuracies of a plan measure.

    Attributes:
        name: the name in sentences.
        is_share: whether it is a share, such as that of correct predictions, which is at most 1, shown in percent and
            better if higher.
        heading: a shorter name for narrow columns.
        meaning: a sentence that explains it; empty if it needs none.
    """

    name: str = "accuracy"
    is_share: bool = True
    heading: str = ""
    meaning: str = ""

    def text(self, figure: float | None) -> str:
        """A figure as shown."""
        if self.is_share or figure is None or not units.exists(figure):
            return units.percent(figure)
        return f"{figure:.4g}"


@dataclass(frozen=True)
class ExportedFile:
    """A file of a member.

    Attributes:
        kind: kind of the file.
        name: name of the file relative to the run's folder.
        size: size in bytes; None if the file is not in the folder.
        accuracy: accuracy of the file on test data.
    """

    kind: FileKind
    name: str
    size: int | None
    accuracy: float | None


@dataclass(frozen=True)
class Member:
    """The full network (record None) or a subnetwork.

    Attributes:
        label: the name in tables and plots.
        usage: usage of each resource in base units.
        share: usage of each resource divided by that of the full network, if that is known.
        accuracy: accuracies; None in place of those that are not finite.
        files: the files that the plan names, the model's first.
        record: the record of a subnetwork in the plan; None for the full network.
        devices: what devices make of its files, by the name of the device in the plan.
        mark: what sets a member that was added after the run apart from the others, in two words; empty for the others.
    """

    label: str
    usage: Mapping[str, int]
    share: Mapping[str, float]
    accuracy: Accuracy
    files: tuple[ExportedFile, ...]
    record: SubnetworkRecord | None
    devices: Mapping[str, DeviceRecord] = field(default_factory=dict)
    mark: str = ""

    def file(self, kind: FileKind | None) -> ExportedFile | None:
        """Return the file of a kind, or None."""
        return next((f for f in self.files if f.kind == kind), None)

    def accuracy_of(self, kind: FileKind | None) -> float | None:
        """Return the accuracy of the exported file of a kind on test data; None if it was not measured."""
        return None if kind is None else self.accuracy.exported.get(kind.name)

    @property
    def smallest_file(self) -> ExportedFile | None:
        """The smallest of the files in the folder, or None."""
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
        reference: accuracy of the input model, or of the full network if only that is known.
        energy: where energies come from; None if they are not counted.
    """

    full: Member
    subnetworks: tuple[Member, ...]
    kinds: FileKinds
    metric: Metric
    reference: float | None
    energy: EnergySource | None = None

    @property
    def largest_first(self) -> tuple[Member, ...]:
        """The full network, then the subnetworks down to the smallest."""
        return (self.full, *reversed(self.subnetworks))

    @property
    def resources(self) -> tuple[str, ...]:
        """Resources that any member uses, those of the full network first."""
        return tuple(dict.fromkeys(r for m in self.largest_first for r in m.usage))


def gather(plan: Plan, folder: Path) -> FamilyFacts:
    """Return the family of `plan`, with the sizes of its files in `folder`.

    The titles of kinds of files are those of the installed framework plugins. Kinds that none of them declares have
    their names in the plan as titles.
    """
    kinds = file_kinds_in(plan)
    record = plan.full
    accuracy = _numbers(Accuracy(record.accuracy.before, record.accuracy.after, record.accuracy.exported), kinds)
    names = {kinds.model.name: kinds.model.file_name(FULL_NETWORK), **record.files}
    files = _files(folder, names, accuracy, kinds)
    full = Member("full", record.usage, dict.fromkeys(record.usage, 1.0), accuracy, files, None, record.devices)
    subnetworks = tuple(
        dataclasses.replace(_subnetwork(s, record.usage, folder, kinds), mark=_mark(s, plan)) for s in plan.subnetworks
    )
    reference = accuracy.after if accuracy.before is None else accuracy.before
    return FamilyFacts(full, subnetworks, kinds, metric_of(plan.options.get("task")), reference, plan.energy_source)


def file_kinds_in(plan: Plan, registry: Registry | None = None) -> FileKinds:
    """Return the kinds of files that `plan` names, as an installed framework declares them."""
    names = dict.fromkeys(kind for record in plan.subnetworks for kind in record.files)
    return file_kinds_of(names, (registry or Registry()).file_kinds())


def _subnetwork(record: SubnetworkRecord, full: Mapping[str, int], folder: Path, kinds: FileKinds) -> Member:
    accuracy = _numbers(record.accuracy, kinds)
    share = {r: used / full[r] for r, used in record.usage.items() if full.get(r)}
    files = _files(folder, record.files, accuracy, kinds)
    return Member(_label(record), record.usage, share, accuracy, files, record, record.devices)


def _mark(record: SubnetworkRecord, plan: Plan) -> str:
    if record.extraction is None:
        return ""
    if not record.is_untrained:
        return OWN_WEIGHTS
    finetune = plan.options.get("finetune")
    is_family_trained = not isinstance(finetune, Mapping) or finetune.get("epochs") != 0
    return UNTRAINED if is_family_trained else ""


def _numbers(accuracy: Accuracy, kinds: FileKinds) -> Accuracy:
    """Return `accuracy` with None in place of figures that are not finite, and for kinds that it lacks."""
    names = dict.fromkeys((*(kind.name for kind in kinds.exported), *accuracy.exported))
    exported = {name: _number(accuracy.exported.get(name)) for name in names}
    return Accuracy(_number(accuracy.before), _number(accuracy.after), exported)


def _label(record: SubnetworkRecord) -> str:
    """Return the name, with a percent sign if it is the percentage of a budget."""
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
    """Return the size in bytes of a file in `folder`; None if it is missing or outside of the folder."""
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
    """Return the metric of a run from its option "task": accuracy unless it names another one."""
    name = task.get("metric") if isinstance(task, Mapping) else None
    if name == FEATURE_SIMILARITY:
        other = _OF_TEACHER if task.get("kind") == TaskKind.EMBEDDING.value else _OF_LABELS
        return Metric("feature similarity", heading="similarity", meaning=_SIMILARITY.format(other))
    if not name:
        return Metric()
    parts = [part.partition("[")[0].rpartition(":")[2].strip() for part in _OUTSIDE_BRACKETS.split(str(as_text(name)))]
    if all(part.lower().replace("_", "") in _ACCURACIES for part in parts):
        return Metric()
    return Metric(str(as_text(name)), is_share=all(_IS_ACCURACY.search(part) for part in parts))
