"""The page of benchmarks/npu_tables.py: what it says about tables and about networks under budgets."""

from __future__ import annotations

from types import ModuleType

import pytest
from benchmark_modules import benchmark_modules

from reds_core.cost.device_table import DeviceCheck, DeviceTable, PeakTable


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return benchmark_modules(("npu_tables",))["npu_tables"]


def table(*cycles: tuple[int, int]) -> DeviceTable:
    """A table whose checks have these predicted and counted cycles."""
    checks = tuple(
        DeviceCheck({"a": 8}, {"cycles": predicted, "npu_sram": 96}, {"cycles": counted, "npu_sram": 64})
        for predicted, counted in cycles
    )
    return DeviceTable(
        *("net", "hash", {"a": 8}, "ethos-u", "ethos-u55-128", {}, {}, 16, len(checks)),
        widths={"a": (4, 8)},
        peaks={"npu_sram": PeakTable((), 48)},
        checks=checks,
        complete=True,
    )


def test_exact_predictions_are_told_from_others(script: ModuleType) -> None:
    found = script.exactness("net", table((1000, 1000), (1010, 1000), (990, 1000)))
    assert (found.exact, found.checks, found.sram_over, found.slack) == (1, 3, (32, 32), 48)
    assert (found.least_percent, found.most_percent) == pytest.approx((-1.0, 1.0))


def test_the_page_has_a_row_for_each(script: ModuleType) -> None:
    choice = script.Pruned("net", "macs=0.3, any width", 0.905, 0.32, None, 131_862, 132_522)
    page = script.page([script.exactness("net", table((1000, 1000)))], [choice])
    assert "| net | ethos-u55-128 | 2 | 0 | 0 | 1 of 1 | +0.00 to +0.00 % | 32 to 32 | 48 |" in page
    assert "| net | macs=0.3, any width | 90.50 % | 32.0 % | – | 131,862 | 132,522 |" in page
