"""A framework in plain NumPy, so that all that core does with models is tested in milliseconds.

Its models are chains and residual blocks of pointwise dense layers over (positions, features), with scales (a batch
norm at inference), rectifiers, additions and one mean over positions. Gradients are exact, training is plain gradient
descent, everything is deterministic.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.epochs import EpochState, digest_of
from reds_core.framework.file_kinds import FLOAT32_BYTES, INT8_BYTES, FileKind, FileKinds
from reds_core.framework.finetuning import EpochProgress, FinetuneSettings
from reds_core.framework.framework import (
    ActivationStatistics,
    Arrays,
    Family,
    Framework,
    Task,
    Training,
    WeightArrays,
    batches,
)
from reds_core.framework.sample import BuiltSample, SampleModel
from reds_core.network.axis import Axis, Channels, Fixed, Kept
from reds_core.network.description import ChannelGroup, Layer, MacsTerm, Network, Tensor, Weight, WeightKind
from reds_core.system.files import write_bytes

INPUT = "input"
FORMAT = "toy-model"
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
    """What a plugin of layers says of an operation.

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


# --- running -----------------------------------------------------------------------------------------------------


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


def _probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def backward(model: ToyModel, data: Arrays) -> dict[str, npt.NDArray[np.float32]]:
    """Gradient of the mean crossentropy by every weight; zeros for statistics."""
    values = forward(model, data.x.astype(np.float64))
    last = model.layers[-1].name
    at_output = _probabilities(values[last])
    at_output[np.arange(len(data)), 0, data.y] -= 1
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


# --- describing --------------------------------------------------------------------------------------------------


def describe(model: ToyModel, handlers: ToyHandlers | None = None) -> Network:
    """The network of `model`; `handlers` say what its layers of plugins do."""
    handlers = handlers or {}
    producer = _producers(model, handlers)
    size = {layer.name: _channels_of(model, layer, handlers) for layer in model.layers if _makes(layer, handlers)}
    free = [layer for layer in model.layers if producer[layer.name] == layer.name and layer.name in size]
    frozen = {producer[model.layers[-1].name], INPUT}

    def axis(tensor: str) -> Axis:
        root = producer[tensor]
        if root == INPUT:
            return Fixed(model.input_shape[1])
        return Fixed(size[root]) if root in frozen else Channels(root)

    groups = tuple(
        ChannelGroup(g.name, size[g.name], tuple(x.name for x in model.layers if producer[x.name] == g.name))
        for g in free
        if g.name not in frozen
    )
    positions = {INPUT: model.input_shape[0]}
    names = [INPUT, *(layer.name for layer in model.layers)]
    storage = {INPUT: 0}
    weights: list[Weight] = []
    layers: list[Layer] = []
    for i, layer in enumerate(model.layers, 1):
        source, n = layer.inputs[0], layer.name
        positions[n] = 1 if layer.kind == "pool" else positions[source]
        storage[n] = storage[source] if layer.kind in IN_PLACE else i
        own = []
        handler = handlers.get(type(layer.operation), BUILT_IN.get(layer.kind))
        assert handler is not None
        by_letter = {"i": axis(source), "o": axis(n)}
        for weight, (kind, letters) in handler.weights.items():
            axes = tuple(by_letter[letter] for letter in letters)
            own.append(len(weights))
            trainable = kind is not WeightKind.STATISTIC
            weights.append(Weight(f"{n}/{weight}", n, kind, axes, len(axes) - 1, trainable))
        factors = tuple(by_letter[letter] for letter in handler.macs)
        macs = (MacsTerm(handler.times * positions[n], factors),) if factors else ()
        shape = (positions[n], axis(n).full({g.name: g.channels for g in groups}))
        inputs = tuple(names.index(s) for s in layer.inputs)
        layers.append(Layer(n, layer.kind, inputs, (i,), tuple(own), macs, shape))
    tensors = tuple(Tensor(positions[n], axis(n), storage[n]) for n in names)
    return Network(model.name, groups, tuple(layers), tensors, tuple(weights), (0,), (len(names) - 1,))


def _makes(layer: ToyLayer, handlers: ToyHandlers) -> bool:
    """Whether a layer makes channels of its own."""
    handler = handlers.get(type(layer.operation), BUILT_IN.get(layer.kind))
    return handler is not None and handler.makes_channels


def _channels_of(model: ToyModel, layer: ToyLayer, handlers: ToyHandlers) -> int:
    """How many channels a layer makes."""
    handler = handlers.get(type(layer.operation), BUILT_IN.get(layer.kind))
    assert handler is not None
    weight, letters = next((w, letters) for w, (_, letters) in handler.weights.items() if "o" in letters)
    return int(model.weights[f"{layer.name}/{weight}"].shape[letters.index("o")])


def _producers(model: ToyModel, handlers: ToyHandlers) -> dict[str, str]:
    """For each tensor the first layer that makes its channels; additions join what they add."""
    parent: dict[str, str] = {INPUT: INPUT}
    order = {n: i for i, n in enumerate((INPUT, *(layer.name for layer in model.layers)))}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for layer in model.layers:
        if layer.kind not in BUILT_IN and type(layer.operation) not in handlers:
            raise UnsupportedError(f"layer '{layer.name}' of type {layer.kind} is not supported", "replace the layer")
        parent[layer.name] = layer.name if _makes(layer, handlers) else root(layer.inputs[0])
        if layer.kind == "add":
            first, second = sorted((root(s) for s in layer.inputs), key=order.__getitem__)
            parent[second] = first
    return {name: root(name) for name in parent}


class ToyFramework(Framework):
    """Plain NumPy. Model files are .npz whatever their suffix."""

    name = "toy"
    files = FileKinds(
        FileKind("keras", "Keras", ".keras"),
        (
            FileKind("tflite", "LiteRT", ".tflite", "float32", FLOAT32_BYTES),
            FileKind("tflite_int8", "LiteRT", "-int8.tflite", "int8", INT8_BYTES),
        ),
    )

    @property
    def handlers(self) -> ToyHandlers:
        """What plugins of layers say of theirs."""
        return {kind: handler for plugin in self.layer_plugins for kind, handler in plugin.handlers().items()}

    def owns(self, model: Any) -> bool:
        return isinstance(model, ToyModel)

    def load_model(self, path: Path) -> ToyModel:
        if not path.exists():
            raise InputError(f"model file '{path}' does not exist", "check the path")
        try:
            with np.load(path, allow_pickle=False) as archive:
                header, flat = json.loads(str(archive["header"][()])), archive["weights"]
            assert header["format"] == FORMAT
        except (OSError, ValueError, KeyError, EOFError, AssertionError, zipfile.BadZipFile) as error:
            raise InputError(f"'{path}' is no toy model", "give a toy model") from error
        brought = {kind.__name__: kind for kind in self.handlers}
        layers = tuple(ToyLayer(n, k, tuple(i), brought[k]() if k in brought else None) for n, k, i in header["layers"])
        weights, start = {}, 0
        for name, shape in header["weights"].items():
            end = start + int(np.prod(shape))
            weights[name] = flat[start:end].reshape(shape).copy()
            start = end
        return ToyModel(header["name"], tuple(header["input_shape"]), layers, weights)

    def save_model(self, model: ToyModel, path: Path) -> None:
        layers = [[layer.name, layer.kind, list(layer.inputs)] for layer in model.layers]
        shapes = {name: weight.shape for name, weight in model.weights.items()}
        header = {"format": FORMAT, "name": model.name, "input_shape": model.input_shape, "layers": layers}
        buffer = io.BytesIO()
        flat = np.concatenate([weight.ravel() for weight in model.weights.values()])
        np.savez(buffer, header=np.array(json.dumps(header | {"weights": shapes})), weights=flat)
        write_bytes(path, buffer.getvalue())

    def input_shape(self, model: ToyModel) -> tuple[int | None, ...]:
        return model.input_shape

    def inspect(self, model: ToyModel) -> Network:
        return describe(model, self.handlers)

    def weights(self, model: ToyModel, network: Network) -> WeightArrays:
        return [model.weights[w.name].copy() for w in network.weights]

    def gradients(
        self, model: ToyModel, network: Network, data: Arrays, task: Task, batch_size: int
    ) -> Iterator[WeightArrays]:
        for part in batches(len(data), batch_size):
            found = backward(model, data.take(part))
            yield [found[w.name] for w in network.weights]

    def activation_statistics(
        self, model: ToyModel, network: Network, tensors: Sequence[int], x: npt.NDArray[np.float32], batch_size: int
    ) -> list[ActivationStatistics]:
        values = forward(model, x)
        held = [values[(INPUT, *(layer.name for layer in model.layers))[t]] for t in tensors]
        return [ActivationStatistics(np.abs(v).mean(axis=(0, 1)), (v != 0).mean(axis=(0, 1))) for v in held]

    def losses(
        self, model: ToyModel, network: Network, variants: Iterable[WeightArrays], data: Arrays, task: Task
    ) -> Iterator[float]:
        for weights in variants:
            other = dict(zip((w.name for w in network.weights), weights, strict=True))
            yield self.loss(ToyModel(model.name, model.input_shape, model.layers, other), data, task)

    def extract(self, model: ToyModel, network: Network, kept: Kept) -> ToyModel:
        weights = {}
        for weight in network.weights:
            positions = [axis.positions(kept, network.channels) for axis in weight.axes]
            weights[weight.name] = model.weights[weight.name][np.ix_(*positions)].copy()
        return ToyModel(model.name, model.input_shape, model.layers, weights)

    def finetune(self, family: Family[Any], training: Training) -> None:
        settings, data, task = training.settings, training.data, training.task
        rng = np.random.default_rng(training.seed)
        network = describe(family.full, self.handlers)
        parts = batches(len(data), settings.batch_size)
        trained = family.full.copy()  # models change when training has ended
        saved = training.keeper.load(digest_of(trained.weights.values())) if settings.epochs else None
        if saved is not None:
            trained.weights = {name: saved.arrays[name].copy() for name in trained.weights}
            for _ in range(saved.done):
                rng.permutation(len(data))
        for epoch in range(0 if saved is None else saved.done, settings.epochs):
            shuffled = data.take(rng.permutation(len(data)))
            for i, part in enumerate(parts):
                batch = shuffled.take(part)
                for name, gradient in backward(trained, batch).items():
                    trained.weights[name] -= settings.learning_rate * gradient
                training.progress(
                    EpochProgress(epoch, settings.epochs, i + 1, len(parts), self.loss(trained, batch, task), 0.5)
                )
            training.keeper.save(EpochState(epoch + 1, {n: w.copy() for n, w in trained.weights.items()}))
        family.full.weights.update(trained.weights)
        channels = network.channels
        for number, (member, widths) in enumerate(zip(family.members, family.widths, strict=True)):
            kept = {g: np.arange(w) for g, w in widths.items()}
            for weight in network.weights:
                if weight.kind is WeightKind.STATISTIC:
                    member.weights[weight.name] *= np.float32(1 + 0.01 * (number + 1))
                else:
                    positions = [axis.positions(kept, channels) for axis in weight.axes]
                    member.weights[weight.name] = family.full.weights[weight.name][np.ix_(*positions)].copy()

    def predict(self, model: ToyModel, x: npt.NDArray[np.float32], batch_size: int = 256) -> npt.NDArray[np.float32]:
        return np.asarray(forward(model, x)[model.layers[-1].name][:, 0], np.float32)

    def accuracy(self, model: ToyModel, data: Arrays, task: Task) -> float:
        return float((self.predict(model, data.x).argmax(axis=1) == data.y).mean())

    def loss(self, model: ToyModel, data: Arrays, task: Task) -> float:
        likelihood = _probabilities(self.predict(model, data.x))[np.arange(len(data)), data.y]
        return float(-np.log(likelihood).mean())

    def check_data(self, model: ToyModel, data: Arrays, task: Task, what: str) -> Arrays:
        classes = model.weights[f"{model.layers[-1].name}/bias"].shape[0]
        x = data.x.reshape(len(data), -1, data.x.shape[-1])
        if x.shape[1:] != model.input_shape:
            raise InputError(f"the {what} has shape {x.shape[1:]}, not {model.input_shape}", "reshape it")
        if data.y.min() < 0 or data.y.max() >= classes:
            raise InputError(f"labels of the {what} are not 0 to {classes - 1}", "number the classes from 0")
        return Arrays(x, data.y)

    def export(self, model: ToyModel, path: Path, calibration: Arrays | None, quantise: bool) -> None:
        exported = model.copy()
        if quantise:
            if calibration is None:
                raise InputError("int8 needs calibration data", "give --data")
            for name, weight in exported.weights.items():
                step = np.float32(np.abs(weight).max() / 127 or 1)
                exported.weights[name] = (np.rint(weight / step) * step).astype(np.float32)
        self.save_model(exported, path)

    def exported_accuracy(self, path: Path, data: Arrays, task: Task) -> float:
        return self.accuracy(self.load_model(path), data, task)

    def load_dataset(self, name: str) -> tuple[Arrays, Arrays]:
        if name != "toyset":
            raise InputError(f"unknown data '{name}'", "give digits, toyset, an .npz or a folder")
        arrays = toy_arrays(residual_model())
        return Arrays(arrays["x_train"], arrays["y_train"]), Arrays(arrays["x_test"], arrays["y_test"])

    def build_baseline(self, training: Training) -> ToyModel:
        data, settings = training.data, training.settings
        x = data.x.reshape(len(data), -1, data.x.shape[-1])
        classes = int(data.y.max()) + 1
        model = residual_model(6, 5, x.shape[2], x.shape[1], classes, training.seed)
        short = FinetuneSettings(2, settings.batch_size, settings.learning_rate)
        self.finetune(Family(model, (), ()), replace(training, data=Arrays(x, data.y), settings=short))
        return model

    def samples(self) -> Sequence[SampleModel]:
        return toy_samples()

    def library_versions(self) -> Mapping[str, str]:
        return {"toy": "1.0"}
