"""The critical-difference diagram of Demšar: mean ranks, and bars over contenders that cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reds_core.comparison.ranks import Ranks
from reds_core.report import units
from reds_core.report.plotting import INK, LINE, SOFT, Picture, TraceStyle, interactive, new_plot, plain
from reds_core.report.series import short_names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LABEL_LIMIT = 28
_ROW_PIXELS, _OTHER_PIXELS = 30, 130
_BAR_STEP = 0.3
"""Distance of the bars over contenders that cannot be told apart, in rows."""


def ranks_picture(ranks: Ranks, drawn: Mapping[str, TraceStyle], identifier: str, what: str) -> Picture:
    """Draw the diagram.

    Args:
        ranks: the ranks.
        drawn: styles by label.
        identifier: the id of its element, which no other element of the page has.
        what: what is ranked, such as "time to a proof", for the caption.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    caption = f"Critical-difference diagram: mean rank of the {what}"
    listed = "; ".join(
        f"{label} {mean:.2f} (cannot be told from {', '.join(ranks.alike(label)) or 'none'})"
        for label, mean in ranks.means.items()
    )
    words = f"{caption} over {ranks.blocks} blocks, {units.p_value(ranks.p_value)}. {listed}."
    return interactive(_figure(ranks, drawn), identifier, caption, words)


def _figure(ranks: Ranks, drawn: Mapping[str, TraceStyle]) -> Figure:
    """Draw a row for each contender, and above them a bar for each clique and a ruler of the critical difference."""
    cliques, count = ranks.cliques, len(ranks.means)
    top = -_BAR_STEP * (len(cliques) + 1)
    height = round(_OTHER_PIXELS + _ROW_PIXELS * (count + _BAR_STEP * (len(cliques) + 2)))
    figure = new_plot(height, x="Mean rank (1 is the best)", has_legend=False)
    for row, (label, mean) in enumerate(ranks.means.items()):
        figure.add_scatter(
            x=[mean, mean], y=[0 if cliques else row, row], mode="lines", line={"color": LINE, "width": 1},
            hoverinfo="skip",
        )  # fmt: skip
        alike = ", ".join(ranks.alike(label)) or "none"
        figure.add_scatter(
            x=[mean], y=[row], name=plain(label), **drawn[label].of_markers(11),
            hovertemplate=f"{plain(label)}: {mean:.2f}<br>best {ranks.firsts[label]} of {ranks.blocks} times"
            f"<br>cannot be told from: {plain(alike)}<extra></extra>",
        )  # fmt: skip
    for index, clique in enumerate(cliques, start=1):
        ends = [ranks.means[clique[0]], ranks.means[clique[-1]]]
        figure.add_scatter(
            x=[ends[0] - 0.02, ends[1] + 0.02], y=[-_BAR_STEP * index] * 2, mode="lines",
            line={"color": INK, "width": 5},
            hovertemplate=f"cannot be told apart: {plain(', '.join(clique))}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=[1, min(1 + ranks.critical_difference, count)], y=[top - 2 * _BAR_STEP] * 2, mode="lines+markers+text",
        line={"color": SOFT, "width": 1.5}, marker={"color": SOFT, "symbol": "line-ns-open", "size": 9},
        text=[f"CD = {ranks.critical_difference:.2f}", ""], textposition="top right",
        textfont={"color": INK}, hoverinfo="skip",
    )  # fmt: skip
    names = [plain(name) for name in short_names(list(ranks.means), _LABEL_LIMIT).values()]
    figure.update_yaxes(
        tickvals=list(range(count)), ticktext=names, range=[count - 0.4, top - 4 * _BAR_STEP], showgrid=False
    )
    figure.update_xaxes(range=[0.85, count + 0.15], dtick=1)
    return figure
