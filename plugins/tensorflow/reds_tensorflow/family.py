"""One training step of a family, in which every network computes with slices of one set of full-size weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.arrays import IntArray
from reds_core.framework import Family, member_kept
from reds_core.network import Network, WeightKind
from reds_tensorflow.distillation import Distillation
from reds_tensorflow.epoch_state import assign_plain, plain_arrays
from reds_tensorflow.extraction import variables
from reds_tensorflow.statistics import BatchNormStatistics
from reds_tensorflow.task import Objective

_RANDOM_STATE = "seed_generator_state"
"""Keras's name of the state of a random generator, whose type depends on the version of Keras."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Extracts the weight of one network from the full weight.

    Attributes:
        weight: index of the weight in `Network.weights`.
        size: length of each axis after slicing those whose kept positions are a prefix; -1 for axes not sliced.
        gathered: the other axes, each with its kept positions.
    """

    weight: int
    size: tuple[int, ...]
    gathered: tuple[tuple[int, IntArray], ...]

    @classmethod
    def at(cls, weight: int, positions: Sequence[IntArray]) -> Slice:
        """Return the slice that keeps `positions` of each axis."""
        prefix = [np.array_equal(p, np.arange(len(p))) for p in positions]
        size = tuple(len(p) if is_prefix else -1 for p, is_prefix in zip(positions, prefix, strict=True))
        return cls(weight, size, tuple((a, p) for a, p in enumerate(positions) if not prefix[a]))

    def of(self, full: Any) -> Any:
        """Return this part of the tensor `full`. Differentiable."""
        part = tf.slice(full, [0] * len(self.size), self.size)
        for axis, positions in self.gathered:
            part = tf.gather(part, positions, axis=axis)
        return part


@dataclass(frozen=True, eq=False)
class Student:
    """A network of the family during training.

    Attributes:
        model: its Keras model, whose own variables do not change during training.
        cuts: a slice for each of the model's trainable variables, in their order.
        states: copies of the model's other variables (statistics, states of random generators), in their order.
        share: weight of its loss in the total loss.
    """

    model: Any
    cuts: tuple[Slice, ...]
    states: tuple[Any, ...]
    share: float


def students_of(family: Family[Any], network: Network, seed: int) -> tuple[Student, ...]:
    """Return the members of `family`, smallest first, then the full network.

    Losses are weighted by the normalised square root of the number of parameters (REDS, arXiv 2311.13349).

    Args:
        family: the networks.
        network: the description of `family.full`.
        seed: seed of dropout and other random layers.
    """
    models = (*family.members, family.full)
    roots = [math.sqrt(model.count_params()) for model in models]
    return tuple(
        Student(
            model,
            _cuts(model, network, widths),
            tuple(_own_state(variable, seed, i) for i, variable in enumerate(model.non_trainable_variables)),
            root / sum(roots),
        )
        for model, widths, root in zip(models, (*family.widths, network.channels), roots, strict=True)
    )


def _cuts(model: Any, network: Network, widths: Any) -> tuple[Slice, ...]:
    order = {id(variable): i for i, variable in enumerate(variables(model, network))}
    kept = member_kept(widths)
    indices = [order[id(variable)] for variable in model.trainable_variables]
    return tuple(
        Slice.at(i, [axis.positions(kept, network.channels) for axis in network.weights[i].axes]) for i in indices
    )


def _own_state(variable: Any, seed: int, index: int) -> Any:
    """Return a copy of a variable that gradients do not train. Random generators are initialised from the seed."""
    start = _value(variable)
    if variable.name == _RANDOM_STATE and tuple(variable.shape) == (2,):
        start = tf.cast(tf.constant([seed % 2**32, index], tf.int64), variable.dtype)
    return keras.Variable(start, trainable=False, dtype=variable.dtype, name=f"state_{index}")


class JointStep:
    """The shared weights during training, and the step that updates them.

    Attributes:
        metric: running metric of the full network.
        weights: the shared variables by index in `Network.weights`.
    """

    def __init__(
        self,
        family: Family[Any],
        network: Network,
        students: tuple[Student, ...],
        aim: Objective,
        make_optimizer: Callable[[list[Any]], Any],
        distillation: Distillation | None = None,
    ) -> None:
        """Args:
        students: the networks, with the full network last.
        make_optimizer: returns the optimizer, given the variables without weight decay: all but kernels.
        """
        full = variables(family.full, network)
        self.metric = aim.new_metric()
        self.weights = {cut.weight: _shared(full[cut.weight]) for cut in students[-1].cuts}
        self._students = students
        self._aim = aim
        self._distillation = distillation
        kernels = [i for i in self.weights if network.weights[i].kind is WeightKind.KERNEL]
        self._optimizer = make_optimizer([v for i, v in self.weights.items() if i not in kernels])
        self._optimizer.build(list(self.weights.values()))

    def __call__(self, x: Any, loss_targets: Any, metric_targets: Any) -> Any:
        """Train on one batch, given as tensors, and return the weighted loss. To be compiled."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            # Tensors are watched instead of variables, whose gradients would be sparse where they are gathered from.
            full = {i: tf.convert_to_tensor(variable.value) for i, variable in self.weights.items()}
            tape.watch(list(full.values()))
            distillation, total, states = self._distillation, tf.constant(0.0), []
            soft_targets = None if distillation is None else distillation.outputs(x)
            full_outputs = None
            for student in self._in_turn:
                outputs, after, penalties = student.model.stateless_call(
                    [cut.of(full[cut.weight]) for cut in student.cuts],
                    [state.value for state in student.states],
                    x,
                    training=True,
                    return_losses=True,
                )
                loss = tf.cast(self._aim.loss(loss_targets, outputs), tf.float32)
                if distillation is not None:
                    loss = distillation.blend(loss, soft_targets, outputs)
                total += student.share * tf.add_n([loss, *(tf.cast(p, tf.float32) for p in penalties)])
                states.append(after)
                if full_outputs is None:
                    full_outputs = outputs
                    if distillation is not None and soft_targets is None:
                        soft_targets = tf.stop_gradient(outputs)
            scaled = self._optimizer.scale_loss(total)
        gradients = tape.gradient(scaled, list(full.values()), unconnected_gradients=tf.UnconnectedGradients.ZERO)
        self._optimizer.apply([tf.convert_to_tensor(g) for g in gradients], list(self.weights.values()))
        for student, after in zip(self._in_turn, states, strict=True):
            for state, new in zip(student.states, after, strict=True):
                state.assign(new)
        self.metric.update_state(metric_targets, self._aim.scores(full_outputs))
        return total

    @property
    def _in_turn(self) -> tuple[Student, ...]:
        """The networks with the full network first, since it may teach the others."""
        return (self._students[-1], *self._students[:-1])

    def inference_loss(self, x: Any, loss_targets: Any) -> Any:
        """Return the weighted loss of one batch at inference. To be compiled."""
        total = tf.constant(0.0)
        for student in self._students:
            weights = [cut.of(self.weights[cut.weight].value) for cut in student.cuts]
            outputs, _ = student.model.stateless_call(
                weights, [state.value for state in student.states], x, training=False
            )
            total += student.share * tf.cast(self._aim.loss(loss_targets, outputs), tf.float32)
        return total

    def variables(self) -> list[Any]:
        """Return all variables that change during training, including those of the optimizer."""
        return [*self._moving(), *self._optimizer.variables]

    def snapshot(self) -> list[npt.NDArray[Any]]:
        """Return copies of the shared weights and all states."""
        return plain_arrays(self._moving())

    def restore(self, snapshot: list[npt.NDArray[Any]]) -> None:
        """Restore a snapshot."""
        for variable, value in zip(self._moving(), snapshot, strict=True):
            assign_plain(variable, value)

    def _moving(self) -> list[Any]:
        return [*self.weights.values(), *(state for student in self._students for state in student.states)]

    def is_finite(self) -> bool:
        """Whether all shared weights are finite."""
        return all(bool(np.all(np.isfinite(np.asarray(variable)))) for variable in self.weights.values())

    def statistics(self, x: Any) -> tuple[BatchNormStatistics, ...]:
        """Return what measures the batch-norm statistics of each network on examples like `x`, the full network last.

        Frozen batch norms of the full network keep the statistics of the input model.
        """

        def weights_of(student: Student) -> Callable[[], list[Any]]:
            return lambda: [cut.of(self.weights[cut.weight].value) for cut in student.cuts]

        full = self._students[-1]
        return tuple(
            BatchNormStatistics(s.model, weights_of(s), s.states, x, frozen=s is not full) for s in self._students
        )

    def write_back(self) -> None:
        """Copy the slices of the trained weights, and the final states, to the models."""
        full = {i: tf.convert_to_tensor(variable.value) for i, variable in self.weights.items()}
        for student in self._students:
            for variable, cut in zip(student.model.trainable_variables, student.cuts, strict=True):
                variable.assign(cut.of(full[cut.weight]))
            for variable, state in zip(student.model.non_trainable_variables, student.states, strict=True):
                variable.assign(state.value)


def _shared(variable: Any) -> Any:
    """Return a new variable with the value and constraint of `variable`."""
    shared = keras.Variable(_value(variable), dtype=variable.dtype, name=variable.name)
    shared.constraint = variable.constraint
    return shared


def _value(variable: Any) -> Any:
    """Return the value as a separate tensor, since a Keras variable would share a TensorFlow variable given to it."""
    return tf.identity(variable.value)
