"""Checks of targets.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from reds_core.cost.resources import RESOURCES, CostModel
from reds_core.cost.resources import usage as usage_of
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.data import Arrays
from reds_core.framework.exported import ExportedFigures, ExportedModel
from reds_core.framework.file_kinds import INT8_BYTES, FileKind
from reds_core.framework.target import ExportSource, Target
from reds_core.network.description import Network
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.model_checks import questions, same_arrays
from reds_core.testing.model_subject import Trial
from reds_core.testing.plugin_checks import check_declaration, imports_nothing_heavy, is_clause
from reds_core.testing.report import Failure, Skip
from reds_core.testing.runner import Check
from reds_core.testing.target_subject import TargetSubject
from reds_core.transforms.describing import described

CERTAIN = 0.5
"""The share of the examples, those of which the model is most certain, on which files must agree with the model."""
ALLOWED = 0.5
"""By how much the metric of a file may differ from that of its model, since files may round weights and activations."""
UNKNOWN = "no_such_decision"
"""The name of a decision that no transform makes."""


def declares_what_it_is(subject: TargetSubject) -> None:
    """Discovery relies on these declarations, and plans list files under the name of their kind, which users give."""
    target = subject.plugin
    check_declaration(target)
    if target.made_from != subject.framework.name:
        raise Failure(f"is made from {target.made_from!r}, but is checked with '{subject.framework.name}'")
    if not isinstance(target.file, FileKind) or target.file.name != target.name:
        raise Failure(f"file is {target.file!r}, not a FileKind with the name {target.name!r}")
    if not target.file.suffix.strip(".-") or target.file.suffix[0] not in ".-":
        raise Failure(f"the suffix of its files is {target.file.suffix!r}, not such as '.bin' or '-int8.bin'")


def has_samples_to_export(subject: TargetSubject) -> None:
    """The other checks export models, so the framework must offer sample models, or they are given to the kit."""
    if not subject.samples:
        raise Failure(f"framework '{subject.framework.name}' offers no sample models: give samples")


def exports_one_file(subject: TargetSubject) -> None:
    """A run moves and lists exactly one file for each network, so an export writes that file and no other.

    Models that the file cannot express are refused with UnsupportedError, but at least one sample can be exported.
    """
    for trial in subject.trials:
        with tempfile.TemporaryDirectory() as folder:
            path = subject.path(trial, Path(folder))
            with contextlib.suppress(UnsupportedError):
                subject.export(trial, path, trial.data)
                if not path.is_file() or not path.stat().st_size:
                    raise Failure(f"exporting {trial} writes no file {path.name}, or an empty one")
            others = sorted(name for name in os.listdir(folder) if name != path.name)
            if others:
                raise Failure(f"exporting {trial} leaves {', '.join(others)} beside {path.name}")
    if not subject.expressed:
        raise Failure("refuses to export every sample")


def writes_atomically(subject: TargetSubject) -> None:
    """A stopped run must not leave half a file, so a file is written under another name and renamed when complete.

    `reds_core.system.written_beside` does so, and raises InputError if the file cannot be written.
    """
    trial, _ = subject.expressed[0]
    with tempfile.TemporaryDirectory() as folder:
        path, old = subject.path(trial, Path(folder)), b"an older file"
        path.write_bytes(old)
        kept = path.with_name("kept")
        try:
            os.link(path, kept)
        except OSError as error:
            raise Skip(f"this file system has no links: {error}") from error
        subject.export(trial, path, trial.data)
        if path.read_bytes() == old:
            raise Failure("does not replace an older file")
        if kept.read_bytes() != old:
            raise Failure("writes into an older file instead of replacing it")
        try:
            subject.export(trial, path.parent / "missing" / path.name, trial.data)
        except InputError:
            return
        except Exception as error:
            what = f"raises {type(error).__name__}, not InputError, if the folder of the file is missing"
            raise Failure(what) from error
        raise Failure("does not complain if the folder of the file is missing")


def leaves_the_model_unchanged(subject: TargetSubject) -> None:
    """One model is exported for several targets in turn, so an export must not change it."""
    for trial, _ in subject.expressed:
        fresh = subject.build(trial.sample)
        before = subject.weights(fresh)
        with tempfile.TemporaryDirectory() as folder:
            subject.export(fresh, subject.path(fresh, Path(folder)), fresh.data)
        if not same_arrays(subject.weights(fresh), before):
            raise Failure(f"exporting changes the weights of {trial}")


def works_without_calibration_or_says_so(subject: TargetSubject) -> None:
    """Users may have no data, so an export without calibration either works or refuses with InputError, and no file.

    Which of both is declared by `is_calibrated` of the kind of file, by which runs know it in advance.
    """
    for trial, _ in subject.expressed:
        with tempfile.TemporaryDirectory() as folder:
            path, needs_examples = subject.path(trial, Path(folder)), subject.plugin.file.is_calibrated
            try:
                subject.export(trial, path, None)
            except InputError as error:
                if os.listdir(folder):
                    raise Failure(f"leaves {', '.join(os.listdir(folder))} when it refuses {trial}") from error
                if not needs_examples:
                    what = f"refuses {trial} without calibration, but its files are not declared as calibrated"
                    raise Failure(what) from error
                continue
            except Exception as error:
                what = f"raises {type(error).__name__}, not InputError, without calibration: {error}"
                raise Failure(what) from error
            if not path.is_file():
                raise Failure(f"writes no file of {trial} without calibration, and does not refuse")
            if needs_examples:
                raise Failure(f"exports {trial} without calibration, but its files are declared as calibrated")


def answers_like_the_model(subject: TargetSubject) -> None:
    """The file is what runs on the device; if it disagrees with the model, the reported accuracy is wrong.

    The file is read by a new object, from another folder. On the examples of which the model is most certain, its
    metric is compared with that of the model, with the predictions of the model as labels and with other labels.
    """
    for trial, content in subject.expressed:
        with subject.written(trial, content) as path:
            _check_answers(subject, trial, path)


def _check_answers(subject: TargetSubject, trial: Trial, path: Path) -> None:
    loaded = subject.load(path)
    _check_input_shape(loaded, trial)
    for data in questions(subject, trial, CERTAIN):
        expected = subject.framework.accuracy(trial.model, data, trial.task)
        found = _figures(loaded, data, trial)
        if not abs(found.metric - expected) <= ALLOWED * max(1.0, abs(expected)):
            raise Failure(f"the file of {trial} scores {found.metric:.6g}, its model {expected:.6g}")


def _check_input_shape(loaded: ExportedModel, trial: Trial) -> None:
    shape, given = loaded.input_shape, trial.data.x.shape[1:]
    if len(shape) != len(given) or any(n not in (None, m) for n, m in zip(shape, given, strict=True)):
        raise Failure(f"input_shape of the file of {trial} is {tuple(shape)}, but its examples have shape {given}")


def _figures(loaded: ExportedModel, data: Arrays, trial: Trial) -> ExportedFigures:
    figures = loaded.evaluate(loaded.check_data(data, "data"), trial.task)
    if figures.examples != len(data) or not np.isfinite((figures.metric, figures.loss)).all():
        raise Failure(f"the file of {trial} has {figures} on {len(data)} examples")
    return figures


def refuses_data_that_do_not_fit(subject: TargetSubject) -> None:
    """`reds evaluate` runs files on data that users give, so data of another shape are refused with InputError."""
    for trial, content in subject.expressed[:1]:
        with subject.written(trial, content) as path:
            loaded = subject.load(path)
            wider = np.concatenate([trial.data.x, trial.data.x, trial.data.x], axis=-1)
            try:
                loaded.check_data(Arrays(wider, trial.data.y), "data")
            except InputError:
                continue
            raise Failure(
                f"takes examples of shape {wider.shape[1:]} for {trial}, which takes {trial.data.x.shape[1:]}"
            )


def refuses_damaged_files(subject: TargetSubject) -> None:
    """Copies of files may be incomplete, and users see a clear message and not a traceback, so InputError is raised."""
    trial, content = subject.expressed[0]
    damaged = {"a missing file": None, "a file of zeros": bytes(64), "half a file": content[: len(content) // 2]}
    readers: dict[str, Callable[[Path], object]] = {"load()": lambda path: subject.make().load(subject.framework, path)}
    with subject.written(trial, content) as path:
        if subject.plugin.usage(path):
            readers["usage()"] = lambda path: subject.make().usage(path)
    for what, damage in damaged.items():
        for reader, read in readers.items():
            with subject.written(trial, damage or b"") as path:
                if damage is None:
                    path.unlink()
                try:
                    read(path)
                except (InputError, UnsupportedError):
                    continue
                except Exception as error:
                    raise Failure(f"{reader} raises {type(error).__name__}, not InputError, for {what}") from error
                raise Failure(f"{reader} accepts {what}")


def usage_equals_the_described_network(subject: TargetSubject) -> None:
    """Plans promise what a file uses, so what is counted in the file must equal what the description says, exactly.

    Peaks, such as `arena`, may differ, because a runtime may keep activations elsewhere or need scratch memory. This is
    checked at full width and with about half of the channels, for the other resources that budgets know. All amounts
    are whole numbers.
    """
    counted = False
    for trial, content in subject.expressed:
        with subject.written(trial, content) as path:
            counted |= bool(_check_usage(subject, trial, trial.network, path))
        if not counted:
            continue
        small = subject.cut(trial)
        with tempfile.TemporaryDirectory() as folder:
            path = subject.path(small, Path(folder))
            with contextlib.suppress(UnsupportedError):
                subject.export(small, path, small.data)
                _check_usage(subject, small, small.network, path)
    if not counted:
        raise Skip("counts nothing in its files")


def holds_the_levels_that_it_accepts(subject: TargetSubject) -> None:
    """A level that a target accepts may be chosen, so a file with layers at this level is written and counted as such.

    Each layer is exported at the lowest level of each installed transform that the target accepts, with the weights
    that the transform makes of it. The file must answer like the model with these weights.
    """
    tried = False
    for (trial, _), transforms in itertools.product(subject.expressed, subject.together):
        settings = subject.lowest_levels(trial.network, transforms)
        if not settings:
            continue
        tried, lower = True, subject.projected(trial, transforms, settings)
        with tempfile.TemporaryDirectory() as folder:
            path = subject.path(lower, Path(folder))
            try:
                source = ExportSource(subject.framework, lower.model, lower.network, settings, lower.data)
                subject.plugin.export(source, path)
            except UnsupportedError as error:
                raise Failure(f"refuses to export {trial} at levels that it accepts: {error.what}") from error
            _check_usage(subject, lower, described(lower.network, transforms, settings), path)
            _check_answers(subject, lower, path)
    if not tried:
        raise Skip("accepts no level of the installed transforms")


def _check_usage(subject: TargetSubject, trial: Trial, network: Network, path: Path) -> dict[str, int]:
    """Compare what `usage` counts in a file with the description `network`, and return it."""
    found = dict(subject.plugin.usage(path))
    # files of weights and activations of different sizes count bits that the description states
    costs = CostModel(subject.plugin.file.element_size_bytes or INT8_BYTES, additional=tuple(RESOURCES))
    expected = usage_of(network, network.channels, costs)
    for resource, amount in found.items():
        if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
            raise Failure(f"usage() has {amount!r} {resource}, not a whole number")
        # runtimes may keep part of the activations elsewhere, and need scratch memory besides them
        is_peak = resource in RESOURCES and RESOURCES[resource].steps is not None
        if resource in RESOURCES and not is_peak and amount != expected.get(resource):
            raise Failure(f"the file of {trial} uses {amount} {resource}, but its description {expected.get(resource)}")
    return found


def refuses_levels_with_a_reason(subject: TargetSubject) -> None:
    """`reds inspect` shows why a level is not offered, so a refusal is a clause, and unknown decisions are refused."""
    for trial in subject.trials:
        for site in dict.fromkeys(call.name for call in trial.network.layers):
            for level in (1, 4):
                if not is_clause(_refusal(subject.plugin, trial.network, site, UNKNOWN, level)):
                    found = _refusal(subject.plugin, trial.network, site, UNKNOWN, level)
                    raise Failure(f"answers {found!r} to level {level} of '{UNKNOWN}', not a clause that says why not")
                found = _refusal(subject.plugin, trial.network, site, "weight_bits", level)
                if found is not None and not is_clause(found):
                    raise Failure(f"answers {found!r} to level {level} of 'weight_bits', not None or a clause")


def _refusal(target: Target, network: Network, site: str, what: str, level: int) -> object:
    return target.refusal(network, site, what, level)


def notes_are_sentences(subject: TargetSubject) -> None:
    """Notes are printed before training, one a line, so each is a text of one line."""
    for trial in subject.trials:
        notes = subject.plugin.notes(subject.framework, trial.model)
        if not isinstance(notes, tuple) or not all(isinstance(n, str) and n and "\n" not in n for n in notes):
            raise Failure(f"notes() of {trial} are {notes!r}, not a tuple of texts of one line")


def prints_nothing(subject: TargetSubject) -> None:
    """With --json, stdout must contain nothing but JSON, so neither the plugin nor its libraries may print."""
    trial, content = subject.expressed[0]
    with captured_stdout() as captured, subject.written(trial, content) as path:
        subject.plugin.usage(path)
        subject.plugin.notes(subject.framework, trial.model)
        with contextlib.suppress(Skip):
            loaded = subject.load(path)
            loaded.evaluate(loaded.check_data(trial.data, "data"), trial.task)
        subject.export(trial, path, trial.data)
    if captured.text:
        raise Failure(f"printed {captured.text[:80]!r}")


_GROUND = ("has_samples_to_export", "exports_one_file")
TARGET_CHECKS: tuple[Check[TargetSubject], ...] = (
    Check(declares_what_it_is),
    Check(imports_nothing_heavy),
    Check(has_samples_to_export),
    Check(exports_one_file, ("declares_what_it_is", "has_samples_to_export")),
    Check(refuses_levels_with_a_reason, ("has_samples_to_export",)),
    Check(notes_are_sentences, ("has_samples_to_export",)),
    *(
        Check(run, _GROUND)
        for run in (
            writes_atomically,
            leaves_the_model_unchanged,
            works_without_calibration_or_says_so,
            answers_like_the_model,
            refuses_data_that_do_not_fit,
            refuses_damaged_files,
            usage_equals_the_described_network,
            prints_nothing,
        )
    ),
    Check(
        holds_the_levels_that_it_accepts,
        (*_GROUND, "refuses_levels_with_a_reason", "answers_like_the_model", "usage_equals_the_described_network"),
    ),
)
"""Every check of a target, in the order of the report."""
