"""Records of the arguments of calls, and of what handlers state about them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reds_core.network import Buffer, Dims, MacsTerm


@dataclass(frozen=True)
class Given:
    """The arguments of one call of a layer.

    Attributes:
        inputs: axes of each input tensor without the batch dimension; constant arrays count as inputs.
        output_shapes: full shape of each output tensor without the batch dimension.
        arguments: positional arguments of the call, including symbolic tensors.
        constants: indices of the inputs that are constant arrays.
        named: arguments by the parameter names of the layer's `call`, with dims in place of tensors.
        symbolic: positional and named arguments of the call, including symbolic tensors; None for a call inside
            another, which has none.
        dtype: dtype of the first tensor.
    """

    inputs: tuple[Dims, ...]
    output_shapes: tuple[tuple[int, ...], ...]
    arguments: tuple[Any, ...] = ()
    constants: frozenset[int] = frozenset()
    named: Mapping[str, Any] = field(default_factory=dict)
    symbolic: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
    dtype: str = "float32"


@dataclass(eq=False)
class Said:
    """What handlers have stated about a call and the calls inside it.

    Attributes:
        weights: weights that were listed.
        macs: terms of the multiply-accumulates.
        resizings: entries of configs that depend on the widths, by id of the layer.
        buffers: for each inner step, the tensors that are held in addition to the inputs.
        epsilons: what batch norms add to variances.
        mixing: the layers and calls that mix channels in ways that are not linear, as they are named in messages.
    """

    weights: list[Any] = field(default_factory=list)
    macs: list[MacsTerm] = field(default_factory=list)
    resizings: dict[int, list[Resizing]] = field(default_factory=dict)
    buffers: list[tuple[Buffer, ...]] = field(default_factory=list)
    epsilons: list[float] = field(default_factory=list)
    mixing: list[str] = field(default_factory=list)

    def copy(self) -> Said:
        """Return a copy of everything stated so far."""
        resizings = {layer: list(entries) for layer, entries in self.resizings.items()}
        return Said(
            list(self.weights),
            list(self.macs),
            resizings,
            list(self.buffers),
            list(self.epsilons),
            list(self.mixing),
        )

    def go_back(self, earlier: Said) -> None:
        """Discard what was stated since `earlier`, a copy, was made."""
        self.weights[:], self.macs[:], self.buffers[:] = earlier.weights, earlier.macs, earlier.buffers
        self.epsilons[:], self.mixing[:] = earlier.epsilons, earlier.mixing
        self.resizings.clear()
        self.resizings.update(earlier.resizings)


@dataclass(frozen=True)
class Resizing:
    """An entry of a layer's config that depends on the widths.

    Attributes:
        path: keys and indices that lead to it, since it may be in the config of an inner layer.
        declared: the builder's key of the axes whose lengths it contains.
        is_shape: whether the entry is a tuple; otherwise it is a number.
        with_batch: whether the tuple starts with the batch dimension.
    """

    path: tuple[str | int, ...]
    declared: Hashable
    is_shape: bool
    with_batch: bool = False


@dataclass(frozen=True)
class Work:
    """Multiply-accumulates of a call that was run on shapes alone.

    Attributes:
        macs: multiply-accumulates of one call.
        missing: what could not be counted, as part of a sentence; empty if everything was.
    """

    macs: int
    missing: str = ""
