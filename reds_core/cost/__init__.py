"""What a network uses of each resource, and what a budget allows."""

from __future__ import annotations

from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.cost.counting import (
    RESOURCES,
    CostModel,
    Resource,
    SumForm,
    macs,
    params,
    peak_ram,
    resource_forms,
    usage,
)
from reds_core.cost.latency_sampling import Segment, Timing, touched_groups, wanted_samples
from reds_core.cost.latency_table import LatencySettings, LatencyTable, load_latency_table

__all__ = [
    "RESOURCES",
    "CostModel",
    "LatencySettings",
    "LatencyTable",
    "Resource",
    "Segment",
    "SubnetworkBudget",
    "SumForm",
    "Timing",
    "load_latency_table",
    "macs",
    "params",
    "parse_budgets",
    "peak_ram",
    "resource_forms",
    "touched_groups",
    "usage",
    "wanted_samples",
]
