"""The folder of a run: what is refused, replaced, left alone."""

from __future__ import annotations

import pytest
from toy_plugins import IdleSolver, toy_registry
from toy_runs import EXPORTS, Interrupted, Tripwire, Workplace, contents, settings, tripping_registry

from reds_core.errors import InfeasibleError, InputError, NoChoiceError
from reds_core.framework.profile_records import ProfileRecord, save_profiles
from reds_core.plan import load_plan
from reds_core.runs.folder import Mode


def test_a_finished_run_is_refused(place: Workplace) -> None:
    place.prune()
    before = contents(place.out)
    with pytest.raises(InputError, match=r'holds a finished run; add mode="resume" .* mode="overwrite"'):
        place.prune()
    assert contents(place.out) == before


def test_an_unfinished_run_is_refused(place: Workplace) -> None:
    with pytest.raises(Interrupted):
        place.prune(registry=tripping_registry(Tripwire(10)))
    before = contents(place.out)
    with pytest.raises(InputError, match="holds an unfinished run"):
        place.prune()
    assert contents(place.out) == before


def test_overwriting_leaves_nothing_of_the_old_run(place: Workplace) -> None:
    place.prune(budgets={"macs": [0.5, 0.8]}, model=None, data="toyset")
    (place.out / "notes.txt").write_text("mine")
    (place.out / "subnet-mine.keras").write_text("mine too")
    save_profiles(place.out, [ProfileRecord("subnet-50.tflite", "50", "toy-micro", "slow", latency_ns=7)])
    place.prune(mode=Mode.OVERWRITE, budgets={"macs": 0.6})
    left = {p.name for p in place.out.iterdir()}
    assert left == {
        *("README.md", "plan.json", "recipe.yaml", "nested.keras", "report.html", "scores.npz", "order.npz"),
        *("details.json", "history.csv", "notes.txt", "model.keras", "full-int8.tflite"),
        *("subnet-mine.keras", *(name.format("60") for name in EXPORTS)),
    }


def test_overwriting_an_unfinished_run_leaves_nothing_of_it(place: Workplace) -> None:
    wire = Tripwire()
    place.prune(registry=tripping_registry(wire), out=place.folder / "count")
    with pytest.raises(Interrupted):
        place.prune(registry=tripping_registry(Tripwire(wire.calls - 1)))
    place.prune(mode=Mode.OVERWRITE, budgets={"macs": 0.6}, settings=settings(seed=3))
    assert {p.name for p in place.out.glob("subnet*")} == {name.format("60") for name in EXPORTS}


def test_bad_input_does_not_cost_the_run_that_was_to_be_overwritten(place: Workplace) -> None:
    place.prune()
    before = contents(place.out)
    with pytest.raises(InputError, match="does not exist"):
        place.prune(mode=Mode.OVERWRITE, model=place.folder / "misspelt.keras")
    with pytest.raises(InfeasibleError):
        place.prune(mode=Mode.OVERWRITE, budgets={"macs": 1e-9})
    assert contents(place.out) == before
    assert load_plan(place.out)


@pytest.mark.parametrize("name", ["subnet-50.keras", "nested.keras"])
@pytest.mark.parametrize("mode", list(Mode))
def test_a_run_that_would_replace_its_own_model_is_refused(place: Workplace, name: str, mode: Mode) -> None:
    place.prune()
    before = contents(place.out)
    with pytest.raises(InputError, match="would replace its own model"):
        place.prune(model=place.out / name, mode=mode)
    assert contents(place.out) == before


@pytest.mark.parametrize("mode", list(Mode))
def test_links_between_a_model_and_an_output_do_not_hide_that(place: Workplace, mode: Mode) -> None:
    mine = place.model.read_bytes()
    place.out.mkdir()
    (place.out / "nested.keras").symlink_to(place.model)
    with pytest.raises(InputError, match="would replace its own model"):
        place.prune(mode=mode)
    assert place.model.read_bytes() == mine
    (place.out / "nested.keras").unlink()
    place.prune()
    before = contents(place.out)
    (place.folder / "link.keras").symlink_to(place.out / "nested.keras")
    with pytest.raises(InputError, match="would replace its own model"):
        place.prune(model=place.folder / "link.keras", mode=mode)
    assert contents(place.out) == before


def test_a_model_in_the_way_of_the_baseline_is_not_replaced(place: Workplace) -> None:
    mine = place.model.read_bytes()
    for mode in (Mode.REFUSE, Mode.RESUME):
        with pytest.raises(InputError, match=r"model.keras' already exists; give it as the model"):
            place.prune(model=None, data="toyset", out=place.folder, mode=mode)
    assert place.model.read_bytes() == mine


@pytest.mark.parametrize("out", ["model.keras", "model.keras/out", "/proc/out"])
def test_a_folder_that_cannot_be_written(place: Workplace, out: str) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        place.prune(out=place.folder / out)


def test_a_failed_start_leaves_no_trace(place: Workplace) -> None:
    with pytest.raises(InputError):
        place.prune(model=place.folder / "misspelt.keras")
    assert not place.out.exists()
    with pytest.raises(NoChoiceError):
        place.prune(registry=toy_registry(IdleSolver), settings=settings(solver="idle"))
    assert (place.out / ".checkpoint").exists(), "scores are kept"
    place.prune(mode=Mode.OVERWRITE)


def test_other_files_in_the_folder_stay_after_a_failed_start(place: Workplace) -> None:
    place.out.mkdir()
    (place.out / "notes.txt").write_text("mine")
    with pytest.raises(InfeasibleError):
        place.prune(budgets={"macs": 1e-9})
    assert [p.name for p in place.out.iterdir()] == ["notes.txt"]


def test_a_damaged_note_of_a_run_is_replaced_with_the_run(place: Workplace) -> None:
    note = place.out / ".checkpoint" / "run.json"
    note.parent.mkdir(parents=True)
    note.write_text('{"options": {}, "hashes": {}}')
    assert len(place.prune(mode=Mode.OVERWRITE).subnetworks) == 3
