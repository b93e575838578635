"""How well each network recognises each class: a dot plot, a table, and which classes pruning hurts most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.plan_details import ClassDetails
from reds_core.report import units
from reds_core.report.facts import FamilyFacts
from reds_core.report.plotting import LINE, Picture, interactive, new_plot, plain, trace_styles
from reds_core.report.table import Cell, Row, Table, figure, one_block

BEFORE = "before"
_LABEL_LIMIT = 24
_MOST_DRAWN = 60
"""With more classes, the figure shows those that lose the most, and the table has all of them."""
_MOST_NAMED = 3
_LEAST_SHOWN = 0.0005
"""The smallest loss of recall that is not shown as 0.0 points."""
_SPREAD = 0.13
"""The distance of the dots of two networks, in rows."""


@dataclass(frozen=True)
class ClassReport:
    """Recall by class.

    Attributes:
        picture: the dot plot.
        table: the figures.
        sentences: the class that the input model recognises the least well, and those that each network loses the
            most of.
    """

    picture: Picture
    table: Table
    sentences: tuple[str, ...]


def class_report(family: FamilyFacts, classes: Sequence[ClassDetails]) -> ClassReport | None:
    """Return what is known of recall by class; None if nothing is.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    networks = _networks(family, classes)
    if not networks:
        return None
    smallest = list(networks)[-1]
    ordered = sorted(classes, key=lambda each: -(_loss(each, smallest) or 0.0))
    said = (_weakest(classes), *(_worst(name, label, classes) for name, label in networks.items()))
    sentences = tuple(filter(None, said))
    return ClassReport(_picture(networks, ordered[:_MOST_DRAWN], len(classes)), _table(networks, ordered), sentences)


def _networks(family: FamilyFacts, classes: Sequence[ClassDetails]) -> dict[str, str]:
    """Return the labels of the networks with figures by their names, the input model first and the smallest last."""
    labels = {BEFORE: "input model", "full": family.full.label}
    labels |= {m.record.name: m.label for m in reversed(family.subnetworks) if m.record}
    known = {name for each in classes for name in each.recall}
    return {name: label for name, label in labels.items() if name in known}


def _loss(each: ClassDetails, network: str) -> float | None:
    """Return by how much the recall of a network is below that of the input model, or of the full network."""
    reference = each.recall.get(BEFORE, each.recall.get("full"))
    reached = each.recall.get(network)
    return None if reference is None or reached is None else reference - reached


def _named(each: ClassDetails) -> str:
    """Return the name of a class in a sentence. One that is a number would be read as a figure."""
    return f"class {each.label}" if each.label.isdecimal() else units.printable(each.label)


def _weakest(classes: Sequence[ClassDetails]) -> str:
    known = [(each.recall[BEFORE], each) for each in classes if BEFORE in each.recall]
    if not known:
        return ""
    recall, each = min(known, key=lambda pair: pair[0])
    return f"input model: its lowest recall is {units.percent(recall)}, in {_named(each)}."


def _worst(name: str, label: str, classes: Sequence[ClassDetails]) -> str:
    losses = [(loss, each) for each in classes if (loss := _loss(each, name)) is not None and name != BEFORE]
    hit = sorted((pair for pair in losses if pair[0] >= _LEAST_SHOWN), key=lambda pair: -pair[0])[:_MOST_NAMED]
    if not losses:
        return ""
    if all(loss <= 0 for loss, _ in losses):
        reference = "the input model" if any(BEFORE in each.recall for _, each in losses) else "the full network"
        return f"{label}: no class is recognised less often than by {reference}."
    if not hit:
        return f"{label}: no class loses {100 * _LEAST_SHOWN:g} points or more."
    named = ", ".join(f"{_named(each)} ({units.points(-loss)} points)" for loss, each in hit)
    return f"{label}: the largest losses are in {named}."


def _picture(networks: dict[str, str], classes: Sequence[ClassDetails], total: int) -> Picture:
    plot = new_plot(130 + 32 * len(classes), "Recall (%)", "Class")
    rows = list(range(len(classes)))
    spans_x: list[float | None] = []
    spans_y: list[int | None] = []
    for row, each in zip(rows, classes, strict=True):
        found = [100 * each.recall[name] for name in networks if name in each.recall]
        if found:
            spans_x += [min(found), max(found), None]
            spans_y += [row, row, None]
    line = {"color": LINE, "width": 10}
    plot.add_scatter(x=spans_x, y=spans_y, mode="lines", line=line, hoverinfo="skip", showlegend=False)
    middle = (len(networks) - 1) / 2
    for place, ((name, label), style) in enumerate(
        zip(networks.items(), trace_styles(list(networks)).values(), strict=True)
    ):
        ys = [row + _SPREAD * (place - middle) for row in rows]  # so that equal figures do not cover one another
        shares = [each.recall.get(name) for each in classes]
        hover = [
            f"<b>{plain(each.label)}</b> ({units.count(each.examples)} examples)"
            f"<br>{plain(label)}: {units.percent(share)}"
            for each, share in zip(classes, shares, strict=True)
        ]
        xs = [None if share is None else 100 * share for share in shares]
        plot.add_scatter(x=xs, y=ys, name=plain(label), hovertext=hover, hoverinfo="text", **style.of_markers(10))
    names = [plain(units.shortened(each.label, _LABEL_LIMIT)) for each in classes]
    plot.update_yaxes(tickvals=rows, ticktext=names, range=[len(rows) - 0.4, -0.6], ticks="")
    part = "" if len(classes) == total else f", the {len(classes)} of {total} classes that lose the most"
    caption = f"Recall by class{part}"
    said = "The table below has the figures, with the classes that the smallest network loses the most of first"
    return interactive(plot, "classes", caption, f"{caption}. {said}.")


def _table(networks: dict[str, str], classes: Sequence[ClassDetails]) -> Table:
    rows = []
    for each in classes:
        cells = [Cell(units.count(each.examples), each.examples)]
        for name in networks:
            share, loss = each.recall.get(name), _loss(each, name)
            note = "" if loss is None or name == BEFORE else f"{units.points(-loss)}{units.THIN}pt"
            tone = "failed" if loss is not None and loss > 0.05 and name != BEFORE else ""
            cell = figure(share, units.percent(share), note)
            cells.append(Cell(cell.text, cell.value, cell.note, tone))
        rows.append(Row(Cell(each.label), tuple(cells)))
    columns = ("Examples", *networks.values())
    return Table("Recall by class", "Class", columns, one_block(rows), is_sortable=True)
