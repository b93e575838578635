"""Batch-norm statistics measured over data, instead of left to a moving average that a short training hardly moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_tensorflow.evaluation import compiled
from reds_tensorflow.fused import norms_fused
from reds_tensorflow.nesting import leaves

BATCH_SIZE = 256


class BatchNormStatistics:
    """Sets the moving means and variances of a network's batch norms to those of data. Traced once.

    Networks that share weights need statistics of their own, measured after training (Yu et al., "Slimmable neural
    networks", arXiv 1812.08928, section 3.3). Batch norms that are frozen keep theirs.

    Args:
        weights: gives the values of the model's trainable variables, as tensors.
        states: variables that stand for its other variables; those of the batch norms are changed.
        x: examples (N, *input shape) like those that will be measured.
    """

    def __init__(
        self, model: Any, weights: Callable[[], Sequence[Any]], states: Sequence[Any], x: npt.NDArray[np.float32]
    ) -> None:
        order = {id(variable): i for i, variable in enumerate(model.non_trainable_variables)}
        norms = [
            (order[id(n.moving_mean)], order[id(n.moving_variance)], 1 - n.momentum)
            for n in leaves(model)
            if isinstance(n, keras.layers.BatchNormalization) and n.trainable and n.momentum < 1
        ]
        measured = {i for mean, variance, _ in norms for i in (mean, variance)}

        def step(batch: Any) -> Any:
            # A moving average that starts from zero is the batch's own statistic times 1 - momentum.
            start = [tf.zeros_like(s.value) if i in measured else s.value for i, s in enumerate(states)]
            _, after = model.stateless_call(weights(), start, batch, training=True)
            return [(after[mean] / rate, after[variance] / rate) for mean, variance, rate in norms]

        self._targets = [(states[mean], states[variance]) for mean, variance, _ in norms]
        with norms_fused(model):
            self._run = compiled(step, x) if norms else None

    def measure(self, x: npt.NDArray[np.float32]) -> None:
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
