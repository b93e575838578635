"""The energy of a network on a device whose table says how much it computes and moves, by the model of an NPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from reds_core.arrays import IntArray
from reds_core.cost.counting import TableForm
from reds_core.cost.device_figures import sum_table
from reds_core.cost.device_table import DeviceTable
from reds_core.cost.energy_models import LARGEST_SRAM, EnergySource, npu_energy

MACS, SRAM_BYTES, FLASH_BYTES = "macs", "sram_bytes", "flash_bytes"
"""The figures of parts that the model needs: multiply-accumulates, and bytes that are read and written."""
ON_PROCESSOR = "on_processor"
"""The fact of a table that names operators which the processor runs, and whose energy is not known."""


def device_energy(table: DeviceTable) -> tuple[TableForm, EnergySource] | None:
    """Return the energy in picojoules as a form, and its source; None if the table lacks what the model needs.

    The SRAM counts as the largest one of which there is a figure, as in profiles, so that energies of networks that
    need SRAM of different sizes can be compared.

    Args:
        table: A complete table.
    """
    known = {name for sample in table.samples for name in sample.figures}
    if ON_PROCESSOR in table.facts or not {MACS, SRAM_BYTES, FLASH_BYTES} <= known:
        return None
    figures = {name: sum_table(table, name) for name in (MACS, SRAM_BYTES, FLASH_BYTES)}
    forms = replace(table, sums=figures).forms()
    rates = {
        MACS: npu_energy(1, 0, LARGEST_SRAM, 0).uJ,
        SRAM_BYTES: npu_energy(0, 1, LARGEST_SRAM, 0).uJ,
        FLASH_BYTES: npu_energy(0, 0, LARGEST_SRAM, 1).uJ,
    }
    summed = {name: form for name, form in forms.items() if name in rates and isinstance(form, TableForm)}
    return _weighted(summed, {name: 1e6 * uJ for name, uJ in rates.items()}), npu_energy(0, 0, LARGEST_SRAM, 0).origin


def _weighted(forms: Mapping[str, TableForm], rates: Mapping[str, float]) -> TableForm:
    """Return the sum of forms times numbers, of which each entry is rounded once."""
    groups = dict.fromkeys(group for form in forms.values() for group in form.groups)
    pairs = dict.fromkeys(pair for form in forms.values() for pair in form.pairs)

    def rounded(tables: Mapping[str, IntArray]) -> IntArray:
        total: IntArray = np.rint(sum(rates[name] * table for name, table in tables.items())).astype(np.int64)
        return total

    return TableForm(
        round(sum(rates[name] * form.constant for name, form in forms.items())),
        {
            group: rounded({n: form.groups[group] for n, form in forms.items() if group in form.groups})
            for group in groups
        },
        {pair: rounded({n: form.pairs[pair] for n, form in forms.items() if pair in form.pairs}) for pair in pairs},
    )
