"""The lanes of a network: its layers in the order in which they run, with its branches side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.plan_details import LayerDetails

ROW_PIXELS, LANE_PIXELS = 26, 14
_RADIUS = 4.5


@dataclass(frozen=True)
class LaneRow:
    """One layer of the graph.

    Attributes:
        lane: the lane of its dot, from 0 at the left.
        passing: the lanes that only pass through the row.
        joining: the lanes of outputs that the layer reads, which come from above.
        keeps: the lanes of `joining` that later layers read as well.
        goes_on: whether a later layer reads its output.
    """

    lane: int
    passing: tuple[int, ...]
    joining: tuple[int, ...]
    keeps: tuple[int, ...]
    goes_on: bool


def lane_rows(layers: Sequence[LayerDetails]) -> tuple[LaneRow, ...]:
    """Return a row for each call of a layer.

    A layer continues the lane of the first of its inputs that no later layer reads; if all of them are read again, it
    opens the first free lane. Calls of the same layer are told apart by their place.
    """
    last_read = _last_reads(layers)
    writer: dict[str, int] = {}  # the latest call of each layer so far
    lane_of: dict[int, int] = {}  # lanes of the calls whose outputs are still read
    rows = []
    for place, layer in enumerate(layers):
        read = sorted({writer[name] for name in layer.inputs if name in writer} & lane_of.keys())
        joining = tuple(sorted({lane_of[call] for call in read}))
        ending = [call for call in read if last_read[call] == place]
        keeps = tuple(sorted({lane_of[call] for call in read if call not in ending}))
        passing = tuple(sorted(set(lane_of.values()) - set(joining)))
        freed = sorted(lane_of[call] for call in ending)
        taken = set(lane_of.values())
        lane = freed[0] if freed else next(lane for lane in range(len(taken) + 1) if lane not in taken)
        for call in ending:
            del lane_of[call]
        goes_on = last_read.get(place, place) > place
        if goes_on:
            lane_of[place] = lane
        writer[layer.name] = place
        rows.append(LaneRow(lane, passing, joining, keeps, goes_on))
    return tuple(rows)


def _last_reads(layers: Sequence[LayerDetails]) -> dict[int, int]:
    """Return the place of the last call that reads the output of each call."""
    writer: dict[str, int] = {}
    last: dict[int, int] = {}
    for place, layer in enumerate(layers):
        for name in layer.inputs:
            if name in writer:
                last[writer[name]] = place
        writer[layer.name] = place
    return last


def lane_count(rows: Sequence[LaneRow]) -> int:
    """Return the number of lanes."""
    return 1 + max((max((row.lane, *row.passing, *row.joining)) for row in rows), default=0)


def lane_svg(row: LaneRow, lanes: int) -> str:
    """Return the part of the graph beside one layer as an <svg> element, which joins those above and below."""
    middle, bottom = ROW_PIXELS / 2, ROW_PIXELS
    lines = [f"M{_x(lane)} 0V{bottom}" for lane in (*row.passing, *row.keeps)]
    for lane in row.joining:
        if lane == row.lane:
            lines.append(f"M{_x(lane)} 0V{middle:g}")
        else:
            lines.append(f"M{_x(lane)} 0C{_x(lane)} {middle:g} {_x(row.lane)} 2 {_x(row.lane)} {middle:g}")
    if row.goes_on:
        lines.append(f"M{_x(row.lane)} {middle:g}V{bottom}")
    width = lanes * LANE_PIXELS
    return (
        f'<svg class="lanes" aria-hidden="true" width="{width}" height="{ROW_PIXELS}" '
        f'viewBox="0 0 {width} {ROW_PIXELS}"><path d="{"".join(lines)}"></path>'
        f'<circle cx="{_x(row.lane)}" cy="{middle:g}" r="{_RADIUS}"></circle></svg>'
    )


def _x(lane: int) -> str:
    return f"{(lane + 0.5) * LANE_PIXELS:g}"
