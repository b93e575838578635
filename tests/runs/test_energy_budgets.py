"""Runs under budgets of energy, and profiles with the energy of a board, each of which names its source."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from html_pages import Page
from rapl_trees import PowercapTree
from toy_devices import ToyDevice
from toy_framework import ToyFramework, describe, residual_model
from toy_latency import MACHINE, timed_registry, toy_latencies
from toy_plugins import FIRST_PARTY, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace, skip_report
from toy_transforms import ToyBits, ToyTarget

import reds_core
from reds_core.cost.energy_models import BOARDS, Energy, energy_model, npu_energy
from reds_core.cost.latency_table import load_latency_table, save_latency_table
from reds_core.errors import InputError
from reds_core.framework import processor_energy
from reds_core.framework.device import Profile
from reds_core.plan import Plan, load_plan
from reds_core.report import write_report
from reds_core.report.model_card import model_card
from reds_core.report.units import on_terminal
from reds_core.runs.extraction import extract
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.runs.settings import RunSettings
from reds_core.watcher import Watcher

L4R5 = energy_model("nucleo-l4r5zi")
NETWORK = describe(residual_model())
WITH_MODEL: RunSettings = replace(NO_TRAINING, energy_model="nucleo-l4r5zi")


def widths(plan: Plan) -> list[Any]:
    return [record.kept for record in plan.subnetworks]


@pytest.mark.parametrize("shares", [[0.75, 0.5], [0.9, 0.3301]])
def test_a_budget_of_energy_from_macs_is_one_of_macs(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, shares: list[float]
) -> None:
    skip_report(monkeypatch)
    of_macs = place.prune(settings=NO_TRAINING, budgets={"macs": shares}, out=place.folder / "macs")
    of_energy = place.prune(settings=WITH_MODEL, budgets={"energy": shares})
    assert widths(of_energy) == widths(of_macs)
    assert [r.value for r in of_energy.subnetworks] == [r.value for r in of_macs.subnetworks]
    for record in (of_energy.full, *of_energy.subnetworks):
        assert record.usage["energy"] == 1170 * record.usage["macs"]
    amounts = [f"{record.usage['energy'] / 1000}nJ" for record in reversed(of_energy.subnetworks)]
    typed = place.prune(settings=WITH_MODEL, budgets={"energy": amounts}, out=place.folder / "typed")
    assert widths(typed) == widths(of_energy)


def test_a_plan_and_its_report_name_the_source(place: Workplace) -> None:
    plan = place.prune(settings=WITH_MODEL, budgets={"macs": [0.5]})
    assert plan.energy_source == L4R5.by_macs
    assert plan.options["energy_model"] == L4R5.name
    assert load_plan(place.out).energy_source == L4R5.by_macs
    sentence = (
        "Energy is not measured (source board-model): model of NUCLEO-L4R5ZI, from MACs, ± 27 %, the spread over the "
        "four published networks; 1 170 pJ for each MAC."
    )
    page = on_terminal(Page(write_report(plan, place.out).read_text()).text)
    assert "Energy (model ± 27 %)" in page
    assert sentence in page
    assert sentence in on_terminal(model_card(plan, place.out)).replace("\\", "")
    assert "energy_pJ" in reds_core.load_plan(place.out).to_frame().columns
    assert sentence in on_terminal(reds_core.load_plan(place.out)._repr_html_())
    assert sentence in on_terminal(str(reds_core.load_plan(place.out)))


def test_plans_without_a_model_say_nothing_of_energy(place: Workplace) -> None:
    place.prune(settings=NO_TRAINING, budgets={"macs": [0.5]})
    assert "energy" not in (place.out / "plan.json").read_text()
    assert "Energy" not in Page((place.out / "report.html").read_text()).text


def test_a_member_is_added_by_energy(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place.prune(settings=NO_TRAINING, budgets={"macs": [0.75, 0.5]})
    registry = toy_registry()
    with pytest.raises(InputError, match="energy can only be counted with a model of it"):
        extract(place.out, ExtractionRequest(("energy=0.6",)), registry, Watcher())
    added = extract(place.out, ExtractionRequest(("energy=0.6",), energy_model="nucleo-l4r5zi"), registry, Watcher())
    assert added.usage["energy"] == 1170 * added.usage["macs"]
    assert load_plan(place.out).energy_source == L4R5.by_macs


def test_a_member_is_not_added_by_another_model(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place.prune(settings=WITH_MODEL, budgets={"energy": [0.5]})
    with pytest.raises(InputError, match="the run counts energy by 'board-model:nucleo-l4r5zi', not by"):
        extract(
            place.out, ExtractionRequest(("energy=0.6",), energy_model="nucleo-u575zi-q"), toy_registry(), Watcher()
        )


def test_without_a_model_there_is_no_energy(place: Workplace) -> None:
    with pytest.raises(InputError, match="energy can only be counted with a model of it") as caught:
        place.prune(settings=NO_TRAINING, budgets={"energy": [0.5]})
    assert caught.value.fix.startswith('give energy_model="board-model:nucleo-l4r5zi"')


def test_energy_is_decided_together_with_levels_of_layers(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer bits take as many MACs, so that this budget is met by widths alone, beside one that bits help to meet."""
    skip_report(monkeypatch)
    transforms = {"transforms": ("toy-bits",), "targets": ("toy-device",)}
    plan = place.prune(
        settings=replace(WITH_MODEL, **transforms),
        registry=toy_registry(ToyBits, ToyTarget),
        budgets={"energy": [0.5], "weight_bytes": [0.3]},
    )
    (record,) = plan.subnetworks
    assert record.usage["energy"] == 1170 * record.usage["macs"] <= 0.5 * plan.full.usage["energy"]
    assert record.usage["weight_bytes"] <= 0.3 * plan.full.usage["weight_bytes"]


# --- tables of latency ----------------------------------------------------------------------------------------------


def table_of_board(place: Workplace, cpu: str) -> Path:
    path = place.folder / "table.json"
    toy_latencies(residual_model(), path)
    save_latency_table(dataclasses.replace(load_latency_table(path), machine=replace(MACHINE, cpu=cpu)), path)
    return path


def test_energy_is_power_times_latency_on_the_board(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    path = table_of_board(place, "NUCLEO-L4R5ZI, Cortex-M4")
    settings = replace(WITH_MODEL, latency_table=str(path))
    plan = place.prune(settings=settings, registry=timed_registry(), budgets={"energy": [0.8]})
    form = L4R5.form_of_latency(load_latency_table(path).form(NETWORK))
    assert plan.energy_source == L4R5.by_latency
    (record,) = plan.subnetworks
    assert record.usage["energy"] == form.at(record.widths) <= 0.8 * plan.full.usage["energy"]
    assert record.usage["energy"] == pytest.approx(44.9 * record.usage["latency"], rel=0.01)


def test_latencies_of_this_machine_are_refused(place: Workplace) -> None:
    settings = replace(WITH_MODEL, latency_table=str(table_of_board(place, "a processor")))
    with pytest.raises(
        InputError, match="was made on 'a processor, Linux', and the power of NUCLEO-L4R5ZI says nothing"
    ):
        place.prune(settings=settings, registry=timed_registry(), budgets={"energy": [0.8]})


# --- profiles -------------------------------------------------------------------------------------------------------


class Board(ToyDevice):
    """Its configuration is the board of a model."""

    configurations = ("slow", "nucleo-l4r5zi")

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        return replace(super().profile(path, "slow"), energy=None)


class Cycles(Board):
    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        return replace(super().profile(path), latency_ns=None, cycles=120_000)


class Silent(Board):
    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        return replace(super().profile(path), macs=None, notes=("energy is not measured: nobody knows",))


class Metered(ToyDevice):
    """Measures energy on a tree of counters."""

    name = "toy-pc"
    tree: PowercapTree

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        zone = self.tree.root / "intel-rapl:0"
        energy, notes = processor_energy(lambda: self.tree.add(zone, 700), 1e5, self.tree.root, least_s=0.002)
        return replace(super().profile(path, configuration), energy=energy, notes=notes)


class Npu(ToyDevice):
    name = "toy-npu"

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        return replace(super().profile(path, configuration), energy=npu_energy(10**6, 10**5, 32 * 1024, 10**4))


@pytest.fixture
def out(place: Workplace) -> Path:
    place.prune(settings=NO_TRAINING, budgets={"macs": [0.5]})
    return place.out


def profiled(out: Path, device: type[ToyDevice], config: str | None = None, **more: Any) -> Energy | None:
    found = reds_core.profile(out, device.name, config=config, registry=toy_registry(device), **more)
    return found[0].energy


def test_profiles_count_macs_unless_they_are_of_the_board(out: Path) -> None:
    (first, *_) = reds_core.profile(out, "toy-micro", registry=toy_registry(Board), energy_model=L4R5.name)
    assert first.macs is not None
    assert first.latency_ns is not None
    assert first.energy == L4R5.of_macs(first.macs)
    assert profiled(out, Board, "nucleo-l4r5zi", energy_model=L4R5.name) == L4R5.of_latency(first.latency_ns)
    assert profiled(out, Cycles, "nucleo-l4r5zi", energy_model=L4R5.name) == L4R5.of_cycles(120_000)


def test_what_is_not_known_stays_unknown(out: Path) -> None:
    heard = Listener()
    assert profiled(out, Silent, energy_model=L4R5.name, watcher=heard) is None
    assert heard.warnings == [
        "the energy of 'subnet-50-int8.tflite' and 2 more on NUCLEO-L4R5ZI is not known: target 'toy-micro' counts no "
        "MACs of such files, and its times are not those of the board"
    ]
    heard = Listener()
    assert profiled(out, Silent, watcher=heard) is None
    assert heard.warnings == ["energy is not measured: nobody knows"]


def test_a_report_names_each_source(out: Path, tmp_path: Path) -> None:
    Metered.tree = PowercapTree(tmp_path / "powercap")
    Metered.tree.zone("intel-rapl:0", "package-0")
    energies = [
        profiled(out, Metered),
        profiled(out, ToyDevice, energy_model="nucleo-u575zi-q"),
        profiled(out, Npu),
    ]
    assert all(energy is not None for energy in energies)
    assert [energy.source for energy in energies if energy] == ["rapl", "board-model", "npu-model"]
    assert energies[0] is not None
    assert energies[0].uJ == 700
    assert energies[0].constants["inferences"] >= 2
    records = json.loads((out / "profile.json").read_text())["records"]
    assert {record["energy"]["source"] for record in records} == {"rapl", "board-model", "npu-model"}
    assert all(record["energy"]["reference"] for record in records)
    page = on_terminal(Page(write_report(load_plan(out), out).read_text()).text)
    assert (
        "Energy is measured (source rapl): RAPL counters of 1 processor package of the machine that profiled, with"
        in page
    )
    assert (
        "Energy is not measured (source board-model): model of NUCLEO-U575ZI-Q, from MACs, ± 29 %, the spread over"
        in page
    )
    assert (
        "Energy is not measured (source npu-model): model of the memories and multiply-accumulates of a 45 nm chip."
        in page
    )
    assert "Horowitz" in page
    assert page.count("Energy (model)") == 2
    assert page.count("Energy (measured)") == 1


def test_a_program_for_another_machine_takes_no_model(out: Path) -> None:
    with pytest.raises(InputError, match="knows no energy_model"):
        profiled(out, ToyDevice, energy_model=L4R5.name, script="time.py")


# --- commands -------------------------------------------------------------------------------------------------------


def test_the_commands(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, ToyDevice)))
    model, data = place.model, place.data
    shown = reds("inspect", model, "--energy-model", "nucleo-l4r5zi", "--json").json
    assert shown["energy"] == 1170 * shown["macs"] == sum(each["energy"] for each in shown["layers"])
    assert shown["energy_source"]["source"] == "board-model"
    assert "model of NUCLEO-L4R5ZI, from MACs" in reds("inspect", model, "--energy-model", "nucleo-l4r5zi").out
    options = ("--budget", "energy=50%", "--energy-model", "nucleo-l4r5zi", "--finetune-epochs", "0")
    preview = reds("prune", model, "--data", data, *options, "--dry-run", "--scorer", "magnitude")
    assert "energy" in preview.out.splitlines()[0]
    assert "model of NUCLEO-L4R5ZI, from MACs" in preview.out
    problem = place.folder / "p.npz"
    options = ("--budget", "energy=50%", "--energy-model", "nucleo-l4r5zi", "--scorer", "magnitude")
    assert reds("formulate", model, "--out", problem, *options).status == 0
    assert [r.name for r in reds_core.load_problem(problem).resources] == ["energy"]
    wrong = reds("inspect", model, "--energy-model", "nucleo")
    wrong.check_error(2, "there is no energy model 'nucleo'")
    assert all(name in wrong.err for name in BOARDS)
