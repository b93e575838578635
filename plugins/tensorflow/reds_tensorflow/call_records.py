"""What calls of layers are given, and what handlers say about them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reds_core.network import Buffer, Dims, MacsTerm


@dataclass(frozen=True)
class Given:
    """What one call of a layer was given.

    Attributes:
        inputs: axes of each input tensor, without the batch dimension; constant arrays are inputs as well.
        output_shapes: full shape of each output tensor, without the batch dimension.
        arguments: positional arguments of the call, with symbolic tensors.
        constants: which of the inputs are constant arrays.
        named: arguments by the names of the parameters of the layer's `call`, with dims in place of tensors.
        symbolic: all arguments of the call with symbolic tensors, positional and named ones; None where the call stands
            inside another, and has none.
        dtype: of the first tensor.
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
    """What handlers have said about a call and the calls inside it.

    Attributes:
        weights: that were listed.
        macs: multiply-accumulates.
        resizings: by id of a layer the entries of its config that follow the widths.
        buffers: for each inner step the tensors that are held beside the inputs.
    """

    weights: list[Any] = field(default_factory=list)
    macs: list[MacsTerm] = field(default_factory=list)
    resizings: dict[int, list[Resizing]] = field(default_factory=dict)
    buffers: list[tuple[Buffer, ...]] = field(default_factory=list)

    def copy(self) -> Said:
        """What has been said so far."""
        resizings = {layer: list(entries) for layer, entries in self.resizings.items()}
        return Said(list(self.weights), list(self.macs), resizings, list(self.buffers))

    def go_back(self, earlier: Said) -> None:
        """Forget what was said since `earlier`, a copy."""
        self.weights[:], self.macs[:], self.buffers[:] = earlier.weights, earlier.macs, earlier.buffers
        self.resizings.clear()
        self.resizings.update(earlier.resizings)


@dataclass(frozen=True)
class Resizing:
    """An entry of a layer's config that follows the widths.

    Attributes:
        path: keys and indices that lead to it, for it may stand in the config of a layer inside.
        declared: key of the axes whose lengths it holds, as the builder knows them.
        is_shape: whether the entry is a tuple; else one number.
        with_batch: whether the tuple begins with the batch dimension.
    """

    path: tuple[str | int, ...]
    declared: Hashable
    is_shape: bool
    with_batch: bool = False


@dataclass(frozen=True)
class Work:
    """Multiply-accumulates of a call that was run on shapes alone.

    Attributes:
        macs: of one call.
        missing: what could not be counted, as the end of a sentence; empty where all was.
    """

    macs: int
    missing: str = ""
