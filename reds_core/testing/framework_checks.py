"""Checks of frameworks.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError
from reds_core.framework.data import Arrays, Stream, each_batch
from reds_core.framework.family import Family, member_kept
from reds_core.framework.framework import Framework, WeightArrays
from reds_core.framework.sources import BatchSource, SourceStream
from reds_core.framework.training import Training
from reds_core.network.description import WeightKind
from reds_core.testing.model_checks import (
    GROUND,
    OF_MODELS,
    describes_every_weight,
    offers_samples_that_can_tell,
    skipped_blocks_equal_masked,
)
from reds_core.testing.model_subject import TRAINED, ModelSubject, Trial, hold_alike, sliced
from reds_core.testing.plugin_checks import check_declaration, imports_nothing_heavy
from reds_core.testing.report import Failure, Skip
from reds_core.testing.runner import Check

FrameworkSubject = ModelSubject[Framework]
STEEPNESS = 0.05
"""The relative tolerance between gradients and finite differences of the loss, which are in single precision."""
IN_BATCHES = 1e-3
"""The relative tolerance between figures over all examples and over batches of them."""


def declares_what_it_is(subject: FrameworkSubject) -> None:
    """Discovery and `reds plugins` rely on these declarations, and plans record the versions of the libraries."""
    check_declaration(subject.plugin)
    versions = subject.plugin.library_versions()
    if not all(isinstance(text, str) for pair in versions.items() for text in pair):
        raise Failure(f"library_versions is {versions!r}, not a mapping from names to texts")


def knows_its_models(subject: FrameworkSubject) -> None:
    """reds uses `owns` to find the framework of a model object, and `input_shape` to check data against the model."""
    for trial in subject.trials:
        if not subject.framework.owns(trial.model):
            raise Failure(f"owns() is false for the model of {trial}")
        shape, given = subject.framework.input_shape(trial.model), trial.data.x.shape[1:]
        if len(shape) != len(given) or any(n not in (None, m) for n, m in zip(shape, given, strict=True)):
            raise Failure(f"input_shape() of {trial} is {tuple(shape)}, but its examples have shape {given}")
    if subject.framework.owns(object()) or subject.framework.owns("model"):
        raise Failure("owns() is true for an object that is not a model")


def answers_alike_in_batches_of_any_size(subject: FrameworkSubject) -> None:
    """The batch size is chosen for memory and speed, so it must not change the outputs."""
    for trial in subject.trials:
        found = subject.framework.predict(trial.model, trial.data.x, batch_size=7)
        hold_alike(found, subject.outputs(trial), f"{trial} in batches of 7")


def losses_follow_the_weights(subject: FrameworkSubject) -> None:
    """Sensitivity scores are losses under modified weights, so each loss must belong to the weights it is asked for.

    With the weights of the model itself, the result is the loss of the model.
    """
    for trial in subject.trials:
        network, own = trial.network, subject.weights(trial)
        other = [np.float32(0.5) * w if w.ndim > 1 else w for w in own]
        found = list(subject.framework.losses(trial.model, network, [own, other, own], trial.data, trial.task))
        expected = subject.framework.loss(trial.model, trial.data, trial.task)
        if len(found) != 3 or any(not abs(x - expected) <= 1e-4 * max(1.0, abs(expected)) for x in found[::2]):
            raise Failure(f"the losses of {trial} under its own weights are {found[::2]}, but its loss is {expected}")
        if abs(found[1] - expected) <= 1e-4 * max(1.0, abs(expected)):
            raise Failure(f"the loss of {trial} does not change with its weights")


def assigned_weights_take_effect(subject: FrameworkSubject) -> None:
    """Compressed weights are assigned to a copy of the model, which must then compute with them; the model must not
    change.
    """
    for sample in subject.samples:
        trial = subject.build(sample)
        framework, network, own = subject.framework, trial.network, subject.weights(trial)
        copy = framework.extract(trial.model, network, {})
        other = [np.float32(0.5) * w if w.ndim > 1 else w for w in own]
        framework.assign(copy, network, other)
        found = framework.weights(copy, network)
        for weight, value, expected in zip(network.weights, found, other, strict=True):
            if not np.array_equal(value, expected):
                raise Failure(f"weight '{weight.name}' of {trial} does not have the values that were assigned")
        (loss,) = framework.losses(trial.model, network, [other], trial.data, trial.task)
        if not abs(framework.loss(copy, trial.data, trial.task) - loss) <= 1e-4 * max(1.0, abs(loss)):
            raise Failure(f"{trial} does not compute with the weights that were assigned")
        if any(not np.array_equal(a, b) for a, b in zip(own, subject.weights(trial), strict=True)):
            raise Failure(f"assigning weights to a copy of {trial} changed the weights of the model itself")
        at = next(i for i, w in enumerate(own) if w.ndim)
        wider = [np.concatenate([w, w]) if i == at else w for i, w in enumerate(own)]
        try:
            framework.assign(copy, network, wider)
        except InputError:
            continue
        except Exception as error:
            raise Failure(f"assign() raises {type(error).__name__}, not InputError, for another shape") from error
        raise Failure(f"assign() takes values of another shape for '{network.weights[at].name}' of {trial}")


def gradients_are_those_of_the_loss(subject: FrameworkSubject) -> None:
    """Most scorers compute importance from gradients, so these must be the derivatives of the loss by every weight.

    A finite difference of the loss along each gradient must equal the norm of the gradient, and the gradient of all
    examples must be the mean over their batches. Frozen weights have gradients, too; statistics have none.
    """
    framework = subject.framework
    for trial in subject.trials:
        network, own = trial.network, subject.weights(trial)
        (whole,) = framework.gradients(trial.model, network, trial.data, trial.task, len(trial.data))
        even = trial.data.take(slice(0, 2 * (len(trial.data) // 2)))
        (of_even,) = framework.gradients(trial.model, network, even, trial.task, len(even))
        halves = list(framework.gradients(trial.model, network, even, trial.task, len(even) // 2))
        for i, weight in enumerate(network.weights):
            if weight.kind is WeightKind.STATISTIC and np.any(whole[i]):
                raise Failure(f"statistic '{weight.name}' of {trial} has a gradient that is not zero")
            if whole[i].shape != own[i].shape or len(halves) != 2:
                raise Failure(f"{trial} has a gradient of shape {whole[i].shape} by '{weight.name}', or lacks a batch")
            mean = (halves[0][i].astype(np.float64) + halves[1][i]) / 2
            if not np.allclose(mean, of_even[i], rtol=1e-3, atol=1e-5 + 1e-3 * float(np.abs(mean).max(initial=0))):
                raise Failure(f"the gradient by '{weight.name}' of {trial} is not the mean over its batches")
        moved = [i for i, weight in enumerate(network.weights) if weight.has_gradient and whole[i].size]
        steps = {i: 3e-3 * max(float(np.linalg.norm(own[i])), 1.0) for i in moved}
        losses = list(framework.losses(trial.model, network, _moved(own, whole, steps), trial.data, trial.task))
        for place, i in enumerate(moved):
            risen = (losses[2 * place] - losses[2 * place + 1]) / (2 * steps[i])
            length = float(np.linalg.norm(whole[i].astype(np.float64)))
            if not abs(risen - length) <= STEEPNESS * length + 2e-6 * max(1.0, abs(losses[0])) / steps[i]:
                name = network.weights[i].name
                raise Failure(
                    f"the gradient by '{name}' of {trial} has norm {length:.4g}, but the loss rises by {risen:.4g}"
                )


def _moved(own: WeightArrays, gradient: WeightArrays, steps: dict[int, float]) -> Iterator[WeightArrays]:
    """Yield the weights after a step along the gradient by each weight of `steps`, and after the opposite step."""
    for i, step in steps.items():
        direction = gradient[i] / max(float(np.linalg.norm(gradient[i])), 1e-30)
        for sign in (1, -1):
            yield [*own[:i], (own[i] + sign * step * direction).astype(own[i].dtype), *own[i + 1 :]]


def activation_statistics_are_those_of_the_data(subject: FrameworkSubject) -> None:
    """Some scorers rank channels by these statistics; for the network's input they must equal those of the data."""
    for trial in subject.trials:
        x, network = trial.data.x.astype(np.float64), trial.network
        tensors = list(range(len(network.tensors)))
        found = subject.framework.activation_statistics(trial.model, network, tensors, trial.data.x, 7)
        for t, statistics in zip(tensors, found, strict=True):
            length = network.tensors[t].axis.full(network.channels)
            wrong = statistics.magnitude.shape != (length,) or statistics.active.shape != (length,)
            if wrong or np.any(statistics.magnitude < 0) or np.any((statistics.active < 0) | (statistics.active > 1)):
                raise Failure(f"tensor {t} of {trial} has statistics that are not {length} sizes and shares")
        at = network.inputs[0]
        over = tuple(d for d in range(x.ndim) if d != x.ndim + network.tensors[at].dimension)
        if not np.allclose(found[at].magnitude, np.abs(x).mean(axis=over), rtol=1e-4, atol=1e-6) or not np.allclose(
            found[at].active, (x != 0).mean(axis=over), atol=1e-6
        ):
            raise Failure(f"the statistics of the input of {trial} are not those of its examples")


def refuses_what_is_no_model_file(subject: FrameworkSubject) -> None:
    """A wrong path is the most common mistake of users, who should see a clear message and not a traceback."""
    with tempfile.TemporaryDirectory() as folder:
        missing, damaged = (Path(folder) / subject.framework.file.file_name(n) for n in ("missing", "damaged"))
        damaged.write_bytes(b"PK\x03\x04 but no model")
        for path, what in ((missing, "a missing file"), (damaged, "a damaged file")):
            try:
                subject.framework.load_model(path)
            except InputError:
                continue
            except Exception as error:
                raise Failure(f"raises {type(error).__name__}, not InputError, for {what}") from error
            raise Failure(f"loads {what}")


def refuses_data_that_do_not_fit(subject: FrameworkSubject) -> None:
    """Unsuitable data must be rejected before training starts, so that nobody waits for an error that comes late."""
    for trial in subject.trials:
        data = trial.data
        taken = subject.framework.check_data(trial.model, data, trial.task, "data")
        if not isinstance(taken, Arrays):
            raise Failure(f"turns the arrays of {trial} into {type(taken).__name__}")
        if len(taken) != len(data):
            raise Failure(f"keeps {len(taken)} of the {len(data)} examples of {trial}")
        wider = np.concatenate([data.x, data.x, data.x], axis=-1)
        try:
            subject.framework.check_data(trial.model, Arrays(wider, data.y), trial.task, "data")
        except InputError:
            continue
        raise Failure(f"takes examples of shape {wider.shape[1:]} for {trial}, which takes {data.x.shape[1:]}")


def accuracy_is_a_share(subject: FrameworkSubject) -> None:
    """Reports show accuracies as percentages, so an accuracy must be the share of correct predictions, from 0 to 1."""
    asked = False
    for trial in (t for t in subject.trials if t.counts_classes):
        asked = True
        outputs = subject.outputs(trial)
        for labels in (trial.data.y, outputs.argmax(axis=-1).astype(trial.data.y.dtype)):
            expected = float((outputs.argmax(axis=-1) == labels).mean())
            found = subject.framework.accuracy(trial.model, Arrays(trial.data.x, labels), trial.task)
            if not 0 <= found <= 1 or not abs(found - expected) <= 1e-6 + 1 / (2 * len(labels)):
                raise Failure(
                    f"the accuracy of {trial} is {found:.6g}, but {expected:.6g} of its predictions are correct"
                )
    if not asked:
        raise Skip("no sample has an accuracy")


class _Batches(BatchSource):
    """Examples in small batches, always in their order.

    Attributes:
        readings: how many passes have begun.
    """

    def __init__(self, data: Arrays) -> None:
        self.readings = 0
        self._data = data

    def read(self) -> Iterator[Arrays]:
        self.readings += 1
        return each_batch(self._data, 5)


def takes_data_in_batches(subject: FrameworkSubject) -> None:
    """Data that does not fit into memory is a stream of batches: every figure is over all of them, and an epoch is a
    pass.
    """
    framework = subject.framework
    for trial in subject.trials:
        stream = framework.check_data(trial.model, SourceStream(_Batches(trial.data)), trial.task, "data")
        if not isinstance(stream, Stream):
            raise Failure(f"turns a stream of the examples of {trial} into {type(stream).__name__}")
        for name, measure in (("loss", framework.loss), ("accuracy", framework.accuracy)):
            expected, found = (measure(trial.model, data, trial.task) for data in (trial.data, stream))
            if not abs(found - expected) <= IN_BATCHES * max(abs(expected), 1e-3):
                raise Failure(f"the {name} of {trial} is {expected:.6g}, but {found:.6g} if its examples are a stream")
    trial = subject.build(subject.samples[0])
    source = _Batches(trial.data)
    stream = framework.check_data(trial.model, SourceStream(source), trial.task, "data")
    before = source.readings
    framework.finetune(Family(trial.model, (), ()), Training(stream, TRAINED, 3, lambda progress: None, trial.task))
    if source.readings - before != TRAINED.epochs:
        raise Failure(f"reads a stream {source.readings - before} times in {TRAINED.epochs} epochs ({trial})")


def training_lowers_the_loss(subject: FrameworkSubject) -> None:
    """Fine-tuning must recover accuracy after pruning, and it reports each epoch because users watch its progress."""
    for trial in subject.trials:
        trained = subject.finetuned(trial)
        after = subject.framework.loss(trained.family.full, trial.data, trial.task)
        if not after < trained.loss_before:
            raise Failure(f"two epochs took the loss of {trial} from {trained.loss_before:.6g} to {after:.6g}")
        ends = {told.epoch for told in trained.told if told.batch == told.batches}
        if ends != set(range(TRAINED.epochs)):
            raise Failure(f"reported the end of epochs {sorted(ends)} of {TRAINED.epochs} ({trial})")


def statistics_of_members_are_their_own(subject: FrameworkSubject) -> None:
    """Removing channels changes the activations, so a member needs batch-norm statistics of its own.

    After training, at least one statistic of a member must differ from the slice of that of the full network.
    """
    compared = False
    for trial in subject.trials:
        network = trial.network
        places = [i for i, w in enumerate(network.weights) if w.kind is WeightKind.STATISTIC]
        if not places or not network.groups:
            continue
        compared = True
        family = subject.finetuned(trial).family
        full = subject.framework.weights(family.full, network)
        for member, widths in zip(family.members, family.widths, strict=True):
            expected, found = sliced(network, full, member_kept(widths)), subject.framework.weights(member, network)
            if any(not np.array_equal(expected[i], found[i]) for i in places):
                return
    if not compared:
        raise Skip("no sample has statistics")
    raise Failure("every member has the statistics of the full network after training")


def the_same_seed_trains_the_same(subject: FrameworkSubject) -> None:
    """Results must be reproducible, and a resumed run must give the same weights as one that was not interrupted."""
    for trial in subject.trials:
        one, other = subject.finetuned(trial).family, subject.finetune(trial.sample).family
        for first, second in zip((one.full, *one.members), (other.full, *other.members), strict=True):
            pairs = zip(
                subject.framework.weights(first, trial.network),
                subject.framework.weights(second, trial.network),
                strict=True,
            )
            if any(not np.array_equal(a, b) for a, b in pairs):
                raise Failure(f"{trial} trained twice under one seed ends with different weights")


def replaced_layers_compute_the_same(subject: FrameworkSubject) -> None:
    """Files of members hold layers of low rank as chains of layers, which must compute what the layer computed.

    The layers of a chain have the names that were asked for and run one directly after the other.
    """
    compared = False
    for trial in subject.trials:
        chains = _chains(subject.framework, trial)
        if not chains:
            continue
        compared = True
        before = subject.weights(trial)
        replaced = subject.framework.rewrite(trial.model, trial.network, chains)
        hold_alike(subject.outputs(trial, replaced), subject.outputs(trial), f"{trial} with layers replaced")
        expected = [name for layer in trial.network.layers for name in _names(layer.name, chains)]
        found = [layer.name for layer in subject.framework.inspect(replaced).layers]
        if found != expected:
            raise Failure(f"{trial} with layers replaced has the layers {', '.join(found)}, not {', '.join(expected)}")
        if any(not np.array_equal(a, b) for a, b in zip(before, subject.weights(trial), strict=True)):
            raise Failure(f"replacing layers of {trial} changed the weights of the model itself")
    if not compared:
        raise Skip("replaces no layers of the samples")


Chains = dict[str, list[tuple[str, npt.NDArray[Any]]]]


def _chains(framework: Framework, trial: Trial) -> Chains:
    """Two kernels in place of that of each layer that can be replaced: the kernel itself, and an identity."""
    found: Chains = {}
    for weight, values in zip(trial.network.weights, framework.weights(trial.model, trial.network), strict=True):
        sites = {call.name for call in trial.network.layers} & {weight.layer}
        is_last = weight.kind is WeightKind.KERNEL and weight.output_axis == values.ndim - 1 > 0
        if is_last and sites and framework.rewrite_refusal(trial.model, trial.network, weight.layer) is None:
            outputs = values.shape[-1]
            same = np.eye(outputs, dtype=values.dtype).reshape(*[1] * (values.ndim - 2), outputs, outputs)
            found[weight.layer] = [(f"{weight.layer}/first", values), (f"{weight.layer}/second", same)]
    return found


def _names(site: str, chains: Chains) -> list[str]:
    return [name for name, _ in chains[site]] if site in chains else [site]


_BEFORE = {"removed_equals_masked": ("losses_follow_the_weights",)}
FRAMEWORK_CHECKS: tuple[Check[FrameworkSubject], ...] = (
    Check(declares_what_it_is),
    Check(imports_nothing_heavy),
    Check(offers_samples_that_can_tell, ("declares_what_it_is",)),
    Check(describes_every_weight, ("offers_samples_that_can_tell",)),
    *(
        Check(run, GROUND)
        for run in (
            knows_its_models,
            answers_alike_in_batches_of_any_size,
            losses_follow_the_weights,
            refuses_what_is_no_model_file,
            refuses_data_that_do_not_fit,
            accuracy_is_a_share,
            activation_statistics_are_those_of_the_data,
        )
    ),
    Check(assigned_weights_take_effect, (*GROUND, "losses_follow_the_weights")),
    Check(gradients_are_those_of_the_loss, (*GROUND, "losses_follow_the_weights")),
    *(Check(check.run, (*check.after, *_BEFORE.get(check.name, ()))) for check in OF_MODELS),
    Check(skipped_blocks_equal_masked, (*GROUND, "removed_equals_masked")),
    *(
        Check(run, GROUND)
        for run in (
            takes_data_in_batches,
            training_lowers_the_loss,
            statistics_of_members_are_their_own,
            the_same_seed_trains_the_same,
        )
    ),
    Check(
        replaced_layers_compute_the_same,
        (*GROUND, "leaves_the_model_unchanged", "costs_equal_an_independent_count"),
    ),
)
"""Every check of a framework, in the order of the report."""
