"""Embeddings. Looking up a vector costs no multiply-accumulates."""

from __future__ import annotations

from reds_core.network import Dims, Fixed
from reds_tensorflow.calls import Call
from reds_tensorflow.handlers.layout import positions


def embedding(call: Call) -> tuple[Dims, ...]:
    """Embedding: a vector for each token, whose elements are channels."""
    call.freeze("reads channels as tokens", *call.dims)
    outer = call.fresh(call.layer.output_dim)
    call.kernel(call.layer.embeddings, (Fixed(call.layer.input_dim), outer), 1)
    call.resize(output_dim=outer)
    return ((*call.dims, outer),)


def reversible_embedding(call: Call) -> tuple[Dims, ...]:
    """ReversibleEmbedding: an Embedding or, with `reverse`, the products of vectors with all embeddings."""
    layer = call.layer
    tokens = Fixed(layer.input_dim)
    if call.argument("reverse"):
        *others, width = call.argument("inputs")
        dims = (*others, tokens)
        call.count(positions(call.output_shape, -1), width, tokens)
    else:
        width = call.fresh(layer.output_dim)
        call.freeze("reads channels as tokens", *call.argument("inputs"))
        dims = (*call.argument("inputs"), width)
    call.kernel(layer.embeddings, (tokens, width), 1)
    if not layer.tie_weights:
        call.kernel(layer.reverse_embeddings, (width, tokens), None)
    call.resize(output_dim=width)
    return (dims,)
