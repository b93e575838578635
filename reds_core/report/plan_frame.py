"""The family of a plan as a pandas table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reds_core.cost.resources import RESOURCES
from reds_core.plan import Accuracy, FullRecord, Plan, SubnetworkRecord
from reds_core.report.layer_levels import counts_text, decided
from reds_core.system.libraries import require_libraries

if TYPE_CHECKING:
    import pandas

FULL_ROW = "full"
"""The label of the row of the full network."""
LEVELS = "levels_"
"""The beginning of the names of columns that state how many layers have each level of a dimension."""
SAME_ANSWERS = "same_answers_"
"""The beginning of the names of columns with the share of answers that a device and the file's interpreter share."""
_UNITS = {"B": "_bytes", "ns": "_ns", "pJ": "_pJ"}
"""The ends of the names of columns by base unit."""


def plan_frame(plan: Plan) -> pandas.DataFrame:
    """Return a table with one row for each subnetwork, smallest first, and the full network as the last row.

    The columns are described at `reds_core.runs.saved_plan.SavedPlan.to_frame`.

    Raises:
        UnavailableError: if pandas is not installed.
    """
    require_libraries("a table of a plan", ("pandas",))
    import pandas

    rows = [_member_row(record) for record in plan.subnetworks]
    rows.append(_full_row(plan.full))
    names = [*(record.name for record in plan.subnetworks), FULL_ROW]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    # as objects first, since pandas would convert integers next to None to doubles
    frame = pandas.DataFrame(
        [[row.get(column) for column in columns] for row in rows],
        index=pandas.Index(names, name="name"),
        columns=columns,
        dtype=object,
    )
    return frame.astype({column: _type(column) for column in columns})


def usage_column(resource: str) -> str:
    """Return the name of a column for amounts of a resource, with its unit: params_bytes, weight_bytes, energy_pJ."""
    unit = _UNITS.get(RESOURCES[resource].scale.units[0], "") if resource in RESOURCES else ""
    return resource if resource.endswith(unit) else resource + unit  # the name of weight_bytes says its unit


def _member_row(record: SubnetworkRecord) -> dict[str, Any]:
    return {
        **{usage_column(resource): used for resource, used in record.usage.items()},
        **_accuracies(record.accuracy),
        **_on_devices(record),
        "value": record.value,
        "bound": record.bound,
        "gap": record.gap,
        "bound_independent": record.bound_independent,
        "status": record.status,
        "limit": record.limit,
        "solver": record.solver,
        "wall_s": record.wall_s,
        "latency_measured_ns": record.latency_measured_ns,
        "align": record.align,
        **{f"{LEVELS}{what}": counts_text(record, what) for what in decided([record])},
        "is_untrained": record.is_untrained,
        "shares_weights": record.shares_weights,
        **{f"budget_{resource}": limit for resource, limit in record.budget.items()},
        **{f"file_{kind}": name for kind, name in record.files.items()},
    }


def _full_row(full: FullRecord) -> dict[str, Any]:
    return {
        **{usage_column(resource): used for resource, used in full.usage.items()},
        **_accuracies(Accuracy(full.accuracy.before, full.accuracy.after, full.accuracy.exported)),
        **_on_devices(full),
        "is_untrained": False,
        "shares_weights": True,
    }


def _accuracies(accuracy: Accuracy) -> dict[str, float | None]:
    figures = {"before": accuracy.before, "after": accuracy.after, **accuracy.exported}
    return {f"accuracy_{what}": figure for what, figure in figures.items()}


def _on_devices(record: SubnetworkRecord | FullRecord) -> dict[str, int | float | None]:
    figures: dict[str, int | float | None] = {}
    for device, found in record.devices.items():
        if found.cycles is not None:
            figures[f"cycles_{device}"] = found.cycles
        if found.energy is not None:
            figures[f"energy_{device}_pJ"] = found.energy
        if found.sram is not None:
            figures[f"sram_{device}_bytes"] = found.sram
            continue
        figures[f"arena_{device}_bytes"] = found.arena
        figures[f"arena_head_{device}_bytes"] = found.arena_head
        figures[f"{SAME_ANSWERS}{device}"] = found.same_answers
    return figures


def _type(column: str) -> str:
    if column in ("status", "limit", "solver") or column.startswith(("file_", LEVELS)):
        return "string"
    if column in ("is_untrained", "shares_weights"):
        return "bool"
    if column in ("gap", "wall_s", "latency_measured_ns") or column.startswith(("accuracy_", "budget_", SAME_ANSWERS)):
        return "Float64"
    return "Int64"
