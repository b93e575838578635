"""The budget explorer: a slider over limits of a resource, with the best single network under each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reds_core.plan import Plan
from reds_core.plan_details import Exploration, ExploredBudget
from reds_core.report import units
from reds_core.report.facts import FamilyFacts, Member
from reds_core.report.plotting import (
    ACCENT,
    INK,
    Content,
    ControlStep,
    PageControl,
    Picture,
    content_of,
    interactive,
    new_plot,
    plain,
    slider,
)
from reds_core.report.plotting import trace_styles as styles_of
from reds_core.report.width_plots import show_widths, widths_plot

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SLOTS = {
    "limit": "Limit",
    "usage": "What the network uses",
    "value": "Importance that it keeps",
    "proof": "Proof",
}
"""The texts beside the slider: their slots and titles."""


@dataclass(frozen=True)
class Explorer:
    """The explorer of one resource.

    Attributes:
        identifier: the id of its slider, and the beginning of those of its figures.
        title: the resource, as within a sentence.
        slider: the slider.
        curve: what is the best at each limit, with the current one marked.
        widths: the channels of each group at the current limit.
        slots: the title of each text by its slot, with the text at the start.
    """

    identifier: str
    title: str
    slider: PageControl
    curve: Picture
    widths: Picture
    slots: tuple[tuple[str, str, str], ...]


def explorers(plan: Plan, family: FamilyFacts, explorations: Sequence[Exploration]) -> tuple[Explorer, ...]:
    """Return an explorer for each resource whose limits were explored.

    Args:
        plan: the plan, which has the groups.
        family: the family, whose members are marked on the curves.
        explorations: what was found.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    return tuple(_explorer(i, plan, family, each) for i, each in enumerate(explorations) if each.points)


def _explorer(number: int, plan: Plan, family: FamilyFacts, exploration: Exploration) -> Explorer:
    identifier = f"explore-{number}"
    noun = units.resource_noun(exploration.resource)
    start = _start(family, exploration)
    curve_plot, plot = _curve(family, exploration), widths_plot(plan)

    def drawn(point: ExploredBudget) -> dict[str, Content]:
        """The content of the two figures, which are drawn anew in part: a new figure takes Plotly much longer."""
        _mark(curve_plot, exploration, point)
        show_widths(plot, plan, point.widths)
        return {f"{identifier}-curve": content_of(curve_plot), f"{identifier}-widths": content_of(plot)}

    steps = [
        ControlStep(_limit_text(family, exploration, point.limit), _texts(family, exploration, point), drawn(point))
        for point in exploration.points
    ]
    drawn(exploration.points[start])
    first, last = exploration.points[0], exploration.points[-1]
    said = f"From {_value_text(exploration, first)} at {units.amount(exploration.resource, first.limit)}"
    said += f" to {_value_text(exploration, last)} at {units.amount(exploration.resource, last.limit)}"
    is_proven = all(point.value == point.bound for point in exploration.points)
    most = "that any network can keep" if is_proven else "that was found"
    caption = f"The most importance {most}, by its limit of {noun}"
    curve = interactive(curve_plot, f"{identifier}-curve", caption, f"{caption}. {said}.")
    widths_caption = f"Channels of the best network at the chosen limit of {noun}"
    described = f"{widths_caption}. The slider above chooses the limit."
    widths = interactive(plot, f"{identifier}-widths", widths_caption, described)
    slots = tuple((name, title, steps[start].texts[name]) for name, title in SLOTS.items())
    control = slider(identifier, f"Limit of {noun}", steps, start)
    return Explorer(identifier, noun, control, curve, widths, slots)


def _start(family: FamilyFacts, exploration: Exploration) -> int:
    """Return the point that is the closest to the smallest member."""
    used = family.subnetworks[0].usage.get(exploration.resource) if family.subnetworks else None
    points = exploration.points
    if used is None:
        return len(points) // 2
    return min(range(len(points)), key=lambda i: abs(points[i].usage.get(exploration.resource, 0) - used))


def _limit_text(family: FamilyFacts, exploration: Exploration, limit: int) -> str:
    full = family.full.usage.get(exploration.resource)
    share = f" ({units.percent(limit / full)} of the full network)" if full else ""
    return f"{units.amount(exploration.resource, limit)}{share}"


def _texts(family: FamilyFacts, exploration: Exploration, point: ExploredBudget) -> dict[str, str]:
    uses = []
    for resource, used in point.usage.items():
        full = family.full.usage.get(resource)
        share = f" ({units.percent(used / full)})" if full else ""
        uses.append(f"{units.resource_title(resource)} {units.amount(resource, used)}{share}")
    return {
        "limit": _limit_text(family, exploration, point.limit),
        "usage": "; ".join(uses) or units.DASH,
        "value": _value_text(exploration, point),
        "proof": _proof_text(exploration, point),
    }


def _has_share(exploration: Exploration) -> bool:
    return exploration.full_value is not None and exploration.full_value > 0


def _value_text(exploration: Exploration, point: ExploredBudget) -> str:
    if not _has_share(exploration):
        return f"value {units.count(point.value)}"
    return f"{units.percent(point.value / (exploration.full_value or 1))} of the full network's value"


def _proof_text(exploration: Exploration, point: ExploredBudget) -> str:
    if point.bound is None:
        return "The solver gave no bound, so a better network may exist."
    if point.bound <= point.value:
        return "Proven optimal: no network within this limit keeps more."
    gap = (point.bound - point.value) / abs(point.value) if point.value else None
    by = "" if gap is None else f" by more than {units.small_percent(gap)} of its value (the gap)"
    return f"Not proven optimal: no network within this limit can be better{by}."


def _curve(family: FamilyFacts, exploration: Exploration) -> Figure:
    """Return the figure of what is the best at each limit, in which `_mark` has yet to mark one."""
    resource, points = exploration.resource, exploration.points
    unit, unit_name = units.scale_of(resource).largest_unit(points[-1].limit)
    is_share, share = _has_share(exploration), _value_unit(exploration)
    named = f"{plain(units.resource_title(resource))}, limit" + (f" ({unit_name})" if unit_name else "")
    plot = new_plot(330, named, "Value (% of the full network)" if is_share else "Value")

    def line(name: str, of: Sequence[tuple[float, float]], style: dict[str, Any]) -> None:
        hover = [f"{plain(name)}<br>{units.amount(resource, x)}: {_shown(y / share, is_share)}" for x, y in of]
        xs, ys = [x / unit for x, _ in of], [y / share for _, y in of]
        plot.add_scatter(x=xs, y=ys, name=plain(name), hovertext=hover, hoverinfo="text", **style)

    style, bound_style, member_style = styles_of(["best", "bound", "members"]).values()
    if any(p.bound is not None and p.bound > p.value for p in points):
        bounds = [(p.limit, p.bound) for p in points if p.bound is not None]
        line("Upper bound", bounds, bound_style.of_line(has_markers=False))
    line("Best single network", [(p.limit, p.value) for p in points], style.of_line(has_markers=False))
    marked = [m for m in family.subnetworks if _is_on_curve(m, resource)]
    if marked:
        places = [(float(m.usage[resource]), float(m.record.value or 0)) for m in marked if m.record]
        hover = [
            f"<b>{plain(m.label)}</b>, in the family<br>{units.amount(resource, x)}: {_shown(y / share, is_share)}"
            for m, (x, y) in zip(marked, places, strict=True)
        ]
        plot.add_scatter(
            x=[x / unit for x, _ in places], y=[y / share for _, y in places], name="Members of the family",
            hovertext=hover, hoverinfo="text", **member_style.of_markers(),
        )  # fmt: skip
    ring = {"color": "rgba(0,0,0,0)", "size": 15, "symbol": "circle", "line": {"color": INK, "width": 2}}
    plot.add_scatter(x=[0], y=[0], name="Chosen limit", mode="markers", marker=ring, hoverinfo="skip")
    plot.add_vline(x=0, line={"color": ACCENT, "width": 1, "dash": "dot"})
    return plot


def _mark(plot: Figure, exploration: Exploration, current: ExploredBudget) -> None:
    """Mark one limit in a figure of `_curve` in place of another."""
    unit, _ = units.scale_of(exploration.resource).largest_unit(exploration.points[-1].limit)
    ring, (line,) = plot.data[-1], plot.layout.shapes
    ring.x, ring.y = [current.limit / unit], [current.value / _value_unit(exploration)]
    line.x0 = line.x1 = current.limit / unit


def _value_unit(exploration: Exploration) -> float:
    """Return the value of one unit of the axis: a percent of the full network's value, if that is known."""
    return (exploration.full_value or 1) / 100 if _has_share(exploration) else 1


def _is_on_curve(member: Member, resource: str) -> bool:
    return member.record is not None and member.record.value is not None and resource in member.usage


def _shown(value: float, is_share: bool) -> str:
    return f"{value:.1f}{units.THIN}% of the full network's value" if is_share else f"value {units.count(value)}"
