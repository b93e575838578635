"""The interactive figures of the channels of each group: those that a family keeps, and those of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reds_core.plan import GroupRecord, Plan
from reds_core.report import units
from reds_core.report.facts import FamilyFacts, Member
from reds_core.report.plotting import ACCENT, NO_COLOUR, PAPER, Picture, bar_marker, fills, interactive, new_plot, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LABEL_LIMIT = 22
_FRAME_PIXELS, _ROW_PIXELS, _THIN_ROW_PIXELS = 120, 24, 17
_THIN_FROM_ROWS = 24
_LONG_BAR = 85.0
"""The share in percent from which a bar has its text inside, as there may be no room beyond it."""


def channels_picture(plan: Plan, family: FamilyFacts) -> Picture | None:
    """Return the channels kept in each group; None without groups or subnetworks.

    A bar represents a whole group. Its segments end at the widths of the subnetworks, narrowest first.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    groups, members = _groups(plan), family.subnetworks
    if not groups or not members:
        return None
    plot = new_plot(_height(groups) + 20 * len(members), "Channels kept (%)")
    rows = list(range(len(groups)))
    before = [0.0] * len(groups)
    for index, (member, fill) in enumerate(zip(members, fills(len(members)), strict=True)):
        widths = [_width(member, group) for group in groups]
        ends = [100 * width / group.channels for width, group in zip(widths, groups, strict=True)]
        hover = [
            f"<b>{plain(g.name)}</b><br>{plain(member.label)}: {units.count(w)} of {units.count(g.channels)}"
            for w, g in zip(widths, groups, strict=True)
        ]
        role = "kept by" if index == 0 else "added by"
        plot.add_bar(
            x=[max(end - start, 0.0) for end, start in zip(ends, before, strict=True)], y=rows, orientation="h",
            name=f"{role} {plain(units.shortened(member.label, _LABEL_LIMIT))}", hovertext=hover, hoverinfo="text",
            **fill,
        )  # fmt: skip
        before = [max(end, start) for end, start in zip(ends, before, strict=True)]
    plot.add_bar(
        x=[100 - start for start in before], y=rows, orientation="h", name="only in the full network",
        marker=bar_marker(NO_COLOUR), hoverinfo="skip",
    )  # fmt: skip
    plot.update_layout(barmode="stack", bargap=0.25)
    _axes(plot, groups)
    caption = "Channels kept in each group"
    return interactive(plot, "channels", caption, f"{caption}. The table below has the figures.")


def widths_plot(plan: Plan) -> Figure:
    """Return a figure of the channels of each group of one network, which `show_widths` has yet to draw."""
    groups = _groups(plan)
    plot = new_plot(_height(groups), "Channels kept (%)", has_legend=False)
    plot.add_bar(
        y=list(range(len(groups))), orientation="h",
        marker=bar_marker(ACCENT), insidetextanchor="end", textangle=0,
        insidetextfont={"color": PAPER}, constraintext="none", cliponaxis=False, hoverinfo="text",
    )  # fmt: skip
    _axes(plot, groups)
    plot.update_xaxes(range=[0, 140], tickvals=[0, 25, 50, 75, 100])
    return plot


def show_widths(plot: Figure, plan: Plan, widths: Mapping[str, int]) -> None:
    """Draw the channels of each group of a network as a share of the group, in place of those of another network.

    Args:
        plot: a figure of `widths_plot`.
        plan: the plan, which has the groups.
        widths: the number of channels of each group; groups that it lacks are whole.
    """
    groups = _groups(plan)
    kept = [min(widths.get(g.name, g.channels), g.channels) for g in groups]
    texts = [f"{units.count(w)} of {units.count(g.channels)}" for w, g in zip(kept, groups, strict=True)]
    shares = [100 * w / g.channels for w, g in zip(kept, groups, strict=True)]
    (bars,) = plot.data
    bars.x, bars.text = shares, texts
    bars.textposition = ["inside" if share > _LONG_BAR else "outside" for share in shares]
    bars.hovertext = [f"<b>{plain(g.name)}</b><br>{text}" for g, text in zip(groups, texts, strict=True)]


def _groups(plan: Plan) -> list[GroupRecord]:
    return [group for group in plan.groups if group.channels > 0]


def _height(groups: Sequence[GroupRecord]) -> int:
    return _FRAME_PIXELS + len(groups) * (_ROW_PIXELS if len(groups) < _THIN_FROM_ROWS else _THIN_ROW_PIXELS)


def _axes(plot: Figure, groups: Sequence[GroupRecord]) -> None:
    """Set the axes. The bars are placed at numbers, since shortened names of groups may be equal."""
    names = [plain(units.shortened(group.name, _LABEL_LIMIT)) for group in groups]
    plot.update_xaxes(range=[0, 100], tickvals=[0, 25, 50, 75, 100])
    plot.update_yaxes(
        tickvals=list(range(len(groups))), ticktext=names, range=[len(groups) - 0.4, -0.6], showgrid=False, ticks=""
    )


def _width(member: Member, group: GroupRecord) -> int:
    """Return the channels of `group` that a subnetwork keeps, or all if the plan does not state them."""
    widths = member.record.widths if member.record else {}
    return min(max(widths.get(group.name, group.channels), 0), group.channels)
