"""The networks of a family as slices of one set of full-size weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.arrays import IntArray
from reds_core.framework import Family, Projection, member_kept, parts_of_whole
from reds_core.network import Kept, Network, WeightKind, without_channels
from reds_tensorflow.activation_ranges import ActivationRanges, Rounding
from reds_tensorflow.extraction import variables_by_index
from reds_tensorflow.probing import second_moments
from reds_tensorflow.projecting import assign_held, assign_projected, called, projected
from reds_tensorflow.task import positions_of_outputs

SHARES_OF_TRAINING = (0.0, 0.25, 0.5, 0.75)
"""The shares of a training at which projections that change in its course are compared."""
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
        projections: projections of its weights from the start of the training on, by index in `Network.weights`.
        constants: what is added to slices of full weights, by index in `Network.weights`. These are constants of
            residual branches that the network does without, which do not change during training.
        activations: the ranges to which its activations are rounded, or None if they are not.
        outputs: which of the outputs of the full network it has, by their positions.
    """

    model: Any
    cuts: tuple[Slice, ...]
    states: tuple[Any, ...]
    share: float
    projections: Mapping[int, Projection]
    constants: Mapping[int, Any] = field(default_factory=dict)
    activations: ActivationRanges | None = None
    outputs: tuple[int, ...] = (0,)

    @property
    def own_variables(self) -> tuple[Any, ...]:
        """All variables of its own: the states and the ranges."""
        return self.states if self.activations is None else (*self.states, self.activations.variable)

    def weights(self, full: Mapping[int, Any], progress: Any = None) -> list[Any]:
        """Return the values of the model's trainable variables: projections of slices of the full weights.

        Args:
            full: the full weights by index in `Network.weights`.
            progress: the share of the steps of the training that are done, as a scalar; None for its end.
        """
        return [self._value(cut, full, progress) for cut in self.cuts]

    def _value(self, cut: Slice, full: Mapping[int, Any], progress: Any) -> Any:
        projection = self.projections.get(cut.weight)
        if projection is not None and projection.whole:
            return cut.of(projected(full[cut.weight], projection, progress))
        return projected(self._cut(cut, full), projection, progress)

    def _cut(self, cut: Slice, full: Mapping[int, Any]) -> Any:
        """Return the value of a weight before its projection."""
        part = cut.of(full[cut.weight])
        return part + self.constants[cut.weight] if cut.weight in self.constants else part

    def changed(self, change: Callable[[Projection], Projection]) -> Student:
        """Return the network with other projections, which compute the same."""
        return replace(self, projections={index: change(each) for index, each in self.projections.items()})

    def write(self, full: Mapping[int, Any], network: Network) -> None:
        """Set the variables of the model to what it holds after a training.

        Args:
            full: the variables of the full weights by index in `Network.weights`.
            network: the description of the full network.
        """
        for variable, cut in zip(self.model.trainable_variables, self.cuts, strict=True):
            projection = self.projections.get(cut.weight)
            if projection is not None and projection.whole:
                variable.assign(cut.of(tf.constant(called(projection, full[cut.weight]))))
                continue
            variable.assign(self._cut(cut, {cut.weight: full[cut.weight].value}))
            assign_held(variable, projection)
        held = {index: each for index, each in self.projections.items() if each.held is not None}
        own = variables_by_index(self.model, network) if held else {}
        frozen = {id(variable): held[index] for index, variable in own.items() if index in held}
        for variable, state in zip(self.model.non_trainable_variables, self.states, strict=True):
            if id(variable) in frozen:  # its state is what the network computes with
                assign_held(variable, frozen[id(variable)])
            else:
                variable.assign(state.value)

    @contextmanager
    def rounding(self, x: Any, *, moving: bool) -> Iterator[tuple[Any, Rounding | None]]:
        """Trace the model with rounded activations within the context, if there are ranges for them.

        Args:
            x: the inputs, as `inputs_for` takes them.
            moving: whether the ranges move on with the values that are computed.

        Yields:
            The inputs, rounded as well, and what collects the ranges.
        """
        if self.activations is None:
            yield x, None
        else:
            with self.activations.rounding(moving=moving) as ranges:
                yield ranges.inputs(x), ranges


def students_of(
    family: Family[Any],
    network: Network,
    seed: int,
    projections: Sequence[Mapping[int, Projection]] = (),
    activations: Sequence[int | None] = (),
    examples: Any = None,
) -> tuple[Student, ...]:
    """Return the members of `family`, smallest first, then the full network.

    Losses are weighted by the normalised square root of the number of parameters (REDS, arXiv 2311.13349).

    Args:
        family: the networks.
        network: the description of `family.full`.
        seed: seed of dropout and other random layers.
        projections: those of each network, or none.
        activations: to how many bits the activations of each network are rounded, or none.
        examples: inputs on which statistics for projections that ask for them are measured, or None.
    """
    models = (*family.members, family.full)
    bits = activations or [None] * len(models)
    own = begun_projections(family, network, projections, examples) or [{}] * len(models)
    roots = [math.sqrt(model.count_params()) for model in models]
    every = (*family.widths, network.channels)
    cuts = [_cuts(model, network, widths) for model, widths in zip(models, every, strict=True)]
    return tuple(
        Student(
            model,
            own_cuts,
            _own_states(model, network, seed, begun_from(family.full, network, widths, by_index)),
            root / sum(roots),
            by_index,
            _constants(model, own_cuts, family, network) if without_channels(widths) else {},
            None if rounded is None else ActivationRanges(model, rounded),
            positions_of_outputs(model, family.full),
        )
        for model, widths, own_cuts, root, by_index, rounded in zip(models, every, cuts, roots, own, bits, strict=True)
    )


def projection_arrays(students: Sequence[Student], full: Mapping[int, Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield arrays that differ if the projections of the students do.

    A quantiser is represented by its settings, any other projection by what it makes of the weights, at several points
    of the training if it changes in its course.

    Args:
        students: the networks.
        full: the full weights by index in `Network.weights`.
    """
    for number, student in enumerate(students):
        cuts = {cut.weight: cut for cut in student.cuts}
        for index, projection in sorted(student.projections.items()):
            bits = 0 if projection.quantiser is None else projection.quantiser.bits
            yield np.array([number, index, bits, *projection.axes, *([-1] if projection.whole else [])], np.int64)
            if projection.quantiser is None and index in cuts:
                values = np.asarray(cuts[index].of(full[index]), np.float64)
                yield projection.function(values)
                if projection.scheduled is not None:
                    yield from (projection.scheduled(values, share) for share in SHARES_OF_TRAINING)
        if student.activations is not None:
            yield np.array([number, student.activations.bits], np.int64)


def begun_projections(
    family: Family[Any], network: Network, projections: Sequence[Mapping[int, Projection]], examples: Any
) -> list[Mapping[int, Projection]]:
    """Return the projections of each network from its present weights on.

    Args:
        family: the networks, whose models hold slices of the full weights.
        network: the description of `family.full`.
        projections: those of each network, members first, or none.
        examples: inputs on which statistics for projections that ask for them are measured, or None.
    """
    reads = sorted({p.reads for by_index in projections for p in by_index.values() if p.reads is not None})
    measured = second_moments(family.full, network, reads, examples) if reads and examples is not None else []
    moments = dict(zip(reads, measured, strict=False))
    found: list[Mapping[int, Projection]] = []
    models, widths = (*family.members, family.full), (*family.widths, network.channels)
    for model, own_widths, by_index in zip(models, widths, projections, strict=False):
        values, kept = variables_by_index(model, network), member_kept(own_widths)

        def inputs(tensor: int | None, kept: Kept = kept) -> Any:
            if tensor is None or tensor not in moments:
                return None
            positions = network.tensors[tensor].axis.positions(kept, network.channels)
            return moments[tensor][np.ix_(positions, positions)]

        own = {i: p for i, p in by_index.items() if i in values}
        found.append({i: p.begun(np.asarray(values[i], np.float64), inputs(p.reads)) for i, p in own.items()})
    return found


def begun_from(
    full: Any, network: Network, widths: Mapping[str, int], projections: Mapping[int, Projection]
) -> Mapping[int, Projection]:
    """Return the projections of one network, of which those of whole weights return its parts of the present ones.

    Args:
        full: the full model.
        network: its description.
        widths: the width of each group in the network.
        projections: the projections by index in `Network.weights`.
    """
    if not any(each.whole for each in projections.values()):
        return projections
    return parts_of_whole(
        network, [np.asarray(each) for each in variables_by_index(full, network).values()], widths, projections
    )


@contextmanager
def projected_models(
    family: Family[Any], network: Network, projections: Sequence[Mapping[int, Projection]], examples: Any
) -> Iterator[None]:
    """Project the weights of the models of a family within the context, and leave what they hold after a training.

    Args:
        family: the networks.
        network: the description of `family.full`.
        projections: those of each network, members first, or none.
        examples: inputs on which statistics for projections that ask for them are measured, or None.
    """
    widths = (*family.widths, network.channels)
    begun = [
        begun_from(family.full, network, each, by_index)
        for each, by_index in zip(widths, begun_projections(family, network, projections, examples), strict=False)
    ]
    own = [
        (variable, by_index[index], np.asarray(variable).copy())
        for model, by_index in zip((*family.members, family.full), begun, strict=False)
        for index, variable in variables_by_index(model, network).items()
        if index in by_index
    ]
    for variable, projection, _ in own:
        assign_projected(variable, projection)
    yield
    for variable, projection, values in own:
        if projection.held is not None:
            variable.assign(values)
            assign_held(variable, projection)


def _cuts(model: Any, network: Network, widths: Any) -> tuple[Slice, ...]:
    order = {id(variable): i for i, variable in variables_by_index(model, network).items()}
    kept = member_kept(widths)
    indices = [order[id(variable)] for variable in model.trainable_variables]
    return tuple(
        Slice.at(i, [axis.positions(kept, network.channels) for axis in network.weights[i].axes]) for i in indices
    )


def _constants(model: Any, cuts: Sequence[Slice], family: Family[Any], network: Network) -> dict[int, Any]:
    """Return by how much biases and offsets of a member differ from slices of those of the full network."""
    full = variables_by_index(family.full, network)
    found: dict[int, Any] = {}
    for variable, cut in zip(model.trainable_variables, cuts, strict=True):
        if network.weights[cut.weight].kind in (WeightKind.BIAS, WeightKind.OFFSET):
            constant = np.asarray(variable) - np.asarray(cut.of(full[cut.weight].value))
            if constant.any():
                found[cut.weight] = tf.constant(constant)
    return found


def _own_states(model: Any, network: Network, seed: int, projections: Mapping[int, Projection]) -> tuple[Any, ...]:
    """Return copies of the variables that gradients do not train. Frozen weights are projected once and for all."""
    order = {id(variable): i for i, variable in variables_by_index(model, network).items()} if projections else {}
    states = tuple(_own_state(variable, seed, i) for i, variable in enumerate(model.non_trainable_variables))
    for variable, state in zip(model.non_trainable_variables, states, strict=True):
        assign_projected(state, projections.get(order.get(id(variable), -1)))
    return states


def _own_state(variable: Any, seed: int, index: int) -> Any:
    """Return a copy of a variable that gradients do not train. Random generators are initialised from the seed."""
    start = _value(variable)
    if variable.name == _RANDOM_STATE and tuple(variable.shape) == (2,):
        start = tf.cast(tf.constant([seed % 2**32, index], tf.int64), variable.dtype)
    # Replicas of distributed training update their states separately.
    aggregation = "mean" if tf.as_dtype(variable.dtype).is_floating else "only_first_replica"
    return keras.Variable(start, trainable=False, dtype=variable.dtype, name=f"state_{index}", aggregation=aggregation)


def shared_variable(variable: Any) -> Any:
    """Return a new variable with the value and constraint of `variable`."""
    shared = keras.Variable(_value(variable), dtype=variable.dtype, name=variable.name)
    shared.constraint = variable.constraint
    return shared


def _value(variable: Any) -> Any:
    """Return the value as a separate tensor, since a Keras variable would share a TensorFlow variable given to it."""
    return tf.identity(variable.value)
