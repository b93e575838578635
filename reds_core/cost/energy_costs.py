"""How the energy of a network is counted: by a table of the board of an energy model, or by multiply-accumulates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reds_core.cost.counting import ResourceForm, TableForm
from reds_core.cost.energy_models import EnergyModel, EnergySource, refuse_table_of_another


def with_energy(
    measured: Mapping[str, ResourceForm], model: EnergyModel, machines: Iterable[str | None] | None
) -> tuple[Mapping[str, ResourceForm], EnergySource]:
    """Add the energy to the forms of a table, where the table is of the board of an energy model.

    Args:
        measured: the forms of the resources of the table, by name; empty without a table.
        model: the energy model.
        machines: names of the machine or device of which the table is; None without a table.

    Returns:
        The forms, and where the energy comes from. Without a form of it, it follows from the multiply-accumulates.

    Raises:
        InputError: if the table is of another machine.
    """
    if machines is None:
        return measured, model.by_macs
    refuse_table_of_another(model, machines)
    latency, cycles = measured.get("latency"), measured.get("cycles")
    if isinstance(latency, TableForm):
        return {**measured, "energy": model.form_of_latency(latency)}, model.by_latency
    if isinstance(cycles, TableForm):
        return {**measured, "energy": model.form_of_cycles(cycles)}, model.by_cycles
    return measured, model.by_macs
