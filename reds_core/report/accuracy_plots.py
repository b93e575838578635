"""The interactive figures of what networks cost and how good they are, with the Pareto front of all files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reds_core.framework.file_kinds import FileKind
from reds_core.report import units
from reds_core.report.facts import FamilyFacts
from reds_core.report.figures import FILE_SIZE, AccuracyPoint, accuracy_points
from reds_core.report.plotting import INK, NO_COLOUR, SOFT, Picture, fills, interactive, new_plot, plain, trace_styles

_LABEL_LIMIT = 22
_LOGARITHMIC_FROM_RATIO = 12
_MOST_NAMES = 8
"""With more networks than this, only the hover texts hold the names."""


def pareto_front(points: Sequence[AccuracyPoint]) -> tuple[AccuracyPoint, ...]:
    """Return the points than which no other one is both cheaper and better, cheapest first."""
    front: list[AccuracyPoint] = []
    for point in sorted(points, key=lambda p: (p.x, -p.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return tuple(front)


def accuracy_pictures(family: FamilyFacts) -> tuple[Picture, ...]:
    """Return accuracy against each resource and the file size; none without accuracies.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    if not family.subnetworks:
        return ()
    drawn = (_accuracy_picture(family, abscissa) for abscissa in (*family.resources, FILE_SIZE))
    return tuple(picture for picture in drawn if picture is not None)


def _accuracy_picture(family: FamilyFacts, abscissa: str) -> Picture | None:
    series = accuracy_points(family, abscissa)
    if not series:
        return None
    metric = family.metric
    every = [point for points in series.values() for point in points]
    scale = units.BYTES if abscissa == FILE_SIZE else units.scale_of(abscissa)
    unit, unit_name = scale.largest_unit(max(p.x for p in every))
    percent, percent_name = (0.01, "%") if metric.is_share else (1.0, "")
    what = "file size" if abscissa == FILE_SIZE else units.resource_noun(abscissa)
    x_title = _title("File size" if abscissa == FILE_SIZE else units.resource_title(abscissa), unit_name)
    plot = new_plot(360, x_title, _title(metric.name.capitalize(), percent_name))
    styles = trace_styles([kind.name for kind in family.kinds.all])

    def at(points: Sequence[AccuracyPoint]) -> dict[str, Any]:
        return {"x": [p.x / unit for p in points], "y": [p.y / percent for p in points]}

    for kind, points in series.items():
        hover = [
            f"<b>{plain(p.label)}</b>, {plain(kind.title)}<br>{metric.text(p.y)} at {scale.text(p.x)}" for p in points
        ]
        style = styles[kind.name].of_line()
        plot.add_scatter(**at(points), name=plain(kind.title), hovertext=hover, hoverinfo="text", **style)
    if metric.is_share and len(every) > 1:
        line = {"color": SOFT, "width": 1, "dash": "dot", "shape": "hv"}
        plot.add_scatter(**at(pareto_front(every)), name="Pareto front", mode="lines", line=line, hoverinfo="skip")
    tops = {p.label: p for p in sorted(every, key=lambda p: p.y)}
    if len(tops) <= _MOST_NAMES:
        named = [units.shortened(label, _LABEL_LIMIT) for label in tops]
        plot.add_scatter(
            **at(list(tops.values())), mode="markers+text", text=[plain(name) for name in named],
            marker={"color": NO_COLOUR, "size": 13}, textposition="top center",  # clear of the markers of files
            textfont={"color": INK, "size": 12}, hoverinfo="skip", showlegend=False, cliponaxis=False,
        )  # fmt: skip
    xs, ys = [p.x / unit for p in every], [p.y / percent for p in every]
    if min(xs) > 0 and max(xs) / min(xs) > _LOGARITHMIC_FROM_RATIO:
        plot.update_xaxes(type="log", dtick="D2")
    else:
        plot.update_xaxes(range=[0, (max(xs) or 1) * 1.1])
    spread = (max(ys) - min(ys)) or 0.02 * abs(max(ys)) or 1.0
    plot.update_yaxes(range=[min(ys) - 0.15 * spread, max(ys) + 0.25 * spread])
    caption = f"{metric.name.capitalize()} against {what}"
    name = "accuracy-size" if abscissa == FILE_SIZE else f"accuracy-{family.resources.index(abscissa)}"
    return interactive(plot, name, caption, f"{caption}. {_in_words(family, abscissa, series)}.")


def _title(quantity: str, unit: str) -> str:
    name = plain(units.shortened(quantity, _LABEL_LIMIT))
    return f"{name} ({unit})" if unit else name


def _in_words(family: FamilyFacts, abscissa: str, series: Mapping[FileKind, Sequence[AccuracyPoint]]) -> str:
    """Return an alternative text for an accuracy figure."""
    resource = "params" if abscissa == FILE_SIZE else abscissa  # both are bytes
    said = []
    for kind, points in series.items():
        listed = (f"{p.label}: {family.metric.text(p.y)} at {units.amount(resource, p.x)}" for p in points)
        said.append(f"{kind.title} – {', '.join(listed)}")
    return "; ".join(said)


def usage_picture(family: FamilyFacts) -> Picture | None:
    """Return the usage of each subnetwork as a share of the full network's; None if there is nothing to draw.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    members = family.subnetworks
    resources = [r for r in family.resources if any(r in m.share for m in members)]
    if not resources:
        return None
    plot = new_plot(140 + len(resources) * (26 * len(members) + 8), "Share of what the full network uses (%)")
    titles = [plain(units.shortened(units.resource_title(r), _LABEL_LIMIT)) for r in resources]
    for member, fill in reversed(list(zip(members, fills(len(members)), strict=True))):
        shares = [member.share.get(r) for r in resources]
        texts = ["" if share is None else units.percent(share) for share in shares]
        plot.add_bar(
            x=[None if share is None else 100 * share for share in shares], y=titles, orientation="h",
            name=plain(member.label), text=texts, textposition="outside", cliponaxis=False,
            hovertext=[f"{plain(member.label)}: {text}" for text in texts], hoverinfo="text", **fill,
        )  # fmt: skip
    largest = max(1.0, *(m.share.get(r, 0.0) for m in members for r in resources))
    plot.update_xaxes(range=[0, 114 * largest])
    plot.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    caption = "What each subnetwork uses of the full network's cost"
    return interactive(plot, "usage", caption, f"{caption}. The table below has the figures.")
