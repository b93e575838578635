"""Gradients of a model's loss by its weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from reds_core.framework import Arrays, Task, TaskKind, WeightArrays, batches, noisy_features
from reds_core.network import Network
from reds_tensorflow.evaluation import arguments, as_tensors, called, compiled, predict, resolve
from reds_tensorflow.extraction import variables
from reds_tensorflow.strided import strides_taken_first


def gradients(model: Any, network: Network, data: Arrays, task: Task, batch_size: int) -> Iterator[WeightArrays]:
    """Yield for each batch the gradient of the mean loss by each weight, in the order of `network.weights`.

    Frozen weights have gradients too, since a gradient measures the importance of a weight, whether or not it is
    trained. Gradients are zero for statistics and for weights that are not floating-point numbers. The model runs in
    inference mode, in which batch norms use their statistics. The loss of each example is multiplied by its weight, and
    that of each output by the weight of the output.
    """
    if task.kind is TaskKind.EMBEDDING:
        data = Arrays(data.x, noisy_features(predict(model, data.x)), data.weights)
    data, aim = resolve(model, data, task)
    every = variables(model, network)
    is_measured = [
        weight.has_gradient and tf.as_dtype(variable.dtype).is_floating
        for variable, weight in zip(every, network.weights, strict=True)
    ]
    measured = [variable for variable, is_one in zip(every, is_measured, strict=True) if is_one]

    def gradient(x: Any, y: Any, weights: Any = None) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for variable in measured:
                tape.watch(variable.value)
            loss = aim.loss(y, called(model, x), weights)
        found = tape.gradient(loss, [v.value for v in measured], unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.convert_to_tensor(g) for g in found]

    with strides_taken_first(model):
        run = compiled(gradient, *arguments(data))
    for part in batches(len(data), batch_size):
        found = iter(run(*map(as_tensors, arguments(data.take(part)))))
        yield [
            next(found).numpy() if is_one else np.zeros(variable.shape, np.float32)
            for variable, is_one in zip(every, is_measured, strict=True)
        ]
