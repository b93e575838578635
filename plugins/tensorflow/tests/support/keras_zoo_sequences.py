"""Small networks of attention, recurrent, embedding and normalising layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers as L


@dataclass(frozen=True)
class Case:
    """A network and what is known of it by hand.

    Attributes:
        build: makes the model, without weights that mean anything.
        groups: names and channels of its groups in order.
        tokens: how many tokens the input takes; 0 for real numbers.
        macs: where the reference cannot know, as with layers called twice; else None.
        warns: words of the warning that must be given; None where there must be none.
        normalised: whether channels under a normalisation may be pruned.
    """

    build: Callable[[], Any]
    groups: dict[str, int]
    tokens: int = 0
    macs: int | None = None
    warns: str | None = None
    normalised: bool = False


def _model(shape: tuple[int, ...], *chain: Any) -> Any:
    x = inputs = keras.Input(shape)
    for layer in chain:
        x = layer(x)
    return keras.Model(inputs, x)


def _ended(inputs: Any, x: Any) -> Any:
    return keras.Model(inputs, L.Dense(3, name="out")(L.Flatten()(x) if len(x.shape) > 2 else x))


def self_attention(**settings: Any) -> Any:
    """Attention between Dense layers: its input and its output are groups of their own."""
    inputs = keras.Input((6, 5))
    x = L.Dense(8, activation="relu", name="a")(inputs)
    x = L.MultiHeadAttention(**{"num_heads": 4, "key_dim": 3, "name": "mha", **settings})(x, x)
    return _ended(inputs, x)


def residual_attention() -> Any:
    """The residual stream ties what attention reads and makes; heads stay a group of their own."""
    inputs = keras.Input((6, 5))
    x = L.Dense(8, name="a")(inputs)
    x = L.Add()([x, L.MultiHeadAttention(4, 3, use_bias=False, name="mha")(x, x, use_causal_mask=True)])
    return _ended(inputs, L.Add()([x, L.Dense(8, name="b2")(L.Dense(10, activation="gelu", name="b1")(x))]))


def cross_attention() -> Any:
    inputs = keras.Input((6, 5))
    x = L.Dense(8, activation="relu", name="a")(inputs)
    y = L.Conv1D(7, 2, activation="relu", name="b")(inputs)
    z = L.Conv1D(6, 2, activation="relu", name="c")(inputs)
    x = L.MultiHeadAttention(3, 2, value_dim=4, output_shape=9, name="mha")(x, y, key=z)
    return _ended(inputs, x)


def attention_over_images() -> Any:
    """Over one of two dimensions; the output has two dimensions of its own."""
    inputs = keras.Input((4, 3, 5))
    x = L.Conv2D(8, 1, activation="relu", name="a")(inputs)
    x = L.MultiHeadAttention(3, 2, attention_axes=(2,), output_shape=(2, 4), name="mha")(x, x)
    return _ended(inputs, x)


def attention_scores() -> Any:
    """Scores that are put out have the heads on an axis."""
    inputs = keras.Input((6, 5))
    x, scores = L.MultiHeadAttention(4, 3, name="mha")(inputs, inputs, return_attention_scores=True)
    scores = L.Permute((2, 3, 1))(scores)
    return _ended(inputs, L.Concatenate()([L.Flatten()(x), L.Flatten()(scores)]))


def attention_twice() -> Any:
    """One layer called twice."""
    inputs = keras.Input((6, 5))
    x = L.Dense(8, activation="relu", name="a")(inputs)
    mha = L.MultiHeadAttention(4, 3, name="mha")
    return _ended(inputs, mha(mha(x, x), x))


def grouped_queries(**settings: Any) -> Any:
    inputs = keras.Input((6, 5))
    x = L.Dense(8, activation="relu", name="a")(inputs)
    return _ended(inputs, L.GroupQueryAttention(**{"head_dim": 3, "name": "gqa", **settings})(x, x))


def grouped_queries_elsewhere() -> Any:
    """Of another tensor, which Keras wants as wide as the queries."""
    inputs = keras.Input((6, 5))
    x, y = L.Dense(8, activation="relu", name="a")(inputs), L.Conv1D(8, 2, activation="relu", name="b")(inputs)
    return _ended(inputs, L.GroupQueryAttention(2, 6, 3, name="gqa")(x, y))


def products(layer: Any) -> Any:
    inputs = keras.Input((6, 5))
    x = L.Dense(8, activation="relu", name="a")(inputs)
    y = L.Conv1D(8, 2, activation="relu", name="b")(inputs)
    z = L.Conv1D(7, 2, activation="relu", name="c")(inputs)
    return _ended(inputs, layer([x, z, y]))


def einsum() -> Any:
    inputs = keras.Input((6, 4))
    x = L.EinsumDense("...x,xy->...y", 5, activation="relu", bias_axes="y", name="a")(inputs)
    x = L.EinsumDense("abc,cde->abde", (6, 2, 7), activation="relu", bias_axes="de", name="b")(x)
    x = L.EinsumDense("abde,def->abf", (6, 8), bias_axes="f", name="c")(x)
    x = L.EinsumDense("abc,bc->abc", (6, 8), bias_axes="c", name="d")(x)
    x = L.EinsumDense("ab...,bc->ac...", 3, name="e")(x)
    return _ended(inputs, x)


def recurrent(*chain: Any) -> Any:
    inputs = keras.Input((6, 5))
    x = L.Dense(7, activation="relu", name="a")(inputs)
    for layer in chain:
        x = layer(x)
    return _ended(inputs, x)


def states() -> Any:
    """States are put out, joined, and handed to another layer."""
    inputs = keras.Input((6, 5))
    x, h, c = L.LSTM(6, return_sequences=True, return_state=True, name="a")(inputs)
    y, g = L.GRU(6, return_state=True, name="b")(x, initial_state=h)
    z = L.LSTM(6, name="c")(x, initial_state=[h, c])
    return _ended(inputs, L.Concatenate()([y, g, z, c]))


def both_ways() -> Any:
    inputs = keras.Input((6, 5))
    x = L.Bidirectional(L.LSTM(4, return_sequences=True), name="a")(inputs)
    x = L.Bidirectional(L.GRU(5, return_sequences=True), merge_mode="sum", name="b")(x)
    x = L.Bidirectional(L.SimpleRNN(4, return_sequences=True), merge_mode="mul", name="c")(x)
    y, z = L.Bidirectional(L.LSTM(3), merge_mode=None, name="d")(x)
    x, *all_states = L.Bidirectional(L.GRU(4, return_state=True), merge_mode="ave", name="e")(x)
    return _ended(inputs, L.Concatenate()([x, y, z, *all_states]))


def cells() -> Any:
    inputs = keras.Input((6, 5))
    stacked = L.RNN([L.LSTMCell(6), L.GRUCell(5)], return_sequences=True, return_state=True, name="a")
    x, (h, c), g = stacked(inputs)
    x = L.RNN(L.SimpleRNNCell(4), go_backwards=True, name="b")(x)
    return _ended(inputs, L.Concatenate()([x, h, c, g]))


def convolving(**settings: Any) -> Any:
    inputs = keras.Input((4, 6, 6, 2))
    x = L.ConvLSTM2D(4, 3, return_sequences=True, name="a")(inputs)
    x = L.ConvLSTM2D(3, 2, strides=2, padding="same", name="b")(x)
    return _ended(inputs, x)


def distributed() -> Any:
    inputs = keras.Input((4, 6, 6, 2))
    x = L.TimeDistributed(L.Conv2D(4, 3, activation="relu"), name="a")(inputs)
    x = L.TimeDistributed(L.BatchNormalization())(x)
    x = L.TimeDistributed(L.GlobalAveragePooling2D())(x)
    x = L.TimeDistributed(L.Dense(6, activation="relu"), name="b")(x)
    return _ended(inputs, L.GRU(5, name="c")(x))


def spectral() -> Any:
    return _model(
        (6, 6, 2),
        L.SpectralNormalization(L.Conv2D(4, 3, activation="relu"), name="a"),
        L.GlobalAveragePooling2D(),
        L.SpectralNormalization(L.Dense(5, activation="relu"), name="b"),
        L.Dense(3, name="out"),
    )


def embedded() -> Any:
    return _model(
        (7,),
        L.Embedding(11, 6, mask_zero=True, name="a"),
        L.LSTM(5, return_sequences=True, name="b"),
        L.GRU(4, name="c"),
        L.Dense(3, name="out"),
    )


def positions() -> Any:
    """Tokens and their positions, both embedded, tied by their sum."""
    inputs = keras.Input((7,))
    places = keras.ops.cumsum(keras.ops.ones_like(inputs), axis=1) - 1
    x = L.Embedding(11, 6, name="tokens")(inputs)
    x = L.Add()([x, L.Embedding(7, 6, name="places")(places)])
    x = L.Add()([x, L.MultiHeadAttention(3, 2, name="mha")(x, x, use_causal_mask=True)])
    return _ended(inputs, L.GlobalAveragePooling1D()(x))


def reversible() -> Any:
    """The embedding's weights give the vectors of tokens and read them again."""
    inputs = keras.Input((7,))
    table = L.ReversibleEmbedding(11, 6, name="table")
    x = L.Dense(6, name="b")(L.Dense(8, activation="relu", name="a")(table(inputs)))
    return keras.Model(inputs, table(x, reverse=True))


def untied() -> Any:
    inputs = keras.Input((7,))
    table = L.ReversibleEmbedding(11, 6, tie_weights=False, name="table")
    return keras.Model(inputs, table(L.ReLU()(table(inputs)), reverse=True))


def masked_steps() -> Any:
    """A mask of steps that Keras hands to layers with one input besides."""
    inputs = keras.Input((7,))
    x = L.BatchNormalization()(L.Embedding(11, 6, mask_zero=True, name="table")(inputs))
    x = L.BatchNormalization()(L.Dense(5, activation="relu", name="a")(x))
    return keras.Model(inputs, L.Dense(3, name="out")(L.GlobalAveragePooling1D()(x)))


def layer_norms() -> Any:
    inputs = keras.Input((6, 6, 3))
    x = L.LayerNormalization()(L.Conv2D(8, 3, activation="relu", name="a")(inputs))
    x = L.LayerNormalization(axis=[1, 2], scale=False)(L.Conv2D(7, 3, name="b")(x))
    x = L.RMSNormalization()(L.Dense(6, name="c")(x))
    x = L.LayerNormalization(axis=[1, 2, 3], center=False)(L.Dense(5, activation="relu", name="d")(x))
    x = L.UnitNormalization()(L.Dense(6, activation="relu", name="e")(L.Flatten()(x)))
    return keras.Model(inputs, L.Dense(3, name="out")(x))


def group_norms() -> Any:
    """Blocks of channels; single channels; blocks of two sizes on one stream; all channels in one block."""
    inputs = keras.Input((6, 6, 3))
    x = L.GroupNormalization(4)(L.Conv2D(8, 3, name="a")(inputs))
    x = L.GroupNormalization(-1)(L.Conv2D(6, 1, activation="relu", name="b")(L.ReLU()(x)))
    x = L.Conv2D(12, 1, name="c")(x)
    x = L.Add()([L.GroupNormalization(6)(x), L.GroupNormalization(3)(x)])
    x = L.GroupNormalization(1)(L.Conv2D(4, 1, activation="relu", name="d")(x))
    return _ended(inputs, x)


def transformer() -> Any:
    """Blocks with normalisation before attention and before the layers behind it."""
    inputs = keras.Input((6, 5))
    x = L.Dense(8, name="stem")(inputs)
    for i in range(2):
        y = L.LayerNormalization()(x)
        x = L.Add()([x, L.MultiHeadAttention(4, 2, name=f"mha{i}")(y, y)])
        y = L.Dense(12, activation="gelu", name=f"up{i}")(L.LayerNormalization()(x))
        x = L.Add()([x, L.Dense(8, name=f"down{i}")(y)])
    return keras.Model(inputs, L.Dense(3, name="out")(L.GlobalAveragePooling1D()(L.LayerNormalization()(x))))


CASES: dict[str, Case] = {
    "self_attention": Case(self_attention, {"a": 8, "mha": 8, "mha/2": 4}),
    "gated_attention": Case(lambda: self_attention(use_gate=True, dropout=0.1), {"a": 8, "mha": 8, "mha/2": 4}),
    "one_head": Case(lambda: self_attention(num_heads=1, value_dim=5), {"a": 8, "mha": 8, "mha/2": 5}),
    "residual_attention": Case(residual_attention, {"a": 8, "mha": 4, "b1": 10}),
    "cross_attention": Case(cross_attention, {"a": 8, "b": 7, "c": 6, "mha": 9, "mha/2": 3}),
    "attention_over_images": Case(attention_over_images, {"a": 8, "mha": 4, "mha/2": 3}),
    "attention_scores": Case(attention_scores, {"mha": 5, "mha/2": 4}),
    "attention_twice": Case(
        attention_twice,
        {"a": 8, "mha": 4},
        macs=6 * 5 * 8 + 2 * (4 * 6 * 8 * 12 + 2 * 36 * 12) + 6 * 8 * 3,
    ),
    "grouped_queries": Case(lambda: grouped_queries(num_query_heads=6, num_key_value_heads=3), {"a": 8, "gqa": 3}),
    "grouped_queries_elsewhere": Case(grouped_queries_elsewhere, {"a": 8, "gqa": 3}),
    "one_source_of_queries": Case(
        lambda: grouped_queries(num_query_heads=4, num_key_value_heads=1), {"a": 8, "gqa": 4}
    ),
    "products": Case(lambda: products(L.Attention(use_scale=True)), {"a": 8, "c": 7}),
    "products_of_sums": Case(lambda: products(L.AdditiveAttention()), {"a": 8, "c": 7}),
    "concatenated_products": Case(lambda: products(L.Attention(score_mode="concat")), {"a": 8, "c": 7}),
    "einsum": Case(einsum, {"a": 5, "b": 7, "c": 8}, warns="channels on two dimensions"),
    "lstm": Case(
        lambda: recurrent(
            L.LSTM(6, return_sequences=True, name="b"),
            L.LSTM(5, go_backwards=True, use_bias=False, recurrent_dropout=0.1, name="c"),
        ),
        {"a": 7, "b": 6, "c": 5},
    ),
    "gru": Case(
        lambda: recurrent(
            L.GRU(6, return_sequences=True, unroll=True, name="b"),
            L.GRU(5, reset_after=False, return_sequences=True, name="c"),
            L.SimpleRNN(4, activation="relu", name="d"),
        ),
        {"a": 7, "b": 6, "c": 5, "d": 4},
    ),
    "states": Case(states, {"a": 6}),
    "both_ways": Case(both_ways, {"a": 4, "b": 5, "c": 4, "d": 3, "e": 4}),
    "cells": Case(cells, {"a": 5, "a/2": 6, "b": 4}),
    "convolving": Case(convolving, {"a": 4, "b": 3}),
    "distributed": Case(distributed, {"a": 4, "b": 6, "c": 5}),
    "spectral": Case(spectral, {"a": 4, "b": 5}),
    "embedded": Case(embedded, {"a": 6, "b": 5, "c": 4}, tokens=11),
    "positions": Case(positions, {"tokens": 6, "mha": 3}, tokens=11),
    "reversible": Case(reversible, {"table": 6, "a": 8}, tokens=11, macs=7 * (6 * 8 + 8 * 6 + 6 * 11)),
    "untied": Case(untied, {"table": 6}, tokens=11, macs=7 * 6 * 11),
    "masked_steps": Case(masked_steps, {"table": 6, "a": 5}, tokens=11),
    "layer_norms": Case(layer_norms, {"b": 7}, warns="normalises over channels"),
    "layer_norms_pruned": Case(layer_norms, {"a": 8, "b": 7, "c": 6, "d": 5, "e": 6}, normalised=True),
    "group_norms": Case(group_norms, {"a": 4, "b": 6, "c": 3}, warns="normalises over channels"),
    "transformer": Case(transformer, {"mha0": 4, "up0": 12, "mha1": 4, "up1": 12}, warns="normalises over channels"),
    "transformer_pruned": Case(transformer, {"stem": 8, "mha0": 4, "up0": 12, "mha1": 4, "up1": 12}, normalised=True),
}
