"""The gate for int8 files: how much they may lose against their model, and which layers keep more exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reds_core.errors import InfeasibleError, InputError, UnsupportedError, argument
from reds_core.framework.data import Arrays, Data
from reds_core.framework.fallback import FallbackNumbers
from reds_core.framework.framework import Framework
from reds_core.framework.target import ExportSource, Target
from reds_core.framework.task import Task
from reds_core.plan import SubnetworkRecord
from reds_core.report.facts import metric_of
from reds_core.runs.device_figures import spread
from reds_core.runs.settings import RunSettings
from reds_core.runs.targets import RunTargets
from reds_core.search_records import GateRecord
from reds_core.watcher import Watcher

MOST_EXAMPLES = 1000
"""The most examples on which files are measured, evenly spaced. Files are run one example at a time."""
MOST_REMOVED = 12
"""The most layers that are tried again in 8 bits once enough layers have more exact numbers."""
TOLERANCE_POINTS = 1e-4
"""Covers the rounding of metrics that frameworks compute in float32."""
HELD_BACK, TRAINING = "held-back", "training"
_NAMES: dict[str, str] = {"float": "float32", "16x8": "activations of 16 bits"}
_NAMED = 4
"""The most layers that a message names."""


@dataclass(frozen=True)
class Int8Gate:
    """Measures int8 files against their models, and lets layers keep more exact numbers where files lose too much.

    Attributes:
        limit_points: The most points that an int8 file may lose.
        numbers: What layers can keep; None if all have 8 bits in any case.
        examples: The examples on which files are measured.
        data: Which data that is: HELD_BACK or TRAINING.
        framework: The framework of the models.
        task: How outputs are compared with labels.
        watcher: Notified of files that lose too much, and of layers that keep more exact numbers.
    """

    limit_points: float
    numbers: FallbackNumbers | None
    examples: Arrays
    data: str
    framework: Framework
    task: Task
    watcher: Watcher

    def passed(self, target: Target, source: ExportSource, path: Path) -> GateRecord | None:
        """Measure an int8 file, and write it again with some layers in more exact numbers if it loses too much.

        Args:
            target: The target that wrote the file.
            source: What the file was written from.
            path: The file.

        Returns:
            What was measured; None, with a warning, if the file cannot be run.
        """
        exact = self.framework.accuracy(source.model, self.examples, self.task)
        try:
            found = self._measured(target, path)
        except (InputError, UnsupportedError) as error:
            self.watcher.warn(
                f"'{path.name}' is written, but what it loses by quantisation to int8 is not measured: {error.what}"
            )
            return None
        record = GateRecord(
            limit_points=self.limit_points,
            data=self.data,
            examples=len(self.examples),
            exact=exact,
            all_int8=found,
            accuracy=found,
            drop_points=100 * (exact - found),
        )
        if record.is_held:
            return record
        if self.numbers is None:
            self.watcher.warn(self._exceeded(path, record))
            return record
        return self._fallen_back(target, source, path, record, self.numbers)

    def _measured(self, target: Target, path: Path) -> float:
        return target.load(self.framework, path).evaluate(self.examples, self.task).metric

    def _fallen_back(
        self, target: Target, source: ExportSource, path: Path, record: GateRecord, numbers: FallbackNumbers
    ) -> GateRecord:
        """Look for the fewest layers with more exact numbers with which the file holds the limit, and write it."""
        self.watcher.stage(f"looking for the layers of '{path.name}' that need {_NAMES[numbers]}")
        content, trial = path.read_bytes(), path.with_name(f".{path.name}.trial")
        accuracies: dict[frozenset[str], float] = {}

        def holds(kept: Collection[str]) -> bool:
            key = frozenset(kept)
            if key not in accuracies:
                fallback.write(kept, trial)
                accuracies[key] = self._measured(target, trial)
            return replace(record, drop_points=100 * (record.exact - accuracies[key])).is_held

        try:
            fallback = target.fallback(replace(source, warn=_ignored), numbers)
            kept, inputs = fewest(fallback.layers, holds), fallback.inputs
            if kept is None and inputs:
                kept = fewest((*inputs, *fallback.layers), holds)
            if kept is None:
                text = f"{self._exceeded(path, record)}, and still does with {_NAMES[numbers]} in all its layers"
                self.watcher.warn(text)
                return record
            before_ns = fallback.latency_ns(path)
            fallback.write(kept, path)
            after_ns = fallback.latency_ns(path)
        except (InputError, UnsupportedError) as error:  # the network is trained by then
            path.write_bytes(content)
            self.watcher.warn(f"{self._exceeded(path, record)}; no layer can fall back: {error.what}")
            return record
        finally:
            trial.unlink(missing_ok=True)
        accuracy = accuracies[frozenset(kept)]
        record = replace(
            record,
            accuracy=accuracy,
            drop_points=100 * (record.exact - accuracy),
            numbers=numbers,
            kept=tuple(name for name in kept if name not in inputs),
            inputs=tuple(name for name in kept if name in inputs),
            layers=len(fallback.layers),
            added_bytes=path.stat().st_size - len(content),
            latency_ns=after_ns,
            latency_all_int8_ns=before_ns,
        )
        self.watcher.note(self._kept_text(path, record))
        return record

    def _exceeded(self, path: Path, record: GateRecord) -> str:
        return (
            f"'{path.name}' loses {record.drop_points:.2f} points by quantisation to int8 on {record.examples} "
            f"{self.data} examples, which is more than the limit of {self.limit_points:g}"
        )

    def _kept_text(self, path: Path, record: GateRecord) -> str:
        assert record.numbers is not None
        more = f" and {len(record.kept) - _NAMED} more" if len(record.kept) > _NAMED else ""
        named = f" ({', '.join(record.kept[:_NAMED])}{more})" if record.kept else ""
        before = 100 * (record.exact - record.all_int8)
        at_input = " and at its input" if record.inputs else ""
        text = (
            f"'{path.name}' has {_NAMES[record.numbers]} in {len(record.kept)} of {record.layers} layers{named}"
            f"{at_input}, so that it loses {record.drop_points:.2f} points by quantisation to int8 "
            f"on {record.examples} {self.data} examples instead of {before:.2f}; it takes "
            f"{record.added_bytes:,} bytes more"
        )
        if record.latency_ns is None or record.latency_all_int8_ns is None:
            return text
        times = (1e-6 * ns for ns in (record.latency_ns, record.latency_all_int8_ns))
        return f"{text}, and {next(times):.3g} ms on this machine instead of {next(times):.3g} ms"


def _ignored(_: str) -> None:
    """Warnings that were given before."""


def fewest(layers: Sequence[str], holds: Callable[[Collection[str]], bool]) -> tuple[str, ...] | None:
    """Return as few layers as possible for which a condition holds, or None if it does not hold for all of them.

    The number of the most sensitive layers is doubled until the condition holds, and bisected. Each of the layers is
    then left out again, the least sensitive first, if the condition holds without it. That finds few layers, not always
    the fewest, since not all subsets are tried.

    Args:
        layers: All layers, the most sensitive first.
        holds: The condition, which does not hold for no layers.
    """
    fails, enough = 0, min(1, len(layers))
    while enough == 0 or not holds(layers[:enough]):
        if enough == len(layers):
            return None
        fails, enough = enough, min(2 * enough, len(layers))
    while enough - fails > 1:
        middle = (enough + fails) // 2
        if holds(layers[:middle]):
            enough = middle
        else:
            fails = middle
    kept = list(layers[:enough])
    for layer in list(reversed(kept[:-1]))[:MOST_REMOVED]:  # without the last one it is known not to hold
        rest = [each for each in kept if each != layer]
        if holds(rest):
            kept = rest
    return tuple(kept)


def int8_gate(
    settings: RunSettings, framework: Framework, validation: Data | None, train: Data | None, watcher: Watcher
) -> Int8Gate | None:
    """Return the gate of a run; None if the settings ask for none or there is no data.

    Args:
        settings: The settings of the run.
        framework: The framework of its models.
        validation: Data that is held back from training; None without.
        train: Training data, on which files are measured if nothing is held back.
        watcher: Notified of what becomes of files.
    """
    data = train if validation is None else validation
    if settings.int8_drop is None or not settings.int8 or data is None:
        return None
    return Int8Gate(
        settings.int8_drop,
        settings.fallback,
        spread(data, MOST_EXAMPLES),
        TRAINING if validation is None else HELD_BACK,
        framework,
        settings.task,
        watcher,
    )


def check_int8_gate(settings: RunSettings, targets: RunTargets, has_data: bool) -> None:
    """Refuse a gate that cannot be measured, or that no int8 file has to pass.

    Raises:
        InputError: If there is one.
    """
    if settings.int8_drop is None:
        return
    name = argument("int8_drop")
    metric = settings.task.described().metric
    written = [target for target in targets.targets if target.file.is_int8]
    unable = next((each for each in written if settings.fallback not in (None, *each.fallbacks)), None)
    for wrong, what, fix in (
        (not has_data, f"{name} is measured on data, and no data is given", f"give {argument('data')}"),
        (
            not settings.int8 or not written,
            f"{name} limits what int8 files lose, and none are written",
            f"leave it out, or give {argument('targets')} that write int8 files",
        ),
        (
            not metric_of({"metric": metric}).is_share,
            f"{name} counts points of accuracy, and metric '{metric}' is not an accuracy between 0 and 1",
            "leave one of them out",
        ),
        (
            unable is not None,
            f"target '{unable.name if unable else ''}' writes files whose layers all have the same numbers, so none of "
            f"them can fall back to {settings.fallback}",
            f"leave out {argument('fallback')}, or the target",
        ),
    ):
        if wrong:
            raise InputError(what, fix)


def refuse_exceeded(settings: RunSettings, members: Sequence[SubnetworkRecord], folder: Path) -> None:
    """Refuse int8 files that lose too much if the settings are strict. All files are written by then.

    Raises:
        InfeasibleError: If there is such a file; the message names the first.
    """
    if not settings.strict:
        return
    for member in members:
        for kind, gate in member.gates.items():
            if not gate.is_held:
                raise InfeasibleError(
                    f"'{member.files[kind]}' loses {gate.drop_points:.2f} points by quantisation to int8, which is "
                    f"more than the limit of {gate.limit_points:g}; all files are in '{folder}'",
                    f"allow more points, or give {argument('fallback', 'float')}",
                )


def gated(gate: Int8Gate | None, target: Target, source: ExportSource, path: Path) -> GateRecord | None:
    """Return what a gate says of a file; None if there is no gate for such files."""
    return None if gate is None or not target.file.is_int8 else gate.passed(target, source, path)
