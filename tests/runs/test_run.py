"""Runs on toy models: what is written, refused, resumed, promised."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from toy_framework import ToyFramework, describe, residual_model, toy_arrays
from toy_plugins import BruteSolver, toy_registry
from toy_runs import EXPORTS, NO_TRAINING, QUICK, Listener, Workplace, contents, settings, without_times

from reds_core.cost import resources
from reds_core.errors import InfeasibleError, InputError, UnavailableError, UnsupportedError
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.data import Arrays
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.knapsack.solver import Controls, Status
from reds_core.plan import load_plan
from reds_core.report.facts import Metric, gather
from reds_core.runs.dataset import load_data
from reds_core.runs.folder import Mode
from reds_core.runs.formulating import formulate_model

# --- a fresh run ---------------------------------------------------------------------------------------------------


def test_a_run_writes_what_the_design_says(place: Workplace) -> None:
    plan = place.prune(settings=settings(widths=WidthRules(align=1)))
    exports = [name.format(b) for b in ("25", "50", "75") for name in EXPORTS]
    expected = {"plan.json", "recipe.yaml", "nested.keras", "full-int8.tflite", "report.html", *exports}
    expected |= {"README.md", "scores.npz", "order.npz", "details.json", "history.csv"}
    assert {p.name for p in place.out.iterdir()} == expected
    assert load_plan(place.out) == plan
    content = json.loads((place.out / "plan.json").read_text())
    assert next(iter(content)) == "format"
    assert content["format"] == "reds-plan/1"
    assert set(content) == {
        *("format", "full", "groups", "subnetworks", "pruner", "scorer", "steps", "seed", "options"),
        *("versions", "hashes", "family"),
    }
    assert set(content["subnetworks"][0]) == {
        *("name", "budget", "widths", "kept", "usage", "value", "bound", "gap", "bound_independent", "status"),
        *("solver", "wall_s", "accuracy", "files"),
    }
    assert set(content["steps"][0]) == {"index", "name", "groups", "widths", "search_s", "finetune_s"}


def test_the_plan_says_what_the_files_are(place: Workplace) -> None:
    plan = place.prune(budgets={"macs": [0.5, 0.9], "peak_ram": ["30", "45"]})
    toy, model = ToyFramework(), residual_model()
    network = describe(model)
    assert tuple(plan.full.usage.values()) == tuple(
        resources.usage(network, network.channels)[r] for r in ("macs", "params", "peak_ram")
    )
    nested = toy.load_model(place.out / "nested.keras")
    data = load_data(str(place.data), toy)
    assert plan.full.accuracy.before == toy.accuracy(model, data.test, QUICK.task)
    assert plan.full.accuracy.after == toy.accuracy(nested, data.test, QUICK.task)
    smaller: dict[str, set[int]] = {g: set() for g in network.channels}
    assert [s.name for s in plan.subnetworks] == ["50", "90"]
    for record in plan.subnetworks:
        exported = toy.load_model(place.out / str(record.files["keras"]))
        own = describe(exported)
        assert own.channels == record.widths
        assert resources.usage(own, own.channels) == record.usage
        assert record.usage["macs"] <= int(record.budget["macs"] * plan.full.usage["macs"])
        assert record.usage["peak_ram"] <= record.budget["peak_ram"]
        assert {g: len(k) for g, k in record.kept.items()} == record.widths
        for group, channels in record.kept.items():
            assert smaller[group] <= set(channels) <= set(range(network.channels[group]))
            smaller[group] = set(channels)
        raw = toy.extract(model, network, {g: np.array(k) for g, k in record.kept.items()})
        accuracy = record.accuracy
        assert accuracy.before == toy.accuracy(raw, data.test, QUICK.task)
        assert accuracy.after == toy.accuracy(exported, data.test, QUICK.task)
        for file, figure in (
            (record.files["tflite"], accuracy.exported["tflite"]),
            (record.files["tflite_int8"], accuracy.exported["tflite_int8"]),
        ):
            assert figure == toy.exported_accuracy(place.out / str(file), data.test, QUICK.task)


def test_the_permuted_network_computes_what_the_original_did(place: Workplace) -> None:
    place.prune(settings=NO_TRAINING)
    toy = ToyFramework()
    x = toy_arrays(residual_model())["x_test"]
    nested, model = toy.load_model(place.out / "nested.keras"), residual_model()
    assert not np.array_equal(nested.weights["stem/kernel"], model.weights["stem/kernel"])
    np.testing.assert_allclose(toy.predict(nested, x), toy.predict(model, x), atol=1e-5)


def test_the_same_seed_gives_the_same_files_and_plan(place: Workplace) -> None:
    first = place.prune()
    second = place.prune(out=place.folder / "again")
    assert without_times(first) == without_times(second)
    assert contents(place.out) == contents(place.folder / "again")


def test_another_seed_trains_otherwise(place: Workplace) -> None:
    place.prune()
    place.prune(out=place.folder / "again", settings=settings(seed=1))
    assert contents(place.out)["nested.keras"] != contents(place.folder / "again")["nested.keras"]


def test_a_model_object_is_pruned_like_its_file(place: Workplace) -> None:
    from_file = place.prune()
    model = residual_model()
    before = {k: w.copy() for k, w in model.weights.items()}
    from_object = place.prune(model=model, out=place.folder / "again")
    assert from_object.subnetworks[0].kept == from_file.subnetworks[0].kept
    assert from_object.options["model"] == "ToyModel"
    for name, weight in model.weights.items():
        np.testing.assert_array_equal(weight, before[name])


def test_a_model_object_of_no_framework_is_refused(place: Workplace) -> None:
    with pytest.raises(InputError, match="a model of type dict belongs to no installed framework"):
        place.prune(model={})


def test_without_a_model_a_baseline_is_trained_once(place: Workplace) -> None:
    plan = place.prune(model=None, data="toyset")
    assert plan.options["model"] is None
    baseline = ToyFramework().load_model(place.out / "model.keras")
    assert {g.name for g in describe(baseline).groups} == {g.name for g in plan.groups}


@pytest.mark.parametrize("given", ["balanced", "0=1,2=5"])
def test_the_baseline_is_trained_with_the_weights_of_classes(place: Workplace, given: str) -> None:
    weights: list[Any] = []

    class Recording(ToyFramework):
        def build_baseline(self, training: Training) -> Any:
            assert isinstance(training.data, Arrays)
            weights.append((training.data.y.copy(), training.data.weights))
            return super().build_baseline(training)

    for asked in (None, given):
        place.prune(
            model=None,
            settings=settings(class_weight=asked),
            registry=toy_registry(framework=Recording),
            mode=Mode.OVERWRITE,
        )
    (_, none), (labels, found) = weights
    assert none is None
    assert len(set(zip(labels.tolist(), found.tolist(), strict=True))) == len(set(labels.tolist()))
    assert len(set(found.tolist())) > 1


def test_without_data_there_are_no_accuracies_and_no_int8_file(place: Workplace) -> None:
    plan = place.prune(data=None, settings=NO_TRAINING)
    assert plan.hashes.data is None
    assert plan.full.accuracy == dataclasses.replace(plan.full.accuracy, before=None, after=None)
    for record in plan.subnetworks:
        accuracy = record.accuracy
        assert {accuracy.before, accuracy.after, *accuracy.exported.values()} == {None}
        assert record.files["tflite_int8"] is None
    assert not list(place.out.glob("*int8*"))
    assert "NaN" not in (place.out / "plan.json").read_text()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"scorer": "taylor", "finetune": FinetuneSettings(epochs=0)}, "scorer 'taylor' needs training data"),
        ({"scorer": "magnitude"}, "fine-tuning needs training data"),
    ],
)
def test_without_data_what_needs_it_is_refused(place: Workplace, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        place.prune(data=None, settings=settings(**changes))
    assert not place.out.exists()


def test_a_budget_out_of_reach_is_refused_before_the_data_is_read(place: Workplace) -> None:
    with pytest.raises(InfeasibleError, match="no subnetwork meets the budget '1': macs is limited to 2"):
        place.prune(data=place.folder / "missing.npz", budgets={"macs": "1%"})
    assert not place.out.exists()


def test_a_problem_with_a_budget_out_of_reach_is_infeasible_with_a_warning(place: Workplace) -> None:
    heard = Listener()
    stated = formulate_model(place.model, place.data, {"macs": "1%"}, registry=toy_registry(), watcher=heard)
    assert [w for w in heard.warnings if "no subnetwork meets the budget '1'" in w]
    assert BruteSolver().solve(stated.problem, Controls()).status is Status.INFEASIBLE


def test_a_budget_that_does_not_bind_is_remarked(place: Workplace) -> None:
    heard = Listener()
    plan = place.prune(budgets=["MACS=50%,1G"], settings=NO_TRAINING, watcher=heard)
    assert [w for w in heard.warnings if "does not bind" in w] == [
        "budget '1G' does not bind: the full network uses 270 of macs and 1,000,000,000 may be used, so nothing has to "
        "be pruned; give a smaller amount, or a share such as 0.5"
    ]
    assert [s.name for s in plan.subnetworks] == ["50", "1G"]
    assert [s.budget for s in plan.subnetworks] == [{"macs": 0.5}, {"macs": 10**9}]


def test_neither_a_model_nor_data(place: Workplace) -> None:
    with pytest.raises(InputError, match="neither a model nor data is given"):
        place.prune(model=None, data=None, settings=NO_TRAINING)


def test_watchers_hear_stages_and_training(place: Workplace) -> None:
    listener = Listener()
    place.prune(watcher=listener)
    assert listener.stages[:2] == ["reading", "step 1 of 4: score"]
    assert listener.stages[-1] == "exporting 75 (3 of 3)"
    assert listener.epochs == 2 * 4  # 54 of 60 examples in batches of 16
    assert listener.warnings == []


def test_without_the_report_s_libraries_the_run_is_finished_all_the_same(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(plan: Any, folder: Path) -> Path:
        raise UnavailableError("no Jinja2", "install it")

    monkeypatch.setattr("reds_core.runs.publishing.write_report", unavailable)
    listener = Listener()
    place.prune(watcher=listener)
    assert listener.warnings == ["no report was written: no Jinja2; install it"]
    assert load_plan(place.out)


# --- who sees which data --------------------------------------------------------------------------------------------


def test_only_training_data_is_scored_trained_and_calibrated_on(place: Workplace) -> None:
    seen: dict[str, list[npt.NDArray[Any]]] = {}

    class Recording(ToyFramework):
        def gradients(self, model: Any, network: Any, data: Arrays, task: Any, batch_size: int) -> Any:
            seen.setdefault("gradients", []).append(data.x)
            return super().gradients(model, network, data, task, batch_size)

        def finetune(self, family: Any, training: Training) -> None:
            seen.setdefault("finetune", []).append(training.data.x)
            super().finetune(family, training)

        def export(self, model: Any, path: Path, calibration: Arrays | None, quantise: bool) -> None:
            if calibration is not None:
                seen.setdefault("export", []).append(calibration.x)
            super().export(model, path, calibration, quantise)

        def accuracy(self, model: Any, data: Arrays, task: Any) -> float:
            seen.setdefault("accuracy", []).append(data.x)
            return super().accuracy(model, data, task)

    place.prune(registry=toy_registry(framework=Recording), settings=settings(holdout=0.2))
    arrays = np.load(place.data)

    def rows(examples: npt.NDArray[Any]) -> set[bytes]:
        return {x.tobytes() for x in examples}

    training, test = rows(arrays["x_train"]), rows(arrays["x_test"])
    used = [rows(x) for x in seen["gradients"] + seen["finetune"]]
    assert all(u == used[0] for u in used), "scores and training see the same examples"
    assert used[0] < training
    assert len(used[0]) == 48, "a fifth is held back"
    assert all(rows(x) <= used[0] for x in seen["export"])
    assert all(rows(x) == test for x in seen["accuracy"])


def test_calibration_is_spread_over_data_sorted_by_class(place: Workplace) -> None:
    labels = []

    class Recording(ToyFramework):
        def export(self, model: Any, path: Path, calibration: Arrays | None, quantise: bool) -> None:
            if calibration is not None:
                labels.append(calibration.y)
            super().export(model, path, calibration, quantise)

    arrays = toy_arrays(residual_model(), train=900)
    order = np.argsort(arrays["y_train"])
    np.savez(place.data, **(arrays | {"x_train": arrays["x_train"][order], "y_train": arrays["y_train"][order]}))
    place.prune(registry=toy_registry(framework=Recording))
    assert [len(y) for y in labels] == [200] * 4  # of the full network and three members
    assert set(labels[0]) == set(arrays["y_train"])


@pytest.mark.parametrize("lacking", [False, True], ids=["no file", "no int8 file"])
def test_what_the_device_cannot_express_is_left_out_with_a_warning(place: Workplace, lacking: bool) -> None:
    class Limited(ToyFramework):
        def export(self, model: Any, path: Path, calibration: Arrays | None, quantise: bool) -> None:
            if quantise or not lacking:
                raise UnsupportedError("the device has no such operation", "replace the layer")
            super().export(model, path, calibration, quantise)

    listener, left_out = Listener(), "" if not lacking else "-int8"
    plan = place.prune(registry=toy_registry(framework=Limited), watcher=listener)
    for record in plan.subnetworks:
        kept, exact = record.files, record.accuracy
        assert kept["tflite_int8"] is exact.exported["tflite_int8"] is None
        assert (kept["tflite"] is None) == (exact.exported["tflite"] is None) == (not lacking)
        assert exact.after is not None
    found = {p.name for p in place.out.iterdir()}
    assert {n for n in found if n.endswith(".keras")} >= {f"subnet-{b}.keras" for b in (25, 50, 75)}
    assert len([n for n in found if n.endswith(".tflite")]) == (3 if lacking else 0)
    assert listener.warnings == [
        f"'subnet-{b}{left_out}.tflite' is left out, 'subnet-{b}.keras' is written: the device has no such operation"
        for b in (25, 50, 75)
    ]


def test_reports_know_the_metric_of_the_run(place: Workplace) -> None:
    accuracy, other = gather(place.prune(), place.out).metric, Task(metric="mean_absolute_error")
    assert accuracy.is_share
    plan = place.prune(settings=settings(task=other), mode=Mode.OVERWRITE)
    assert gather(plan, place.out).metric == Metric("mean_absolute_error", is_share=False)


def test_versions_name_the_libraries_behind_the_plugins(place: Workplace) -> None:
    class Needy(BruteSolver):
        name = "needy"
        requires = ("scipy", "no_such_library")

    plan = place.prune(registry=toy_registry(Needy))
    assert plan.versions["scipy"] == importlib.metadata.version("scipy")
    assert "no-such-library" not in plan.versions
