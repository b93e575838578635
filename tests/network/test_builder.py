"""What the builder makes of a followed network: groups and their names, storages, warnings, shared weights."""

from __future__ import annotations

from reds_core.network.axis import Axis, Channels, Concat, Fixed, Tile
from reds_core.network.builder import NetworkBuilder, Value
from reds_core.network.description import MacsTerm, Network, Weight, WeightKind
from reds_core.network.grouping import concat, tile


def produce(builder: NetworkBuilder, name: str, value: Value, channels: int, key: str | None = None) -> Value:
    """A layer like a 1x1 convolution, with a kernel of its own or a shared one."""
    *positions, inner = value.dims
    outer = builder.fresh(channels)
    key = key or name
    builder.weight(key, Weight(f"{key}/kernel", name, WeightKind.KERNEL, (inner, outer), 1, True))
    (made,) = builder.call(name, "Dense", [value], [(*positions, outer)], [key], [MacsTerm(6, (inner, outer))])
    return made


def join(builder: NetworkBuilder, name: str, first: Value, second: Value) -> Value:
    """An addition."""
    for one, other in zip(first.dims, second.dims, strict=True):
        builder.tie(one, other, f"layer '{name}'")
    (made,) = builder.call(name, "Add", [first, second], [first.dims])
    return made


def passed(builder: NetworkBuilder, name: str, value: Value, in_place: bool = True) -> Value:
    """An activation."""
    (made,) = builder.call(name, "ReLU", [value], [value.dims], in_place=in_place)
    return made


def residual() -> Network:
    builder = NetworkBuilder()
    x = builder.input((2, 3, 4))
    stem = produce(builder, "stem", x, 5)
    inner = passed(builder, "relu", produce(builder, "inner", stem, 6))
    added = join(builder, "add", stem, produce(builder, "back", inner, 5))
    return builder.finish("net", [produce(builder, "out", passed(builder, "relu_2", added), 7)])


def test_groups_are_named_by_their_first_layer_and_list_all_in_order() -> None:
    groups = residual().groups
    assert [(g.name, g.channels, g.layers) for g in groups] == [
        ("stem", 5, ("stem", "back", "add", "relu_2")),
        ("inner", 6, ("inner", "relu")),
    ]


def test_tensors_weights_and_macs_speak_of_the_groups() -> None:
    network = residual()
    assert [t.axis for t in network.tensors] == [
        Fixed(4),
        Channels("stem"),
        Channels("inner"),
        Channels("inner"),
        Channels("stem"),
        Channels("stem"),
        Channels("stem"),
        Fixed(7),
    ]
    assert {t.positions for t in network.tensors} == {6}
    assert [w.axes for w in network.weights] == [
        (Fixed(4), Channels("stem")),
        (Channels("stem"), Channels("inner")),
        (Channels("inner"), Channels("stem")),
        (Channels("stem"), Fixed(7)),
    ]
    assert [term.factors for layer in network.layers for term in layer.macs] == [w.axes for w in network.weights]
    assert (network.inputs, network.outputs) == ((0,), (7,))
    assert network.layers[0].output_shape == (2, 3, 5)
    assert network.layers[0].input_shape == (2, 3, 4)
    assert [w.shape for w in network.weights] == [(4, 5), (5, 6), (6, 5), (5, 7)]


def test_in_place_layers_share_their_inputs_storage() -> None:
    storages = [t.storage for t in residual().tensors]
    assert storages[3] == storages[2]
    assert storages[6] == storages[5]
    assert len(set(storages)) == 6


def test_an_input_that_is_read_later_keeps_its_storage_to_itself() -> None:
    builder = NetworkBuilder()
    x = builder.input((4,))
    a = produce(builder, "a", x, 5)
    b = passed(builder, "relu", a)
    c = passed(builder, "relu_2", b)
    network = builder.finish("net", [produce(builder, "out", join(builder, "add", a, c), 3)])
    storages = [t.storage for t in network.tensors]
    assert storages[b.index] != storages[a.index]
    assert storages[c.index] == storages[b.index]


def test_an_output_keeps_its_storage_to_itself() -> None:
    builder = NetworkBuilder()
    a = produce(builder, "a", builder.input((4,)), 5)
    network = builder.finish("net", [passed(builder, "relu", a), a])
    assert len({t.storage for t in network.tensors}) == 3


def test_a_layer_that_is_not_in_place_has_its_own_storage() -> None:
    builder = NetworkBuilder()
    a = passed(builder, "pool", builder.input((4,)), in_place=False)
    assert len({t.storage for t in builder.finish("net", [a]).tensors}) == 2


def test_outputs_are_frozen_without_a_word() -> None:
    builder = NetworkBuilder()
    a = produce(builder, "a", builder.input((4,)), 5)
    builder.freeze(a.dims[-1], "layer 'softmax' normalises")
    network = builder.finish("net", [a])
    assert network.groups == ()
    assert network.warnings == ()


def test_a_freeze_that_changes_something_is_told_once() -> None:
    builder = NetworkBuilder()
    a = produce(builder, "a", builder.input((4,)), 5)
    builder.freeze(a.dims[-1], "layer 'odd' keeps them")
    builder.freeze(a.dims[-1], "layer 'other' keeps them too")
    network = builder.finish("net", [produce(builder, "out", a, 3)])
    assert network.groups == ()
    assert network.warnings == ("layer 'odd' keeps them (0% of the parameters stay prunable)",)


def test_orders_that_cannot_be_joined_are_told() -> None:
    builder = NetworkBuilder()
    a = produce(builder, "a", builder.input((4,)), 6).dims[-1]
    b = produce(builder, "b", builder.input((4,)), 3).dims[-1]
    c = produce(builder, "c", builder.input((4,)), 2)
    builder.tie(a, tile(b, 2), "layer 'add'")
    builder.tie(a, tile(c.dims[-1], 3), "layer 'add_2'")
    network = builder.finish("net", [produce(builder, "out", c, 3)])
    assert [g.name for g in network.groups] == []
    assert network.warnings == (
        "layer 'add_2' joins channels that lie in different orders, so they stay at full width"
        " (0% of the parameters stay prunable)",
    )


def test_a_shared_weight_is_listed_once_and_ties_its_calls() -> None:
    builder = NetworkBuilder()
    x = builder.input((4,))
    a, b = produce(builder, "a", x, 5), produce(builder, "b", x, 5)
    one, other = produce(builder, "shared", a, 6, "kernel"), produce(builder, "shared", b, 6, "kernel")
    network = builder.finish("net", [produce(builder, "out", join(builder, "add", one, other), 3)])
    assert [(g.name, g.layers) for g in network.groups] == [("a", ("a", "b")), ("shared", ("shared", "add"))]
    assert [w.name for w in network.weights] == ["a/kernel", "b/kernel", "kernel/kernel", "out/kernel"]
    assert [layer.weights for layer in network.layers if layer.name == "shared"] == [(2,), (2,)]


def test_groups_that_one_layer_makes_have_numbers() -> None:
    builder = NetworkBuilder()
    x = builder.input((4,))
    a, b, c, d = (produce(builder, name, x, n).dims[-1] for name, n in zip("abcd", (4, 6, 6, 4), strict=True))
    joined = concat((a, b))
    builder.tie(joined, concat((c, d)), "layer 'add'")
    (value,) = builder.call("join", "Concatenate", [x], [(joined,)])
    network = builder.finish("net", [produce(builder, "out", value, 3)])
    assert [(g.name, g.channels) for g in network.groups] == [("a", 4), ("b", 2), ("b/2", 4)]
    assert network.tensors[value.index].axis == Concat((Channels("a"), Channels("b"), Channels("b/2")))


def test_channels_inside_a_layer_are_a_group_of_its_name() -> None:
    builder = NetworkBuilder()
    x, heads = builder.input((4,)), builder.fresh(8)
    builder.weight("q", Weight("attention/q", "attention", WeightKind.KERNEL, (Fixed(4), heads), 1, True))
    (y,) = builder.call("attention", "Attention", [x], [(Fixed(4),)], ["q"])
    network = builder.finish("net", [y])
    assert [(g.name, g.channels, g.layers) for g in network.groups] == [("attention", 8, ("attention",))]


def test_a_tensor_has_one_axis_of_channels() -> None:
    builder = NetworkBuilder()
    x, a, b = builder.input((4,)), builder.fresh(3), builder.fresh(5)
    (y,) = builder.call("outer", "Outer", [x], [(a, b)])
    (z,) = builder.call("pool", "Pool", [y], [(b,)])
    network = builder.finish("net", [produce(builder, "out", z, 2)])
    assert [(g.name, g.channels) for g in network.groups] == [("outer", 5)]
    assert network.tensors[y.index].positions == 3
    assert len(network.warnings) == 1
    assert "'outer'" in network.warnings[0]


def test_declared_axes_are_told_in_the_names_of_the_groups() -> None:
    builder = NetworkBuilder()
    a = produce(builder, "a", builder.input((4,)), 5)
    repeated: Axis = tile(a.dims[-1], 3)
    builder.declare("size", (repeated,), "layer 'flatten'")
    builder.finish("net", [produce(builder, "out", a, 3)])
    assert builder.declared("size") == (Tile(Channels("a"), 3),)
    assert builder.resolved(repeated) == Tile(Channels("a"), 3)
