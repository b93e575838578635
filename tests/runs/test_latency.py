"""Runs of a toy model under latency budgets: every strategy, resumed runs, members added, tables that do not fit."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from pathlib import Path
from typing import Any

import pytest
from toy_framework import describe, residual_model
from toy_latency import EVERY_WIDTH, timed_registry, toy_latencies
from toy_runs import NO_TRAINING, Interrupted, Listener, Workplace, make_workplace, skip_report, without_times

from reds_core.commands.shared import parse_plugin_options
from reds_core.cost.latency_table import LatencySettings, load_latency_table
from reds_core.errors import InfeasibleError, InputError, UnavailableError
from reds_core.runs.extraction import extract
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.runs.latency import measure_latency
from reds_core.runs.recipe import load_recipe
from reds_core.runs.settings import RunSettings
from reds_core.watcher import Watcher

NETWORK = describe(residual_model())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    toy_latencies(residual_model(), table_of(place))
    return place


def table_of(place: Workplace) -> Path:
    return place.folder / "table.json"


def asked(place: Workplace, **changes: Any) -> dict[str, Any]:
    settings: RunSettings = dataclasses.replace(NO_TRAINING, latency_table=str(table_of(place)), **changes)
    return {"settings": settings, "registry": timed_registry(), "budgets": {"latency": [0.85, 0.7]}}


@pytest.mark.parametrize(
    "pruner", ["nested", "layerwise", "layerwise.horizon=local", "progressive", "oneshot", "uniform"]
)
def test_every_strategy_meets_latency_budgets(place: Workplace, pruner: str) -> None:
    name = pruner.partition(".")[0]
    plan = place.prune(**asked(place, pruner=name, options=parse_plugin_options([pruner] if "." in pruner else [])))
    form = load_latency_table(table_of(place)).form(NETWORK)
    full_ns = plan.full.usage["latency"]
    assert full_ns == form.at(NETWORK.channels)
    for record in plan.subnetworks:
        assert record.usage["latency"] == form.at(record.widths) <= int(record.budget["latency"] * full_ns)
        assert record.latency_measured_ns == 1.0
    added = extract(place.out, ExtractionRequest(("latency=0.8",)), timed_registry(), Watcher())
    assert added.usage["latency"] <= int(0.8 * full_ns)
    members = sorted([*plan.subnetworks, added], key=lambda m: m.usage["latency"])
    for small, large in itertools.pairwise(members):
        assert all(set(small.kept[g]) <= set(large.kept[g]) for g in small.kept)


def test_a_budget_that_only_wider_networks_meet_is_no_mistake(place: Workplace) -> None:
    """One channel a group is odd, and slower than two."""
    form = load_latency_table(table_of(place)).form(NETWORK)
    every = itertools.product(*(range(1, n + 1) for n in NETWORK.channels.values()))
    least = min(form.at(dict(zip(NETWORK.channels, widths, strict=True))) for widths in every)
    assert least < form.at(dict.fromkeys(NETWORK.channels, 1))
    plan = place.prune(**asked(place) | {"budgets": {"latency": f"{least}ns"}})
    assert plan.subnetworks[0].usage["latency"] == least
    with pytest.raises(InfeasibleError, match=f"no subnetwork meets the budget.*{least // 3}"):
        place.prune(**asked(place) | {"budgets": {"latency": f"{least // 3}ns"}}, out=place.folder / "other")


class KilledAtTheLastStep(Listener):
    def stage(self, text: str) -> None:
        super().stage(text)
        if text.startswith("step 3"):
            raise Interrupted


def test_a_run_goes_on_only_with_the_latencies_that_it_was_started_with(place: Workplace) -> None:
    whole = place.prune(**asked(place), out=place.folder / "whole")
    with pytest.raises(Interrupted):
        place.prune(**asked(place), watcher=KilledAtTheLastStep())
    content = table_of(place).read_text()
    toy_latencies(residual_model(), table_of(place).with_name("half.json"), LatencySettings(points=2))
    table_of(place).write_text(table_of(place).with_name("half.json").read_text())
    with pytest.raises(InputError, match="the latency table is not the one that the run in"):
        place.resume(**asked(place))
    table_of(place).with_name("moved.json").write_text(content)
    moved = dataclasses.replace(asked(place)["settings"], latency_table=str(table_of(place).with_name("moved.json")))
    assert (
        without_times(place.resume(**asked(place) | {"settings": moved})).subnetworks
        == without_times(whole).subnetworks
    )


def test_a_member_is_added_from_any_folder_by_the_same_latencies(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    settings = dataclasses.replace(asked(place)["settings"], latency_table="table.json")
    place.prune(**asked(place) | {"settings": settings})
    monkeypatch.chdir("/")
    left_out = dataclasses.replace(settings, latency_table=None)
    assert place.resume(**asked(place) | {"settings": left_out, "model": None, "data": None}).subnetworks
    assert load_recipe(place.out / "recipe.yaml").settings.latency_table == str(table_of(place).resolve())
    assert extract(place.out, ExtractionRequest(("latency=0.8",)), timed_registry(), Watcher()).usage["latency"] > 0
    table_of(place).unlink()
    toy_latencies(residual_model(), table_of(place), LatencySettings(points=2))
    with pytest.raises(InputError, match=r"latency table '.*table\.json' has changed since the run"):
        extract(place.out, ExtractionRequest(("latency=0.75",)), timed_registry(), Watcher())


def test_a_table_that_is_missing_is_told_before_anything_is_trained(place: Workplace) -> None:
    table_of(place).unlink()
    with pytest.raises(InputError, match=r"cannot be read \(No such file or directory\); make one"):
        place.prune(**asked(place), model=None, data="toyset")
    assert not place.out.exists()


def test_a_table_of_the_same_widths_on_other_inputs_is_refused(place: Workplace) -> None:
    table_of(place).unlink()
    toy_latencies(residual_model(positions=9), table_of(place))
    with pytest.raises(InputError, match="the latency table is of network 'residual', not of this one"):
        place.prune(**asked(place))


def test_a_table_of_other_groups_is_not_gone_on_with(tmp_path: Path) -> None:
    toy_latencies(residual_model(), tmp_path / "t.json")
    with pytest.raises(InputError, match="of other channel groups"):
        toy_latencies(residual_model(inner=4), tmp_path / "t.json")


def test_timing_passes_options_of_plugins_on(place: Workplace) -> None:
    with pytest.raises(InputError, match="'nobody', which is not a plugin"):
        measure_latency(
            place.model, place.folder / "t.json", EVERY_WIDTH, registry=timed_registry(), options={"nobody": {"a": "b"}}
        )


def test_timing_without_the_library_that_knows_the_machine(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(UnavailableError, match="psutil is not installed; pip install 'reds-core"):
        measure_latency(place.model, place.folder / "t.json", EVERY_WIDTH, registry=timed_registry())


def test_element_sizes_that_no_file_has_are_refused() -> None:
    with pytest.raises(InputError, match="element size 2 is neither 1 nor 4"):
        LatencySettings(element_size_bytes=2)
