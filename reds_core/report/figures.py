"""The figures of a pruning run. Series differ by marker, line or hatch, not only by colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reds_core.framework.file_kinds import FileKind
from reds_core.plan import GroupRecord, Plan
from reds_core.report import units
from reds_core.report.drawing import INK, drawing, new_figure
from reds_core.report.facts import FamilyFacts, Member
from reds_core.report.series import Style, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE_SIZE = "file_size"
"""The abscissa for the size of files; all others are resources."""

ROWS_A_FIGURE = 32
_LABEL_LIMIT = 22
_NAME_OFFSETS = ((-12, 9), (0, 10), (-19, 1), (14, -8), (0, -11), (20, 0), (-16, 18), (0, 21), (14, -19), (0, 32))
"""Candidate positions of a name, in points from its marker, up and left first, since curves rise rightwards."""
_PANEL_INCHES = (4.6, 3.3)
_CHANNELS_WIDTH_INCHES, _ROW_INCHES = 4.6, 0.2
_LOGARITHMIC_FROM_RATIO = 12
_HATCHES = ("", "////", "\\\\\\\\", "xxxx", "----", "||||", "++++")
_DARKEST, _LIGHTEST = (0x12, 0x39, 0x5F), (0xC3, 0xD9, 0xEE)


_STYLES = (Style("#12395f", "o", "-"), Style("#b3541e", "s", "--"), Style("#2c7a4b", "^", ":"))
"""Styles of the first kinds of files; those of further kinds come from `styles`."""


@dataclass(frozen=True)
class AccuracyPoint:
    """One network in a figure of accuracy: x in base units of the abscissa, y the metric's figure."""

    label: str
    x: float
    y: float


def accuracy_points(family: FamilyFacts, abscissa: str) -> dict[FileKind, tuple[AccuracyPoint, ...]]:
    """Return the points of an accuracy figure by kind of file, smallest network first, without kinds that have none.

    Args:
        family: the networks.
        abscissa: a resource, or FILE_SIZE.
    """
    series = {}
    for kind in family.kinds.all:
        points = []
        for member in reversed(family.largest_first):
            file = member.file(kind)
            size = file.size if file else None
            x = size if abscissa == FILE_SIZE else member.usage.get(abscissa)
            y = file.accuracy if file else None
            if member.record is None and kind == family.kinds.model and y is None and abscissa != FILE_SIZE:
                y = family.reference
            if x is not None and y is not None:
                points.append(AccuracyPoint(_marked(member), x, y))
        if points:
            series[kind] = tuple(points)
    return series


def _marked(member: Member) -> str:
    return f"{member.label}, {member.mark}" if member.mark else member.label


def accuracy_figure(family: FamilyFacts, abscissa: str) -> Figure | None:
    """Draw the accuracy of each network against a resource or its file size; None if no network has both.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    series = accuracy_points(family, abscissa)
    if not series:
        return None
    every = [p for points in series.values() for p in points]
    scale = units.BYTES if abscissa == FILE_SIZE else units.scale_of(abscissa)
    unit, unit_name = scale.largest_unit(max(p.x for p in every))
    percent, percent_name = (0.01, "%") if family.metric.is_share else (1, "")
    series = {kind: _in_units(points, unit, percent) for kind, points in series.items()}
    drawn = _kind_styles(family)
    with drawing():
        figure = new_figure(*_PANEL_INCHES)
        axes = figure.add_subplot()
        for kind, points in series.items():
            style = drawn[kind]
            xs, ys = [p.x for p in points], [p.y for p in points]
            axes.plot(
                xs, ys, linestyle=style.line, marker=style.marker, color=style.colour, label=kind.title, linewidth=1.4,
                markersize=6.5, markeredgecolor="white", markeredgewidth=0.8,
            )  # fmt: skip
        every = [p for points in series.values() for p in points]
        _limits(axes, every)
        _ticks(axes)
        axes.set_xlabel(_title("File size" if abscissa == FILE_SIZE else units.resource_title(abscissa), unit_name))
        axes.set_ylabel(_title(family.metric.name.capitalize(), percent_name))
        figure.legend(loc="outside upper center", ncols=len(series), handlelength=2.4, columnspacing=1.4)
        _name_networks(figure, axes, every)
        return figure


def _kind_styles(family: FamilyFacts) -> dict[FileKind, Style]:
    """Return the style of each kind of file, which does not depend on the kinds that are drawn."""
    kinds = family.kinds.all
    more = styles([kind.name for kind in kinds])
    return {k: _STYLES[i] if i < len(_STYLES) else more[k.name] for i, k in enumerate(kinds)}


def _in_units(points: Sequence[AccuracyPoint], x_unit: float, y_unit: float) -> tuple[AccuracyPoint, ...]:
    return tuple(AccuracyPoint(p.label, p.x / x_unit, p.y / y_unit) for p in points)


def _title(quantity: str, unit: str) -> str:
    name = units.shortened(quantity, _LABEL_LIMIT)
    return f"{name} ({unit})" if unit else name


def _limits(axes: Any, points: Sequence[AccuracyPoint]) -> None:
    """Set limits with room for markers and names. x starts at 0, or is logarithmic if the values differ widely."""
    xs, ys = [p.x for p in points], [p.y for p in points]
    if min(xs) > 0 and max(xs) / min(xs) > _LOGARITHMIC_FROM_RATIO:
        axes.set_xscale("log", base=2)
        axes.set_xlim(min(xs) / 1.5, max(xs) * 1.5)
    else:
        axes.set_xlim(0, (max(xs) or 1) * 1.1)
    spread = (max(ys) - min(ys)) or 0.02 * abs(max(ys)) or 1.0
    axes.set_ylim(min(ys) - 0.25 * spread, max(ys) + 0.22 * spread)


def _ticks(axes: Any) -> None:
    """Set ticks at round numbers, few enough to be legible on a phone."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    plain = FuncFormatter(lambda number, _: f"{number:.6g}")
    for axis in (axes.xaxis, axes.yaxis):
        is_log = axis.get_scale() == "log"
        axis.set_major_locator(LogLocator(2) if is_log else MaxNLocator(6, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(plain)


def _name_networks(figure: Any, axes: Any, points: Sequence[AccuracyPoint]) -> None:
    """Write each network's name once, at a free position near its leftmost (then highest) point."""
    figure.draw_without_rendering()  # positions can only be compared after layout
    taken = [axes.transData.transform((p.x, p.y)) for p in points]
    boxes: list[Any] = []
    for label in dict.fromkeys(p.label for p in points):
        anchor = min((p for p in points if p.label == label), key=lambda p: (p.x, -p.y))
        for dx, dy in _NAME_OFFSETS:
            text = axes.annotate(
                units.shortened(label, _LABEL_LIMIT), (anchor.x, anchor.y), (dx, dy), textcoords="offset points",
                ha="center", va="center", fontsize=8.5, color=INK, zorder=4,
            )  # fmt: skip
            box = text.get_window_extent()
            is_free = not any(box.overlaps(other) for other in boxes)
            if is_free and not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for x, y in taken):
                break
            text.remove()
        else:
            continue  # no free position; the name is in the tables
        boxes.append(box)


def channel_figures(plan: Plan, family: FamilyFacts) -> tuple[Figure, ...]:
    """Draw the channels kept in each group, in figures of equal height with at most ROWS_A_FIGURE groups.

    A bar represents a whole group. Its segments end at the widths of the subnetworks, narrowest first.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    groups = [g for g in plan.groups if g.channels > 0]
    if not groups or not family.subnetworks:
        return ()
    count = math.ceil(len(groups) / ROWS_A_FIGURE)
    rows = math.ceil(len(groups) / count)
    with drawing():
        return tuple(_channel_figure(groups[i : i + rows], rows, family) for i in range(0, len(groups), rows))


def _channel_figure(groups: Sequence[GroupRecord], rows: int, family: FamilyFacts) -> Figure:
    figure = new_figure(_CHANNELS_WIDTH_INCHES, 1.15 + rows * _ROW_INCHES)
    axes = figure.add_subplot()
    members = family.subnetworks
    fills = _fills(len(members))
    for row, group in enumerate(groups):
        start = 0.0
        widths = [(_width(m, group), fill) for m, fill in zip(members, fills, strict=True)]
        for width, (colour, hatch) in sorted(widths, key=lambda item: item[0]):
            end = width / group.channels
            _bar(axes, row, start, end, colour, hatch)
            start = max(start, end)
        _bar(axes, row, start, 1.0, "white", "")
        if len(members) <= 4:
            counts = "·".join(units.count(width) for width, _ in widths)
            axes.text(1.02, row, f"{counts} of {units.count(group.channels)}", va="center", fontsize=8.5)
    axes.set_yticks(range(len(groups)), [units.shortened(g.name, _LABEL_LIMIT) for g in groups])
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], [units.percent(x, 0) for x in (0, 0.25, 0.5, 0.75, 1)])
    axes.set_xlabel("Channels kept, share of the group")
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    _channel_legend(figure, members, fills)
    return figure


def _width(member: Member, group: GroupRecord) -> int:
    """Return the channels of `group` that a subnetwork keeps, or all if the plan does not state them."""
    widths = member.record.widths if member.record else {}
    return min(max(widths.get(group.name, group.channels), 0), group.channels)


def _bar(axes: Any, row: int, start: float, end: float, colour: str, hatch: str) -> None:
    if end > start:
        axes.barh(
            row, end - start, left=start, height=0.72, color=colour, hatch=hatch, edgecolor=_edge(colour), linewidth=0.5
        )


def _channel_legend(figure: Any, members: Sequence[Member], fills: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(
            facecolor=colour, hatch=hatch, edgecolor=_edge(colour), linewidth=0.5,
            label=("kept by " if i == 0 else "added by ") + units.shortened(m.label, _LABEL_LIMIT),
        )
        for i, (m, (colour, hatch)) in enumerate(zip(members, fills, strict=True))
    ]  # fmt: skip
    patches.append(Patch(facecolor="white", edgecolor=_edge("white"), linewidth=0.5, label="only in the full network"))
    figure.legend(handles=patches, loc="outside upper center", ncols=2, handlelength=1.6, columnspacing=1.4)


def _fills(count: int) -> list[tuple[str, str]]:
    """Return colour and hatch for each of `count` subnetworks, darkest for the smallest."""
    fills = []
    for index in range(count):
        t = index / max(count - 1, 1)
        mixed = (round(a + t * (b - a)) for a, b in zip(_DARKEST, _LIGHTEST, strict=True))
        fills.append(("#" + "".join(f"{part:02x}" for part in mixed), _HATCHES[index % len(_HATCHES)]))
    return fills


def _edge(colour: str) -> str:
    """Return a colour for edges and hatches that is visible on `colour`."""
    if colour == "white":
        return "#7d8894"
    return "white" if int(colour[1:3], 16) < 0x70 else INK


def usage_figure(family: FamilyFacts) -> Figure | None:
    """Draw the usage of each subnetwork as a share of the full network's; None if there is nothing to draw.

    Raises:
        UnavailableError: if matplotlib is not installed.
    """
    members = family.subnetworks
    resources = [r for r in family.resources if any(r in m.share for m in members)]
    if not resources:
        return None
    with drawing():
        height = len(resources) * (len(members) * _ROW_INCHES + 0.12)
        figure = new_figure(_CHANNELS_WIDTH_INCHES, 1.15 + height)
        axes = figure.add_subplot()
        fills = _fills(len(members))
        step = 0.84 / len(members)
        for position, resource in enumerate(resources):
            for index, (member, (colour, hatch)) in enumerate(zip(members, fills, strict=True)):
                share = member.share.get(resource)
                if share is None:
                    continue
                y = position - 0.42 + (len(members) - index - 0.5) * step
                label = units.shortened(member.label, _LABEL_LIMIT) if position == 0 else None
                axes.barh(
                    y, share, height=0.9 * step, color=colour, hatch=hatch, edgecolor=_edge(colour), linewidth=0.5,
                    label=label,
                )  # fmt: skip
                axes.text(share + 0.01, y, units.percent(share), va="center", fontsize=8.5)
        titles = [units.shortened(units.resource_title(r), _LABEL_LIMIT) for r in resources]
        axes.set_yticks(range(len(resources)), titles)
        axes.set_ylim(len(resources) - 0.5, -0.5)
        axes.set_xlim(0, 1.12 * max(1.0, *(m.share.get(r, 0.0) for m in members for r in resources)))
        axes.xaxis.set_major_formatter(lambda number, _: units.percent(number, 0))
        axes.set_xlabel("Share of what the full network uses")
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper center", ncols=min(len(members), 4), handlelength=1.6, reverse=True)
        return figure
