"""Tables of a device that counts: which widths they offer, what they predict, and runs whose budgets they serve."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from toy_counting import STEP, ToyCounter, ToyNpu
from toy_framework import describe, residual_model
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace, make_workplace, skip_report

from reds_core.cost.device_table import DeviceTable, load_device_table
from reds_core.cost.energy_models import NPU_MODEL, PJ_PER_UJ, Energy, EnergySource
from reds_core.cost.latency_table import LatencySettings
from reds_core.errors import InfeasibleError, InputError, UnsupportedError
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.device import Profile
from reds_core.framework.device_counter import Counted, Part
from reds_core.runs.device_counting import counted_table, offered_widths
from reds_core.runs.extraction import ExtractionRequest, extract
from reds_core.runs.latency import measure_latency
from reds_core.watcher import Watcher

CHANNELS = {"a": 24, "b": 40}
MODEL = EnergySource(NPU_MODEL, "toy model", "nobody", {"pJ_per_cycle": 1e6})


def empty(points: int = 16, checks: int = 6) -> DeviceTable:
    return DeviceTable("net", "hash", CHANNELS, "toy-npu", "small", {}, {"toy": "1.0"}, points, checks)


def made(path: Path, counter: ToyCounter | None = None, **given: int) -> DeviceTable:
    return counted_table(counter or ToyCounter(CHANNELS), empty(**given), path, lambda *_: None)


def test_the_ends_of_steps_are_offered(tmp_path: Path) -> None:
    table = made(tmp_path / "t.json")
    assert table.multiples == {"a": STEP, "b": STEP}
    assert table.widths == {"a": (4, 8, 12, 16, 20, 24), "b": tuple(range(4, 41, 4))}
    assert load_device_table(tmp_path / "t.json") == table


@pytest.mark.parametrize(
    ("channels", "multiple", "points", "widths"),
    [
        (24, 8, 16, (8, 16, 24)),
        (20, 8, 16, (8, 16, 20)),
        (64, 2, 4, (16, 32, 48, 64)),
        (5, 8, 4, (5,)),
        (1, 1, 2, (1,)),
    ],
)
def test_fewer_points_are_longer_steps(channels: int, multiple: int, points: int, widths: tuple[int, ...]) -> None:
    assert offered_widths(channels, multiple, points) == widths


def test_every_offered_choice_is_predicted(tmp_path: Path) -> None:
    """Sums are exact; a peak is a bound, by no more than the slack that the table states."""
    table = made(tmp_path / "t.json")
    forms, counter = table.forms(), ToyCounter(CHANNELS)
    choices = [dict(zip(CHANNELS, w, strict=True)) for w in itertools.product(*table.widths.values())]
    for choice, found in zip(choices, counter.counted(choices), strict=True):
        assert forms["cycles"].at(choice) == found.totals["cycles"]
        assert 0 <= forms["npu_sram"].at(choice) - found.totals["npu_sram"] <= table.peaks["npu_sram"].slack
    assert table.repeats.different == 0
    assert [check.predicted["cycles"] for check in table.checks] == [c.counted["cycles"] for c in table.checks]


def test_widths_in_between_count_as_the_next_offered_one(tmp_path: Path) -> None:
    form = made(tmp_path / "t.json", points=3).forms()["cycles"]
    assert form.at({"a": 3, "b": 17}) == form.at({"a": 8, "b": 32})


class Stop(Exception):
    """Interrupts a count."""


class Changing(ToyCounter):
    """Narrow networks keep other things in memory, but none that is narrow in one group alone."""

    def _one(self, choice: Mapping[str, int]) -> Counted:
        found = super()._one(choice)
        if all(choice.get(group, n) < n / 2 for group, n in CHANNELS.items()):
            return dataclasses.replace(found, parts=(*found.parts[:3], {}, {}), is_alike=False)
        return found


def interrupted(path: Path, counter: ToyCounter, batches: int) -> DeviceTable:
    """A table of which so many batches were counted."""
    left = iter(range(batches - 1))

    def stop(*_: int) -> None:
        if next(left, None) is None:
            raise Stop

    with pytest.raises(Stop):
        counted_table(counter, empty(), path, stop)
    return load_device_table(path)


@pytest.mark.parametrize("kind", [ToyCounter, Changing])
def test_an_interrupted_count_goes_on(tmp_path: Path, kind: type[ToyCounter]) -> None:
    """After any batch, so that neither repeats are counted twice nor what was found before is forgotten."""
    whole, told = kind(CHANNELS), list[int]()
    expected = counted_table(whole, empty(), tmp_path / "whole.json", lambda done, _: told.append(done))
    assert len(told) > 2
    for batches in range(1, len(told) + 1):
        path, rest = tmp_path / f"{batches}.json", kind(CHANNELS)
        begun = interrupted(path, kind(CHANNELS), batches)
        assert begun.samples
        assert not begun.complete
        assert counted_table(rest, empty(), path, lambda *_: None) == expected
        assert rest.networks < whole.networks
        assert path.read_bytes() == (tmp_path / "whole.json").read_bytes()
    with pytest.raises(InputError, match="holds a table made with other settings"):
        counted_table(kind(CHANNELS), empty(points=3), path, lambda *_: None)


def test_memory_that_no_table_can_hold_has_no_budget(tmp_path: Path) -> None:
    table = made(tmp_path / "t.json", Changing(CHANNELS))
    assert table.widths["a"][0] == STEP
    assert not table.peaks
    assert table.sums
    assert "so memory has no budget" in table.notes[-1]


class Surprising(ToyCounter):
    """Whole networks take more than the sum of their parts."""

    more = "cycles"

    def _one(self, choice: Mapping[str, int]) -> Counted:
        found = super()._one(choice)
        return dataclasses.replace(found, totals={**found.totals, self.more: found.totals[self.more] + 5000})


class SurprisingInMemory(Surprising):
    more = "npu_sram"


def test_a_sum_that_is_too_low_is_noted(tmp_path: Path) -> None:
    table = made(tmp_path / "t.json", Surprising(CHANNELS))
    assert set(table.forms()) == {"cycles", "npu_sram"}
    check = min(table.checks, key=lambda each: each.predicted["cycles"])
    share = 100 * 5000 / check.predicted["cycles"]
    assert table.notes[-1].startswith(f"whole networks take up to 5000 more cycles ({share:.2f} %) than predicted")


def test_a_peak_that_is_no_bound_has_no_budget(tmp_path: Path) -> None:
    table = made(tmp_path / "t.json", SurprisingInMemory(CHANNELS))
    assert set(table.forms()) == {"cycles"}
    assert table.notes[-1].startswith("npu_sram has no budget, since a whole network takes ")
    assert made(tmp_path / "right.json").notes == ToyCounter.notes


def test_runs_tell_the_notes_of_their_table_once(place: Workplace) -> None:
    listener = Listener()
    place.prune(**tabled(place), watcher=listener)
    note = f"table of toy-npu: {ToyCounter.notes[0]}"
    assert listener.warnings.count(note) == 1
    added = Listener()
    extract(place.out, ExtractionRequest(("cycles=0.8",)), toy_registry(ToyNpu), added)
    assert added.warnings.count(note) == 1


def test_a_complete_table_stays_as_it_is(tmp_path: Path) -> None:
    path, again = tmp_path / "t.json", ToyCounter(CHANNELS)
    first = made(path)
    assert made(path, again) == first
    assert load_device_table(path).digest == first.digest
    assert again.networks == 0


def test_only_what_is_counted_again_is_a_repeat(tmp_path: Path) -> None:
    table, counter = made(tmp_path / "t.json"), ToyCounter(CHANNELS)
    assert table.networks is not None
    figures = table.networks * len(counter.parts)
    assert table.repeats.equal == figures - len(table.samples)


def test_widths_that_run_in_other_operations_are_not_offered(tmp_path: Path) -> None:
    counter = ToyCounter(CHANNELS)
    counter.odd = "a", 4
    table = made(tmp_path / "t.json", counter)
    assert table.widths["a"] == (8, 12, 16, 20, 24)
    assert table.peaks


def test_of_figures_that_disagree_the_larger_is_kept(tmp_path: Path) -> None:
    class Waiting(ToyCounter):
        """The last layer waits for its weights behind a short layer."""

        def _one(self, choice: Mapping[str, int]) -> Counted:
            found = super()._one(choice)
            if choice.get("a", 24) > 4:
                return found
            parts = [dict(part) for part in found.parts]
            parts[2]["cycles"] += 10
            return dataclasses.replace(
                found, parts=tuple(parts), totals={**found.totals, "cycles": found.totals["cycles"] + 10}
            )

    table = made(tmp_path / "t.json", Waiting(CHANNELS))
    assert table.repeats.largest == {"cycles": 10}
    assert table.repeats.different > 0
    assert {check.predicted["cycles"] - check.counted["cycles"] for check in table.checks} <= {0, 10}
    narrow = {"a": 4, "b": 8}
    (found,) = Waiting(CHANNELS).counted([narrow])
    assert table.forms()["cycles"].at(narrow) == found.totals["cycles"]


def test_a_part_of_three_groups_is_refused(tmp_path: Path) -> None:
    class Wide(ToyCounter):
        @property
        def parts(self) -> tuple[Part, ...]:
            return (Part("0 CONCATENATION", ("a", "b", "c")), *super().parts)

    with pytest.raises(UnsupportedError, match="'0 CONCATENATION' depends on the widths of 3 groups at once"):
        made(tmp_path / "t.json", Wide(CHANNELS))


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    skip_report(monkeypatch)
    return make_workplace(tmp_path)


def tabled(place: Workplace) -> dict[str, Any]:
    """A run with a table of the toy NPU."""
    table = place.folder / "table.json"
    measure_latency(place.model, table, on="toy-npu", registry=toy_registry(ToyNpu), verbose=0)
    settings = dataclasses.replace(NO_TRAINING, latency_table=str(table))
    return {"settings": settings, "registry": toy_registry(ToyNpu), "budgets": {"cycles": [0.9, 0.75]}}


def test_a_budget_of_cycles_holds_for_the_file(place: Workplace) -> None:
    asked = tabled(place)
    table = load_device_table(place.folder / "table.json")
    assert (table.points, table.config) == (16, "small")
    plan = place.prune(**asked)
    full = plan.full.usage["cycles"]
    assert plan.full.devices["toy-npu"].cycles == full
    for record in plan.subnetworks:
        assert all(width in table.widths[group] for group, width in record.widths.items())
        assert record.usage["cycles"] == record.devices["toy-npu"].cycles <= int(record.budget["cycles"] * full)
        sram = record.devices["toy-npu"].sram
        assert sram is not None
        assert sram <= record.usage["npu_sram"]
    added = extract(place.out, ExtractionRequest(("cycles=0.8",)), toy_registry(ToyNpu), Watcher())
    assert added.devices["toy-npu"].cycles == added.usage["cycles"] <= int(0.8 * full)


class Worse(ToyNpu):
    """Counts more for files than the table says."""

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        found = super().profile(path, configuration)
        assert found.cycles is not None
        return dataclasses.replace(found, cycles=2 * found.cycles)


class Hungry(ToyNpu):
    """Counts more memory for files than the table says."""

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        found = super().profile(path, configuration)
        assert found.sram is not None
        return dataclasses.replace(found, sram=found.sram + 1)


class MeteredCounter(ToyCounter):
    """Counts a microjoule for each cycle as well."""

    sums = ("cycles", "energy")
    conditions = dataclasses.replace(ToyCounter.conditions, energy=Energy.of(0, MODEL).origin)

    def _one(self, choice: Mapping[str, int]) -> Counted:
        found = super()._one(choice)
        parts = tuple({**part, "energy": PJ_PER_UJ * part.get("cycles", 0)} for part in found.parts)
        return dataclasses.replace(
            found, totals={**found.totals, "energy": PJ_PER_UJ * found.totals["cycles"]}, parts=parts
        )


class Metered(ToyNpu):
    """Files take twice the energy that the table says."""

    source = MODEL

    def counter(self, framework: Any, model: Any, network: Any, configuration: str | None = None) -> ToyCounter:
        return MeteredCounter(network.channels)

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        found = super().profile(path, configuration)
        assert found.cycles is not None
        return dataclasses.replace(found, energy=Energy.of(2 * PJ_PER_UJ * found.cycles, self.source))


class Elsewhere(Metered):
    """The energy of files comes from another model."""

    source = dataclasses.replace(MODEL, reference="another")


def test_a_table_that_does_not_fit_is_refused(place: Workplace) -> None:
    asked = tabled(place)
    table, network = load_device_table(place.folder / "table.json"), describe(residual_model())
    assert set(table.forms_for(network, 1)) == {"cycles", "npu_sram"}
    with pytest.raises(InputError, match="incomplete; run the same"):
        dataclasses.replace(table, complete=False).forms_for(network, 1)
    with pytest.raises(InputError, match="is for an element size of 1 bytes, the run for 4; give element_size=1"):
        table.forms_for(network, 4)
    with pytest.raises(InputError, match=r"is of network '.*', not of this one"):
        dataclasses.replace(table, macs=1).forms_for(network, 1)
    with pytest.raises(InputError, match="a latency budget needs measurements, and the given one has only cycles"):
        place.prune(**asked | {"budgets": {"latency": 0.5}})


def test_a_file_above_its_budget_is_told(place: Workplace) -> None:
    listener = Listener()
    place.prune(**tabled(place) | {"registry": toy_registry(Worse)}, watcher=listener)
    text = "\n".join(listener.warnings)
    assert "takes" in text
    assert "cycles on toy-npu, which is" in text
    assert "above the budget" in text


def test_memory_above_the_plan_is_told(place: Workplace) -> None:
    listener = Listener()
    place.prune(**tabled(place) | {"registry": toy_registry(Hungry)}, watcher=listener)
    told = [text for text in listener.warnings if "npu_sram" in text]
    assert len(told) == 3
    assert all("leave room for the difference" in text for text in told)


@pytest.mark.parametrize(("device", "is_counted"), [(Metered, True), (Elsewhere, False)])
def test_the_energy_of_files_is_counted_by_the_model_of_the_table(
    place: Workplace, device: type[ToyNpu], is_counted: bool
) -> None:
    table, listener = place.folder / "table.json", Listener()
    measure_latency(place.model, table, on="toy-npu", registry=toy_registry(device), verbose=0)
    settings = dataclasses.replace(NO_TRAINING, latency_table=str(table))
    plan = place.prune(settings=settings, registry=toy_registry(device), budgets={"energy": [0.9]}, watcher=listener)
    (record,) = plan.subnetworks
    assert record.devices["toy-npu"].energy == (2 * record.usage["energy"] if is_counted else None)
    told = [text for text in listener.warnings if "energy on toy-npu, which is" in text]
    assert len(told) == is_counted
    assert all("above the budget" in text and "; give a budget that is smaller by" in text for text in told)
    assert ("energy_toy-npu_pJ" in plan.to_frame().columns) == is_counted


def test_budgets_without_a_file_are_told_once(place: Workplace) -> None:
    asked, listener = tabled(place), Listener()
    asked["settings"] = dataclasses.replace(asked["settings"], int8=False)
    place.prune(**asked, watcher=listener)
    (told,) = [text for text in listener.warnings if "budgets of toy-npu" in text]
    assert told.startswith("budgets of toy-npu are not checked on a file, since none that it reads (tflite-int8) is")
    assert "; give data or calibration" in told


def test_rules_that_leave_no_width_of_the_table_are_refused(place: Workplace) -> None:
    asked = tabled(place)
    asked["settings"] = dataclasses.replace(asked["settings"], widths=WidthRules(align=3))
    with pytest.raises(InputError, match="no width of the table is left besides the full ones"):
        place.prune(**asked)


def test_what_cannot_be_reached_is_told(place: Workplace) -> None:
    with pytest.raises(InfeasibleError, match="cycles is limited to 9, but the least that can be reached is"):
        place.prune(**tabled(place) | {"budgets": {"cycles": "9"}})


def test_tables_of_targets_that_count_nothing_are_refused(place: Workplace) -> None:
    def make(**given: Any) -> None:
        measure_latency(place.model, place.folder / "t.json", registry=toy_registry(ToyNpu), verbose=0, **given)

    with pytest.raises(InputError, match='threads has no effect with on="toy-npu", which times nothing'):
        make(on="toy-npu", threads=2)
    with pytest.raises(InputError, match="has no configuration 'large'"):
        make(on="toy-npu", config="large")
    with pytest.raises(InputError, match="config is given without on"):
        make(config="small")
    with pytest.raises(InputError, match="counts on any machine alike"):
        make(on="toy-npu", host="ssh:pi")
    with pytest.raises(UnsupportedError, match="target 'tflite' neither times nor counts layers; choose from: toy-npu"):
        make(on="tflite")


def test_settings_of_a_table_may_be_one_object(place: Workplace) -> None:
    path = place.folder / "t.json"
    settings = LatencySettings(points=2, checks=0)
    table = measure_latency(place.model, path, settings, on="toy-npu", registry=toy_registry(ToyNpu), verbose=0)
    assert isinstance(table, DeviceTable)
    assert (table.points, table.checks) == (2, ())
