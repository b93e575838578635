"""The training curves of a run: loss and metric of each network over the epochs of all its trainings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from reds_core.report import units
from reds_core.report.facts import FamilyFacts
from reds_core.report.plotting import LINE, SOFT, Picture, interactive, new_plot, plain, trace_styles
from reds_core.run_history import HistoryRow

_Figure = Callable[[HistoryRow], float | None]
_LABEL_LIMIT = 22


def training_pictures(family: FamilyFacts, history: Sequence[HistoryRow]) -> tuple[Picture, ...]:
    """Return the loss, the metric and the learning rate by epoch; without those that are not known.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    if not history:
        return ()
    metric = family.metric
    name = metric.name.capitalize()
    factor, unit = (100.0, " (%)") if metric.is_share else (1.0, "")
    drawn = (
        _picture(family, history, "loss", "Loss", 1.0, lambda r: r.loss, lambda r: r.val_loss, lambda v: f"{v:.4g}"),
        _picture(
            family, history, "metric", name + unit, factor, lambda r: r.metric, lambda r: r.val_metric, metric.text
        ),
        _picture(
            family,
            history,
            "rate",
            "Learning rate",
            1.0,
            lambda r: r.learning_rate,
            lambda r: None,
            lambda v: f"{v:.3g}",
        ),
    )
    return tuple(picture for picture in drawn if picture is not None)


def places(history: Sequence[HistoryRow]) -> dict[tuple[str, int], int]:
    """Return the number of each epoch among those of all trainings, from 1, by step and epoch."""
    found: dict[tuple[str, int], int] = {}
    for row in history:
        found.setdefault((row.step, row.epoch), len(found) + 1)
    return found


def _picture(
    family: FamilyFacts,
    history: Sequence[HistoryRow],
    identifier: str,
    title: str,
    factor: float,
    training: _Figure,
    validation: _Figure,
    text: Callable[[float], str],
) -> Picture | None:
    at = places(history)
    labels = {"full": family.full.label} | {m.record.name: m.label for m in reversed(family.subnetworks) if m.record}
    found = dict.fromkeys(row.network for row in history)
    networks = [name for name in labels if name in found] + [name for name in found if name not in labels]
    curves = {name: [training(row) for row in history if row.network == name] for name in networks}
    if not any(validation(row) is not None for row in history) and all(
        c == curves[networks[0]] for c in curves.values()
    ):
        networks, labels = networks[:1], {networks[0]: "all networks"}  # such as the learning rate of a joint training
    quantity = title.partition(" (")[0]
    plot = new_plot(340, "Epoch, over all steps of the run", plain(title))
    count = 0
    kinds = (("training", training, "solid"), ("held-back data", validation, "dash"))
    for name, style in zip(networks, trace_styles(networks).values(), strict=True):
        for kind, figure, dash in kinds:
            rows = [(row, value) for row in history if row.network == name and (value := figure(row)) is not None]
            if not rows:
                continue
            count += 1
            label = labels.get(name, name)
            shown = plain(units.shortened(label, _LABEL_LIMIT)) + ("" if identifier == "rate" else f", {kind}")
            hover = [f"<b>{plain(label)}</b>, {kind}<br>{plain(r.step)}, epoch {r.epoch}: {text(v)}" for r, v in rows]
            drawn = style.of_line()
            drawn["line"] = {**drawn["line"], "dash": dash}
            drawn["marker"] = {**drawn["marker"], "size": 6}
            plot.add_scatter(
                x=[at[r.step, r.epoch] for r, _ in rows], y=[factor * v for _, v in rows], name=shown,
                hovertext=hover, hoverinfo="text", **drawn,
            )  # fmt: skip
    if count == 0:
        return None
    for step, epochs in groupby(at, key=lambda pair: pair[0]):
        first = at[next(epochs)]
        if first > 1:
            plot.add_vline(
                x=first - 0.5, line={"color": LINE, "width": 1.5},
                annotation={"text": plain(units.shortened(step, _LABEL_LIMIT)), "font": {"color": SOFT, "size": 11}},
                annotation_position="top right",
            )  # fmt: skip
    plot.update_xaxes(tickformat="d", range=[0.5, len(at) + 0.5], **({"dtick": 1} if len(at) <= 12 else {}))
    caption = f"{quantity} by epoch"
    described = f"{caption} of training, for {units.listed(tuple(labels.get(name, name) for name in networks))}"
    return interactive(plot, f"training-{identifier}", caption, described)
