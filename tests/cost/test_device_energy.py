"""The energy of an NPU by a table of what its parts compute and move."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import pytest

from reds_core.cost.device_energy import ON_PROCESSOR, device_energy
from reds_core.cost.device_table import CountedPart, CountedSample, DeviceTable, PeakTable, StepTable
from reds_core.cost.energy_costs import with_energy
from reds_core.cost.energy_models import LARGEST_SRAM, energy_model, npu_energy
from reds_core.errors import InputError

CHANNELS = {"a": 8, "b": 6}
WIDTHS = {"a": (4, 8), "b": (2, 6)}
PARTS = (CountedPart("input", ()), CountedPart("first", ("a",)), CountedPart("second", ("a", "b")))


def figures(part: int, widths: Mapping[str, int]) -> dict[str, int]:
    a, b = (widths[group] if group in PARTS[part].groups else 1 for group in ("a", "b"))
    return {"macs": 101 * a * b, "sram_bytes": 7 * a + 3 * b, "flash_bytes": a * b + part}


def table(names: tuple[str, ...] = ("macs", "sram_bytes", "flash_bytes")) -> DeviceTable:
    samples = tuple(
        CountedSample(
            part,
            widths,
            {name: figures(part, dict(zip(PARTS[part].groups, widths, strict=True)))[name] for name in names},
        )
        for part in range(len(PARTS))
        for widths in itertools.product(*(WIDTHS[group] for group in PARTS[part].groups))
    )
    return DeviceTable(
        *("net", "hash", CHANNELS, "npu", "fast"),
        **{"options": {}, "versions": {}, "points": 4, "check_count": 0},
        widths=WIDTHS,
        parts=PARTS,
        samples=samples,
        peaks={"npu_sram": PeakTable((StepTable(30 * 1024, {}),), 0)},
        complete=True,
    )


def test_it_is_that_of_the_sums_of_all_parts() -> None:
    found = device_energy(table())
    assert found is not None
    form, origin = found
    for a, b in itertools.product(*WIDTHS.values()):
        parts = [figures(part, {"a": a, "b": b}) for part in range(len(PARTS))]
        sums = {name: sum(part[name] for part in parts) for name in parts[0]}
        expected = npu_energy(sums["macs"], sums["sram_bytes"], LARGEST_SRAM, sums["flash_bytes"])
        assert form.at({"a": a, "b": b}) == pytest.approx(1e6 * expected.uJ, abs=2)  # three tables are rounded
        assert origin == expected.origin


def test_it_is_not_known_without_all_figures() -> None:
    assert device_energy(table(("macs", "sram_bytes"))) is None
    assert device_energy(dataclasses.replace(table(), facts={ON_PROCESSOR: "SOFTMAX"})) is None


def test_a_table_of_an_npu_brings_its_energy_and_refuses_that_of_a_board() -> None:
    made = table()
    measured, source = with_energy(made.forms(), None, made)
    assert list(measured) == ["npu_sram", "energy"]
    assert source is not None
    assert source.source == "npu-model"
    with pytest.raises(InputError, match="was made on 'npu, fast', and the power of NUCLEO-L4R5ZI says nothing"):
        with_energy(made.forms(), energy_model("nucleo-l4r5zi"), made)
    assert with_energy({}, None, None) == ({}, None)
