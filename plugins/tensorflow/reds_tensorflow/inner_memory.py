"""The tensors that a layer holds while it runs a whole model inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.network import Buffer, Dims, Value
from reds_tensorflow.calls import Call


@dataclass(frozen=True)
class _Called:
    """A call inside: tensors that it reads and computes, whether in place, and buffers of its own inner steps."""

    read: tuple[int, ...]
    made: tuple[int, ...]
    in_place: bool
    buffers: tuple[tuple[Buffer, ...], ...]


class StepByStep:
    """The tensors of a model inside a layer, and when they are live.

    Args:
        outer: the call of the model, to which the buffers are added.
    """

    def __init__(self, outer: Call) -> None:
        self._outer = outer
        self._tensors: list[Dims] = []
        self._calls: list[_Called] = []

    def value(self, dims: Dims) -> Value:
        """Add a tensor of the inner model."""
        self._tensors.append(dims)
        return Value(len(self._tensors) - 1, dims)

    def called(
        self, read: Sequence[int], made: Sequence[Dims], in_place: bool, buffers: Sequence[tuple[Buffer, ...]]
    ) -> list[Value]:
        """Record a call inside, and return its outputs."""
        values = [self.value(dims) for dims in made]
        self._calls.append(_Called(tuple(read), tuple(v.index for v in values), in_place, tuple(buffers)))
        return values

    def finish(self, outputs: Sequence[int]) -> None:
        """State for each call which tensors are live while it runs."""
        last = dict.fromkeys(range(len(self._tensors)), -1)
        for step, call in enumerate(self._calls):
            last.update(dict.fromkeys(call.read, step))
        last.update(dict.fromkeys(outputs, len(self._calls)))
        made = {index: step for step, call in enumerate(self._calls) for index in call.made}
        for step, call in enumerate(self._calls):
            reused = call.read[:1] if call.in_place and last[call.read[0]] == step else ()
            live = [t for t in last if made.get(t, -1) <= step <= max(last[t], made.get(t, -1)) and t not in reused]
            self._outer.inside(*map(self._buffer, live))
            beside = [t for t in live if t not in call.made] + list(reused)
            for own in call.buffers:
                self._outer.inside(*map(self._buffer, beside), *own)

    def _buffer(self, tensor: int) -> Buffer:
        return self._outer.buffer(1, *self._tensors[tensor])
