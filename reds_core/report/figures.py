"""The picture of accuracy as a file, for documents; the page of a run has interactive figures instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reds_core.framework.file_kinds import FileKind
from reds_core.report import units
from reds_core.report.drawing import INK, drawing, new_figure
from reds_core.report.facts import FamilyFacts, Member
from reds_core.report.series import Style, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE_SIZE = "file_size"
"""The abscissa for the size of files; all others are resources."""

_LABEL_LIMIT = 22
_NAME_OFFSETS = ((-12, 9), (0, 10), (-19, 1), (14, -8), (0, -11), (20, 0), (-16, 18), (0, 21), (14, -19), (0, 32))
"""Candidate positions of a name, in points from its marker, up and left first, since curves rise rightwards."""
_PANEL_INCHES = (4.6, 3.3)
_LOGARITHMIC_FROM_RATIO = 12


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
