"""Plugins of layers for the toy framework: an honest one, and others that are bad in one way each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from toy_framework import (
    ToyHandler,
    ToyLayer,
    ToyModel,
    ToyOperation,
    chain_model,
    forward,
    toy_arrays,
)

from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.framework.sample import BuiltSample, SampleModel
from reds_core.network.description import WeightKind

FloatArray = npt.NDArray[Any]
Weights = Mapping[str, FloatArray]


class Mix(ToyOperation):
    """Mixes channels, and multiplies each that it makes by a factor."""

    def forward(self, x: FloatArray, weights: Weights) -> FloatArray:
        made: FloatArray = (x @ weights["mix"]) * weights["factor"]
        return made

    def backward(
        self, x: FloatArray, weights: Weights, gradient: FloatArray
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        at_mixed = gradient * weights["factor"]
        factor = (gradient * (x @ weights["mix"])).sum(axis=(0, 1))
        return at_mixed @ weights["mix"].T, {"mix": np.einsum("npi,npo->io", x, at_mixed), "factor": factor}


class Center(ToyOperation):
    """Takes the mean over channels away, which is another where channels go."""

    def forward(self, x: FloatArray, weights: Weights) -> FloatArray:
        centred: FloatArray = x - x.mean(axis=-1, keepdims=True)
        return centred

    def backward(
        self, x: FloatArray, weights: Weights, gradient: FloatArray
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        return gradient - gradient.mean(axis=-1, keepdims=True), {}


class Ramp(ToyOperation):
    """Multiplies each channel by its number."""

    def forward(self, x: FloatArray, weights: Weights) -> FloatArray:
        risen: FloatArray = x * np.arange(1, x.shape[-1] + 1, dtype=np.float32)
        return risen

    def backward(
        self, x: FloatArray, weights: Weights, gradient: FloatArray
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        return self.forward(gradient, weights), {}


def model_with(*operations: ToyOperation) -> ToyModel:
    """dense - relu - operations - dense - relu - pool - dense; what mixes makes 7 channels of 6."""
    mixes = any(isinstance(operation, Mix) for operation in operations)
    model = chain_model((6, 5), positions=2, seed=2)
    first, relu, second, *rest = model.layers
    added = [
        ToyLayer(type(o).__name__.lower(), type(o).__name__, (("relu0", "mix")[i > 0],), o)
        for i, o in enumerate(operations)
    ]
    second = replace(second, inputs=(added[-1].name,))
    if mixes:
        rng = np.random.default_rng(1)
        model.weights["mix/mix"] = rng.normal(0, 0.5, (6, 7)).astype(np.float32)
        model.weights["mix/factor"] = rng.uniform(0.5, 1.5, 7).astype(np.float32)
        model.weights["dense1/kernel"] = rng.normal(0, 0.5, (7, 5)).astype(np.float32)
    return ToyModel(model.name, model.input_shape, (first, relu, *added, second, *rest), model.weights)


def sample(name: str, *operations: ToyOperation, macs: int | None = None) -> SampleModel:
    def build() -> BuiltSample:
        model = model_with(*operations)
        outputs = forward(model, toy_arrays(model)["x_train"])["head"][:, 0]
        model.weights["head/bias"] -= np.median(outputs, axis=0).astype(np.float32)  # so that every class is found
        arrays = toy_arrays(model)
        return model, arrays["x_train"], arrays["y_train"]

    return SampleModel(name, build, macs=macs)


MIX = ToyHandler({"mix": (WeightKind.KERNEL, "io"), "factor": (WeightKind.SCALE, "o")}, "io")
PASSES = ToyHandler({})
MIXED = sample("mixed", Mix(), macs=2 * (4 * 6 + 6 * 7 + 7 * 5) + 5 * 3)


class HonestLayers(LayerPlugin):
    """Knows `Mix`."""

    name = "mixes"
    framework = "toy"

    def handlers(self) -> Mapping[type, Any]:
        return {Mix: MIX}

    def samples(self) -> Sequence[SampleModel]:
        return [MIXED]


class Strayed(HonestLayers):
    framework = "lightning"


class Named(HonestLayers):
    """Names layers by text."""

    def handlers(self) -> Mapping[type, Any]:
        return {"Mix": MIX}  # type: ignore[dict-item]


class Fickle(HonestLayers):
    """Knows its layers only the first time that it is made."""

    made = 0

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        Fickle.made += 1
        self.knows = Fickle.made < 3

    def handlers(self) -> Mapping[type, Any]:
        return {Mix: MIX} if self.knows else {Mix: MIX, Center: PASSES}


class SamplesLeftOut(HonestLayers):
    def samples(self) -> Sequence[SampleModel]:
        return ()


class Failing(HonestLayers):
    """Has no handler for the layer of its own sample."""

    def handlers(self) -> Mapping[type, Any]:
        return {Center: PASSES}


class Transposed(HonestLayers):
    """Tells the axes of a kernel the wrong way round."""

    def handlers(self) -> Mapping[type, Any]:
        return {Mix: replace(MIX, weights={**MIX.weights, "mix": (WeightKind.KERNEL, "oi")})}


class Untried(HonestLayers):
    """Knows a layer that no sample holds."""

    def handlers(self) -> Mapping[type, Any]:
        return {Mix: MIX, Center: PASSES}


class Numbering(HonestLayers):
    """Lets channels pass a layer that treats each by its place."""

    def handlers(self) -> Mapping[type, Any]:
        return {Ramp: PASSES}

    def samples(self) -> Sequence[SampleModel]:
        return [sample("numbered", Ramp())]


class Centring(HonestLayers):
    """Lets channels pass a layer that mixes them."""

    def handlers(self) -> Mapping[type, Any]:
        return {Mix: MIX, Center: PASSES}

    def samples(self) -> Sequence[SampleModel]:
        return [sample("centred", Mix(), Center())]


class Halved(HonestLayers):
    """Counts too few multiply-accumulates."""

    def handlers(self) -> Mapping[type, Any]:
        return {Mix: replace(MIX, macs="")}


class Chatting(HonestLayers):
    def handlers(self) -> Mapping[type, Any]:
        print("handlers of mixes")
        return {Mix: MIX}
