"""Costs of networks: resources, budgets, measured latencies, and what devices count."""

from __future__ import annotations

from reds_core.cost.activation_memory import peak_ram
from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.cost.counting import SumForm, macs, params
from reds_core.cost.device_table import DeviceTable, load_device_table
from reds_core.cost.energy_models import (
    BOARDS,
    LARGEST_SRAM,
    Energy,
    EnergyModel,
    EnergySource,
    energy_model,
    npu_energy,
)
from reds_core.cost.latency_sampling import Segment, Timing, touched_groups, wanted_samples
from reds_core.cost.latency_table import LatencySettings, LatencyTable, load_latency_table
from reds_core.cost.resources import RESOURCES, CostModel, Resource, resource_forms, usage

__all__ = [
    "BOARDS",
    "LARGEST_SRAM",
    "RESOURCES",
    "CostModel",
    "DeviceTable",
    "Energy",
    "EnergyModel",
    "EnergySource",
    "LatencySettings",
    "LatencyTable",
    "Resource",
    "Segment",
    "SubnetworkBudget",
    "SumForm",
    "Timing",
    "energy_model",
    "load_device_table",
    "load_latency_table",
    "macs",
    "npu_energy",
    "params",
    "parse_budgets",
    "peak_ram",
    "resource_forms",
    "touched_groups",
    "usage",
    "wanted_samples",
]
