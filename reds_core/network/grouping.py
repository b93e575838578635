"""Unification of channel axes, which finds the channels that can only be pruned together.

Every producer of channels starts with a new group. Where two axes must match (an addition, a shared kernel), they are
tied: two groups are merged, a group is replaced by the tree of the other axis, or a group is split at a boundary of the
other axis. The method is first-order unification with binding of variables (Robinson, J. ACM 12(1), 1965), which
for plain groups is union-find.
"""

from __future__ import annotations

from reds_core.network.axis import Axis, Channels, Concat, Fixed, Repeat, Tile


def concat(parts: tuple[Axis, ...]) -> Axis:
    """Concatenate axes in the simplest form: without nesting, adjacent fixed parts or empty parts."""
    flat: list[Axis] = []
    for part in parts:
        for piece in part.parts if isinstance(part, Concat) else (part,):
            if piece == Fixed(0):
                continue
            if flat and isinstance(piece, Fixed) and isinstance(flat[-1], Fixed):
                piece = Fixed(flat.pop().length().constant + piece.size)
            flat.append(piece)
    if not flat:
        return Fixed(0)
    return flat[0] if len(flat) == 1 else Concat(tuple(flat))


def tile(inner: Axis, times: int) -> Axis:
    """Repeat the whole axis `times` times, in the simplest form."""
    if isinstance(inner, Fixed):
        return Fixed(inner.size * times)
    if isinstance(inner, Tile):
        return Tile(inner.inner, inner.times * times)
    return inner if times == 1 else Tile(inner, times)


def repeat(inner: Axis, times: int) -> Axis:
    """Repeat each element of the axis `times` times, in the simplest form."""
    if isinstance(inner, Fixed):
        return Fixed(inner.size * times)
    if isinstance(inner, Repeat):
        return Repeat(inner.inner, inner.times * times)
    return inner if times == 1 else Repeat(inner, times)


def simplified(axis: Axis) -> Axis:
    """Return the axis in its simplest form."""
    match axis:
        case Concat(parts):
            return concat(tuple(simplified(p) for p in parts))
        case Tile(inner, times):
            return tile(simplified(inner), times)
        case Repeat(inner, times):
            return repeat(simplified(inner), times)
    return axis


class Grouping:
    """The channel groups of a network that is being built."""

    def __init__(self) -> None:
        self._channels: dict[str, int] = {}
        self._bound: dict[str, Axis] = {}

    def fresh(self, channels: int) -> Axis:
        """Return the axis of a new group of `channels` channels."""
        name = f"#{len(self._channels)}"
        self._channels[name] = channels
        return Channels(name)

    def resolved(self, axis: Axis) -> Axis:
        """Return `axis` with all ties so far applied, in its simplest form: groups that were tied have one name."""
        bound = {g: self._resolved_group(g) for g in axis.groups() if g in self._bound}
        return simplified(axis.replaced(bound)) if bound else simplified(axis)

    def length(self, axis: Axis) -> int:
        """Return the full length of `axis`."""
        return axis.full(self._channels)

    def freeze(self, axis: Axis) -> bool:
        """Keep all channels of the groups of `axis`. Return whether any group was not frozen before."""
        groups = self.resolved(axis).groups()
        for group in groups:
            self._bound[group] = Fixed(self._channels[group])
        return bool(groups)

    def tie(self, first: Axis, second: Axis) -> bool:
        """Require both axes to keep the same positions; if groups cannot express that, freeze both axes.

        Returns:
            Whether the axes were tied; False if they were frozen instead.

        Raises:
            ValueError: if the axes differ in length.
        """
        if self.length(first) != self.length(second):
            raise ValueError(f"axes of lengths {self.length(first)} and {self.length(second)} cannot be tied")
        if self._unified(self.resolved(first), self.resolved(second)):
            return True
        self.freeze(first)
        self.freeze(second)
        return False

    def _resolved_group(self, group: str) -> Axis:
        resolved = self._bound[group] = self.resolved(self._bound[group])
        return resolved

    def _unified(self, first: Axis, second: Axis) -> bool:
        """Tie two resolved axes of equal length, and return whether that was possible."""
        if first == second:
            return True
        match first, second:
            # a different axis of the same length cannot contain the group, so this binding creates no cycle
            case Channels(group), _:
                self._bound[group] = second
                return True
            case _, Channels(group):
                self._bound[group] = first
                return True
            case (Fixed(), other) | (other, Fixed()):
                self.freeze(other)
                return True
            case (Tile(a, m), Tile(b, n)) | (Repeat(a, m), Repeat(b, n)) if m == n:
                return self._unified(a, b)
            # if one block size divides the other, the inner axis with the smaller blocks is itself repeated
            case Repeat(a, m), Repeat(b, n) if m % n == 0 or n % m == 0:
                return self._unified(a, repeat(b, n // m)) if n > m else self._unified(repeat(a, m // n), b)
            case Tile(a, m), Tile(b, n) if m % n == 0 or n % m == 0:
                return self._unified(a, tile(b, n // m)) if n > m else self._unified(tile(a, m // n), b)
        if isinstance(first, Concat) or isinstance(second, Concat):
            return self._unified_in_pieces(list(_pieces(first)), list(_pieces(second)))
        return False

    def _unified_in_pieces(self, firsts: list[Axis], seconds: list[Axis]) -> bool:
        """Tie two sequences of axes from the left, splitting the longer of the two heads at the end of the other."""
        while firsts and seconds:
            first, second = self.resolved(firsts.pop(0)), self.resolved(seconds.pop(0))
            shorter = min(self.length(first), self.length(second))
            for head, rest in ((first, firsts), (second, seconds)):
                if self.length(head) > shorter:
                    halves = self._split(head, shorter)
                    if halves is None:
                        return False
                    rest.insert(0, halves[1])
                    if head is first:
                        first = halves[0]
                    else:
                        second = halves[0]
            if not self._unified(self.resolved(first), self.resolved(second)):
                return False
        return True

    def _split(self, axis: Axis, at: int) -> tuple[Axis, Axis] | None:
        """Split `axis` into two axes, the first of length `at`; return None if it cannot be split there."""
        match axis:
            case Fixed(size):
                return Fixed(at), Fixed(size - at)
            case Channels(group):
                halves = self.fresh(at), self.fresh(self._channels[group] - at)
                self._bound[group] = concat(halves)
                return halves
            case Repeat(inner, times) if at % times == 0:
                split = self._split(inner, at // times)
                return None if split is None else (repeat(split[0], times), repeat(split[1], times))
            case Concat() | Tile():
                head: list[Axis] = []
                rest = list(_pieces(axis))
                while at and self.length(rest[0]) <= at:
                    at -= self.length(rest[0])
                    head.append(rest.pop(0))
                if at:
                    split = self._split(rest[0], at)
                    if split is None:
                        return None
                    head.append(split[0])
                    rest[0] = split[1]
                return concat(tuple(head)), concat(tuple(rest))
        return None


def _pieces(axis: Axis) -> tuple[Axis, ...]:
    match axis:
        case Concat(parts):
            return parts
        case Tile(inner, times):
            return (inner,) * times
    return (axis,)
