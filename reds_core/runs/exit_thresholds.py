"""Chooses at which confidence an example leaves a network with exits, on held-back data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.audit.records import AUDIT_FILE
from reds_core.cost.budget import parse_amount
from reds_core.early_exit.choosing import IntegerAnswers, ThresholdChoice
from reds_core.early_exit.confidence import MEASURES, Measure, integer_margins
from reds_core.early_exit.costs import COST_KINDS, ExitCosts, amounts_of, counted_macs
from reds_core.early_exit.record import THRESHOLDS_FILE, ExitThresholds, IntegerRecord, ThresholdTarget
from reds_core.early_exit.writing import write_early_exit
from reds_core.errors import InfeasibleError, InputError, UnsupportedError, argument
from reds_core.framework.data import Data
from reds_core.framework.exported import ExportedModel
from reds_core.framework.target import Target
from reds_core.plan import PLAN_FILE
from reds_core.plugin import PluginOptions
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.report import units
from reds_core.runs.dataset import Dataset
from reds_core.runs.evaluating import target_of
from reds_core.runs.exit_cost_sources import CostSources, exit_costs_of
from reds_core.runs.exit_outputs import (
    ExitData,
    ExitNetwork,
    class_names,
    exit_outputs,
    exit_outputs_of_file,
    read_exit_data,
    read_exit_network,
)
from reds_core.runs.folder import Mode
from reds_core.runs.forms import DataObject, Imports, mode_of
from reds_core.runs.given_data import given_data
from reds_core.runs.input_shapes import InputShape, with_input_shape
from reds_core.runs.options import given_options
from reds_core.runs.participants import FRAMEWORKS, TARGETS, check_options
from reds_core.runs.provenance import versions_of
from reds_core.runs.settings import RunSettings
from reds_core.system.files import given_path
from reds_core.system.folder_lock import locked_folder
from reds_core.system.record_lines import RECORDS_FILE
from reds_core.watcher import Watcher

_DEVIATIONS = 4.0
"""By how many standard deviations two accuracies differ that are hardly equal."""


def choose_thresholds(
    model: Any,
    data: str | PathLike[str] | Dataset | DataObject,
    out: str | PathLike[str],
    *,
    target_cost: float | str | None = None,
    target_accuracy: float | None = None,
    measure: str = "margin",
    cost: str = "macs",
    exit_costs: str | Sequence[str] | None = None,
    on: str | None = None,
    config: str | None = None,
    energy_model: str | None = None,
    device_file: str | PathLike[str] | None = None,
    holdout: float | None = None,
    validation_data: DataObject | None = None,
    mode: Mode | str = Mode.REFUSE,
    options: PluginOptions | None = None,
    imports: Imports = (),
    input_shape: InputShape | None = None,
    seed: int = 0,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> ExitThresholds:
    """Choose at which confidence an example leaves a network with early exits.

    This is what `reds thresholds` does. Thresholds are chosen on held-back examples for each measure of confidence, and
    tried on test examples, which are not used for any choice. The results are written to `out` as thresholds.json
    (format `reds-thresholds/1`), curve.csv, shares.csv and report.html.

    Args:
        model: The path of a model file whose outputs are exits, a model object, or the folder of a finished run.
        data: The data as `prune` takes it.
        out: The folder of the results.
        target_cost: The highest mean cost of an example: a share of what the network without early exits takes, such as
            0.5 or "50%", or an amount with a unit. The most accurate thresholds within it are chosen.
        target_accuracy: The least accuracy, from 0 to 1. The cheapest thresholds that reach it are chosen. With neither
            target, it is the accuracy of the last exit.
        measure: How sure an exit is of its answer: "margin", the difference between the two largest probabilities;
            "entropy", 1 minus the entropy as a share of the largest possible one; or "calibrated", the largest
            probability with a temperature for each exit.
        cost: What exits cost: "macs", "energy", "latency" or "instructions".
        exit_costs: What an example has used that leaves at each exit, as amounts with units by depth, such as
            `["1.2ms", "2ms", "3.1ms"]`. By default it is counted, or taken from a profile, or follows from
            `energy_model`.
        on: The target from whose profile of the full network energies, latencies or instructions are taken. By default
            it is the first one in the run's profile.json that states them for each exit. Without any, energies and
            latencies are modelled.
        config: The configuration of that target.
        energy_model: The model of a board by which energies and latencies are multiples of the multiply-accumulates.
        device_file: A file of the network with integer outputs, for which integer thresholds are chosen, too. For the
            folder of a run it is by default the int8 file of the full network, if there is one.
        holdout: The share of the training data that is held back. None means that of the run, or else 0.1.
        validation_data: Held-back examples, in place of a part of the training data.
        mode: What to do if `out` already holds thresholds: `"refuse"` or `"overwrite"`.
        options: Options of plugins, as `{plugin: {key: text}}`.
        imports: One or several Python files or names of modules that define custom layers.
        input_shape: The shape of one example without the batch dimension, such as `(224, 224, 3)`, if the model file
            leaves it open; for several inputs, their shapes by name. Texts are as `--input-shape` takes them.
        seed: The seed of resampling, and of the split unless a run has made one.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of progress and warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"` or 1: a bar in a terminal or a
            notebook, lines elsewhere; 2: lines.

    Returns:
        An `ExitThresholds`, with the attributes `policy`, `policies`, `exits`, `curve` and `integers`.

    Raises:
        InputError: If the model has no exits, the data cannot be read or does not fit it, an argument is out of its
            range, or `out` already holds thresholds or other results.
        InfeasibleError: If no thresholds reach the target on held-back examples.
        UnsupportedError: If a part of the model cannot be loaded, or the file for a device does not tell its outputs.
        UnavailableError: If a library is not installed.

    Example:
        >>> found = reds_core.choose_thresholds("exits.keras", "data.npz", "thresholds", target_cost=0.5)
        >>> found.policy.thresholds, found.policy.test.all.accuracy
    """
    registry = given_registry(registry)
    options = with_input_shape(given_options(options), input_shape, model, registry)
    folder, how = given_path(out, "out"), mode_of(mode)
    model = given_path(model, "model") if isinstance(model, str | PathLike) else model
    asked, kind = _one_of(argument("measure"), measure, MEASURES), _one_of(argument("cost"), cost, COST_KINDS)
    if how is Mode.RESUME:
        raise InputError("thresholds cannot be resumed", f"give {argument('mode', 'overwrite')}")
    _check_targets(target_cost, target_accuracy)
    sources = CostSources(exit_costs, on, config, energy_model)
    sources.check(kind)
    check_options(registry, options, (FRAMEWORKS, TARGETS))
    source = given_data(data)
    if source is None:
        raise InputError("no data is given", f"give {argument('data')}")
    _check_free(folder, how)
    settings = replace(RunSettings(), options=options, seed=seed, holdout=0.1 if holdout is None else holdout)
    with locked_folder(folder, "a choice of thresholds"), following(verbose, watcher) as followed:
        _check_free(folder, how)
        subject = read_exit_network(model, settings, registry, imports, followed)
        if holdout is not None and subject.run is not None:
            raise InputError(
                f"the run in '{subject.run}' has held back {units.percent(subject.settings.holdout, 0)} of its data",
                f"leave out {argument('holdout')}, so that no training example is used",
            )
        costs = exit_costs_of(subject, kind, sources)
        _check_depth(subject, costs)
        followed.stage("running the exits")
        parts = read_exit_data(subject, source, validation_data)
        held_back = exit_outputs(subject, parts.held_back, "held-back data")
        test = None if parts.test is None else exit_outputs(subject, parts.test, "test data")
        if test is None:
            followed.warn("no test data is given, so figures are of the examples on which thresholds were chosen")
        target = _target(target_cost, target_accuracy, costs, float(held_back.right[-1].mean()))
        followed.stage("choosing thresholds")
        choice = ThresholdChoice(subject.names, costs, target, held_back, test, seed)
        found = _record(choice, asked, subject, parts, registry)
        if device_file is not None or subject.plan is not None:
            found = replace(found, integers=_integers(device_file, choice, subject, parts, registry, followed))
        if test is not None and _was_trained_on(found, len(test.labels)):
            followed.warn(
                "the last exit is far more accurate on held-back than on test examples, which were probably training "
                "examples of the network; thresholds chosen on them are too low"
            )
        write_early_exit(found, folder, followed.warn)
    return found


def _one_of(name: str, given: str, choices: Sequence[Any]) -> Any:
    if given not in choices:
        raise InputError(f"{name} cannot be '{given}'", f"choose from: {', '.join(choices)}")
    return given


def _check_targets(cost: float | str | None, accuracy: float | None) -> None:
    """Refuse two targets, and accuracies that are none."""
    if cost is not None and accuracy is not None:
        raise InputError(
            f"{argument('target_cost')} and {argument('target_accuracy')} are both given", "leave one of them out"
        )
    if accuracy is not None and not 0 < accuracy <= 1:
        raise InputError(f"{argument('target_accuracy')} is {accuracy:g}", "give a share above 0 and at most 1")


def _check_free(folder: Path, mode: Mode) -> None:
    for name in (PLAN_FILE, RECORDS_FILE, AUDIT_FILE):
        if (folder / name).exists():
            raise InputError(f"'{folder}' holds a run, a comparison or an audit", f"choose another {argument('out')}")
    if mode is Mode.REFUSE and (folder / THRESHOLDS_FILE).exists():
        raise InputError(
            f"'{folder}' holds chosen thresholds",
            f"add {argument('mode', 'overwrite')} to replace them, or choose another {argument('out')}",
        )


def _check_depth(subject: ExitNetwork, costs: ExitCosts) -> None:
    """Refuse outputs that are not ordered by depth, by what is counted; what is measured may be equal."""
    if np.any(np.diff(counted_macs(subject.network).alone) <= 0) or np.any(np.diff(costs.passing) < 0):
        raise InputError(
            f"the outputs {', '.join(subject.names)} are not ordered by what they cost, so they are not exits by depth",
            "give a model whose outputs become more costly, the last one being that of the whole network",
        )


def _target(cost: float | str | None, accuracy: float | None, costs: ExitCosts, last: float) -> ThresholdTarget:
    """Return the target, which is by default the accuracy of the last exit on held-back examples."""
    if cost is not None:
        amount = parse_amount(amounts_of(costs.kind), str(cost), argument("target_cost"))
        limit = float(amount.number) * (costs.alone[-1] if amount.is_fraction else 1)
        share = f", {units.percent(float(amount.number), 0)} of the whole network" if amount.is_fraction else ""
        return ThresholdTarget(limit, None, f"a mean cost of at most {units.amount(costs.kind, limit)}{share}")
    if accuracy is not None:
        return ThresholdTarget(None, accuracy, f"an accuracy of at least {units.percent(accuracy)}")
    return accuracy_of_last(last)


def accuracy_of_last(accuracy: float) -> ThresholdTarget:
    """Return the target to be as accurate as the last exit."""
    return ThresholdTarget(None, accuracy, f"the accuracy of the last exit, {units.percent(accuracy)}", True)


def _was_trained_on(found: ExitThresholds, tested: int) -> bool:
    """Whether the last exit is so much better on held-back examples that these were hardly new to it."""
    last = found.exits[-1]
    assert last.accuracy_test is not None
    pooled = (last.accuracy_held_back * found.examples + last.accuracy_test * tested) / (found.examples + tested)
    deviation = (pooled * (1 - pooled) * (1 / found.examples + 1 / tested)) ** 0.5
    return bool(last.accuracy_held_back - last.accuracy_test > _DEVIATIONS * deviation > 0)


def _record(
    choice: ThresholdChoice, measure: Measure, subject: ExitNetwork, parts: ExitData, registry: Registry
) -> ExitThresholds:
    """Choose thresholds, and return the record without integer ones.

    Raises:
        InfeasibleError: If none of the measure that was asked for reach the target.
    """
    policies = choice.policies()
    policy = next((each for each in policies if each.measure == measure), None)
    if policy is None:
        raise _unreachable(choice)
    classes = class_names(subject, choice.held_back.probabilities.shape[2])
    difficulty, by_class = choice.groups(policy, measure, classes)
    return ExitThresholds(
        network=subject.network.name,
        model=subject.digest,
        data=parts.dataset.digest,
        cost=choice.costs.kind,
        cost_source=choice.costs.source,
        exits=choice.exits(),
        target=choice.target,
        measure=measure,
        policies=policies,
        by_difficulty=difficulty,
        by_class=by_class,
        curve=choice.curves(),
        integers=None,
        examples=len(choice.held_back.labels),
        seed=choice.seed,
        versions=versions_of(registry, subject.framework),
    )


def _unreachable(choice: ThresholdChoice) -> InfeasibleError:
    if choice.target.cost is not None:
        least = units.amount(choice.costs.kind, float(choice.costs.passing[0]))
        return InfeasibleError(
            f"no thresholds have {choice.target.about}, because the first exit already takes {least}",
            f"give a higher {argument('target_cost')}, or a network with an earlier exit",
        )
    best = units.percent(float(choice.held_back.right.mean(axis=1).max()))
    return InfeasibleError(
        f"no thresholds have {choice.target.about} on held-back examples, where the best exit has {best}",
        f"give a lower {argument('target_accuracy')}",
    )


def _integers(
    given: str | PathLike[str] | None,
    choice: ThresholdChoice,
    subject: ExitNetwork,
    parts: ExitData,
    registry: Registry,
    watcher: Watcher,
) -> IntegerRecord | None:
    """Choose thresholds for a file with integer outputs; None if none is given and the run has none that can be used.

    Raises:
        InputError: If a file that is given has other outputs.
        InfeasibleError: If no integer thresholds of such a file reach the target.
    """
    path = _int8_file(subject, registry) if given is None else given_path(given, "device_file")
    if path is None:
        return None
    try:
        return _integer_record(path, choice, subject, parts, registry, watcher)
    except (InputError, InfeasibleError, UnsupportedError) as error:
        if given is not None:
            raise
        watcher.warn(f"no integer thresholds are chosen for '{path.name}': {error.what}")
        return None


def _int8_file(subject: ExitNetwork, registry: Registry) -> Path | None:
    """The int8 file of the full network of a run; None if it has none."""
    assert subject.run is not None
    assert subject.plan is not None
    kinds = {t.file.name: t.file for t in registry.targets_of(subject.framework).values() if t.file.is_int8}
    known = {*kinds, *(kind.in_version_1.name for kind in kinds.values())}
    names = [name for kind, name in subject.plan.full.files.items() if kind in known]
    return subject.run / names[0] if names else None


def _integer_record(
    path: Path, choice: ThresholdChoice, subject: ExitNetwork, parts: ExitData, registry: Registry, watcher: Watcher
) -> IntegerRecord:
    name = target_of(path, subject.framework, registry)
    if name is None:
        raise InputError(f"'{path}' is not a file of an installed target", "give a file with integer outputs")
    device = registry.create(Target, name, subject.settings.options)
    file, never = device.load(subject.framework, path), 1 << (8 if device.file.is_int8 else 16)
    steps = tuple(each for each in file.output_steps if each is not None)
    if len(steps) != len(file.output_steps):
        raise InputError(f"the outputs of '{path}' are real numbers", "give a file with integer outputs")
    watcher.stage(f"running {path.name}")
    held_back, test = (
        None if data is None else _integer_answers(file, steps, choice, data, what)
        for data, what in ((parts.held_back, "held-back data"), (parts.test, "test data"))
    )
    assert held_back is not None
    target = choice.target
    if target.is_of_last_exit:
        target = accuracy_of_last(float(held_back.outputs.right[-1].mean()))
    policy = choice.integer_policy(held_back, test, target, never)
    if policy is None:
        raise InfeasibleError(
            f"no integer thresholds of '{path}' have {target.about}", "give a target that is easier to reach"
        )
    return IntegerRecord(path.name, steps, never, policy)


def _integer_answers(
    file: ExportedModel, steps: Sequence[float], choice: ThresholdChoice, data: Data, what: str
) -> IntegerAnswers:
    found, outputs = exit_outputs_of_file(file, len(choice.names), data, what)
    if any(each.shape[1] < 2 for each in outputs):
        raise InputError("the exits have a single output, whose margin is not one of integers", "leave the file out")
    margins = [integer_margins(each, step) for each, step in zip(outputs, steps, strict=True)]
    return IntegerAnswers(found, np.stack(margins))
