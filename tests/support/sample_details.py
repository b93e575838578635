"""Details and training curves of the runs of `sample_plans`, as a run writes them."""

from __future__ import annotations

from pathlib import Path

from sample_plans import DS_CNN_S, FULL_USAGE, complete

from reds_core.plan import Plan
from reds_core.plan_details import (
    ClassDetails,
    Details,
    Exploration,
    ExploredBudget,
    LayerCost,
    LayerDetails,
    MemoryStep,
    NetworkDetails,
    save_details,
)
from reds_core.run_history import HistoryRow, save_history

NETWORKS = ("full", "25", "50", "75")
FULL_VALUE = 2**31
LAYERS = (
    LayerDetails("conv2d", "Conv2D", ("input",), "conv2d"),
    LayerDetails("relu", "ReLU", ("conv2d",), "conv2d"),
    LayerDetails("depthwise_1", "DepthwiseConv2D", ("relu",), "depthwise_1"),
    LayerDetails("add", "Add", ("relu", "depthwise_1"), "conv2d"),
    LayerDetails("dense", "Dense", ("add",)),
)


def network(name: str, share: float) -> NetworkDetails:
    """A network with `share` of everything."""
    layers = tuple(
        LayerCost(layer.name, (8, 8, int(64 * share)), {"macs": int(1000 * share) * i, "params": int(100 * share) * i})
        for i, layer in enumerate(LAYERS)
    )
    kib = int(1024 * share)
    memory = (
        MemoryStep("conv2d", {"input": 64, "conv2d": 4 * kib}),
        MemoryStep("relu", {"conv2d": 4 * kib}),
        MemoryStep("depthwise_1", {"conv2d": 4 * kib, "depthwise_1": 4 * kib}),
        MemoryStep("add", {"conv2d": 4 * kib, "depthwise_1": 4 * kib, "add": 4 * kib}),
        MemoryStep("dense", {"add": 4 * kib, "dense": 12}),
    )
    return NetworkDetails(name, layers, memory)


def explored(share: float, bound: int | None) -> ExploredBudget:
    usage = {resource: int(share * used) for resource, used in FULL_USAGE.items()}
    widths = {group: max(1, int(share * channels)) for group, channels in DS_CNN_S.items()}
    return ExploredBudget(usage["macs"], widths, usage, int(FULL_VALUE * share**0.5), bound)


def details() -> Details:
    """What a run of `complete` may write: three limits, of which one is proven, one has a gap and one has no bound."""
    shares = {"full": 1.0, "25": 0.25, "50": 0.5, "75": 0.75}
    values = (int(FULL_VALUE * 0.25**0.5), int(FULL_VALUE * 0.5**0.5 * 1.01), None)
    points = tuple(explored(share, bound) for share, bound in zip((0.25, 0.5, 1.0), values, strict=True))
    classes = (
        ClassDetails("yes", 40, {"before": 0.95, "full": 0.95, "75": 0.95, "50": 0.9, "25": 0.85}),
        ClassDetails("no", 40, {"before": 0.9, "full": 0.925, "75": 0.95, "50": 0.9, "25": 0.6}),
        ClassDetails("<b>up</b>", 0, {}),
    )
    networks = tuple(network(name, share) for name, share in shares.items())
    return Details(LAYERS, networks, classes, (Exploration("macs", points, FULL_VALUE),))


def write_details(folder: Path) -> Plan:
    """Write the details and training curves of a run of `complete`, and return its plan."""
    save_details(details(), folder)
    rows = [
        HistoryRow("finetune", epoch, name, 1 / epoch if name == "full" else None, None, 0.5, 0.8 + epoch / 100, 0.01)
        for epoch in (1, 2, 3)
        for name in NETWORKS
    ]
    save_history(rows, folder, "accuracy")
    return complete()
