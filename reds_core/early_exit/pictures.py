"""The figures of the report of thresholds: accuracy against mean cost, and where examples leave."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.early_exit.costs import COST_NOUNS
from reds_core.early_exit.record import CurvePoint, ExitThresholds, GroupShares
from reds_core.report import units
from reds_core.report.plotting import INK, Picture, fills, interactive, new_plot, plain, trace_styles

_ALONE, _CHOSEN = "one exit for all", "chosen"


def curve_picture(found: ExitThresholds) -> Picture:
    """Accuracy against mean cost: the curve of each measure, each exit for all examples, and the chosen policy."""
    has_test = found.exits[-1].accuracy_test is not None
    scale = units.scale_of(found.cost)
    size, unit = scale.largest_unit(found.exits[-1].cost)
    plot = new_plot(400, f"Mean {COST_NOUNS[found.cost]}" + (f" ({unit})" if unit else ""), "Accuracy (%)")
    measures = tuple(dict.fromkeys(point.measure for point in found.curve))
    styles = trace_styles((*measures, _ALONE))
    for measure in measures:
        points = [_place(each, has_test) for each in found.curve if each.measure == measure]
        points.sort()
        plot.add_scatter(
            x=[cost / size for cost, _ in points], y=[100 * accuracy for _, accuracy in points], name=plain(measure),
            hoverinfo="text",
            hovertext=[f"<b>{plain(measure)}</b><br>{units.percent(a)}, {scale.text(c)}" for c, a in points],
            **_small(styles[measure].of_line()),
        )  # fmt: skip
    alone = [
        (each.name, each.cost_alone, each.accuracy_held_back if each.accuracy_test is None else each.accuracy_test)
        for each in found.exits
    ]
    plot.add_scatter(
        x=[cost / size for _, cost, _ in alone], y=[100 * accuracy for _, _, accuracy in alone], name=_ALONE,
        hoverinfo="text",
        hovertext=[f"<b>{plain(name)}</b> for all<br>{units.percent(a)}, {scale.text(c)}" for name, c, a in alone],
        **styles[_ALONE].of_markers(12),
    )  # fmt: skip
    own = (found.policy.held_back if found.policy.test is None else found.policy.test).all
    plot.add_scatter(
        x=[own.cost / size], y=[100 * own.accuracy], name=_CHOSEN, hoverinfo="text",
        hovertext=[f"<b>chosen</b><br>{units.percent(own.accuracy)}, {scale.text(own.cost)}"],
        mode="markers", marker={"symbol": "circle-open", "size": 16, "color": INK, "line": {"width": 2}},
    )  # fmt: skip
    noun = COST_NOUNS[found.cost]
    examples = "test" if has_test else "held-back"
    described = ", ".join(f"{name} {units.percent(a)} at {scale.text(c)}" for name, c, a in alone)
    return interactive(
        plot, "accuracy-cost", f"Accuracy against mean {noun} on {examples} examples",
        f"Accuracy on {examples} examples against mean {noun}. For all examples: {described}. "
        f"Chosen: {units.percent(own.accuracy)} at {scale.text(own.cost)}",
    )  # fmt: skip


def _small(style: dict[str, object]) -> dict[str, object]:
    marker = style["marker"]
    assert isinstance(marker, dict)
    return {**style, "marker": {**marker, "size": 5}}


def _place(point: CurvePoint, has_test: bool) -> tuple[float, float]:
    if has_test and point.cost_test is not None and point.accuracy_test is not None:
        return point.cost_test, point.accuracy_test
    return point.cost_held_back, point.accuracy_held_back


def shares_picture(found: ExitThresholds, groups: Sequence[GroupShares], identifier: str, caption: str) -> Picture:
    """How many examples of each group leave at each exit, as stacked bars."""
    plot = new_plot(300, "", "Share of examples (%)")
    styles = fills(len(found.exits))[::-1]
    for place, (exit_, style) in enumerate(zip(found.exits, styles, strict=True)):
        plot.add_bar(
            x=[plain(each.name) for each in groups], y=[100 * each.shares[place] for each in groups],
            name=plain(exit_.name), hoverinfo="text",
            hovertext=[
                f"<b>{plain(each.name)}</b>: {units.percent(each.shares[place])} leave at {plain(exit_.name)}"
                f"<br>95 % interval {100 * each.intervals[place][0]:.1f} to {100 * each.intervals[place][1]:.1f} %"
                for each in groups
            ],
            **style,
        )  # fmt: skip
    plot.update_layout(barmode="stack")
    names = [each.name for each in found.exits]
    described = "; ".join(
        f"{each.name}: " + ", ".join(f"{n} {units.percent(s)}" for n, s in zip(names, each.shares, strict=True))
        for each in groups
    )
    return interactive(plot, identifier, caption, f"{caption}. {described}")
