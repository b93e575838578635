"""Batch-norm statistics measured over data, since a short training hardly changes moving averages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from reds_core.framework import columns
from reds_tensorflow.evaluation import compiled
from reds_tensorflow.fused import batch_norm_call, batch_norms
from reds_tensorflow.replacing import methods_replaced, replaced
from reds_tensorflow.strided import strides_taken_first
from reds_tensorflow.task import inputs_for

BATCH_SIZE = 256


class BatchNormStatistics:
    """Sets the moving means and variances of a network's batch norms to those of data. The computation is traced once.

    Networks that share weights need separate statistics, measured after training (Yu et al., "Slimmable neural
    networks", arXiv 1812.08928, section 3.3). Only the batch norms run in training mode. All other layers run in
    inference mode, so that dropout, noise, augmentation and other random layers do not affect the statistics.

    Args:
        model: the network.
        weights: returns the values of the model's trainable variables, as tensors.
        states: variables in place of its other variables; those of the batch norms are changed.
        x: examples (N, *input shape) of the type and shape that will be measured; a tuple of one for each input.
        frozen: whether batch norms that are not trainable are measured as well. A narrowed network needs that, since
            the statistics that it starts with are those of wider layers. The input network keeps its own.

    Attributes:
        has_frozen: whether any of the measured batch norms is not trainable.
    """

    def __init__(
        self,
        model: Any,
        weights: Callable[[], Sequence[Any]],
        states: Sequence[Any],
        x: Any,
        frozen: bool = True,
    ) -> None:
        order = {id(variable): i for i, variable in enumerate(model.non_trainable_variables)}
        norms = [norm for norm in batch_norms(model) if frozen or norm.trainable]
        self.has_frozen = any(not norm.trainable for norm in norms)
        self._targets: list[tuple[Any, Any]] = []

        def step(*batch: Any) -> list[tuple[Any, Any]]:
            with _measuring(norms) as calls, strides_taken_first(model):
                model.stateless_call(
                    weights(), [state.value for state in states], inputs_for(model, batch), training=False
                )
            called = [
                norm for norm in norms if calls[id(norm)]
            ]  # some norms may be in an unused part of a nested model
            self._targets = [(states[order[id(n.moving_mean)]], states[order[id(n.moving_variance)]]) for n in called]
            return [_pooled(calls[id(norm)]) for norm in called]

        self._run = compiled(step, *columns(x)) if norms else None

    def measure(self, x: Any) -> None:
        """Set the statistics to those over the examples `x` (N, *input shape), or a tuple of one for each input."""
        if self._run is None:
            return
        inputs = columns(x)
        count = len(inputs[0])
        parts = np.array_split(np.arange(count), math.ceil(count / BATCH_SIZE))
        shares = np.array([len(part) / count for part in parts])
        found = [self._run(*(tf.constant(array[part]) for array in inputs)) for part in parts]
        for k, (mean_state, variance_state) in enumerate(self._targets):
            means, variances = (np.stack([f[k][i].numpy() for f in found]).astype(np.float64) for i in (0, 1))
            mean = shares @ means
            mean_state.assign(mean)
            variance_state.assign(shares @ (variances + (means - mean) ** 2))


@contextmanager
def _measuring(norms: Sequence[Any]) -> Iterator[dict[int, list[tuple[Any, Any]]]]:
    """Let `norms` normalise by the batch within the context, whether or not they are trainable.

    Yields the mean and variance of each call, by id of the layer. The private attribute is set because setting
    `trainable` would add the layer's variables to those that are trained.
    """
    calls: dict[int, list[tuple[Any, Any]]] = {id(norm): [] for norm in norms}

    def call(norm: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        with replaced(
            (norm, "_trainable", True), (norm, "momentum", 0.0)
        ):  # the moving averages become the statistics of the batch
            outputs = batch_norm_call(norm, inputs, training=True, mask=mask)
        calls[id(norm)].append((norm.moving_mean.value, norm.moving_variance.value))
        return outputs

    with methods_replaced(norms, "call", call):
        yield calls


def _pooled(calls: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Return mean and variance over all calls of a layer, such as one that is shared or in TimeDistributed."""
    means, variances = (tf.stack(values) for values in zip(*calls, strict=True))
    mean = tf.reduce_mean(means, axis=0)
    return mean, tf.reduce_mean(variances + tf.square(means - mean), axis=0)
