"""References that share nothing with the code under test: masked networks, MACs from layer shapes, calibration.

The masked reference carries a 0/1 mask beside every tensor. It takes from the description under test only which output
channels of a producer (a layer that mixes channels) are removed; through all other layers masks move by the layers'
own arithmetic.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import keras_sequences
import numpy as np
from keras import layers
from keras_sequences import Masked, masked

from reds_core.network import Kept, Network

PRODUCERS = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    layers.Dense,
)
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
MERGES = (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)
MOVES = (layers.Flatten, layers.Reshape, layers.Permute, layers.RepeatVector)


def masked_outputs(model: Any, network: Network, kept: Kept, *inputs: np.ndarray) -> list[np.ndarray]:
    """Outputs of `model` with the channels that are not in `kept` zeroed wherever they are read."""
    kept_outputs = {
        layer.name: network.tensors[layer.outputs[0]].axis.positions(kept, network.channels) for layer in network.layers
    }

    def call(prefix: str):
        def one_call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            read = [a for a in keras.tree.flatten((args, kwargs)) if isinstance(a, Masked)]
            name = prefix + operation.name
            inner = getattr(operation, "_functional", None) or operation
            if hasattr(inner, "_run_through_graph"):
                return inner._run_through_graph(read, call_fn=call(name + "/"))
            if type(operation) in keras_sequences.KINDS:
                kept_of = keras_sequences.KeptAxes(network, kept, name, operation)
                made = keras_sequences.masked_call(operation, args, kwargs, kept_of)
                return made[0] if len(made) == 1 else made
            args, kwargs = keras.tree.map_structure(lambda a: a.values if isinstance(a, Masked) else a, (args, kwargs))
            if getattr(operation, "_call_has_training_arg", False):
                kwargs = {**kwargs, "training": False}  # Resizing trains by default, and Keras all that follows it
            values = operation(*args, **kwargs)
            if type(operation).__name__ == "Split":
                parts = operation(read[0].mask[None])
                return [masked(v, np.asarray(part)[0]) for v, part in zip(values, parts, strict=True)]
            if isinstance(values, list | tuple):
                assert all(r.mask.all() for r in read), f"{name} reads removed channels"
                return [Masked(v, np.ones(v.shape[1:])) for v in values]
            mask = _mask(operation, read, args, tuple(values.shape[1:]), kept_outputs[name])
            return masked(values, mask)

        return one_call

    functional = keras.Model(model.inputs, model.outputs)
    starts = [Masked(keras.ops.convert_to_tensor(x), np.ones(x.shape[1:])) for x in inputs]
    outputs = functional._run_through_graph(starts, call_fn=call(""))
    return [np.asarray(o.values) for o in keras.tree.flatten(outputs)]


def _mask(layer: Any, read: list[Masked], args: Any, shape: tuple[int, ...], kept: np.ndarray) -> np.ndarray:
    first = read[0].mask
    if all(r.mask.all() for r in read) and not isinstance(layer, PRODUCERS):
        return np.ones(shape)
    if not isinstance(layer, keras.Layer):
        return _mask_of_operation(layer, [r.mask for r in read], args, shape)
    first_dimension = getattr(layer, "data_format", None) == "channels_first"
    at, input_at = (0, 0) if first_dimension else (len(shape) - 1, first.ndim - 1)
    groups = getattr(layer, "groups", 1)
    if isinstance(layer, DEPTHWISE) or groups == first.shape[input_at] > 1:
        channels = _channels(first, input_at)
        return _spread(np.repeat(channels, shape[at] // len(channels)), at, shape)
    if isinstance(layer, PRODUCERS):
        channels = np.zeros(shape[at])
        channels[kept] = 1
        return _spread(channels, at, shape)
    if isinstance(layer, layers.Multiply):
        return np.prod(np.broadcast_arrays(*(_aligned(r.mask, len(shape)) for r in read)), axis=0)
    if isinstance(layer, MERGES):
        masks = np.broadcast_arrays(*(_aligned(r.mask, len(shape)) for r in read))
        assert all(np.array_equal(masks[0], m) for m in masks), f"{layer.name} adds kept channels to removed ones"
        return masks[0]
    if isinstance(layer, layers.Concatenate):
        axis = layer.axis - 1 if layer.axis > 0 else layer.axis
        return np.concatenate([r.mask for r in read], axis=axis)
    if isinstance(layer, layers.Dot):
        return _some(layer, [r.mask for r in read])
    if isinstance(layer, MOVES):
        return np.asarray(layer(first[None]))[0]
    if first.shape == shape:  # elementwise
        return first
    return _spread(_channels(first, input_at), at if len(shape) == first.ndim else 0, shape)


OF_OPERATIONS_THAT_MOVE = ("Transpose", "Swapaxes", "ExpandDims", "Squeeze", "Reshape", "Flip", "Roll")
OF_OPERATIONS_THAT_JOIN = ("Concatenate", "Stack")
OF_OPERATIONS_THAT_REDUCE = ("Mean", "Max", "Min", "Amax", "Amin", "Prod", "Std", "Var")


def _mask_of_operation(operation: Any, masks: list[np.ndarray], args: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The mask of a function's output: moved as the function moves values, or that of its elements."""
    kind = type(operation).__name__
    if kind == "GetItem":
        return np.asarray(operation(masks[0][None], args[1]))[0]
    if kind in OF_OPERATIONS_THAT_JOIN:
        return np.asarray(operation([m[None] for m in masks]))[0]
    if kind in ("Sum", "Matmul"):
        return _some(operation, masks)
    if kind == "Glu":
        one, other = np.split(masks[0], 2, axis=operation.axis)
        assert np.array_equal(one, other), "the halves of a gated linear unit keep other channels"
        return one
    if kind == "Resize":
        return _spread(_channels(masks[0], -1), len(shape) - 1, shape)
    if kind == "Pad":
        return np.pad(masks[0], operation.pad_width[1:], mode="edge")
    if kind in OF_OPERATIONS_THAT_MOVE:
        return np.asarray(operation(masks[0][None]))[0]
    if kind in OF_OPERATIONS_THAT_REDUCE:
        axes = tuple(a - 1 if a > 0 else a for a in np.atleast_1d(operation.axis))
        low, high = (f(masks[0], axis=axes, keepdims=operation.keepdims) for f in (np.min, np.max))
        assert np.array_equal(low, high), f"{kind} mixes kept channels with removed ones"
        return low
    spread = np.broadcast_arrays(*(_aligned(m, len(shape)) for m in masks), np.zeros(shape))[:-1]
    if kind != "Multiply":
        assert all(np.array_equal(spread[0], m) for m in spread), f"{kind} joins kept channels to removed ones"
    return np.prod(spread, axis=0)


def _some(operation: Any, masks: list[np.ndarray]) -> np.ndarray:
    """1 where a sum of products has kept terms. That it is of kept channels alone, zeros see to."""
    batches = [m[None] for m in masks]
    of_list = isinstance(operation, keras.Layer)
    return (np.asarray(operation(batches) if of_list else operation(*batches))[0] > 0).astype(float)


def _channels(mask: np.ndarray, at: int) -> np.ndarray:
    """The mask of channels of a mask that is the same at all positions."""
    moved = np.moveaxis(mask, at, -1).reshape(-1, mask.shape[at])
    assert np.array_equal(moved.min(axis=0), moved.max(axis=0))
    return moved[0]


def _spread(channels: np.ndarray, at: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(channels.reshape([-1 if i == at else 1 for i in range(len(shape))]), shape)


def _aligned(mask: np.ndarray, rank: int) -> np.ndarray:
    return mask.reshape((1,) * (rank - mask.ndim) + mask.shape)


def count_macs(model: Any) -> int:
    """Multiply-accumulates at batch 1 from the layers' own shapes. For models whose layers are called once each."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += count_macs(layer)
            continue
        if type(layer) in keras_sequences.KINDS:
            total += keras_sequences.count_macs_of_only_call(layer)
            continue
        if isinstance(layer, PRODUCERS + DEPTHWISE):
            total += _layer_macs(layer, tuple(layer.input.shape), tuple(layer.output.shape))
    return total


def count_macs_by_running(model: Any, *inputs: np.ndarray) -> int:
    """Multiply-accumulates at batch 1 from what each call of a layer reads and makes, however often it is called."""
    total = 0

    def one_call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal total
        inner = getattr(operation, "_functional", None) or operation
        if hasattr(inner, "_run_through_graph"):
            return inner._run_through_graph(keras.tree.flatten((args, kwargs)), call_fn=one_call)
        made = operation(*args, **kwargs)
        if isinstance(operation, PRODUCERS + DEPTHWISE):
            total += _layer_macs(operation, tuple(args[0].shape), tuple(made.shape))
        elif type(operation).__name__ in ("Dot", "Matmul"):
            first = args[0][0] if isinstance(operation, layers.Dot) else args[0]
            summed = np.atleast_1d(getattr(operation, "axes", -1))[0]
            total += math.prod(made.shape[1:]) * first.shape[summed]
        elif type(operation) in keras_sequences.KINDS:
            read = [tuple(a.shape[1:]) for a in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(a)]
            total += keras_sequences.count_macs(operation, read, tuple(keras.tree.flatten(made)[0].shape[1:]))
        elif isinstance(operation, keras.Layer) and type(operation).__module__.partition(".")[0] != "keras":
            total += count_macs_by_watching(operation, *(np.asarray(a)[:1] for a in args))
        return made

    keras.Model(model.inputs, model.outputs)._run_through_graph(list(inputs), call_fn=one_call)
    return total


def count_macs_by_watching(model: Any, *inputs: np.ndarray) -> int:
    """Multiply-accumulates of one example from what each layer inside reads and makes while `model` runs on arrays.

    Every layer is watched wherever it stands: in wrappers, in models in them, in layers of the user's own. Those may
    have a method `own_macs` of an input's shape, for what they compute beside.

    Args:
        inputs: one example each, with a batch dimension of 1.
    """
    total, depth = 0, 0
    known = (*PRODUCERS, *DEPTHWISE, layers.Dot, *keras_sequences.KINDS)

    def watched(layer: Any, compute: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal total, depth
            read = [tuple(a.shape) for a in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(a)]
            if hasattr(layer, "own_macs"):
                total += layer.own_macs(read[0])
                return compute(*args, **kwargs)
            depth += 1
            made = compute(*args, **kwargs)
            depth -= 1
            if depth == 0:
                total += _macs_of_call(layer, read, tuple(keras.tree.flatten(made)[0].shape))
            return made

        return call

    parts = {id(layer): layer for layer in model._flatten_layers(include_self=False)}
    known = tuple(kind for kind in known if kind not in keras_sequences.WRAPPERS)
    changed = [part for part in parts.values() if type(part) in known or hasattr(part, "own_macs")]
    for part in changed:
        part.call = watched(part, part.call)
    try:
        model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
    finally:
        for part in changed:
            del part.call
    return total


def _macs_of_call(layer: Any, read: list[tuple[int, ...]], made: tuple[int, ...]) -> int:
    if isinstance(layer, PRODUCERS + DEPTHWISE):
        return _layer_macs(layer, read[0], made)
    if isinstance(layer, layers.Dot):
        return math.prod(made[1:]) * read[0][np.atleast_1d(layer.axes)[0]]
    return read[0][0] * keras_sequences.count_macs(layer, [shape[1:] for shape in read], made[1:])


def _layer_macs(layer: Any, read: tuple[int, ...], made: tuple[int, ...]) -> int:
    """Multiply-accumulates of one call with tensors of these shapes, the batch included."""
    first = getattr(layer, "data_format", None) == "channels_first"

    def spatial(shape: tuple[int, ...]) -> int:
        return math.prod(shape[2:] if first else shape[1:-1])

    if isinstance(layer, layers.SeparableConv1D | layers.SeparableConv2D):
        return spatial(made) * (math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape))
    return spatial(read if "Transpose" in type(layer).__name__ else made) * math.prod(layer.kernel.shape)


def enliven(model: Any, *inputs: np.ndarray, seed: int = 0) -> Any:
    """Give `model` random weights such that its outputs vary over inputs: He-scaled kernels, calibrated batch norms."""
    rng = np.random.default_rng(seed)
    norms = []
    for layer in model._flatten_layers():
        for variable in layer._trainable_variables:
            shape = tuple(variable.shape)
            if variable.name.endswith("kernel"):
                fan_in = math.prod(shape[:-1]) if "depthwise" not in layer.name else math.prod(shape[:-2])
                variable.assign(rng.normal(0, np.sqrt(2 / fan_in), shape))
            else:
                variable.assign(rng.normal(float(variable.name in ("gamma",)), 0.3, shape))
        if isinstance(layer, layers.BatchNormalization):
            norms.append((layer, layer.momentum))
            layer.momentum = 0.0
    model(inputs[0] if len(inputs) == 1 else list(inputs), training=True)
    for layer, momentum in norms:
        layer.momentum = momentum
    return model


def run_exported(path: Path, x: np.ndarray) -> np.ndarray:
    """Outputs (N, ...) of a .tflite file of one input and one output, one example at a time."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows = []
    for example in x:
        interpreter.set_tensor(source, example[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target)[0])
    return np.array(rows)


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference as a share of the spread of the expected outputs over inputs."""
    spread = float(np.std(expected, axis=0).mean())
    assert spread > 1e-3 * float(np.abs(expected).mean()) > 0, "the outputs do not vary over inputs: nothing is tested"
    return float(np.abs(actual - expected).max()) / spread


def random_kept(network: Network, share: float, seed: int, ordered: bool = True) -> dict[str, np.ndarray]:
    """A random choice of about `share` of the channels of each group."""
    rng = np.random.default_rng(seed)
    kept = {}
    for group in network.groups:
        chosen = rng.permutation(group.channels)[: max(1, round(share * group.channels))]
        kept[group.name] = np.sort(chosen) if ordered else chosen
    return kept


def largest_kept(model: Any, network: Network, share: float) -> dict[str, np.ndarray]:
    """The channels with the largest kernels in the layer that each group is named after: trained networks live on."""
    kept = {}
    for group in network.groups:
        kernel = np.abs(np.asarray(model.get_layer(group.name).kernel))
        order = np.argsort(-kernel.reshape(-1, group.channels).sum(axis=0), kind="stable")
        kept[group.name] = np.sort(order[: max(1, round(share * group.channels))])
    return kept
