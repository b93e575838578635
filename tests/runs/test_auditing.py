"""`reds audit` on toy runs: what is measured, which files it writes, and what it refuses."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Reds
from toy_framework import ToyFramework, residual_model, toy_arrays
from toy_plugins import FIRST_PARTY, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Interrupted, Listener, Tripwire, settings, skip_report, tripping_registry

import reds_core
from reds_core.audit.answers import answers_of
from reds_core.audit.result import Audit, load_audit
from reds_core.errors import InputError
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.runs import api
from reds_core.runs.audit_seeds import training_notes
from reds_core.runs.audited_runs import read_runs
from reds_core.runs.dataset import dataset_from_arrays

FRAMEWORK = ToyFramework()
GROUPS = np.array(["indoors", "outdoors", "outdoors"] * 20)
TRAINED = FinetuneSettings(epochs=3, batch_size=16, learning_rate=0.2)


@dataclass(frozen=True)
class Runs:
    """A folder with a model, data that names groups, and finished runs.

    Attributes:
        folder: the folder.
        arrays: the data.
    """

    folder: Path
    arrays: Mapping[str, Any]

    @property
    def data(self) -> Path:
        return self.folder / "data.npz"

    def run(self, name: str) -> Path:
        return self.folder / name

    def audit(self, *names: str, **changes: Any) -> Audit:
        given: dict[str, Any] = {
            "out": self.folder / "audit",
            "ablations": 40,
            "registry": toy_registry(),
            "verbose": 0,
        }
        return reds_core.run_audit([self.run(name) for name in names], self.data, **(given | changes))


def prune(folder: Path, model: Path, out: str, **changes: Any) -> None:
    given: dict[str, Any] = {"settings": settings(), "registry": toy_registry(), "budgets": {"macs": [0.5, 0.25]}}
    api.prune(model=model, out=folder / out, verbose=0, **({"data": folder / "data.npz"} | given | changes))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Runs `a` and `b` of one model with two seeds, `c` by another scorer with one budget, `other` of another model."""
    folder = tmp_path_factory.mktemp("runs")
    model, second = residual_model(seed=3), residual_model(seed=3)
    second.weights["head/bias"] += np.float32(0.3)
    arrays = toy_arrays(model, 60, 60)
    np.savez(folder / "data.npz", **arrays, group_test=GROUPS)
    FRAMEWORK.save_model(model, folder / "model.keras")
    FRAMEWORK.save_model(second, folder / "second.keras")
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        prune(folder, folder / "model.keras", "a")
        prune(folder, folder / "model.keras", "b", settings=settings(seed=1, finetune=TRAINED))
        prune(folder, folder / "model.keras", "c", settings=settings(scorer="random"), budgets={"macs": [0.5]})
        prune(folder, folder / "second.keras", "other")
    return Runs(folder, arrays)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have tests of their own."""
    monkeypatch.setattr("reds_core.audit.writing.audit_page", lambda audit, folder: f"{len(audit.members)} members")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def recall(files: list[Path], arrays: Mapping[str, Any], number: int) -> float:
    """The mean recall of a class over model files, counted anew."""
    x, y = arrays["x_test"], arrays["y_test"]
    answers = [FRAMEWORK.predict(FRAMEWORK.load_model(file), x).argmax(axis=1) for file in files]
    return float(np.mean([(each[y == number] == number).mean() for each in answers]))


# --- two populations -------------------------------------------------------------------------------------------------


def test_recall_and_exemplars_follow_from_the_model_files(runs: Runs, out: Path) -> None:
    found = runs.audit("a", "b", out=out, seeds=2)
    assert load_audit(out) == found
    assert (found.before.source, found.before.files) == ("seeds", ("seeds/seed-0.keras", "seeds/seed-1.keras"))
    files = {None: [out / name for name in found.before.files]}
    files |= {member.name: [out / name for name in member.files] for member in found.members}
    assert [member.name for member in found.members] == ["25", "50"]
    assert all(len(each) == 2 for each in files.values())
    for number, each in enumerate(found.classes):
        assert each.before.recall == pytest.approx(recall(files[None], runs.arrays, number))
        for name, figures in each.after.items():
            assert figures.recall == pytest.approx(recall(files[name], runs.arrays, number))
    x = runs.arrays["x_test"]
    said = {
        name: np.stack([FRAMEWORK.predict(FRAMEWORK.load_model(f), x).argmax(axis=1) for f in each])
        for name, each in files.items()
    }
    sure = {
        name: [
            answers_of(FRAMEWORK.predict(FRAMEWORK.load_model(f), x), runs.arrays["y_test"]).confidence for f in each
        ]
        for name, each in files.items()
    }
    modal = {  # of two networks that disagree, what the surer one says
        name: np.where(sure[name][0] > sure[name][1], *each) for name, each in said.items()
    }
    expected = [
        (name, i, int((said[name][:, i] != modal[None][i]).sum()))
        for name in ("25", "50")
        for i in np.flatnonzero(modal[name] != modal[None])
    ]
    assert [(each.member, each.index, each.flips) for each in found.exemplars] == expected
    assert expected, "the runs lose some examples, or this test shows nothing"
    assert all(member.test == "welch" for member in found.members)
    assert found.attribution is not None
    assert (found.attribution.channels, found.attribution.held_out) == (11, 8)
    assert [len(member.files) for member in found.members] == [2, 2]
    assert found.notes == (
        "The runs were not all trained in the same way; the uncompressed networks were trained as the run in "
        f"'{runs.run('a')}'.",
    )


def test_what_seeds_cannot_repeat_of_a_run_is_said(runs: Runs) -> None:
    run = read_runs([runs.run("a")])[0]
    assert training_notes([run]) == []
    options = {**run.plan.options, "optimizer": "Nadam", "validation_data": "given"}
    given = dataclasses.replace(run, plan=dataclasses.replace(run.plan, options=options))
    optimizer, validation = training_notes([given])
    assert "an object of type Nadam as the optimizer, which its files do not hold" in optimizer
    assert "was given validation data" in validation
    assert len(training_notes([run, given])) == 1


def test_groups_and_files_of_an_audit(runs: Runs, out: Path) -> None:
    found = runs.audit("a", "b", out=out, seeds=2)
    right = [
        FRAMEWORK.predict(FRAMEWORK.load_model(runs.run(name) / "subnet-25.keras"), runs.arrays["x_test"]).argmax(
            axis=1
        )
        == runs.arrays["y_test"]
        for name in ("a", "b")
    ]
    for each in found.groups:
        assert each.after["25"].accuracy == pytest.approx(np.mean([row[each.name == GROUPS] for row in right]))
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        *("audit.json", "classes.csv", "exemplars.csv", "groups.csv", "members.csv", "overlaps.csv"),
        *("report.html", "seeds"),
    ]
    with (out / "classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["class"], r["network"]) for r in rows[:3]] == [("0", "before"), ("0", "25"), ("0", "50")]
    assert float(rows[1]["recall"]) == found.classes[0].after["25"].recall
    assert (out / "report.html").read_text() == "2 members"


def test_the_same_seed_gives_the_same_audit_and_keeps_the_networks(runs: Runs, out: Path) -> None:
    first = runs.audit("a", "b", out=out, seeds=2)
    wire = Tripwire()
    again = runs.audit("a", "b", out=out, seeds=2, mode="overwrite", registry=tripping_registry(wire))
    assert again == first
    trained = (out / "seeds" / "seed-0.keras").read_bytes()
    runs.audit("a", "b", out=out, seeds=2, epochs=1, mode="overwrite")
    assert (out / "seeds" / "seed-0.keras").read_bytes() != trained


def test_a_killed_audit_leaves_no_half_file_and_continues(runs: Runs, out: Path) -> None:
    whole = runs.audit("a", "b", seeds=2, out=out.with_name("whole"))
    at, kept = 0, set()
    while True:
        try:
            found = runs.audit("a", "b", seeds=2, out=out, registry=tripping_registry(Tripwire(at)))
            break
        except Interrupted:
            pass
        if out.exists():
            assert not (out / "audit.json").exists()
            kept |= {path.name for path in out.rglob("*.keras")}
            assert not list(out.rglob("*.partial*"))
        at += 3
    assert kept == {"seed-0.keras", "seed-1.keras"}
    assert [each.after for each in found.classes] == [each.after for each in whole.classes]
    assert found.exemplars == whole.exemplars


# --- other populations -----------------------------------------------------------------------------------------------


def test_different_input_models_are_the_uncompressed_networks(runs: Runs, out: Path) -> None:
    found = runs.audit("a", "other", out=out, ablations=0)
    assert found.before.source == "input models"
    assert [(out / name).resolve().name for name in found.before.files] == ["model.keras", "second.keras"]
    for number, each in enumerate(found.classes):
        files = [runs.folder / "model.keras", runs.folder / "second.keras"]
        assert each.before.recall == pytest.approx(recall(files, runs.arrays, number))
    assert all(member.exemplars is not None for member in found.members)
    assert found.attribution is None
    assert found.notes == ("No channels were attributed, since no ablations were asked for.",)
    with pytest.raises(
        InputError, match="2 different input models, which are the uncompressed networks; leave out seeds"
    ):
        runs.audit("a", "other", out=out, seeds=2, mode="overwrite")


def test_a_single_run_has_classes_and_flips_but_no_exemplars(runs: Runs, out: Path) -> None:
    found = runs.audit("a", out=out)
    assert found.before.source == "input model"
    assert {member.test for member in found.members} == {"mcnemar"}
    assert [member.exemplars for member in found.members] == [None, None]
    assert found.exemplars == ()
    assert "Exemplars need several uncompressed networks, and there is one; give seeds" in found.notes[0]
    model = FRAMEWORK.load_model(runs.folder / "model.keras")
    x, y = runs.arrays["x_test"], runs.arrays["y_test"]
    before = FRAMEWORK.predict(model, x).argmax(axis=1)
    after = FRAMEWORK.predict(FRAMEWORK.load_model(runs.run("a") / "subnet-25.keras"), x).argmax(axis=1)
    flips = found.members[0].flips
    assert flips.changed == (before != after).sum() > 0
    assert flips.lost == ((before == y) & (after != y)).sum()
    assert flips.won == ((before != y) & (after == y)).sum()
    prediction = found.members[0].prediction
    assert prediction is not None
    assert prediction.lost == flips.lost
    plan = reds_core.load_plan(runs.run("a"))
    assert prediction.removed == sum(g.channels - len(plan["25"].kept[g.name]) for g in plan.groups)
    assert "25" in str(found)


def test_ablated_networks_are_repaired_on_request(runs: Runs, out: Path) -> None:
    plain = runs.audit("a", out=out)
    repaired = runs.audit("a", out=out, repair_ablations=True, mode="overwrite")
    assert plain.attribution is not None
    assert repaired.attribution is not None
    assert (plain.attribution.is_repaired, repaired.attribution.is_repaired) == (False, True)
    assert plain.attribution.correlation != repaired.attribution.correlation
    assert plain.classes == repaired.classes


def test_members_that_are_missing_are_named_and_methods_are_told_apart(runs: Runs, out: Path) -> None:
    found = runs.audit("a", "b", "c", out=out, seeds=2, ablations=0)
    assert [len(member.files) for member in found.members] == [2, 3]
    assert found.notes[0] == f"The run in '{runs.run('c')}' has no subnetwork '25'."
    assert [Path(each.folders[0]).name for each in found.methods] == ["a", "b", "c"]
    assert "scorer random" in found.methods[2].name
    assert "finetune epochs 3" in found.methods[1].name
    kinds = {(each.kind, each.member) for each in found.overlaps}
    assert ("methods", "50") in kinds
    assert ("members", None) in kinds


def test_groups_are_given_in_python_as_well(runs: Runs, out: Path) -> None:
    found = runs.audit("a", out=out, groups=np.arange(60) % 2, ablations=0)
    assert [each.name for each in found.groups] == ["0", "1"]
    texts = np.array(["young", "old"] * 30, dtype=object)  # as a column of a data frame
    found = runs.audit("a", out=out, groups=texts, ablations=0, mode="overwrite")
    assert [each.name for each in found.groups] == ["young", "old"]
    with pytest.raises(InputError, match=r"type object; give one whole number or text"):
        runs.audit("a", out=out, groups=np.array(["young", None] * 30, dtype=object), mode="overwrite")
    with pytest.raises(InputError, match=r"groups of the test data have shape \(2,\)"):
        runs.audit("a", out=out, groups=[0, 1], mode="overwrite")


# --- what is refused -------------------------------------------------------------------------------------------------


def test_bad_input_is_refused(runs: Runs, out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, **{name: array[: len(array) // 2] for name, array in runs.arrays.items()})
    untested = dataset_from_arrays((runs.arrays["x_train"], runs.arrays["y_train"]))
    lost = tmp_path / "lost"
    shutil.copytree(runs.run("a"), lost)
    plan = json.loads((lost / "plan.json").read_text())
    plan["options"]["model"] = str(tmp_path / "gone.keras")
    (lost / "plan.json").write_text(json.dumps(plan))
    for given, why in (
        ({"folders": []}, "no run is given; give the folders"),
        ({"folders": [tmp_path]}, "holds no finished run"),
        ({"folders": [runs.run("a"), runs.run("a")]}, "is given twice"),
        ({"data": other}, "is not that of the run in"),
        ({"data": untested}, "is not that of the run in"),
        ({"data": tmp_path / "none.npz"}, "does not exist"),
        ({"out": runs.run("a")}, "holds a run or a comparison; choose another out"),
        (
            {"folders": [lost]},
            r"gone.keras' does not exist, which is the input model of the run in .*; give that model",
        ),
        ({"model": runs.folder / "second.keras"}, "has changed since the run"),
        ({"seeds": 0}, "seeds is 0"),
        ({"epochs": 2}, "epochs has no effect without seeds"),
        ({"seeds": 2, "epochs": 0}, "epochs is 0"),
        ({"ablations": 1}, "ablations is 1"),
        ({"ablated_fraction": 1.0}, "ablated_fraction is 1.0"),
        ({"attribution_examples": 1}, "attribution_examples is 1"),
        ({"mode": "resume"}, "cannot be resumed"),
    ):
        asked: dict[str, Any] = {"folders": [runs.run("a")], "data": runs.data, "out": out, "registry": toy_registry()}
        with pytest.raises(InputError, match=why):
            reds_core.run_audit(**(asked | given), verbose=0)
        assert not (out / "audit.json").exists()
    found = runs.audit("a", out=out, ablations=0, model=runs.folder / "model.keras")
    assert found.before.files
    with pytest.raises(InputError, match='holds a finished audit; add mode="overwrite"'):
        runs.audit("a", out=out)


def test_runs_without_training_give_no_population_by_seeds(runs: Runs, out: Path, monkeypatch: Any) -> None:
    skip_report(monkeypatch)
    prune(runs.folder, runs.folder / "model.keras", "untrained", settings=NO_TRAINING)
    with pytest.raises(InputError, match="trained for 0 epochs, in which all seeds would give the same network"):
        runs.audit("untrained", out=out, seeds=2)
    assert runs.audit("untrained", out=out, seeds=2, epochs=1, ablations=0).before.source == "seeds"


def test_tasks_without_classes_are_refused(runs: Runs, out: Path, tmp_path: Path) -> None:
    class Regression(ToyFramework):
        def figures(self, model: Any, data: Any, task: Any) -> Any:
            from reds_core.framework.class_counts import ModelFigures

            return ModelFigures(0.5)

    with pytest.raises(InputError, match="do not say one class for each example; audit runs of classifiers"):
        runs.audit("a", out=out, registry=toy_registry(framework=Regression))
    encoder = tmp_path / "encoder"
    shutil.copytree(runs.run("a"), encoder)
    plan = json.loads((encoder / "plan.json").read_text())
    plan["options"]["task"]["kind"] = "embedding"
    (encoder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(InputError, match="encoder' do not say one class for each example"):
        reds_core.run_audit([runs.run("a"), encoder], runs.data, out, registry=toy_registry(), verbose=0)


def test_test_data_in_another_order_in_each_pass_is_refused(
    runs: Runs, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    random, arrays = np.random.default_rng(0), runs.arrays
    is_shuffled = True

    def batches() -> Any:
        rest = np.arange(20, 60)  # the first batch stays, since it tells whether the data is that of the run
        order = np.concatenate([np.arange(20), random.permutation(rest) if is_shuffled else rest])
        for part in np.split(order, 3):
            yield arrays["x_test"][part], arrays["y_test"][part]

    given: dict[str, Any] = {"data": ((arrays["x_train"], arrays["y_train"]), batches)}
    prune(runs.folder, runs.folder / "model.keras", "streamed", settings=NO_TRAINING, **given)
    asked: dict[str, Any] = {**given, "out": out, "ablations": 8, "registry": toy_registry(), "verbose": 0}
    with pytest.raises(InputError, match="comes in another order in each pass; give test data that is not shuffled"):
        reds_core.run_audit(runs.run("streamed"), **asked)
    is_shuffled = False
    found = reds_core.run_audit(runs.run("streamed"), **asked)
    files = [runs.folder / "model.keras"]
    assert found.classes[0].before.recall == pytest.approx(recall(files, arrays, 0))


def test_networks_of_different_classes_are_refused(runs: Runs, out: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(runs.run("a"), changed)
    FRAMEWORK.save_model(residual_model(classes=4), changed / "subnet-25.keras")
    with pytest.raises(InputError, match="has 4 classes, where the networks before it have 3"):
        reds_core.run_audit(changed, runs.data, out, registry=toy_registry(), verbose=0)


def test_the_watcher_hears_of_every_network(runs: Runs, out: Path) -> None:
    watcher = Listener()
    runs.audit("a", out=out, watcher=watcher, ablations=8)
    assert "measuring subnet-25.keras of a" in watcher.stages
    assert "attributing channels of model.keras, ablation 8 of 8" in watcher.stages


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_or_json(reds: Reds, runs: Runs, out: Path) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework)))
    asked = ("audit", str(runs.run("a")), "--data", str(runs.data), "--out", str(out), "--ablations", "0")
    shown = reds(*asked)
    assert shown.status == 0, shown.err
    assert shown.out.startswith("Member")
    assert shown.out.rstrip().endswith(f"wrote audit.json, tables and report.html to {out}")
    reds(*asked).check_error(2, "holds a finished audit; add --overwrite")
    found = reds(*asked, "--overwrite", "--json")
    assert found.json == json.loads((out / "audit.json").read_text())
    reds(*asked, "--overwrite", "--epochs", "3").check_error(2, "--epochs has no effect without seeds; give --seeds")
