"""What must hold of every model, whoever describes its layers: a framework, or a plugin that teaches it layers.

One function a behaviour; its docstring begins with the reason.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.cost import counting, resources
from reds_core.framework.framework import Arrays, member_kept
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
"""By how much outputs must vary over the examples, as a share of their size, for a comparison to say anything."""
CERTAIN, CERTAIN_OF_INT8 = 0.9, 0.5
"""Shares of the examples, those of which the model is most certain, that exported files must answer as it does."""
PARTS = 4
"""Parts of the examples whose losses are compared one by one."""


def offers_samples_that_can_tell(subject: Subject) -> None:
    """A network that answers everything alike hides every mistake, so each sample must answer different inputs
    differently.

    A sample is also the same at every call of its builder, for what is trained twice is compared, and some sample has
    channels to prune.
    """
    if not subject.samples:
        raise Failure("offers no sample models: let its method samples() return some")
    names = [sample.name for sample in subject.samples]
    if len(set(names)) < len(names):
        raise Failure(f"the samples are named {names}: not each once")
    for trial in subject.trials:
        outputs = subject.outputs(trial)
        if outputs.ndim < 2 or len(outputs) != len(trial.data) or not np.isfinite(outputs).all():
            raise Failure(f"{trial} puts out {outputs.shape} for {len(trial.data)} examples, or no finite numbers")
        if not spread(outputs) > VARIES * float(np.abs(outputs).mean()):
            raise Failure(f"the outputs of {trial} hardly vary over its examples: give it larger weights")
        if trial.counts_classes and len(set(outputs.argmax(axis=-1).ravel())) < 2:
            raise Failure(f"{trial} finds one class in all its examples: give it other weights")
        again = subject.build(trial.sample)
        if not _same(subject.weights(trial), subject.weights(again)) or not _same(
            [trial.data.x, trial.data.y], [again.data.x, again.data.y]
        ):
            raise Failure(f"{trial} has other weights or data each time it is built: draw them under a fixed seed")
    if not any(trial.network.groups for trial in subject.trials):
        raise Failure("no sample has channels that can be pruned")


def describes_every_weight(subject: Subject) -> None:
    """Costs, scores and slices follow from the axes of the weights, so each axis must be as long as its dimension."""
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
    """The input model is what the result is compared with at the end; looking at it, cutting it or writing it must not
    change it.
    """
    framework = subject.framework
    for sample in subject.samples:
        trial = subject.build(sample)
        model, x, y = sample.build()
        data, before = Arrays(x, y), subject.framework.weights(model, trial.network)

        def unchanged(after: str, model: Any = model, trial: Trial = trial, before: Any = before) -> None:
            if not _same(framework.weights(model, trial.network), before):
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
            for kind in framework.files.exported:
                subject.exported(replace(trial, model=model), data, Path(folder), kind)
        unchanged("export")


def permuted_equals_original(subject: Subject) -> None:
    """Before a network is cut its channels are put in order of importance, which must change no output."""
    for trial in subject.trials:
        expected = subject.outputs(trial)
        order = permuted(trial.network, 0)
        reordered = subject.framework.extract(trial.model, trial.network, order)
        hold_alike(subject.outputs(trial, reordered), expected, f"{trial} with its channels in another order")


def removed_equals_masked(subject: Subject) -> None:
    """A smaller network must compute what the full one does with the removed channels zeroed where they are read:
    scores, and the whole search, rest on it.

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
            raise Failure(f"no loss of {trial} changes when channels go: give it larger weights")


def costs_equal_an_independent_count(subject: Subject) -> None:
    """A budget is a promise: what the description says of a smaller network is what that network says of itself.

    Every resource at the widths of the smaller network is compared with the smaller network described anew and taken
    whole. Parameters are counted in the arrays as well, and multiply-accumulates by hand where the sample says them.
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
    """Model files are the result, and a run that is resumed goes on from them."""
    for trial in subject.trials:
        loaded = subject.reloaded(trial)
        hold_alike(subject.outputs(trial, loaded), subject.outputs(trial), f"{trial} saved and loaded", 1e-6)
        if not _same(subject.framework.weights(loaded, trial.network), subject.weights(trial)):
            raise Failure(f"{trial} has other weights when it was saved and loaded")
        difference = _difference(subject.framework.inspect(loaded), trial.network)
        if difference:
            raise Failure(f"{trial} is described with other {difference} when it was saved and loaded")


def exported_equals_model(subject: Subject) -> None:
    """What runs on the device must answer as the model does, or its accuracy is another than the report says.

    Each exported file is asked for the answers that the model gives itself, and for answers that it never gives. A
    file of 8-bit integers must still give most of those of which the model is certain.
    """
    kinds, expressed = subject.framework.files.exported, False
    for trial in subject.trials:
        for kind in kinds:
            if kind.is_int8 and not trial.counts_classes:
                continue
            with tempfile.TemporaryDirectory() as folder:
                for data in _questions(subject, trial, CERTAIN_OF_INT8 if kind.is_int8 else CERTAIN):
                    expected = subject.framework.accuracy(trial.model, data, trial.task)
                    found = subject.exported(trial, data, Path(folder), kind)
                    allowed = 0.5 if kind.is_int8 else 1e-3
                    if found is not None and not abs(found - expected) <= allowed * max(1.0, abs(expected)):
                        what = f"{trial} exported as {kind.title}"
                        raise Failure(f"{what} scores {found:.6g} where the model scores {expected:.6g}")
                    expressed |= found is not None
    if not kinds:
        raise Skip("writes no files for devices")
    if not expressed:
        raise Skip("no file for devices can express a sample")


def _questions(subject: Subject, trial: Trial, certain: float) -> list[Arrays]:
    """Examples with the labels of the sample and, where these are classes, with those that the model gives and with
    those that it does not give; the latter of the share of examples of which it is most certain.
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
    """One set of weights serves all subnetworks: after training each member holds the first channels of the full
    network, and so of every larger member.
    """
    for trial in subject.trials:
        trained = subject.finetuned(trial)
        network, full = trial.network, subject.framework.weights(trained.family.full, trial.network)
        for member, widths in zip(trained.family.members, trained.family.widths, strict=True):
            expected = sliced(network, full, member_kept(widths))
            found = subject.framework.weights(member, network)
            for weight, ours, theirs in zip(network.weights, found, expected, strict=True):
                if weight.kind is not WeightKind.STATISTIC and not _same([ours], [theirs]):
                    raise Failure(f"weight '{weight.name}' of a trained member is no slice of the full one's ({trial})")


def prints_nothing(subject: Subject) -> None:
    """With --json stdout holds the JSON alone, so messages of the libraries behind must not reach it."""
    with captured_stdout() as captured:
        trial = subject.finetune(subject.samples[0]).trial
        subject.outputs(trial)
        subject.reloaded(trial)
        with tempfile.TemporaryDirectory() as folder:
            for kind in subject.framework.files.exported:
                subject.exported(trial, trial.data, Path(folder), kind)
    if captured.text:
        raise Failure(f"printed {captured.text[:80]!r}")


def _same(one: list[Any], other: list[Any]) -> bool:
    """Whether arrays hold the same numbers, bit for bit but for NaN."""
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _difference(one: Network, other: Network) -> str | None:
    """In what two descriptions differ, but for the name; None where they are the same."""
    parts = ("groups", "layers", "tensors", "weights", "inputs", "outputs", "warnings")
    return next((part for part in parts if getattr(one, part) != getattr(other, part)), None)


GROUND = ("offers_samples_that_can_tell", "describes_every_weight")
"""Checks without which no other check of models says anything new."""
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
"""Checks that hold for plugins of every kind that describes layers."""
