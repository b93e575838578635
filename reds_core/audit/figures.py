"""The figures of the page of an audit."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.audit.records import AuditRecord, ClassAudit
from reds_core.report import units
from reds_core.report.plotting import LINE, SOFT, Picture, interactive, new_plot, plain, trace_styles

_MOST_DRAWN = 60
"""With more classes, the figure shows those that lose the most, and the table has all of them."""
_LABEL_LIMIT = 24
_SPREAD = 0.16
"""The distance of the dots of two members, in rows."""


def changes_picture(audit: AuditRecord) -> Picture | None:
    """Draw the change of recall of each class in each member; None if no class has examples.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    first = audit.members[0].name
    known = [each for each in audit.classes if each.after[first].change is not None]
    ordered = sorted(known, key=lambda each: each.after[first].change or 0.0)[:_MOST_DRAWN]
    if not ordered:
        return None
    plot = new_plot(150 + 30 * len(ordered), "Change of recall (percentage points)", "Class")
    middle = (len(audit.members) - 1) / 2
    styles = trace_styles([member.name for member in audit.members])
    for place, (name, style) in enumerate(styles.items()):
        xs = [100 * (each.after[name].change or 0.0) for each in ordered]
        ys = [row + _SPREAD * (place - middle) for row in range(len(ordered))]
        shown = style.of_markers(10)
        marks = [f"{style.symbol}{'' if each.after[name].is_hurt else '-open'}" for each in ordered]
        shown["marker"] = {**shown["marker"], "symbol": marks, "line": {"color": style.colour, "width": 1.6}}
        texts = [_hover(each, name) for each in ordered]
        plot.add_scatter(x=xs, y=ys, name=plain(name), hovertext=texts, hoverinfo="text", **shown)
        average = _average(audit, name)
        plot.add_scatter(
            x=[100 * average] * 2, y=[-0.6, len(ordered) - 0.4], mode="lines", showlegend=False, hoverinfo="skip",
            line={"color": style.colour, "dash": style.dash, "width": 1},
        )  # fmt: skip
    names = [plain(units.shortened(each.name, _LABEL_LIMIT)) for each in ordered]
    plot.update_yaxes(tickvals=list(range(len(ordered))), ticktext=names, range=[len(ordered) - 0.4, -0.6], ticks="")
    plot.update_xaxes(zeroline=True, zerolinecolor=SOFT, gridcolor=LINE)
    part = "" if len(known) == len(ordered) else f", the {len(ordered)} of {len(known)} classes that lose the most"
    caption = f"Change of recall by class{part}"
    said = "Lines are the averages over all examples, and filled marks are classes that lose more than chance explains"
    return interactive(plot, "class-changes", f"{caption}. {said}.", f"{caption}. {said}. The table has the figures.")


def _average(audit: AuditRecord, member: str) -> float:
    after = next(each for each in audit.members if each.name == member)
    return after.figures.accuracy - audit.before.figures.accuracy


def _hover(each: ClassAudit, member: str) -> str:
    figures = each.after[member]
    lines = [
        f"<b>{plain(each.name)}</b> ({units.count(each.examples)} examples)",
        f"{plain(member)}: {units.percent(each.before.recall)} → {units.percent(figures.recall)} "
        f"({units.points(figures.change or 0.0)} points)",
    ]
    if figures.p_adjusted is not None:
        lines.append(f"{plain(units.p_value(figures.p_adjusted))} after correction")
    return "<br>".join(lines)


def prediction_picture(audit: AuditRecord) -> Picture | None:
    """Draw how well lost examples are predicted, with intervals; None if that was not measured.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    members = [(each.name, each.prediction) for each in audit.members if each.prediction is not None]
    if not members:
        return None
    plot = new_plot(130 + 60 * len(members), "Area under the ROC curve", "Member")
    labels: Sequence[str] = (
        "attribution of removed channels",
        "margin of the input model",
        "both",
        "attribution at equal margin",
    )
    for place, (label, style) in enumerate(trace_styles(labels).items()):
        measured = [(each.attribution, each.baseline, each.both, each.at_equal_margin)[place] for _, each in members]
        rows = [row for row, each in enumerate(measured) if each is not None]
        found = [each for each in measured if each is not None]
        hover = [
            f"<b>{plain(members[row][0])}</b><br>{label}: {each.auc:.2f} "
            f"({each.interval[0]:.2f} to {each.interval[1]:.2f})"
            for row, each in zip(rows, found, strict=True)
        ]
        spans = {
            "type": "data", "symmetric": False, "color": style.colour, "thickness": 1.4, "width": 4,
            "array": [each.interval[1] - each.auc for each in found],
            "arrayminus": [each.auc - each.interval[0] for each in found],
        }  # fmt: skip
        ys = [row + _SPREAD * (place - 1.5) for row in rows]
        plot.add_scatter(
            x=[each.auc for each in found], y=ys, error_x=spans, name=label, hovertext=hover, hoverinfo="text",
            **style.of_markers(10),
        )  # fmt: skip
    line = {"color": SOFT, "dash": "dot", "width": 1.4}
    ends = [-0.6, len(members) - 0.4]
    plot.add_scatter(x=[0.5, 0.5], y=ends, mode="lines", line=line, hoverinfo="skip", showlegend=False)
    names = [plain(units.shortened(name, _LABEL_LIMIT)) for name, _ in members]
    plot.update_yaxes(tickvals=list(range(len(members))), ticktext=names, range=ends[::-1], ticks="")
    caption = "What predicts lost examples, with 95 % intervals. The dotted line is chance"
    return interactive(plot, "predictions", f"{caption}.", f"{caption}. The table below has the figures.")
