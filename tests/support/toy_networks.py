"""Networks for tests of costs and problems: random models of the toy framework, and networks that it cannot build."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from toy_models import INPUT, ToyLayer, ToyModel

from reds_core.network.axis import Axis
from reds_core.network.builder import NetworkBuilder, Value
from reds_core.network.description import MacsTerm, Network, Weight, WeightKind
from reds_core.network.grouping import concat


@st.composite
def random_models(draw: st.DrawFn) -> ToyModel:
    """Graphs in which any earlier tensor may be read again, by dense layers, in-place layers and additions."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    positions, features = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    width = {INPUT: features}
    layers: list[ToyLayer] = []
    weights: dict[str, np.ndarray] = {}

    def dense(source: str, size: int, name: str) -> None:
        layers.append(ToyLayer(name, "dense", (source,)))
        weights[f"{name}/kernel"] = rng.normal(size=(width[source], size)).astype(np.float32)
        weights[f"{name}/bias"] = rng.normal(size=size).astype(np.float32)
        width[name] = size

    dense(INPUT, draw(st.integers(1, 4)), "first")
    for i in range(draw(st.integers(0, 8))):
        name, source = f"l{i}", draw(st.sampled_from(list(width)))
        kind = draw(st.sampled_from(["dense", "relu", "scale", "add"]))
        if kind == "dense":
            dense(source, draw(st.integers(1, 4)), name)
            continue
        if kind == "add":
            other = draw(st.sampled_from([t for t in width if width[t] == width[source]]))
            layers.append(ToyLayer(name, "add", (source, other)))
        else:
            layers.append(ToyLayer(name, kind, (source,)))
            for weight in ("gamma", "beta", "mean", "variance") if kind == "scale" else ():
                weights[f"{name}/{weight}"] = np.ones(width[source], np.float32)
        width[name] = width[source]
    layers.append(ToyLayer("pool", "pool", (layers[-1].name,)))
    width["pool"] = width[layers[-2].name]
    dense("pool", 2, "head")
    return ToyModel("random", (positions, features), tuple(layers), weights)


def add_dense(builder: NetworkBuilder, name: str, source: Value, size: int) -> Value:
    """Add a dense layer that makes a group of `size` channels."""
    inner, outer = source.dims[-1], builder.fresh(size)
    builder.weight(f"{name}/kernel", Weight(f"{name}/kernel", name, WeightKind.KERNEL, (inner, outer), 1, True))
    builder.weight(f"{name}/bias", Weight(f"{name}/bias", name, WeightKind.BIAS, (outer,), 0, True))
    work = (MacsTerm(1, (inner, outer)),)
    (made,) = builder.call(name, "dense", [source], [(outer,)], [f"{name}/kernel", f"{name}/bias"], work)
    return made


def add_concat(builder: NetworkBuilder, name: str, sources: list[Value]) -> Value:
    """Add a concatenation."""
    joined: Axis = concat(tuple(source.dims[-1] for source in sources))
    (made,) = builder.call(name, "concat", sources, [(joined,)])
    return made


def concatenated(sizes: tuple[int, ...] = (3, 2, 4), after: int | None = 3, classes: int = 2) -> Network:
    """Branches that are concatenated and read by a dense layer of `after` channels, then by the head.

    Without `after`, the head reads the concatenation, so that its kernel depends on several groups of channels and on
    no other.
    """
    builder = NetworkBuilder()
    source = builder.input((5,))
    stem = add_dense(builder, "stem", source, 4)
    value = add_concat(builder, "joined", [add_dense(builder, f"branch{i}", stem, n) for i, n in enumerate(sizes)])
    if after is not None:
        value = add_dense(builder, "after", value, after)
    return builder.finish("concatenated", [add_dense(builder, "head", value, classes)])
