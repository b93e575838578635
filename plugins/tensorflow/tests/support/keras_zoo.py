"""Small networks, each for something that channels must survive. All take float inputs and give outputs that vary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers as L
from keras_zoo_functions import functions, sums_of_products, vectors_to_images


@dataclass(frozen=True)
class Case:
    """A network and what is known of it by hand.

    Attributes:
        build: makes the model, without weights that mean anything.
        groups: names and channels of its groups in order.
        macs: where `keras_reference.count_macs` cannot know, as with layers called twice; else None.
        warns: words of the warning that must be given; None where there must be none.
    """

    build: Callable[[], Any]
    groups: dict[str, int]
    macs: int | None = None
    warns: str | None = None


def _model(shape: tuple[int, ...], *chain: Any) -> Any:
    x = inputs = keras.Input(shape)
    for layer in chain:
        x = layer(x)
    return keras.Model(inputs, x)


def chain_2d() -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            L.Rescaling(0.5, offset=0.1),
            L.ZeroPadding2D(1),
            L.Conv2D(6, 3, strides=2, use_bias=False, name="a"),
            L.BatchNormalization(),
            L.Activation("sigmoid"),
            L.Dropout(0.2),
            L.DepthwiseConv2D(3, padding="same", activation="relu6"),
            L.SpatialDropout2D(0.1),
            L.Conv2D(5, 1, activation="gelu", name="b"),
            L.MaxPooling2D(2, padding="same"),
            L.UpSampling2D(2),
            L.Cropping2D(1),
            L.GlobalAveragePooling2D(),
            L.Dense(4, name="out"),
        ]
    )


def flatten() -> Any:
    return _model(
        (6, 4, 2),
        L.Conv2D(5, 3, name="a"),
        L.Flatten(),
        L.BatchNormalization(),
        L.ELU(),
        L.Dense(7, activation="tanh", name="b"),
        L.BatchNormalization(),
        L.LeakyReLU(),
        L.Dense(3, name="out"),
    )


def reshape_there_and_back() -> Any:
    return _model(
        (4, 4, 2),
        L.Conv2D(6, 3, padding="same", name="a"),
        L.Reshape((16, 6)),
        L.Conv1D(5, 3, padding="same", activation="relu", name="b"),
        L.Reshape((4, 4, -1)),
        L.Conv2D(4, 1, name="c"),
        L.Flatten(),
        L.Reshape((16, 4)),
        L.GlobalMaxPooling1D(),
        L.Reshape((1, 1, 4)),
        L.Conv2D(3, 1, name="out"),
    )


def reshape_splits_channels() -> Any:
    return _model(
        (4, 4, 2),
        L.Conv2D(6, 3, padding="same", name="a"),
        L.Reshape((4, 4, 2, 3)),
        L.Flatten(),
        L.Dense(5, activation="relu", name="b"),
        L.Dense(3, name="out"),
    )


def reshape_to_single_channels() -> Any:
    """Pixels are no channels, though a Dense layer made them."""
    return _model(
        (4,),
        L.Dense(16, activation="relu", name="a"),
        L.Reshape((4, 4, 1)),
        L.Conv2D(5, 3, activation="relu", name="b"),
        L.Flatten(),
        L.Dense(3, name="out"),
    )


def depth_multiplier() -> Any:
    return _model(
        (8, 8, 2),
        L.Conv2D(4, 3, name="a"),
        L.DepthwiseConv2D(3, depth_multiplier=3, name="depthwise"),
        L.BatchNormalization(),
        L.ReLU(),
        L.Flatten(),
        L.Dense(3, name="out"),
    )


def grouped_as_depthwise() -> Any:
    return _model(
        (8, 8, 2),
        L.Conv2D(4, 3, name="a"),
        L.Conv2D(8, 3, groups=4, activation="relu", name="grouped"),
        L.Conv2D(5, 1, name="b"),
        L.GlobalMaxPooling2D(keepdims=True),
        L.Conv2D(3, 1, name="out"),
    )


def grouped() -> Any:
    return _model(
        (8, 8, 2),
        L.Conv2D(4, 3, activation="relu", name="a"),
        L.Conv2D(6, 3, groups=2, activation="relu", name="grouped"),
        L.Conv2D(5, 1, activation="relu", name="b"),
        L.Flatten(),
        L.Dense(3, name="out"),
    )


def separable() -> Any:
    return _model(
        (9, 9, 2),
        L.Conv2D(4, 3, name="a"),
        L.SeparableConv2D(6, 3, depth_multiplier=2, strides=2, activation="relu", name="b"),
        L.PReLU(shared_axes=[1, 2]),
        L.AveragePooling2D(3),
        L.PReLU(),
        L.Flatten(),
        L.Dense(3, name="out"),
    )


def transposed() -> Any:
    return _model(
        (4, 4, 3),
        L.Conv2DTranspose(6, 3, strides=2, activation="relu", name="a"),
        L.Conv2DTranspose(5, 2, name="b"),
        L.AdaptiveAveragePooling2D(2),
        L.Flatten(),
        L.Dense(3, name="out"),
    )


def one_dimension() -> Any:
    return _model(
        (16, 3),
        L.Normalization(),
        L.ZeroPadding1D(1),
        L.Conv1D(6, 3, dilation_rate=2, activation="relu", name="a"),
        L.DepthwiseConv1D(3, depth_multiplier=2),
        L.MaxPooling1D(2),
        L.SeparableConv1D(5, 2, activation="tanh", name="b"),
        L.UpSampling1D(2),
        L.Cropping1D(1),
        L.Conv1DTranspose(4, 2, name="c"),
        L.AveragePooling1D(2),
        L.GlobalAveragePooling1D(),
        L.RepeatVector(3),
        L.Dense(6, activation="tanh", name="d"),
        L.Permute((2, 1)),
        L.Flatten(),
        L.Dense(2, name="out"),
    )


def three_dimensions() -> Any:
    return _model(
        (5, 5, 5, 2),
        L.Conv3D(4, 2, activation="relu", name="a"),
        L.MaxPooling3D(2),
        L.ZeroPadding3D(1),
        L.Conv3DTranspose(5, 2, activation="relu", name="b"),
        L.GlobalAveragePooling3D(),
        L.Dense(3, name="out"),
    )


def dense_of_rank_3() -> Any:
    return _model(
        (5, 4),
        L.Dense(6, activation="relu", name="a"),
        L.BatchNormalization(),
        L.Dense(7, activation="relu", name="b"),
        L.Flatten(),
        L.Dense(3, name="out"),
    )


def channels_first() -> Any:
    """Flatten brings channels-first tensors to channels-last order if told; else each channel is a run.

    Ten channels, because TensorFlow 2.21 computes channels-first depthwise convolutions of four outputs wrongly on
    CPUs.
    """
    kwargs = {"data_format": "channels_first"}
    inputs = keras.Input((3, 9, 8))
    x = L.Conv2D(10, 3, **kwargs, name="a")(inputs)
    x = L.BatchNormalization(axis=1)(x)
    x = L.DepthwiseConv2D(3, activation="relu", **kwargs)(x)
    y = L.Conv2D(5, 3, groups=1, padding="same", **kwargs, name="b")(L.ZeroPadding2D(1, **kwargs)(x))
    y = L.Flatten()(L.MaxPooling2D(2, **kwargs)(y))
    z = L.Flatten(**kwargs)(L.AveragePooling2D(2, **kwargs)(x))
    w = L.GlobalAveragePooling2D(**kwargs)(x)
    return keras.Model(inputs, L.Dense(3, name="out")(L.Concatenate()([y, z, w])))


def residual() -> Any:
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(6, 3, padding="same", name="stem")(inputs)
    y = L.Conv2D(4, 3, padding="same", activation="relu", name="inner")(x)
    y = L.Conv2D(6, 3, padding="same", name="back")(y)
    x = L.ReLU()(L.Add()([x, y]))
    y = L.Conv2D(8, 1, strides=2, name="shortcut")(x)
    x = L.Conv2D(8, 3, strides=2, padding="same", name="down")(x)
    x = L.Maximum()([L.Average()([x, y]), L.Subtract()([x, y])])
    return keras.Model(inputs, L.Dense(3, name="out")(L.GlobalAveragePooling2D()(x)))


def squeeze_and_excite() -> Any:
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(6, 3, name="stem")(inputs)
    gate = L.GlobalAveragePooling2D(keepdims=True)(x)
    gate = L.Conv2D(4, 1, activation="relu", name="squeeze")(gate)
    gate = L.Conv2D(6, 1, activation="sigmoid", name="excite")(gate)
    spatial = L.Conv2D(1, 1, activation="sigmoid", name="spatial")(x)
    x = L.Multiply()([x, gate, spatial])
    x = L.Add()([x, L.Dense(6, name="flat")(L.GlobalMaxPooling2D()(x))])
    return keras.Model(inputs, L.Dense(3, name="out")(L.Flatten()(x)))


def concatenation() -> Any:
    inputs = keras.Input((8, 8, 3))
    a = L.Conv2D(4, 3, padding="same", activation="relu", name="a")(inputs)
    b = L.Conv2D(5, 3, padding="same", name="b")(inputs)
    x = L.Concatenate()([a, inputs, b])
    x = L.BatchNormalization()(x)
    x = L.Concatenate(axis=1)([x, x])
    x = L.Conv2D(6, 3, name="c")(x)
    return keras.Model(inputs, L.Dense(3, name="out")(L.Flatten()(x)))


def concatenations_added() -> Any:
    """Seams at different places: groups must be split, and a convolution takes the shape of a concatenation."""
    inputs = keras.Input((6, 6, 3))
    a, b, c, d, e = (
        L.Conv2D(n, 3, activation="relu", name=name)(inputs) for name, n in zip("abcde", (4, 6, 6, 4, 10), strict=True)
    )
    x = L.Add()([L.Concatenate()([a, b]), L.Concatenate()([c, d]), e])
    return keras.Model(inputs, L.Dense(3, name="out")(L.Flatten()(x)))


def flatten_added() -> Any:
    """A Dense layer must follow the blocks of a Flatten."""
    inputs = keras.Input((6, 6, 3))
    x = L.Conv2D(4, 3, strides=2, name="a")(inputs)
    x = L.Add()([L.Flatten()(x), L.Dense(16, name="b")(L.Flatten()(inputs))])
    return keras.Model(inputs, L.Dense(3, name="out")(L.ReLU()(x)))


def orders_that_cannot_be_joined() -> Any:
    inputs = keras.Input((2, 2, 3))
    x = L.Flatten()(L.Conv2D(4, 1, name="a")(inputs))
    y = L.Flatten()(L.Permute((3, 1, 2))(L.Conv2D(4, 1, name="b")(inputs)))
    x = L.Dense(5, activation="relu", name="c")(L.Add()([x, y]))
    return keras.Model(inputs, L.Dense(3, name="out")(x))


def shared_layers() -> Any:
    """One convolution called twice ties what it reads and what it makes."""
    inputs = keras.Input((8, 8, 3))
    shared = L.Conv2D(5, 3, padding="same", activation="relu", name="shared")
    norm = L.BatchNormalization()
    x = norm(shared(L.Conv2D(4, 3, padding="same", name="a")(inputs)))
    y = norm(shared(L.Conv2D(4, 3, padding="same", name="b")(inputs)))
    x = L.Concatenate()([x, y])
    return keras.Model(inputs, L.Dense(3, name="out")(L.GlobalAveragePooling2D()(x)))


def nested_models() -> Any:
    """A Functional and a Sequential model inside, one of them called twice and built without a fixed shape."""
    block_in = keras.Input((None, None, 6))
    block_out = L.Add()([block_in, L.Conv2D(6, 3, padding="same", activation="relu", name="inner")(block_in)])
    block = keras.Model(block_in, block_out, name="block")
    head = keras.Sequential([L.Conv2D(4, 1, activation="relu", name="inner"), L.GlobalAveragePooling2D()], name="head")
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(6, 3, name="stem")(inputs)
    x = block(L.MaxPooling2D(2)(block(x)))
    return keras.Model(inputs, L.Dense(3, name="out")(head(x)))


def several_inputs_and_outputs() -> Any:
    """An inner feature map that is an output stays whole."""
    image, vector = keras.Input((6, 6, 3), name="image"), keras.Input((4,), name="vector")
    x = L.Conv2D(5, 3, activation="relu", name="a")(image)
    features = L.Conv2D(6, 3, name="features")(x)
    y = L.Dense(7, activation="relu", name="b")(vector)
    joined = L.Concatenate()([L.GlobalAveragePooling2D()(features), y])
    return keras.Model({"image": image, "vector": vector}, [L.Dense(3, name="out")(joined), features])


def softmax_in_the_middle() -> Any:
    return _model(
        (6,),
        L.Dense(8, activation="relu", name="a"),
        L.Dense(5, activation="softmax", name="b"),
        L.Dense(6, activation="relu", name="c"),
        L.Softmax(),
        L.Dense(3, name="out"),
    )


def given_numbers() -> Any:
    """Layers with numbers for each channel in their configs keep those channels."""
    return _model(
        (6,),
        L.Rescaling([1.0, 2.0, 0.5, 1.0, 1.0, 2.0]),
        L.Dense(3, name="a"),
        L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
        L.Dense(4, name="b"),
        L.Rescaling(1.0, offset=[1.0, 2.0, 0.5, 1.0]),
        L.Dense(5, activation="relu", name="c"),
        L.Dense(3, name="out"),
    )


CASES: dict[str, Case] = {
    "chain_2d": Case(chain_2d, {"a": 6, "b": 5}),
    "flatten": Case(flatten, {"a": 5, "b": 7}),
    "reshape_there_and_back": Case(reshape_there_and_back, {"a": 6, "b": 5, "c": 4}),
    "reshape_splits_channels": Case(reshape_splits_channels, {"a": 3, "b": 5}),
    "reshape_to_single_channels": Case(reshape_to_single_channels, {"b": 5}, warns="spreads channels over dimensions"),
    "vectors_to_images": Case(vectors_to_images, {"a": 5, "b": 6, "c": 4}),
    "depth_multiplier": Case(depth_multiplier, {"a": 4}),
    "grouped_as_depthwise": Case(grouped_as_depthwise, {"a": 4, "b": 5}),
    "grouped": Case(grouped, {"a": 2, "b": 5}),
    "separable": Case(separable, {"a": 4, "b": 6}),
    "transposed": Case(transposed, {"a": 6, "b": 5}),
    "one_dimension": Case(one_dimension, {"a": 6, "b": 5, "c": 4, "d": 6}),
    "three_dimensions": Case(three_dimensions, {"a": 4, "b": 5}),
    "dense_of_rank_3": Case(dense_of_rank_3, {"a": 6, "b": 7}),
    "channels_first": Case(channels_first, {"a": 10, "b": 5}),
    "residual": Case(residual, {"stem": 6, "inner": 4, "down": 8}),
    "squeeze_and_excite": Case(squeeze_and_excite, {"stem": 6, "squeeze": 4}),
    "concatenation": Case(concatenation, {"a": 4, "b": 5, "c": 6}),
    "concatenations_added": Case(concatenations_added, {"c": 4, "c/2": 2, "d": 4}),
    "flatten_added": Case(flatten_added, {"a": 4}),
    "orders_that_cannot_be_joined": Case(orders_that_cannot_be_joined, {"c": 5}, warns="different orders"),
    "shared_layers": Case(shared_layers, {"b": 4, "shared": 5}, macs=64 * 9 * (2 * 3 * 4 + 2 * 4 * 5) + 10 * 3),
    "nested_models": Case(
        nested_models, {"stem": 6, "head/inner": 4}, macs=9 * 36 * (3 * 6 + 6 * 6) + 9 * 9 * 6 * 6 + 9 * 6 * 4 + 4 * 3
    ),
    "several_inputs_and_outputs": Case(several_inputs_and_outputs, {"a": 5, "b": 7}),
    "softmax_in_the_middle": Case(softmax_in_the_middle, {"a": 8}, warns="softmax"),
    "functions": Case(functions, {"a": 5, "halves": 4}),
    "sums_of_products": Case(
        sums_of_products,
        {"stem": 6, "k": 4, "v": 5, "left": 7},
        macs=16 * (27 * 6 + 6 * 13 + 2 * 16 * (4 + 5) + 5 * 6) + 96 * 14 + 7 + 2 * 3,
    ),
    "given_numbers": Case(given_numbers, {"c": 5}, warns="in its config"),
}
