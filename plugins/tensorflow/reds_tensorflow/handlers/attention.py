"""Attention layers.

Heads are channels: a head is pruned together with its part of the query, key, value and output projections. The
features of a head are not pruned, because pruning both heads and features would make costs products of three widths,
and because the number of key features sets the scale of the softmax. In a layer with a single head, the value features
are channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reds_core.network import Axis, Buffer, Dims, Fixed, WeightKind, fixed_dims, repeat
from reds_tensorflow.calls import Call


@dataclass(frozen=True)
class _Heads:
    """Axes inside an attention layer.

    Attributes:
        queries: heads of the queries.
        sources: heads of the keys and values.
        keys: features of the queries and keys.
        values: features of the values.
    """

    queries: Axis
    sources: Axis
    keys: Axis
    values: Axis


def multi_head_attention(call: Call) -> tuple[Dims, ...]:
    """MultiHeadAttention (arXiv 1706.03762) over one dimension or several."""
    layer = call.layer
    if layer.num_heads > 1:
        count = call.fresh(layer.num_heads)
        heads = _Heads(count, count, Fixed(layer.key_dim), Fixed(layer.value_dim))
        call.resize(num_heads=count)
    else:
        heads = _Heads(Fixed(1), Fixed(1), Fixed(layer.key_dim), call.fresh(layer.value_dim))
        call.resize(value_dim=heads.values)
    query = call.argument("query")
    *others, last = call.output_shapes[0][len(query) - 1 :]
    made = (*fixed_dims(others), call.fresh(last))
    call.resize_shape("output_shape", made)  # otherwise it would be as wide as the query, which is another group
    return _attention(call, heads, made, tuple(a - 1 for a in layer._attention_axes))


def grouped_query_attention(call: Call) -> tuple[Dims, ...]:
    """GroupQueryAttention (arXiv 2305.13245). A head of keys and values is pruned with the query heads that read it."""
    layer = call.layer
    features = Fixed(layer.head_dim)
    if layer.num_key_value_heads > 1:
        sources = call.fresh(layer.num_key_value_heads)
        queries = repeat(sources, layer.num_query_heads // layer.num_key_value_heads)
    else:
        sources, queries = Fixed(1), call.fresh(layer.num_query_heads)
    call.resize(num_query_heads=queries, num_key_value_heads=sources)
    made = call.argument("query")[-1:]  # the output is as wide as the query: the config has no entry for it
    call.tie(made[0], call.argument("value")[-1])  # Keras does not support any other width
    return _attention(call, _Heads(queries, sources, features, features), made, (0,))


def _attention(call: Call, heads: _Heads, made: Dims, across: tuple[int, ...]) -> tuple[Dims, ...]:
    """Describe the projections, the two products between them, and their costs.

    Args:
        call: the call of the attention layer.
        heads: axes inside the layer.
        made: dimensions of the output of the output projection.
        across: dimensions that positions attend across, not counting the batch.

    Returns:
        The dimensions of the output and, if the layer returns them, of the attention scores.
    """
    layer, query, value, mask = call.layer, *map(call.argument, ("query", "value", "attention_mask"))
    key = call.argument("key") or value
    for dims in (query, key, value):
        call.freeze("attends across dimensions that hold channels", *dims[:-1])
    if mask is not None and len(mask) == 2 * len(across) + 1 and call.size(mask[0]) > 1:
        call.tie(heads.queries, mask[0])  # a mask for each head
    asked, read = (math.prod(map(call.size, dims[:-1])) for dims in (query, key))
    pairs = asked * math.prod(call.size(key[a]) for a in across)

    for projection, source, axes in (
        (layer._query_dense, query, (heads.queries, heads.keys)),
        (layer._key_dense, key, (heads.sources, heads.keys)),
        (layer._value_dense, value, (heads.sources, heads.values)),
        *([(layer._gate_dense, query, (heads.queries, heads.values))] if hasattr(layer, "_gate_dense") else []),
    ):
        owner = 1 if axes[1].groups() else 0
        call.kernel(projection.kernel, (source[-1], *axes), owner + 1, scale_axes=(1, 2))
        call.weight(projection.bias, WeightKind.BIAS, axes, owner)
        call.count(math.prod(map(call.size, source[:-1])), source[-1], *axes)
    output = layer._output_dense
    along = tuple(range(2, len(made) + 2))
    call.kernel(output.kernel, (heads.queries, heads.values, *made), len(made) + 1, scale_axes=along)
    call.weight(output.bias, WeightKind.BIAS, made, len(made) - 1)
    call.count(pairs, heads.queries, heads.keys)
    call.count(pairs, heads.queries, heads.values)
    call.count(asked, heads.queries, heads.values, *made)

    # Heads of keys and values that are shared by several query heads are repeated for each of them.
    queries, keys = call.buffer(asked, heads.queries, heads.keys), call.buffer(read, heads.queries, heads.keys)
    values, mixed = call.buffer(read, heads.queries, heads.values), call.buffer(asked, heads.queries, heads.values)
    scores = call.buffer(pairs, heads.queries)
    _inside(call, queries, keys, values, scores, mixed)
    outputs: tuple[Dims, ...] = ((*query[:-1], *made),)
    if len(call.output_shapes) > 1:  # the layer also returns the scores of each head
        outputs += ((heads.queries, *fixed_dims(call.output_shapes[1][1:])),)
    return outputs


def _inside(call: Call, queries: Buffer, keys: Buffer, values: Buffer, scores: Buffer, mixed: Buffer) -> None:
    """List the tensors that LiteRT's operators hold in each inner step, in addition to the input.

    Each projection is followed by a transposition, and the scores by a scaling and a softmax.
    """
    call.inside(queries, keys, keys)
    call.inside(queries, keys, scores)
    call.inside(scores, scores)
    call.inside(scores, values, values)
    call.inside(scores, values, mixed)
    call.inside(mixed, mixed)


def attention(call: Call) -> tuple[Dims, ...]:
    """Attention and AdditiveAttention: products of the inputs, without projections."""
    layer, (query, value, *rest) = call.layer, call.argument("inputs")
    key = rest[0] if rest else value
    for dims in (query, key, value):
        call.freeze("attends across dimensions that hold channels", *dims[:-1])
    call.tie(query[-1], key[-1])
    pairs = math.prod(map(call.size, query[:-1])) * call.size(key[-2])
    additive = getattr(layer, "concat_score_weight", None) is None and type(layer).__name__ == "AdditiveAttention"
    call.weight(layer.scale, WeightKind.SCALE, query[-1:] if additive else (), 0 if additive else None)
    call.weight(getattr(layer, "concat_score_weight", None), WeightKind.SCALE, ())
    if layer.score_mode == "dot" and (not additive or layer.use_scale):
        call.count(pairs, query[-1])
    call.count(pairs, value[-1])
    scores = call.buffer(pairs)
    call.inside(scores, scores)
    return ((*query[:-1], value[-1]), *(fixed_dims(shape) for shape in call.output_shapes[1:]))
