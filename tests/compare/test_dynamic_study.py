"""The study of families by depth, width and bits: its cells and its page."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from benchmark_modules import benchmark_modules


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    """The modules of the script, by name."""
    return benchmark_modules(("dynamic_records", "dynamic_page"))


def record(modules: dict[str, ModuleType], arm: str, seed: int, **changes: Any) -> Any:
    records = modules["dynamic_records"]
    member = records.MemberFigures("50", "exit_1" if arm == records.ALL else None, 48.0, 400, 0.5 + seed / 10, 2, 4)
    given: dict[str, Any] = {"members": (member,), "before": 0.9, "after": 0.8, "full_macs": 100.0, **changes}
    return records.DynamicRecord("net", arm, seed, 3, **given)


def test_the_first_seed_of_every_network_and_arm_comes_first(modules: dict[str, ModuleType]) -> None:
    records = modules["dynamic_records"]
    cells = records.cells(3)
    assert len({cell.name for cell in cells}) == len(cells) == 18
    assert {cell.seed for cell in cells[:6]} == {0}
    assert cells[0].arm == records.ALL


def test_members_are_averaged_over_seeds_with_their_spread(modules: dict[str, ModuleType]) -> None:
    records, page = modules["dynamic_records"], modules["dynamic_page"]
    table = page.members_table([record(modules, records.ALL, seed) for seed in (0, 1)])
    row = next(line for line in table.splitlines() if "| 50 |" in line)
    assert row == "| net | exits, widths and bits | 50 | 48.0 | exit_1 | 50 | 55.0 ± 7.1 | 2 |"


def test_thresholds_are_chosen_by_what_they_cost_on_held_back_data(modules: dict[str, ModuleType]) -> None:
    """The second point is cheaper on test data, but beyond the budget on the data on which it was chosen."""
    records, page = modules["dynamic_records"], modules["dynamic_page"]
    points = [records.EarlyExit("margin", 40.0, 52.0, 0.6), records.EarlyExit("margin", 51.0, 49.0, 0.7)]
    assert page.at_cost(points, 50.0) is points[0]
    assert page.at_cost(points, 51.0) is points[1]
    assert page.at_cost(points, 39.0) is None


def test_the_page_has_tables_and_a_figure(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    records, page = modules["dynamic_records"], modules["dynamic_page"]
    early = tuple(records.EarlyExit("margin", share, share, 0.5 + share / 200) for share in (40.0, 60.0, 100.0))
    exits = (
        records.MemberFigures("exit_1", "exit_1", 40.0, None, 0.6),
        records.MemberFigures("last", None, 100.0, None, 0.8),
    )
    full = record(modules, records.ALL, 0, early=early, exits=exits, store_bytes=1024, apart_bytes=2048)
    path = tmp_path / "dynamic.md"
    sections = ("members", "early", "store")
    path.write_text("".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in sections))
    page.write_page([full, record(modules, records.WIDTH, 0)], path)
    text = path.read_text()
    assert "| net | margin | 70.0 | 70.0 | 80.0 | 80.0 | 80.0 | 100.0 |" in text
    assert "40%: 60.0; 100%: 80.0" in text
    assert "| net | exits, widths and bits | 1.0 | 2.0 | 2.00 |" in text
    assert "<svg" in path.with_suffix(".svg").read_text()
