"""The page about families on devices, from records."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from benchmark_modules import FOLDER, benchmark_modules


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    return benchmark_modules(("device_records", "devices_page"))


@pytest.fixture
def record(modules: dict[str, ModuleType]) -> Any:
    records = modules["device_records"]
    members = (
        records.MemberFigures("50", 1000, 100, 112, 160, 100, 2000, 0.9, 0.89, 0.88),
        records.MemberFigures("full", 2000, 200, 208, 208, 200, 3000, 0.95, 0.94),
    )
    sizes = records.SizeFigures(weights=800, tables=200, full_engine=900, separate_engines=1500, files=5000)
    return records.FamilyRecord("small", "a", "b", 10, members, sizes)


def test_records_are_read_as_they_were_written(modules: dict[str, ModuleType], record: Any, tmp_path: Path) -> None:
    records = modules["device_records"]
    layers = (records.LayerFigures("1x1 convolution", 1500, 3000), records.LayerFigures("other layers", 0, 70))
    core = records.CoreFigures((3000, 6000), (3000, 6001), (11, 12), (300, 400), layers)
    whole = record.with_core("cortex-m4", core).with_comparison("cortex-m4", records.Comparison(40, 3))
    path = tmp_path / "records" / "small.json"
    assert records.read(path) is None
    records.write(whole, path)
    assert records.read(path) == whole


def test_the_page_shows_what_is_recorded(modules: dict[str, ModuleType], record: Any) -> None:
    records, page = modules["device_records"], modules["devices_page"].page
    layers = (records.LayerFigures("1x1 convolution", 1500, 3000), records.LayerFigures("other layers", 0, 70))
    core = records.CoreFigures((3000, 6000), (3000, 6001), (11, 12), (300, 400), layers)
    whole = record.with_core("cortex-m4", core).with_comparison("cortex-m4", records.Comparison(40, 3))
    text = page([whole])
    assert "| small | 2 | 10 | 40 | 3 |" in text
    assert "| small | 50 | 100 | 100 | 112 | 160 |" in text
    assert "| small | 800 | 200 | 1,000 | 900 (0.90x) | 1,500 (1.50x) | 5,000 (5.00x) |" in text
    assert "| small | full | 95.00 | 94.00 | - |" in text
    assert "| small | 1x1 convolution | 100.0 % | 2.00 |" in text
    assert "other layers" not in text  # they have no MACs
    assert "| small | cortex-m4 | 12 | 1 | 400 |" in text
    assert "## Switching" not in page([record])
    assert "Nothing is recorded yet." in page([])


def test_the_page_in_the_documentation_is_that_of_the_records(modules: dict[str, ModuleType]) -> None:
    folder = FOLDER / "records" / "devices"
    names = ("digits", "ds-cnn-s", "cnn-s", "resnet8", "ds-cnn-m", "vww-96")
    found = [modules["device_records"].read(folder / f"{name}.json") for name in names]
    budget = modules["device_records"].read_budget(folder / "arena-budget.json")
    text = modules["devices_page"].page([record for record in found if record is not None], budget)
    assert budget is None or budget.arena_head_bytes <= budget.budget_bytes < budget.greedy_head_bytes
    assert (FOLDER.parent / "docs" / "results" / "devices.md").read_text("utf-8") == text
    for record in found:
        assert record is None or [c.different for c in record.comparisons.values()] == [0] * len(record.comparisons)
