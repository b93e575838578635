"""The memory timeline: which activations live while each layer runs, in one network and in the full one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reds_core.plan_details import LayerDetails, MemoryStep, NetworkDetails
from reds_core.report import units
from reds_core.report.plotting import INK, SOFT, fills, new_plot, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROLES = ("read by the layer", "written by the layer", "kept for a later layer")
"""Why an activation lives: roles in the order of the bars."""
_NAMED_TICKS = 22
_LABEL_LIMIT = 24


def storages(layers: tuple[LayerDetails, ...], memory: tuple[MemoryStep, ...]) -> dict[str, str]:
    """Return under which name the memory of each layer's output is counted, by the name of the layer.

    A layer that computes in place has no memory of its own: it writes where its first input stands.
    """
    counted = {name for step in memory for name in step.live_bytes}
    found: dict[str, str] = {}
    for layer in layers:
        first = layer.inputs[0] if layer.inputs else layer.name
        found[layer.name] = layer.name if layer.name in counted else found.get(first, first)
    return found


def roles(layer: LayerDetails | None, step: MemoryStep, stored: Mapping[str, str]) -> dict[str, str]:
    """Return the role of each activation that lives in a step, by its name."""
    read = {stored.get(name, name) for name in layer.inputs} if layer else set()
    written = stored.get(step.layer, step.layer)
    return {
        name: ROLES[0]
        if name in read
        else ROLES[1]
        if name == written or name.startswith(f"{step.layer} (")
        else ROLES[2]
        for name in step.live_bytes
    }


def memory_plot(
    layers: tuple[LayerDetails, ...], network: NetworkDetails, label: str, full: NetworkDetails, budget: float | None
) -> Figure:
    """Draw the live activations of a network as a stacked bar for each layer, and the total of the full network.

    Args:
        layers: the calls of layers of the input model.
        network: the network.
        label: its name in the legend.
        full: the full network, which may be the same.
        budget: the limit of its peak RAM in bytes, which is drawn as a line; None without one.

    Raises:
        UnavailableError: if Plotly is not installed.
    """
    most = max((step.total_bytes for each in (network, full) for step in each.memory), default=1)
    unit, unit_name = units.BYTES.largest_unit(most)
    plot = new_plot(400, "Layer that runs, in order", f"Live activations ({unit_name})")
    places = list(range(len(network.memory)))
    by_name, stored = {layer.name: layer for layer in layers}, storages(layers, network.memory)
    parts = [roles(by_name.get(step.layer), step, stored) for step in network.memory]
    for role, fill in zip(ROLES, fills(len(ROLES)), strict=True):
        sizes, hover = [], []
        for step, part in zip(network.memory, parts, strict=True):
            own = {name: size for name, size in step.live_bytes.items() if part[name] == role}
            sizes.append(sum(own.values()) / unit)
            listed = "<br>".join(f"{plain(name)}: {units.byte_size(size)}" for name, size in own.items())
            total = units.byte_size(step.total_bytes)
            hover.append(f"<b>{plain(step.layer)}</b>, {total} live<br>{role}:<br>{listed}" if own else "")
        plot.add_bar(x=places, y=sizes, name=role, hovertext=hover, hoverinfo="text", **fill)
    if network is not full and full.memory:
        totals = [step.total_bytes for step in full.memory]
        hover = [f"full network, <b>{plain(s.layer)}</b>: {units.byte_size(s.total_bytes)}" for s in full.memory]
        plot.add_scatter(
            x=list(range(len(totals))), y=[total / unit for total in totals], name="all, in the full network",
            mode="lines", line={"color": SOFT, "width": 1.6, "shape": "hvh"}, hovertext=hover, hoverinfo="text",
        )  # fmt: skip
    if budget is not None:
        plot.add_hline(
            y=budget / unit, line={"color": INK, "dash": "dash", "width": 1.4},
            annotation={"text": f"budget {units.byte_size(budget)}", "font": {"color": INK, "size": 12}},
            annotation_position="top right",
        )  # fmt: skip
    if network.memory:
        peak = max(places, key=lambda i: network.memory[i].total_bytes)
        plot.add_annotation(
            x=peak, y=network.memory[peak].total_bytes / unit, text=f"peak of {plain(label)}", showarrow=True,
            arrowcolor=INK, ax=0, ay=-28, font={"color": INK, "size": 12},
        )  # fmt: skip
    plot.update_layout(barmode="stack", bargap=0.15)
    names = [plain(units.shortened(step.layer, _LABEL_LIMIT)) for step in network.memory]
    every = -(-len(places) // _NAMED_TICKS) or 1
    plot.update_xaxes(
        tickvals=places[::every], ticktext=names[::every], tickangle=-60, showgrid=False, tickfont={"size": 11}
    )
    plot.update_yaxes(range=[0, 1.18 * max(most, budget or 0) / unit])
    return plot


def peak_sentence(network: NetworkDetails, label: str, full: NetworkDetails) -> str:
    """Say where a network needs the most memory, compared with the full network; empty if that is not known."""
    if not network.memory:
        return ""
    peak = max(network.memory, key=lambda step: step.total_bytes)
    said = f"The peak of {label} is at layer {peak.layer}, with {units.byte_size(peak.total_bytes)}"
    if network is full or not full.memory:
        return f"{said}."
    largest = max(full.memory, key=lambda step: step.total_bytes)
    where = "the same layer" if largest.layer == peak.layer else f"layer {largest.layer}"
    return f"{said}; that of the full network is at {where}, with {units.byte_size(largest.total_bytes)}."
