"""The network layer by layer: its graph, and what each layer costs in one member and in the full one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reds_core.plan import Plan
from reds_core.plan_details import Details, LayerCost, LayerDetails, NetworkDetails
from reds_core.report import units
from reds_core.report.facts import FamilyFacts
from reds_core.report.lanes import lane_count, lane_rows, lane_svg
from reds_core.report.memory_plot import memory_plot, peak_sentence
from reds_core.report.plotting import ControlStep, PageControl, Picture, content_of, interactive, select_box
from reds_core.report.table import NOTHING, Cell

IDENTIFIER = "network"
"""The id of the select box."""
FULL = "full"


@dataclass(frozen=True)
class LayerRow:
    """One layer in one network.

    Attributes:
        graph: its part of the graph, an <svg> element that is trusted.
        name, kind: the name and the class of the layer.
        share: the share of its channels that is kept, in percent; None if its output has no channel group.
        kept: the channels that are kept, as "24 of 64"; empty without a group.
        cells: its output shape, and what it costs, before and after.
    """

    graph: str
    name: str
    kind: str
    share: float | None
    kept: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class NetworkTable:
    """The layers of one network.

    Attributes:
        caption: the caption.
        columns: headings of the cells.
        rows: the layers in the order in which they run.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[LayerRow, ...]


@dataclass(frozen=True)
class NetworkView:
    """What the page shows of the layers of a network.

    Attributes:
        chooser: the select box of networks.
        tables: the table of each network, in the order of the select box.
        memory: the memory timeline; None if it is not known.
        peak: where the most memory is needed, as a sentence.
    """

    chooser: PageControl
    tables: tuple[NetworkTable, ...]
    memory: Picture | None
    peak: str


def network_view(plan: Plan, family: FamilyFacts, details: Details) -> NetworkView | None:
    """Return the view of the networks of a run; None without details of their layers.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    if not details.layers or not details.networks:
        return None
    full = details.networks[0]
    labels = {m.record.name: m.label for m in family.subnetworks if m.record}
    shown = [each for each in details.networks[1:] if each.name in labels] or [full]
    graph = _graph(details.layers)
    tables, steps, pictures = [], [], []
    for network in shown:
        label = labels.get(network.name, family.full.label)
        tables.append(_table(plan, family, details, network, label, graph))
        figures = {}
        peak = peak_sentence(network, label, full)
        if network.memory:
            plot = memory_plot(details.layers, network, label, full, _ram_budget(family, network.name))
            figures[f"{IDENTIFIER}-memory"] = content_of(plot)
            pictures.append((plot, peak))
        steps.append(ControlStep(label, {"peak": peak}, figures))
    memory = None
    if pictures:
        plot, peak = pictures[0]
        caption = "Memory for activations while each layer runs"
        memory = interactive(plot, f"{IDENTIFIER}-memory", caption, f"{caption}. {peak}")
    return NetworkView(select_box(IDENTIFIER, "Network", steps), tuple(tables), memory, steps[0].texts["peak"])


def _ram_budget(family: FamilyFacts, name: str) -> float | None:
    record = next((m.record for m in family.subnetworks if m.record and m.record.name == name), None)
    budget = record.budget.get("peak_ram") if record else None
    full = family.full.usage.get("peak_ram")
    if budget is None or not units.is_fraction(budget):
        return budget
    return budget * full if full else None


def _graph(layers: tuple[LayerDetails, ...]) -> tuple[str, ...]:
    rows = lane_rows(layers)
    lanes = lane_count(rows)
    return tuple(lane_svg(row, lanes) for row in rows)


def _table(
    plan: Plan, family: FamilyFacts, details: Details, network: NetworkDetails, label: str, graph: tuple[str, ...]
) -> NetworkTable:
    full = details.networks[0]
    record = next((m.record for m in family.subnetworks if m.record and m.record.name == network.name), None)
    widths = record.widths if record else {}
    channels = {group.name: group.channels for group in plan.groups}
    costs = list(dict.fromkeys(r for layer in full.layers for r in layer.usage))
    is_full = network is full
    columns = ["Output shape"]
    for resource in costs:
        columns += [f"{units.resource_title(resource)}, full"]
        columns += [] if is_full else [units.resource_title(resource)]
    rows = []
    for place, layer in enumerate(details.layers):
        before, after = _at(full, place), _at(network, place)
        cells = [NOTHING if after is None else Cell(_shape(after))]
        for resource in costs:
            cells += [_cost(before, resource)]
            cells += [] if is_full else [_cost(after, resource)]
        share, kept = _kept(layer, widths, channels)
        rows.append(LayerRow(graph[place], layer.name, layer.kind, share, kept, tuple(cells)))
    return NetworkTable(f"Layers of {label}", tuple(columns), tuple(rows))


def _at(network: NetworkDetails, place: int) -> LayerCost | None:
    return network.layers[place] if place < len(network.layers) else None


def _cost(layer: LayerCost | None, resource: str) -> Cell:
    used = layer.usage.get(resource) if layer else None
    return NOTHING if used is None else Cell(units.amount(resource, used), used)


def _shape(layer: LayerCost) -> str:
    return " × ".join("?" if size is None else str(size) for size in layer.output_shape) or units.DASH


def _kept(layer: LayerDetails, widths: Mapping[str, int], channels: Mapping[str, int]) -> tuple[float | None, str]:
    of = channels.get(layer.group) if layer.group else None
    if not of:
        return None, ""
    width = min(widths.get(layer.group or "", of), of)
    return round(100 * width / of, 2), f"{units.count(width)} of {units.count(of)}"
