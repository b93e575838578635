"""The figures of the report of a simulation: accuracy against energy, and what happens over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reds_core.report import units
from reds_core.report.plotting import SOFT, Picture, interactive, new_plot, plain, trace_styles
from reds_core.runtime.generated import DAY_S
from reds_core.scales import ENERGY
from reds_core.simulation.record import Frame, Simulation

_PJ_PER_MJ = 10**9
_MARKED = 8
"""How many points of a line have a marker, so that lines differ not only by colour."""


def comparison_picture(found: Simulation) -> Picture:
    """Accuracy against the energy that was used, one marker for each governor and each static member."""
    plot = new_plot(380, "Energy of all inferences (J)", "Accuracy (%)")
    shown = {name: each for name, each in found.results.items() if each.accuracy is not None}
    for name, style in trace_styles(tuple(shown)).items():
        each = shown[name]
        accuracy = each.accuracy or 0.0
        plot.add_scatter(
            x=[each.energy_mJ / 1000], y=[100 * accuracy], name=plain(name), hoverinfo="text",
            hovertext=[f"<b>{plain(name)}</b><br>{units.percent(accuracy)}, {ENERGY.text(each.energy_mJ * _PJ_PER_MJ)}"
                       f"<br>{units.count(each.missed)} missed"],
            **style.of_markers(11),
        )  # fmt: skip
    if found.highest_accuracy is not None:
        plot.add_hline(
            y=100 * found.highest_accuracy, line={"color": SOFT, "dash": "dot", "width": 1.2},
            annotation={"text": "bound of any schedule", "font": {"color": SOFT, "size": 11}},
            annotation_position="bottom right",
        )  # fmt: skip
    described = ", ".join(f"{name} {units.percent(each.accuracy)}" for name, each in shown.items())
    return interactive(plot, "accuracy-energy", "Accuracy against the energy that was used", f"Accuracy of {described}")


def time_line_pictures(found: Simulation) -> tuple[Picture, ...]:
    """The harvest, the charge of the battery, the accuracy of answers, and the missed requests over time."""
    hours = _hours(found)
    charge = _lines(
        found, "Charge (J)", "charge", "The charge of the battery",
        lambda f: f.charge_mJ / 1000, lambda f: ENERGY.text(f.charge_mJ * _PJ_PER_MJ),
    )  # fmt: skip
    accuracy = _lines(
        found, "Accuracy of answers (%)", "answers", "The mean accuracy of the members that answered",
        lambda f: None if f.accuracy is None else 100 * f.accuracy,
        lambda f: f"{units.percent(f.accuracy)}, mostly by {plain(f.member) or 'none'}",
    )  # fmt: skip
    missed = _lines(
        found, "Missed requests", "missed", "Missed requests, added up",
        lambda f: f.missed, lambda f: units.count(f.missed), is_sum=True,
    )  # fmt: skip
    return _harvest(found, hours), charge, accuracy, missed


def _hours(found: Simulation) -> list[float]:
    midnight = found.trace.start_s // DAY_S * DAY_S  # times of files may count from 1970
    return [(frame.time_s - midnight) / 3600 for frame in next(iter(found.frames.values()))]


def _harvest(found: Simulation, hours: list[float]) -> Picture:
    frames = next(iter(found.frames.values()))
    plot = new_plot(260, "Time (h)", "Harvest (mW)", has_legend=False)
    power = [_rounded(frame.harvest_mW) for frame in frames]
    hover = [f"{hour:.2f} h: {each:.4g} mW" for hour, each in zip(hours, power, strict=True)]
    style = trace_styles(("harvest",))["harvest"]
    plot.add_scatter(x=hours, y=power, hovertext=hover, hoverinfo="text", **style.of_line(has_markers=False))
    plot.update_yaxes(range=[0, 1.1 * max(power, default=0.0) or 1.0])  # else a constant harvest reaches below zero
    mean = f"{sum(power) / len(power):.3g}" if power else units.DASH
    return interactive(plot, "harvest", "The harvested power", f"The harvested power over time, {mean} mW on average")


def _lines(
    found: Simulation,
    y: str,
    identifier: str,
    caption: str,
    value: Callable[[Frame], float | None],
    text: Callable[[Frame], str],
    *,
    is_sum: bool = False,
) -> Picture:
    plot = new_plot(340, "Time (h)", y)
    styles = trace_styles(tuple(found.results))
    hours = _hours(found)
    for name, frames in found.frames.items():
        values: list[float | None] = [value(frame) for frame in frames]
        texts = [text(frame) for frame in frames]
        if is_sum:
            total = 0.0
            for place, each in enumerate(values):
                total += each or 0.0
                values[place], texts[place] = total, units.count(total)
        drawn: dict[str, Any] = styles[name].of_line()
        drawn["marker"] = {**drawn["marker"], "size": 7, "maxdisplayed": _MARKED}
        hover = [f"<b>{plain(name)}</b>, {h:.2f} h: {each}" for h, each in zip(hours, texts, strict=True)]
        rounded = [None if each is None else _rounded(each) for each in values]
        visible: bool | str = name in found.governors or name == found.yardstick or "legendonly"
        plot.add_scatter(
            x=hours, y=rounded, name=plain(name), hovertext=hover, hoverinfo="text", visible=visible, **drawn
        )
    return interactive(plot, identifier, caption, f"{caption} over time, for {units.listed(tuple(found.frames), 8)}")


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
