"""One more member of a finished family, trained by itself: what it changes, what it says, and how it is resumed."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from reds_greedy import GreedySolver
from toy_devices import Portable
from toy_framework import ToyFramework, ToyModel, describe, residual_model, toy_arrays
from toy_plugins import IdleSolver, toy_registry
from toy_runs import (
    NO_TRAINING,
    QUICK,
    Interrupted,
    Listener,
    Tripwire,
    Workplace,
    contents,
    make_workplace,
    skip_report,
    tripping_registry,
)

import reds_core
from reds_core.errors import InputError, NoChoiceError
from reds_core.framework.family import Family
from reds_core.framework.finetuning import Teacher
from reds_core.framework.training import Training
from reds_core.plan import ExtractionRecord, load_plan
from reds_core.plan_details import load_details, save_details
from reds_core.report import units
from reds_core.run_history import load_history
from reds_core.runs.details import without_others
from reds_core.runs.saved_plan import SavedSubnetwork
from reds_core.watcher import Watcher

TOY = ToyFramework()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune(budgets={"macs": [0.25, 0.75]})
    return place


def more(place: Workplace, budget: str = "macs=0.5", **asked: Any) -> SavedSubnetwork:
    return reds_core.extract(place.out, [budget], **({"registry": toy_registry()} | asked))


def _without_50(card: bytes) -> list[str]:
    """The rows of the tables of a model card that are not of subnetwork 50."""
    return [line for line in card.decode().splitlines() if line.startswith("|") and "subnet-50" not in line]


class SpyingFramework(ToyFramework):
    """Remembers how it trained. Smaller networks are more accurate."""

    trained: ClassVar[list[tuple[Family[ToyModel], Training]]] = []

    def finetune(self, family: Family[ToyModel], training: Training) -> None:
        self.trained.append((family, training))
        super().finetune(family, training)

    def accuracy(self, model: ToyModel, data: Any, task: Any) -> float:
        return 1 - describe(model).channels["stem"] / 100


@pytest.fixture
def spying(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(SpyingFramework, "trained", [])
    return toy_registry(framework=SpyingFramework)


# --- what it is and says ---------------------------------------------------------------------------------------------


def test_an_untrained_member_is_marked_and_the_user_is_warned(place: Workplace) -> None:
    listener = Listener()
    member = more(place, watcher=listener)
    assert member.extraction == ExtractionRecord("75", 0)
    assert member.is_untrained
    assert load_plan(place.out).subnetworks[1] == member
    assert [w for w in listener.warnings if "not trained" in w] == [
        "subnetwork '50' was not trained at its widths, since its weights are those of subnetwork '75'; give "
        "finetune_epochs to train it"
    ]


def test_in_a_family_that_was_never_trained_nobody_is_warned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune(settings=NO_TRAINING)
    listener = Listener()
    assert more(place, "macs=0.4", watcher=listener).is_untrained
    assert not any("not trained" in warning for warning in listener.warnings)


def test_a_trained_member_has_weights_of_its_own(place: Workplace) -> None:
    plan, before = load_plan(place.out), contents(place.out)
    listener = Listener()
    member = more(place, finetune_epochs=2, watcher=listener)
    assert member.extraction == ExtractionRecord("75", 2)
    assert not member.shares_weights
    assert not any("not trained" in warning for warning in listener.warnings)
    assert listener.epochs
    above, mine = load_plan(place.out).subnetworks[2], member.load()
    assert above.name == "75"
    larger = TOY.load_model(place.out / "subnet-75.keras")
    width = member.widths["stem"]
    assert not np.array_equal(mine.weights["stem/kernel"], larger.weights["stem/kernel"][:, :width])
    after = contents(place.out)
    told = ("README.md", "details.json", "history.csv")  # the member is added to them, and nothing else changes
    others = {name: content for name, content in after.items() if "subnet-50" not in name and name not in told}
    assert others == {name: content for name, content in before.items() if name not in told}
    history = after["history.csv"].decode()
    assert history.startswith(before["history.csv"].decode())
    assert history.count("extract 50") == 2
    assert _without_50(after["README.md"]) == _without_50(before["README.md"])
    details = load_details(place.out)
    assert details is not None
    save_details(without_others(details, ["25", "75"]), place.folder)
    assert (place.folder / "details.json").read_bytes() == before["details.json"]
    assert [network.name for network in details.networks] == ["full", "25", "50", "75"]
    assert [m for m in load_plan(place.out).subnetworks if m.name != "50"] == list(plan.subnetworks)
    assert describe(mine).channels == member.widths


def test_accuracy_before_is_that_of_the_member_as_it_was_cut(place: Workplace) -> None:
    untrained = more(place, finetune_epochs=0)
    trained = more(place, finetune_epochs=2)
    assert trained.accuracy.before == untrained.accuracy.before


def test_it_is_trained_as_the_run_trained_with_the_full_network_as_teacher(place: Workplace, spying: Any) -> None:
    more(place, finetune_epochs=3, registry=spying)
    ((family, training),) = SpyingFramework.trained
    assert family.members == ()
    assert training.settings == dataclasses.replace(QUICK.finetune, epochs=3, distill=Teacher.INPUT)
    full = TOY.load_model(place.out / "nested.keras")
    assert training.teacher.weights.keys() == full.weights.keys()
    assert all(np.array_equal(training.teacher.weights[name], full.weights[name]) for name in full.weights)
    data = np.load(place.data)
    held_back = len(training.validation) if training.validation is not None else 0
    assert held_back
    assert len(training.data) + held_back == len(data["x_train"])


def test_a_member_worse_than_a_smaller_one_is_reported(
    tmp_path: Path, spying: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune(budgets={"macs": [0.25, 0.75]}, registry=spying)
    for epochs in (0, 1):
        listener = Listener()
        more(place, registry=spying, watcher=listener, finetune_epochs=epochs)
        worse = [w.replace(units.THIN, " ") for w in listener.warnings if "which is less than" in w]
        assert worse == [
            "subnetwork '50' has accuracy 96.0 % on test data, which is less than that of the smaller subnetwork '25', "
            "98.0 %"
        ]


def test_weights_of_a_trained_member_are_not_passed_on(place: Workplace) -> None:
    """A member without training has a slice of the weights that the family shares."""
    more(place, "macs=0.6", finetune_epochs=1)
    member = more(place, "macs=0.5")
    assert member.extraction == ExtractionRecord("75", 0)
    larger = TOY.load_model(place.out / "subnet-75.keras").weights["stem/kernel"]
    np.testing.assert_array_equal(member.load().weights["stem/kernel"], larger[:, : member.widths["stem"]])
    assert more(place, "macs=0.9").extraction == ExtractionRecord("full", 0)


def test_the_same_seed_gives_the_same_weights(place: Workplace, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_workplace(tmp_path / "other")
    other.prune(budgets={"macs": [0.25, 0.75]})
    one, two = more(place, finetune_epochs=2), more(other, finetune_epochs=2)
    assert one.path().read_bytes() == two.path().read_bytes()


# --- replacing -------------------------------------------------------------------------------------------------------


def test_an_added_member_is_replaced_by_a_trained_one(place: Workplace) -> None:
    untrained = more(place)
    with pytest.raises(InputError, match=r"already holds a subnetwork '50'; .* give finetune_epochs to train it"):
        more(place)
    trained = more(place, finetune_epochs=1)
    assert trained.widths == untrained.widths
    assert [m.name for m in load_plan(place.out).subnetworks] == ["25", "50", "75"]
    assert load_plan(place.out).subnetworks[1] == trained
    assert more(place, finetune_epochs=2).extraction == ExtractionRecord("75", 2)


def test_members_of_the_run_and_of_other_budgets_are_never_replaced(place: Workplace) -> None:
    more(place)
    before = contents(place.out)
    for budget in ("macs=0.25", "macs=0.75", "params=0.5"):
        with pytest.raises(InputError, match=r"already holds a subnetwork '.*'; choose another budget$"):
            more(place, budget, finetune_epochs=1)
    assert contents(place.out) == before


# --- stopping and resuming -------------------------------------------------------------------------------------------


class Stopping(Watcher):
    """Kills the process, as it were, at the first batch after some epochs."""

    def __init__(self, after: int) -> None:
        self.after = after

    def epoch(self, progress: Any) -> None:
        if progress.epoch == self.after:
            raise Interrupted


def test_a_stopped_training_continues_after_its_last_epoch(place: Workplace, tmp_path: Path) -> None:
    plan, before = load_plan(place.out), contents(place.out)
    with pytest.raises(Interrupted):
        more(place, finetune_epochs=4, watcher=Stopping(3))
    assert load_plan(place.out) == plan
    assert {n: c for n, c in contents(place.out).items() if ".checkpoint" not in n} == before
    listener = Listener()
    member = more(place, finetune_epochs=4, watcher=listener)
    whole = Listener()
    (tmp_path / "other").mkdir()
    other = make_workplace(tmp_path / "other")
    other.prune(budgets={"macs": [0.25, 0.75]})
    uninterrupted = more(other, finetune_epochs=4, watcher=whole)
    assert listener.epochs * 4 == whole.epochs
    assert member.path().read_bytes() == uninterrupted.path().read_bytes()
    assert not (place.out / ".checkpoint").exists()


class Interrupting(Listener):
    """Presses Ctrl-C in the first epoch."""

    def epoch(self, progress: Any) -> None:
        if self.epochs == 0:
            signal.raise_signal(signal.SIGINT)
        super().epoch(progress)


def test_ctrl_c_ends_a_training_after_its_epoch(place: Workplace) -> None:
    plan = load_plan(place.out)
    interrupting = Interrupting()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            more(place, finetune_epochs=3, watcher=interrupting)
    finally:
        signal.signal(signal.SIGINT, before)
    (warning,) = [w for w in interrupting.warnings if "ends after" in w]
    assert "the run ends after this epoch, and the same command continues from there" in warning
    assert load_plan(place.out) == plan
    listener = Listener()
    more(place, finetune_epochs=3, watcher=listener)
    assert listener.epochs == 2 * interrupting.epochs


TOLD = ("README.md", "details.json", "history.csv", "report.html")


def _told(folder: Path) -> dict[str, bytes]:
    """What goes with the plan."""
    return {name: (folder / name).read_bytes() for name in TOLD}


@pytest.mark.parametrize("untrained_before", [False, True])
def test_a_process_that_is_killed_anywhere_leaves_a_whole_family(place: Workplace, untrained_before: bool) -> None:
    """The plan only names files that are as it says, and the same call then succeeds."""
    without = _told(place.out)
    if untrained_before:
        more(place)
    before = _told(place.out)
    kept = {n: c for n, c in contents(place.out).items() if "subnet-50" not in n and n not in TOLD}
    finished = False
    at = 0
    while not finished:
        wire = Tripwire(at)
        try:
            more(place, finetune_epochs=1, registry=tripping_registry(wire))
            finished = True
        except Interrupted:
            at += 1
        plan = reds_core.load_plan(place.out)
        now = {n: c for n, c in contents(place.out).items() if n not in TOLD}
        assert {n: c for n, c in now.items() if "subnet-50" not in n and ".checkpoint" not in n} == kept
        for member in plan:
            own = describe(TOY.load_model(member.path()))
            assert own.channels == member.widths
            assert all(member.path(kind).exists() for kind in member.files)
        assert {"25", "75"} <= set(plan.names)
        if not finished:
            assert _told(place.out) == (before if "50" in plan.names else without)
    assert at > 5
    assert plan["50"].extraction == ExtractionRecord("75", 1)


class Cut:
    """Kills the process, as it were, before a plan or what goes with it is renamed into place."""

    PLACES = (*TOLD, "plan.json", "asked", "pending", "partial-pending")

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wire = Tripwire()
        original = os.replace

        def replace(source: Any, target: Any) -> None:
            if Path(target).name in self.PLACES:
                self.wire.pass_by()
            original(source, target)

        monkeypatch.setattr(os, "replace", replace)


def _check_consistent(folder: Path) -> None:
    """Nothing beside the plan names a network that the plan lacks."""
    names = set()
    if (folder / "plan.json").exists():
        names = {member.name for member in load_plan(folder).subnetworks}
    details = load_details(folder)
    if details is not None:
        assert {network.name for network in details.networks} <= {"full", *names}
        assert all(each.recall.keys() <= {"before", "full", *names} for each in details.classes)
    assert {row.network for row in load_history(folder)} <= {"full", *names}
    if (folder / "README.md").exists():
        named = re.findall(r"subnet-(\d+)", (folder / "README.md").read_text())
        assert set(named) <= names
    if (folder / "report.html").exists():
        assert int((folder / "report.html").read_text().split()[0]) <= len(names)


@pytest.mark.parametrize(("before", "epochs"), [(None, 0), (0, 1), (1, 2)])
def test_what_goes_with_the_plan_is_completed_wherever_it_is_cut_off(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, before: int | None, epochs: int
) -> None:
    if before is not None:
        more(place, finetune_epochs=before)
    earlier = place.folder / "earlier"
    shutil.copytree(place.out, earlier)
    more(place, finetune_epochs=epochs)
    expected, told = contents(place.out), _told(place.out)
    cut, finished, at = Cut(monkeypatch), False, 0
    while not finished:
        shutil.rmtree(place.out)
        shutil.copytree(earlier, place.out)
        cut.wire = Tripwire(at)
        try:
            more(place, finetune_epochs=epochs)
            finished = True
        except Interrupted:
            cut.wire = Tripwire()
            _check_consistent(place.out)
            assert more(place, finetune_epochs=epochs).extraction == ExtractionRecord("75", epochs)
        assert contents(place.out) == expected, f"killed before file {at} was renamed"
        assert _told(place.out) == told
        at += 1
    assert at > 9


def test_another_command_completes_what_was_cut_off(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    cut, at = Cut(monkeypatch), 0
    while len(load_plan(place.out).subnetworks) == 2:
        cut.wire, at = Tripwire(at), at + 1
        with pytest.raises(Interrupted):
            more(place)
    cut.wire = Tripwire()
    assert "subnet-50" not in (place.out / "README.md").read_text()
    assert more(place, "macs=0.6").name == "60"
    details = load_details(place.out)
    assert details is not None
    assert [network.name for network in details.networks] == ["full", "25", "50", "60", "75"]


@pytest.mark.parametrize("other", ["report", "profile", "resume"])
def test_what_was_cut_off_is_not_trained_again_after_another_command(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    cut, at = Cut(monkeypatch), 0
    while len(load_plan(place.out).subnetworks) == 2:
        cut.wire, at = Tripwire(at), at + 1
        with pytest.raises(Interrupted):
            more(place, finetune_epochs=1)
    cut.wire = Tripwire()
    for _ in range(2):
        if other == "report":
            reds_core.write_report(place.out)
        elif other == "profile":
            reds_core.profile(place.out, "toy-micro", registry=toy_registry(Portable), verbose=0)
        else:
            place.resume(budgets={"macs": [0.25, 0.75]})
        assert "subnet-50" in (place.out / "README.md").read_text()
    SpyingFramework.trained.clear()
    member = more(place, finetune_epochs=1, registry=toy_registry(framework=SpyingFramework))
    assert (member.extraction, SpyingFramework.trained) == (ExtractionRecord("75", 1), [])
    assert not (place.out / ".checkpoint").exists()


def test_a_run_completes_what_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    asked: dict[str, Any] = {"budgets": {"macs": [0.25, 0.75]}}
    place.prune(**asked)
    expected, told = contents(place.out), _told(place.out)
    cut, finished, at = Cut(monkeypatch), False, 0
    while not finished:
        shutil.rmtree(place.out)
        cut.wire = Tripwire(at)
        try:
            place.prune(**asked)
            finished = True
        except Interrupted:
            cut.wire = Tripwire()
            if place.out.exists():
                _check_consistent(place.out)
            place.resume(**asked)
        assert contents(place.out) == expected, f"killed before file {at} was renamed"
        assert _told(place.out) == told
        at += 1
    assert at > 9


def test_a_finished_run_with_a_stopped_training_is_still_finished(place: Workplace) -> None:
    with pytest.raises(Interrupted):
        more(place, finetune_epochs=2, watcher=Stopping(1))
    assert place.resume(budgets={"macs": [0.25, 0.75]}).names == ("25", "75")
    assert more(place, "macs=0.6").name == "60"


# --- data and settings -----------------------------------------------------------------------------------------------


def test_training_needs_the_data_of_the_run(place: Workplace) -> None:
    arrays = dict(np.load(place.data))
    np.savez(place.data, **(arrays | {"x_test": arrays["x_test"] + 1}))
    before = contents(place.out)
    with pytest.raises(InputError, match=r"training a member needs the data of the run, but data '.*' has changed"):
        more(place, finetune_epochs=1)
    place.data.unlink()
    with pytest.raises(InputError, match=r"training a member needs the data of the run, but .* cannot be read"):
        more(place, finetune_epochs=1)
    assert contents(place.out) == before
    np.savez(place.folder / "moved.npz", **arrays)
    assert more(place, finetune_epochs=1, data=place.folder / "moved.npz").extraction == ExtractionRecord("75", 1)


def test_a_run_without_data_or_with_objects_needs_data_for_training(tmp_path: Path, monkeypatch: Any) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune(data=None, settings=NO_TRAINING)
    with pytest.raises(InputError, match="but the run had no data"):
        more(place, "macs=0.4", finetune_epochs=1)
    arrays = toy_arrays(residual_model())
    given = ((arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"]))
    objects = dataclasses.replace(place, folder=tmp_path)
    objects.prune(data=given, mode="overwrite")
    with pytest.raises(InputError, match="was given as objects in Python and is not given now"):
        more(objects, "macs=0.4", finetune_epochs=1)
    assert more(objects, "macs=0.4", finetune_epochs=1, data=given).accuracy.after is not None


def test_solver_limit_and_options(place: Workplace) -> None:
    before = contents(place.out)
    with pytest.raises(NoChoiceError):
        more(place, solver="idle", registry=toy_registry(IdleSolver))
    for asked, why in (
        ({"solver": "brut"}, "unknown solver 'brut'"),
        ({"time_limit": 0}, "time limit 0 is not above 0"),
        ({"options": {"nobody": {"x": "1"}}}, "nobody"),
        ({"finetune_epochs": -1}, "the number of epochs -1 is below 0"),
    ):
        with pytest.raises(InputError, match=why):
            more(place, **asked)
    assert contents(place.out) == before
    assert more(place, solver="greedy", time_limit=30.0, registry=toy_registry(GreedySolver)).solver == "greedy"
