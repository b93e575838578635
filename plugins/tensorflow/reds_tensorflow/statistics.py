"""Batch-norm statistics measured over data, instead of left to a moving average that a short training hardly moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_tensorflow.evaluation import compiled
from reds_tensorflow.fused import batch_norm_call, batch_norms
from reds_tensorflow.replacing import methods_replaced, replaced

BATCH_SIZE = 256


class BatchNormStatistics:
    """Sets the moving means and variances of a network's batch norms to those of data. Traced once.

    Networks that share weights need statistics of their own, measured after training (Yu et al., "Slimmable neural
    networks", arXiv 1812.08928, section 3.3). Only the batch norms run as in training. Every other layer runs as at
    inference, so that dropout, noise, augmentation and random layers of any package leave no trace in the statistics.

    Args:
        weights: gives the values of the model's trainable variables, as tensors.
        states: variables that stand for its other variables; those of the batch norms are changed.
        x: examples (N, *input shape) like those that will be measured.
        frozen: whether batch norms that are not trainable are measured as well. A narrowed network needs that, since
            the statistics that it was given are those of wider layers; a network as the user gave it keeps its own.

    Attributes:
        has_frozen: whether batch norms are measured that are not trainable.
    """

    def __init__(
        self,
        model: Any,
        weights: Callable[[], Sequence[Any]],
        states: Sequence[Any],
        x: npt.NDArray[Any],
        frozen: bool = True,
    ) -> None:
        order = {id(variable): i for i, variable in enumerate(model.non_trainable_variables)}
        norms = [norm for norm in batch_norms(model) if frozen or norm.trainable]
        self.has_frozen = any(not norm.trainable for norm in norms)
        self._targets: list[tuple[Any, Any]] = []

        def step(batch: Any) -> list[tuple[Any, Any]]:
            with _measuring(norms) as calls:
                model.stateless_call(weights(), [state.value for state in states], batch, training=False)
            called = [norm for norm in norms if calls[id(norm)]]  # a part of another model may stand unused
            self._targets = [(states[order[id(n.moving_mean)]], states[order[id(n.moving_variance)]]) for n in called]
            return [_pooled(calls[id(norm)]) for norm in called]

        self._run = compiled(step, x) if norms else None

    def measure(self, x: npt.NDArray[Any]) -> None:
        """Take the statistics of `x` (N, *input shape)."""
        if self._run is None:
            return
        parts = np.array_split(x, math.ceil(len(x) / BATCH_SIZE))
        shares = np.array([len(part) / len(x) for part in parts])
        found = [self._run(tf.constant(part)) for part in parts]
        for k, (mean_state, variance_state) in enumerate(self._targets):
            means, variances = (np.stack([f[k][i].numpy() for f in found]).astype(np.float64) for i in (0, 1))
            mean = shares @ means
            mean_state.assign(mean)
            variance_state.assign(shares @ (variances + (means - mean) ** 2))


@contextmanager
def _measuring(norms: Sequence[Any]) -> Iterator[dict[int, list[tuple[Any, Any]]]]:
    """Inside, `norms` normalise by the batch, trained or not; yields the mean and variance of each call of each.

    The key is the id of the layer. Attributes are set in place of Keras's, since a layer that is told that it trains
    would have its variables counted among those that gradients move.
    """
    calls: dict[int, list[tuple[Any, Any]]] = {id(norm): [] for norm in norms}

    def call(norm: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        with replaced((norm, "_trainable", True), (norm, "momentum", 0.0)):  # moving averages become the batch's own
            outputs = batch_norm_call(norm, inputs, training=True, mask=mask)
        calls[id(norm)].append((norm.moving_mean.value, norm.moving_variance.value))
        return outputs

    with methods_replaced(norms, "call", call):
        yield calls


def _pooled(calls: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Mean and variance over all calls of one layer, which a shared one or one in TimeDistributed has several of."""
    means, variances = (tf.stack(values) for values in zip(*calls, strict=True))
    mean = tf.reduce_mean(means, axis=0)
    return mean, tf.reduce_mean(variances + tf.square(means - mean), axis=0)
