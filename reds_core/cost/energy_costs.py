"""How the energy of a network is counted: by a table, by the power of a board, or by multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping

from reds_core.cost.counting import ResourceForm, TableForm
from reds_core.cost.device_energy import device_energy
from reds_core.cost.device_table import DeviceTable
from reds_core.cost.energy_models import EnergyModel, EnergySource, refuse_table_of_another
from reds_core.cost.tables import CostTable


def with_energy(
    measured: Mapping[str, ResourceForm], model: EnergyModel | None, table: CostTable | None
) -> tuple[Mapping[str, ResourceForm], EnergySource | None]:
    """Add the energy to the forms of a table, if the table is of the board of a model, or of an NPU.

    Args:
        measured: The forms of the resources of the table, by name; empty without a table.
        model: The model of a board; None for none.
        table: The table; None for none.

    Returns:
        The forms, and where the energy comes from; None if it is not known. Without a form of it, it follows from the
        multiply-accumulates.

    Raises:
        InputError: If there is a model and the table is of another machine.
    """
    if table is None:
        return measured, None if model is None else model.by_macs
    if model is None:
        found = device_energy(table) if isinstance(table, DeviceTable) else None
        return (measured, None) if found is None else ({**measured, "energy": found[0]}, found[1])
    refuse_table_of_another(model, table.machines)
    latency, cycles = measured.get("latency"), measured.get("cycles")
    if isinstance(latency, TableForm):
        return {**measured, "energy": model.form_of_latency(latency)}, model.by_latency
    if isinstance(cycles, TableForm):
        return {**measured, "energy": model.form_of_cycles(cycles)}, model.by_cycles
    return measured, model.by_macs
