"""A resource is one record: what is added to it is counted, budgeted, planned and reported without another change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
from html_pages import Page
from toy_framework import chain_model, describe
from toy_runs import NO_TRAINING, make_workplace

from reds_core.compare.reader import results_frame
from reds_core.cost.budget import parse_amount
from reds_core.cost.counting import PeakForm, ResourceForm, SumForm, params
from reds_core.cost.resources import RESOURCES, CostModel, Resource, check_resources, usage
from reds_core.errors import InputError
from reds_core.network.axis import LinearForm
from reds_core.network.description import Network
from reds_core.plan import load_plan
from reds_core.report import units
from reds_core.report.plan_frame import usage_column
from reds_core.runs import inspection
from reds_core.scales import BYTES

NETWORK = describe(chain_model((24, 40, 16), features=5, positions=3))


def flash_form(network: Network, costs: CostModel) -> ResourceForm:
    """Twice what the weights take."""
    return params(network, 2 * costs.element_size_bytes)


@pytest.fixture
def flash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resource named flash, in bytes."""
    resource = Resource("flash", "Flash", "flash memory", BYTES, flash_form)
    monkeypatch.setitem(cast("dict[str, Resource]", RESOURCES), "flash", resource)


@pytest.mark.usefixtures("flash")
def test_a_resource_that_is_added_is_counted_and_shown() -> None:
    used = usage(NETWORK, NETWORK.channels)
    assert list(used) == ["macs", "params", "peak_ram", "flash"]
    assert used["flash"] == 2 * used["params"]
    described = inspection.describe(NETWORK)
    assert described.usage == used
    assert sum(layer.usage["flash"] for layer in described.layers) == used["flash"]
    assert (units.resource_title("flash"), units.resource_noun("flash")) == ("Flash", "flash memory")
    assert units.on_terminal(units.amount("flash", 2048)) == "2.00 KiB"


@pytest.mark.usefixtures("flash")
def test_its_budgets_take_its_units() -> None:
    assert parse_amount("flash", "64KiB").number == 65536
    with pytest.raises(InputError, match="has a unit 'ms', which is not one of flash"):
        parse_amount("flash", "64ms")


@pytest.mark.usefixtures("flash")
def test_a_run_with_a_budget_of_it_is_planned_and_reported(tmp_path: Path) -> None:
    place = make_workplace(tmp_path)
    plan = place.prune(budgets={"flash": [0.6]}, settings=NO_TRAINING, data=None)
    content = json.loads((place.out / "plan.json").read_text())
    assert list(content["full"]) == ["macs", "params", "peak_ram", "flash", "accuracy"]
    assert load_plan(place.out) == plan
    full, used = plan.full.usage["flash"], plan.subnetworks[0].usage["flash"]
    assert full == 2 * plan.full.usage["params"]
    assert used <= int(0.6 * full)
    page = Page((place.out / "report.html").read_text())
    row = page.row("The full network and its subnetworks", "Cost of one inference: Flash")
    assert row == [full, used]
    assert "of the full network's flash memory" in (place.out / "report.html").read_text().replace("&#39;", "'")


@pytest.mark.usefixtures("flash")
def test_tables_of_comparisons_have_columns_for_it(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    (tmp_path / "records.jsonl").write_text("")
    columns: Mapping[str, object] = results_frame(tmp_path)
    assert {"flash", "share_flash"} <= set(columns)


def test_what_is_measured_is_counted_only_with_measurements() -> None:
    assert "latency" in RESOURCES
    assert "latency" not in CostModel().resources
    with pytest.raises(InputError, match="a latency budget needs measurements"):
        CostModel().form(NETWORK, "latency")


def test_what_a_device_counts_needs_its_table() -> None:
    with pytest.raises(
        InputError, match=r"a budget of cycles needs a table of a device; make one with `.*measure_latency` and on, and"
    ):
        check_resources(["macs", "cycles"])
    check_resources(["cycles"], has_table=True)
    with pytest.raises(InputError, match="a latency budget needs measurements, and the given one has only cycles"):
        CostModel(measured={"cycles": SumForm(7)}).form(NETWORK, "latency")


def test_a_resource_of_a_device_is_counted_and_typed_in_its_unit() -> None:
    costs = CostModel(measured={"cycles": SumForm(88_897), "npu_sram": PeakForm((LinearForm(2048),))})
    used = usage(NETWORK, NETWORK.channels, costs)
    assert {name: used[name] for name in ("cycles", "npu_sram")} == {"cycles": 88_897, "npu_sram": 2048}
    assert "latency" not in used
    assert units.on_terminal(units.amount("cycles", used["cycles"])) == "88.9 kcycles"
    assert parse_amount("cycles", "60k").number == parse_amount("cycles", "60 kcycles").number == 60_000
    assert usage_column("npu_sram") == "npu_sram_bytes"
