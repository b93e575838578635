"""How models of the toy framework are described."""

from __future__ import annotations

from toy_models import BUILT_IN, IN_PLACE, INPUT, ToyHandlers, ToyLayer, ToyModel

from reds_core.errors import UnsupportedError
from reds_core.network.axis import Axis, Channels, Fixed
from reds_core.network.description import ChannelGroup, Layer, MacsTerm, Network, Tensor, Weight, WeightKind


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
    channels = {g.name: g.channels for g in groups}
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
            whole = tuple(each.full(channels) for each in axes)
            weights.append(Weight(f"{n}/{weight}", n, kind, axes, len(axes) - 1, trainable, shape=whole))
        factors = tuple(by_letter[letter] for letter in handler.macs)
        macs = (MacsTerm(handler.times * positions[n], factors),) if factors else ()
        read, shape = ((positions[name], axis(name).full(channels)) for name in (source, n))
        inputs = tuple(names.index(s) for s in layer.inputs)
        epsilon = 1e-3 if layer.kind == "scale" else None
        layers.append(Layer(n, layer.kind, inputs, (i,), tuple(own), macs, shape, input_shape=read, epsilon=epsilon))
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
