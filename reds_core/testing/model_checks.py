"""Checks of models, for frameworks and for plugins that add support for layers.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.cost import counting, resources
from reds_core.framework.data import Arrays
from reds_core.framework.family import member_kept
from reds_core.network.branches import residual_branches, without_branches
from reds_core.network.description import Network, WeightKind
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.model_subject import (
    TOLERANCE,
    ModelSubject,
    Trial,
    chosen,
    hold_alike,
    narrowed,
    permuted,
    sliced,
    spread,
    without,
)
from reds_core.testing.report import Failure, Skip
from reds_core.testing.runner import Check

Subject = ModelSubject[Any]
VARIES = 1e-3
"""The least variation of the outputs over the examples, relative to their size, that makes comparisons meaningful."""
CERTAIN, CERTAIN_OF_INT8 = 0.9, 0.5
"""Shares of the examples with the most certain predictions on which exported files must agree with the model."""
PARTS = 4
"""The number of parts of the examples whose losses are compared separately."""


def offers_samples_that_can_tell(subject: Subject) -> None:
    """A network with the same output for all inputs hides every mistake, so the outputs of each sample must vary.

    In addition, a builder returns the same model at every call, because the results of two trainings are compared, and
    at least one sample has channels that can be pruned.
    """
    if not subject.samples:
        raise Failure("offers no sample models: return some from its method samples()")
    names = [sample.name for sample in subject.samples]
    if len(set(names)) < len(names):
        raise Failure(f"the names of the samples are not unique: {names}")
    for trial in subject.trials:
        outputs = subject.outputs(trial)
        if outputs.ndim < 2 or len(outputs) != len(trial.data) or not np.isfinite(outputs).all():
            raise Failure(
                f"{trial} has outputs of shape {outputs.shape} for {len(trial.data)} examples, or they are not finite"
            )
        if not spread(outputs) > VARIES * float(np.abs(outputs).mean()):
            raise Failure(f"the outputs of {trial} hardly vary over its examples: give it larger weights")
        if trial.counts_classes and len(set(outputs.argmax(axis=-1).ravel())) < 2:
            raise Failure(f"{trial} finds one class in all its examples: give it other weights")
        again = subject.build(trial.sample)
        if not same_arrays(subject.weights(trial), subject.weights(again)) or not same_arrays(
            [trial.data.x, trial.data.y], [again.data.x, again.data.y]
        ):
            raise Failure(f"{trial} has other weights or data each time it is built: draw them under a fixed seed")
    if not any(trial.network.groups for trial in subject.trials):
        raise Failure("no sample has channels that can be pruned")


def describes_every_weight(subject: Subject) -> None:
    """Costs, scores and slices are derived from the axes of the weights, so their described lengths must be correct."""
    for trial in subject.trials:
        weights, channels = subject.weights(trial), trial.network.channels
        if len(weights) != len(trial.network.weights):
            raise Failure(f"{trial} has {len(trial.network.weights)} weights described, but {len(weights)} given")
        for weight, array in zip(trial.network.weights, weights, strict=True):
            shape = tuple(axis.full(channels) for axis in weight.axes)
            if shape != array.shape:
                raise Failure(f"weight '{weight.name}' of {trial} has shape {array.shape}, described as {shape}")
        if trial.network.warnings and not trial.sample.warns:
            raise Failure(f"{trial} is described with a warning: {trial.network.warnings[0]}")


def leaves_the_model_unchanged(subject: Subject) -> None:
    """Results are compared with the input model, so inspecting, cutting or exporting it must not change it."""
    framework = subject.framework
    for sample in subject.samples:
        trial = subject.build(sample)
        model, x, y = sample.build()
        data, before = Arrays(x, y), subject.framework.weights(model, trial.network)

        def unchanged(after: str, model: Any = model, trial: Trial = trial, before: Any = before) -> None:
            if not same_arrays(framework.weights(model, trial.network), before):
                raise Failure(f"{after} changes the weights of {trial}")

        network = framework.inspect(model)
        unchanged("inspect")
        framework.extract(model, network, chosen(network, 0.5, 0))
        unchanged("extract")
        framework.predict(model, x)
        unchanged("predict")
        list(framework.losses(model, network, [without(network, before, chosen(network, 0.5, 0))], data, trial.task))
        unchanged("losses")
        list(framework.gradients(model, network, data, trial.task, len(data)))
        unchanged("gradients")
        with tempfile.TemporaryDirectory() as folder:
            for target in subject.targets:
                subject.exported(replace(trial, model=model), data, Path(folder), target)
        unchanged("export")


def permuted_equals_original(subject: Subject) -> None:
    """Channels are sorted by importance before a network is cut, and sorting them must not change its outputs."""
    for trial in subject.trials:
        expected = subject.outputs(trial)
        order = permuted(trial.network, 0)
        reordered = subject.framework.extract(trial.model, trial.network, order)
        hold_alike(subject.outputs(trial, reordered), expected, f"{trial} with its channels in another order")


def removed_equals_masked(subject: Subject) -> None:
    """Scores and the search assume that a smaller network computes the same as the full network with the removed
    channels set to zero.

    The losses of the smaller network are compared with those of the full network, with zeros in the weights of the
    removed channels, over several parts of the examples.
    """
    framework, parts = subject.framework, [slice(i, None, PARTS) for i in range(PARTS)]
    for trial in subject.trials:
        network, weights = trial.network, subject.weights(trial)
        choices = [chosen(network, share, seed) for seed, share in enumerate((0.75, 0.5, 0.25))]
        small = [framework.extract(trial.model, network, kept) for kept in choices]
        variants = [weights, *(without(network, weights, kept) for kept in choices)]
        changed = False
        for part in parts:
            data = trial.data.take(part)
            whole, *expected = framework.losses(trial.model, network, variants, data, trial.task)
            found = [framework.loss(model, data, trial.task) for model in small]
            changed |= any(abs(loss - whole) > 10 * TOLERANCE * max(1.0, abs(whole)) for loss in expected)
            for kept, loss, wanted in zip(choices, found, expected, strict=True):
                if not abs(loss - wanted) <= TOLERANCE * max(1.0, abs(wanted)):
                    widths = {g: len(channels) for g, channels in kept.items()}
                    raise Failure(f"{trial} cut to {widths} has loss {loss:.6g}, but {wanted:.6g} where it is masked")
        if network.groups and not changed:
            raise Failure(f"no loss of {trial} changes when channels are removed: give it larger weights")


def skipped_blocks_equal_masked(subject: Subject) -> None:
    """A residual block of which no channels are kept computes a constant, which its removal must not change.

    Each block that can be skipped is removed from each sample by itself, and then all of them. Losses are compared with
    those of the full network with zeros in the weights of the removed channels, and the resources with those of the
    description without these blocks.
    """
    framework = subject.framework
    if not framework.skips_blocks:
        raise Skip("the framework does not remove residual blocks")
    has_blocks = False
    for trial in subject.trials:
        network, blocks = trial.network, list(residual_branches(trial.network).found)
        has_blocks |= bool(blocks)
        for gone in [[block] for block in blocks] + [blocks] * (len(blocks) > 1):
            kept = dict.fromkeys(gone, np.zeros(0, np.int64))
            small = framework.extract(trial.model, network, kept)
            masked = without(network, subject.weights(trial), kept)
            (wanted,) = framework.losses(trial.model, network, [masked], trial.data, trial.task)
            loss = framework.loss(small, trial.data, trial.task)
            if not abs(loss - wanted) <= TOLERANCE * max(1.0, abs(wanted)):
                raise Failure(f"{trial} without {gone} has loss {loss:.6g}, but {wanted:.6g} where it is masked")
            widths, again = {**network.channels, **dict.fromkeys(gone, 0)}, framework.inspect(small)
            planned = resources.usage(without_branches(network, gone).network, widths)
            counted = resources.usage(again, again.channels)
            if planned != counted:
                raise Failure(f"{trial} without {gone} uses {counted}, but {planned} by its description")
    if not has_blocks:
        raise Failure("sets skips_blocks, but no sample has a residual block that can be skipped")


def costs_equal_an_independent_count(subject: Subject) -> None:
    """Budgets are kept only if the planned costs of a smaller network equal the costs of that network once it is built.

    Every resource is computed from the description of the full network at the smaller widths, and from a new inspection
    of the smaller network. Parameters are also counted in the arrays, and multiply-accumulates are compared with those
    that the sample gives, if any.
    """
    for trial in subject.trials:
        network = trial.network
        described = counting.macs(network).at(network.channels)
        if trial.sample.macs is not None and described != trial.sample.macs:
            raise Failure(f"{trial} is described with {described} macs, but has {trial.sample.macs} counted by hand")
        for seed, share in enumerate((1.0, 0.75, 0.5, 0.25)):
            widths = narrowed(network, share)
            small = subject.framework.extract(trial.model, network, chosen(network, share, seed))
            again = subject.framework.inspect(small)
            planned, counted = resources.usage(network, widths), resources.usage(again, again.channels)
            held = sum(array.size for array in subject.framework.weights(small, again))
            for resource, found in [*counted.items(), ("params", held)]:
                if planned[resource] != found:
                    raise Failure(
                        f"{trial} cut to {widths} has {planned[resource]} {resource} by its description, but {found} "
                        f"counted in the smaller network"
                    )


def save_and_load_give_the_same_model(subject: Subject) -> None:
    """Model files are the result of a run, and `--resume` continues from them, so loading must restore the model."""
    for trial in subject.trials:
        loaded = subject.reloaded(trial)
        hold_alike(subject.outputs(trial, loaded), subject.outputs(trial), f"{trial} saved and loaded", 1e-6)
        if not same_arrays(subject.framework.weights(loaded, trial.network), subject.weights(trial)):
            raise Failure(f"{trial} has different weights after it was saved and loaded")
        difference = _difference(subject.framework.inspect(loaded), trial.network)
        if difference:
            raise Failure(f"{trial} is described with different {difference} after it was saved and loaded")


def exported_equals_model(subject: Subject) -> None:
    """The exported file is what runs on the device; if it disagrees with the model, the reported accuracy is wrong.

    The accuracy of each exported file is measured with the predictions of the model as labels, and with labels that the
    model never predicts. An int8 file must agree on most of the examples of which the model is most certain.
    """
    targets, expressed = subject.targets, False
    for trial in subject.trials:
        for target in targets:
            kind = target.file
            if kind.is_int8 and not trial.counts_classes:
                continue
            with tempfile.TemporaryDirectory() as folder:
                for data in questions(subject, trial, CERTAIN_OF_INT8 if kind.is_int8 else CERTAIN):
                    expected = subject.framework.accuracy(trial.model, data, trial.task)
                    found = subject.exported(trial, data, Path(folder), target)
                    allowed = 0.5 if kind.is_int8 else 1e-3
                    if found is not None and not abs(found - expected) <= allowed * max(1.0, abs(expected)):
                        what = f"{trial} exported as {kind.title}"
                        raise Failure(f"{what} scores {found:.6g} where the model scores {expected:.6g}")
                    expressed |= found is not None
    if not targets:
        raise Skip("writes no files for devices")
    if not expressed:
        raise Skip("no file for devices can express a sample")


def questions(subject: ModelSubject[Any], trial: Trial, certain: float) -> list[Arrays]:
    """Examples and labels on which an exported file is compared with the model.

    If the labels are not classes, these are the data of the sample. Otherwise they are the share `certain` of the
    examples of which the model is most certain, once with its predictions as labels and once with other classes.
    """
    if not trial.counts_classes:
        return [trial.data]
    outputs = subject.outputs(trial)
    best = np.sort(outputs, axis=-1)
    margins = best[..., -1] - best[..., -2]
    sure = np.sort(np.argsort(-margins, kind="stable")[: max(1, round(certain * len(margins)))])
    given = outputs[sure].argmax(axis=-1).astype(trial.data.y.dtype)
    others = (given + 1) % outputs.shape[-1]
    return [Arrays(trial.data.x[sure], given), Arrays(trial.data.x[sure], others.astype(given.dtype))]


def slices_train_back_into_the_full_weights(subject: Subject) -> None:
    """All subnetworks share one set of weights, so after training each member must be a slice of the full network."""
    for trial in subject.trials:
        trained = subject.finetuned(trial)
        network, full = trial.network, subject.framework.weights(trained.family.full, trial.network)
        for member, widths in zip(trained.family.members, trained.family.widths, strict=True):
            expected = sliced(network, full, member_kept(widths))
            found = subject.framework.weights(member, network)
            for weight, ours, theirs in zip(network.weights, found, expected, strict=True):
                if weight.kind is not WeightKind.STATISTIC and not same_arrays([ours], [theirs]):
                    raise Failure(
                        f"weight '{weight.name}' of a trained member is not a slice of the full one's ({trial})"
                    )


def prints_nothing(subject: Subject) -> None:
    """With --json, stdout must contain nothing but JSON, so no library may print to it."""
    with captured_stdout() as captured:
        trial = subject.finetune(subject.samples[0]).trial
        subject.outputs(trial)
        subject.reloaded(trial)
        with tempfile.TemporaryDirectory() as folder:
            for target in subject.targets:
                subject.exported(trial, trial.data, Path(folder), target)
    if captured.text:
        raise Failure(f"printed {captured.text[:80]!r}")


def same_arrays(one: list[Any], other: list[Any]) -> bool:
    """Whether the arrays are equal element by element; NaN is not equal to itself."""
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _difference(one: Network, other: Network) -> str | None:
    """The first part in which two descriptions differ, names aside, or None if they are equal."""
    parts = ("groups", "layers", "tensors", "weights", "inputs", "outputs", "warnings")
    return next((part for part in parts if getattr(one, part) != getattr(other, part)), None)


GROUND = ("offers_samples_that_can_tell", "describes_every_weight")
"""Checks that all other checks of models depend on."""
OF_MODELS: tuple[Check[Subject], ...] = (
    Check(leaves_the_model_unchanged, GROUND),
    Check(permuted_equals_original, GROUND),
    Check(removed_equals_masked, (*GROUND, "permuted_equals_original")),
    *(
        Check(run, GROUND)
        for run in (
            costs_equal_an_independent_count,
            save_and_load_give_the_same_model,
            exported_equals_model,
            slices_train_back_into_the_full_weights,
            prints_nothing,
        )
    ),
)
"""Checks for every kind of plugin that describes layers."""
