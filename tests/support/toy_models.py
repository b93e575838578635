"""The models of the toy framework, and how they compute: chains and residual blocks of pointwise dense layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.framework.data import Arrays
from reds_core.framework.sample import BuiltSample, SampleModel
from reds_core.network.description import WeightKind

INPUT = "input"
IN_PLACE = ("scale", "relu")


class ToyOperation:
    """Base of layers that plugins bring: what they compute, over (N, positions, channels)."""

    def forward(self, x: npt.NDArray[Any], weights: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        raise NotImplementedError

    def backward(
        self, x: npt.NDArray[Any], weights: Mapping[str, npt.NDArray[Any]], gradient: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]:
        """The gradient by `x`, and by each weight."""
        raise NotImplementedError


@dataclass(frozen=True)
class ToyHandler:
    """The description of an operation by a plugin of layers.

    Attributes:
        weights: kind of each weight, and its axes: "i" for the channels read, "o" for those made.
        macs: axes of the multiply-accumulates of one position; empty for none.
        times: by which they are multiplied.
    """

    weights: Mapping[str, tuple[WeightKind, str]]
    macs: str = ""
    times: int = 1

    @property
    def makes_channels(self) -> bool:
        return any("o" in letters for _, letters in self.weights.values())


BUILT_IN = {
    "dense": ToyHandler({"kernel": (WeightKind.KERNEL, "io"), "bias": (WeightKind.BIAS, "o")}, "io"),
    "linear": ToyHandler({"kernel": (WeightKind.KERNEL, "io")}, "io"),
    "scale": ToyHandler(
        {
            "gamma": (WeightKind.SCALE, "i"),
            "beta": (WeightKind.OFFSET, "i"),
            "mean": (WeightKind.STATISTIC, "i"),
            "variance": (WeightKind.STATISTIC, "i"),
        }
    ),
    "relu": ToyHandler({}),
    "add": ToyHandler({}),
    "pool": ToyHandler({}),
}

ToyHandlers = Mapping[type, ToyHandler]


@dataclass(frozen=True)
class ToyLayer:
    """A layer. `operation`: what it computes, if a plugin brings it; `kind` is the name of its type then."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    operation: ToyOperation | None = None


@dataclass(eq=False)
class ToyModel:
    """input_shape: (positions, features). weights: by "layer/weight", float32; changed in place by training."""

    name: str
    input_shape: tuple[int, int]
    layers: tuple[ToyLayer, ...]
    weights: dict[str, npt.NDArray[np.float32]]

    def copy(self) -> ToyModel:
        return ToyModel(self.name, self.input_shape, self.layers, {k: w.copy() for k, w in self.weights.items()})


def residual_model(
    width: int = 6, inner: int = 5, features: int = 4, positions: int = 3, classes: int = 3, seed: int = 0
) -> ToyModel:
    """dense - scale - relu - [dense - relu - dense - add] - pool - dense: three groups, one of them residual."""
    shapes = {"stem": (features, width), "inside": (width, inner), "out": (inner, width), "head": (width, classes)}
    layers = (
        ToyLayer("stem", "dense", (INPUT,)),
        ToyLayer("norm", "scale", ("stem",)),
        ToyLayer("relu", "relu", ("norm",)),
        ToyLayer("inside", "dense", ("relu",)),
        ToyLayer("inside_relu", "relu", ("inside",)),
        ToyLayer("out", "dense", ("inside_relu",)),
        ToyLayer("add", "add", ("relu", "out")),
        ToyLayer("pool", "pool", ("add",)),
        ToyLayer("head", "dense", ("pool",)),
    )
    return _initialised("residual", (positions, features), layers, shapes, seed)


def chain_model(
    widths: tuple[int, ...], features: int = 4, positions: int = 1, classes: int = 3, seed: int = 0
) -> ToyModel:
    """dense - relu for each of `widths`, then pool - dense."""
    layers: list[ToyLayer] = []
    shapes = {}
    previous, size = INPUT, features
    for i, width in enumerate(widths):
        shapes[f"dense{i}"] = (size, width)
        layers += [ToyLayer(f"dense{i}", "dense", (previous,)), ToyLayer(f"relu{i}", "relu", (f"dense{i}",))]
        previous, size = f"relu{i}", width
    layers += [ToyLayer("pool", "pool", (previous,)), ToyLayer("head", "dense", ("pool",))]
    shapes["head"] = (size, classes)
    return _initialised("chain", (positions, features), tuple(layers), shapes, seed)


def _initialised(
    name: str,
    input_shape: tuple[int, int],
    layers: tuple[ToyLayer, ...],
    shapes: Mapping[str, tuple[int, int]],
    seed: int,
) -> ToyModel:
    rng = np.random.default_rng(seed)
    weights: dict[str, npt.NDArray[np.float32]] = {}
    for layer in layers:
        if layer.kind == "dense":
            rows, columns = shapes[layer.name]
            weights[f"{layer.name}/kernel"] = rng.normal(0, rows**-0.5, (rows, columns)).astype(np.float32)
            weights[f"{layer.name}/bias"] = rng.normal(0, 0.1, columns).astype(np.float32)
        elif layer.kind == "scale":
            size = shapes[layer.inputs[0]][1]
            for weight, low, high in (
                ("gamma", 0.5, 1.5),
                ("beta", -0.5, 0.5),
                ("mean", -0.5, 0.5),
                ("variance", 0.5, 2),
            ):
                weights[f"{layer.name}/{weight}"] = rng.uniform(low, high, size).astype(np.float32)
    return ToyModel(name, input_shape, layers, weights)


def toy_arrays(model: ToyModel, train: int = 60, test: int = 30, seed: int = 1) -> dict[str, npt.NDArray[Any]]:
    """A data set on which `model` is better than chance: its own answers, some of them wrong."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (train + test, *model.input_shape)).astype(np.float32)
    outputs = forward(model, x)[model.layers[-1].name]
    y = outputs[:, 0].argmax(axis=1).astype(np.int64)
    wrong = rng.random(len(y)) < 0.1
    y[wrong] = rng.integers(0, outputs.shape[-1], int(wrong.sum()))
    return {"x_train": x[:train], "y_train": y[:train], "x_test": x[train:], "y_test": y[train:]}


def _sample(model: ToyModel) -> BuiltSample:
    arrays = toy_arrays(model)
    return model, arrays["x_train"], arrays["y_train"]


def toy_samples() -> tuple[SampleModel, ...]:
    """Models on which conformance is checked; multiply-accumulates are counted by hand."""
    return (
        SampleModel("residual", lambda: _sample(residual_model(seed=3)), macs=3 * (4 * 6 + 6 * 5 + 5 * 6) + 6 * 3),
        SampleModel("chain", lambda: _sample(chain_model((7, 4), seed=5)), macs=4 * 7 + 7 * 4 + 4 * 3),
    )


def forward(model: ToyModel, x: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Every activation (N, positions, features), by layer name."""
    values: dict[str, npt.NDArray[Any]] = {INPUT: np.asarray(x)}
    w = model.weights
    for layer in model.layers:
        first = values[layer.inputs[0]]
        n = layer.name
        if layer.operation is not None:
            values[n] = layer.operation.forward(first, own_weights(model, n))
        elif layer.kind == "dense":
            values[n] = first @ w[f"{n}/kernel"] + w[f"{n}/bias"]
        elif layer.kind == "linear":
            values[n] = first @ w[f"{n}/kernel"]
        elif layer.kind == "scale":
            normal = (first - w[f"{n}/mean"]) / np.sqrt(w[f"{n}/variance"] + 1e-3)
            values[n] = normal * w[f"{n}/gamma"] + w[f"{n}/beta"]
        elif layer.kind == "relu":
            values[n] = np.maximum(first, 0)
        elif layer.kind == "add":
            values[n] = first + values[layer.inputs[1]]
        else:
            values[n] = first.mean(axis=1, keepdims=True)
    return values


def own_weights(model: ToyModel, layer: str) -> dict[str, npt.NDArray[Any]]:
    """The weights of one layer, by their own names."""
    return {k.partition("/")[2]: w for k, w in model.weights.items() if k.startswith(f"{layer}/")}


def probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def backward(model: ToyModel, data: Arrays) -> dict[str, npt.NDArray[np.float32]]:
    """Gradient of the mean crossentropy by every weight; zeros for statistics."""
    values = forward(model, data.x.astype(np.float64))
    last = model.layers[-1].name
    at_output = probabilities(values[last])
    at_output[np.arange(len(data)), 0, data.y] -= 1
    if data.weights is not None:
        at_output *= data.weights[:, None, None]
    flowing: dict[str, npt.NDArray[Any]] = {last: at_output / len(data)}
    found = {k: np.zeros_like(v) for k, v in model.weights.items()}

    def flow(to: str, gradient: npt.NDArray[Any]) -> None:
        flowing[to] = flowing.get(to, 0) + gradient

    for layer in reversed(model.layers):
        gradient, first, n, w = flowing[layer.name], values[layer.inputs[0]], layer.name, model.weights
        if layer.operation is not None:
            before, by_weight = layer.operation.backward(first, own_weights(model, n), gradient)
            found.update({f"{n}/{name}": g.astype(np.float32) for name, g in by_weight.items()})
            flow(layer.inputs[0], before)
        elif layer.kind == "dense":
            found[f"{n}/kernel"] = np.einsum("npi,npo->io", first, gradient).astype(np.float32)
            found[f"{n}/bias"] = gradient.sum(axis=(0, 1)).astype(np.float32)
            flow(layer.inputs[0], gradient @ w[f"{n}/kernel"].T)
        elif layer.kind == "scale":
            root = np.sqrt(w[f"{n}/variance"] + 1e-3)
            found[f"{n}/gamma"] = (gradient * (first - w[f"{n}/mean"]) / root).sum(axis=(0, 1)).astype(np.float32)
            found[f"{n}/beta"] = gradient.sum(axis=(0, 1)).astype(np.float32)
            flow(layer.inputs[0], gradient * w[f"{n}/gamma"] / root)
        elif layer.kind == "relu":
            flow(layer.inputs[0], gradient * (first > 0))
        elif layer.kind == "add":
            for source in layer.inputs:
                flow(source, gradient)
        else:
            flow(layer.inputs[0], np.repeat(gradient, first.shape[1], axis=1) / first.shape[1])
    return found
