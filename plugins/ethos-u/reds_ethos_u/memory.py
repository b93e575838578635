"""What is in SRAM at each moment of an inference, as parts whose sizes follow from widths.

Vela gives each tensor a place in memory, and so the weights that it fetches for an operation, partly while the
operation before it runs. Operations that work in place share the memory of their input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reds_ethos_u.vela import Buffer

_FETCHED = re.compile(r"WB_\w+_op(\d+)")
MOMENTS = 2
"""How many moments each operation takes."""


@dataclass(frozen=True)
class Fetched:
    """Weights that are fetched for an operation, at one moment. Their number of buffers depends on widths.

    Attributes:
        operation: The index of the operation.
        moment: The moment.
    """

    operation: int
    moment: int


@dataclass(frozen=True)
class Kept:
    """Tensors that share memory at some moment; mostly a single one.

    Attributes:
        names: Their names.
    """

    names: tuple[str, ...]


Held = Fetched | Kept
"""A part of what is in memory."""


class MemoryLayout:
    """Which parts are in memory at each moment, as in the file of the full network.

    Attributes:
        moments: The parts that are in memory, for each moment.

    Args:
        buffers: What is in memory in the file of the full network.
    """

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        fetched: dict[int, list[Buffer]] = {each: [] for each in range(_end(buffers) // MOMENTS)}
        for buffer in buffers:
            operation = fetched_for(buffer)
            if operation is not None:
                fetched.setdefault(operation, []).append(buffer)
        self.moments: tuple[tuple[Held, ...], ...] = tuple(
            (
                *_shared(_at(buffers, moment)),
                *(Fetched(each, moment) for each, own in fetched.items() if _may_be(each, own, moment)),
            )
            for moment in range(_end(buffers))
        )

    def sizes(self, buffers: Sequence[Buffer]) -> dict[Held, int] | None:
        """Return the size of each part in bytes, for what is in memory in a file of other widths.

        Parts that lie apart here share no memory, even if they do in that file, so that the sum is not too small.

        Returns:
            The sizes; None if something else is in memory at a moment than in the file of the full network.
        """
        if _end(buffers) != len(self.moments):
            return None
        found: dict[Held, int] = {}
        for moment, parts in enumerate(self.moments):
            left = list(_at(buffers, moment))
            for part in parts:
                own = [buffer for buffer in left if _belongs(buffer, part)]
                left = [buffer for buffer in left if buffer not in own]
                found[part] = max(found.get(part, 0), _union(own))
            if left:
                return None
        return found


def fetched_for(buffer: Buffer) -> int | None:
    """Return the index of the operation for which a buffer holds weights; None if it holds a tensor."""
    match = _FETCHED.fullmatch(buffer.name)
    return None if match is None else int(match[1])


def _may_be(operation: int, own: Sequence[Buffer], moment: int) -> bool:
    """Whether weights of an operation may be in memory at a moment: while it runs, and from shortly before.

    At other widths, weights may be fetched that the full network reads from where they are.
    """
    start = MOMENTS * operation
    first, last = start - 1, start + MOMENTS - 1
    return min([first, *(each.first for each in own)]) <= moment <= max([last, *(each.last for each in own)])


def _belongs(buffer: Buffer, part: Held) -> bool:
    return buffer.name in part.names if isinstance(part, Kept) else fetched_for(buffer) == part.operation


def _end(buffers: Iterable[Buffer]) -> int:
    return max((buffer.last + 1 for buffer in buffers), default=0)


def _at(buffers: Iterable[Buffer], moment: int) -> list[Buffer]:
    return [buffer for buffer in buffers if buffer.first <= moment <= buffer.last]


def _shared(buffers: Iterable[Buffer]) -> list[Kept]:
    """Join the tensors at one moment that overlap in memory."""
    joined: list[list[str]] = []
    end = -1
    for buffer in sorted((b for b in buffers if fetched_for(b) is None), key=lambda b: (b.begin, b.end, b.name)):
        if joined and buffer.begin < end:
            joined[-1].append(buffer.name)
        else:
            joined.append([buffer.name])
        end = max(end, buffer.end)
    return [Kept(tuple(sorted(names))) for names in joined]


def _union(buffers: Iterable[Buffer]) -> int:
    """Return how many bytes some buffers take together."""
    total, end = 0, 0
    for buffer in sorted(buffers, key=lambda b: b.begin):
        total += max(buffer.end - max(buffer.begin, end), 0)
        end = max(end, buffer.end)
    return total
