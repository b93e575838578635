"""`reds thresholds` on a toy model with exits: what is chosen, which files it writes, and what it refuses."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from command_line import Reds
from html_pages import assert_nothing_is_fetched
from toy_exits import ALONE, COSTS, EXITS, ExitsFramework, exits_arrays, exits_model
from toy_framework import ToyFramework, residual_model, toy_arrays
from toy_plugins import FIRST_PARTY, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace, skip_report

import reds_core
from reds_core.early_exit.choice import ThresholdSearch
from reds_core.early_exit.confidence import confidence, integer_margins, probabilities_of
from reds_core.early_exit.page import early_exit_page
from reds_core.early_exit.policy import ExitAnswers
from reds_core.early_exit.record import ExitThresholds, load_thresholds
from reds_core.errors import InfeasibleError, InputError
from reds_core.framework.data import Arrays
from reds_core.framework.device import Energy, ExitFigures
from reds_core.framework.profile_records import ProfileRecord, save_profiles
from reds_core.runs.splitting import split_validation

REGISTRY = toy_registry(framework=ExitsFramework)
HOLDOUT = 0.3
SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, the same as an int8 file, and data."""
    place = tmp_path_factory.mktemp("exits")
    framework, model = ExitsFramework(), exits_model()
    framework.save_model(model, place / "model.keras")
    framework.save_model(model, place / "model-int8.tflite")
    framework.save_model(residual_model(), place / "single.keras")
    np.savez(place / "data.npz", **exits_arrays())
    return place


def chosen(folder: Path, out: Path, **changes: Any) -> ExitThresholds:
    given: dict[str, Any] = {"holdout": HOLDOUT, "registry": REGISTRY, "verbose": 0}
    return reds_core.choose_thresholds(folder / "model.keras", folder / "data.npz", out, **(given | changes))


@pytest.fixture(scope="module")
def found(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ExitThresholds, Path]:
    out = tmp_path_factory.mktemp("out") / "t"
    return chosen(folder, out, target_cost=0.5, device_file=folder / "model-int8.tflite", seed=3), out


@pytest.fixture(autouse=True)
def _undrawn(found: tuple[ExitThresholds, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without further pages, which take longer than the choice of thresholds."""
    monkeypatch.setattr("reds_core.early_exit.writing.early_exit_page", lambda found: "a page")


def held_back(seed: int = 3) -> Arrays:
    arrays = exits_arrays()
    return split_validation(Arrays(arrays["x_train"], arrays["y_train"]), HOLDOUT, seed)[1]


def answers(data: Arrays, step: float | None = None) -> ExitAnswers:
    """What the exits answer by the margin of probabilities, or of integers, without the code under test."""
    outputs = ExitsFramework().predict(exits_model(), data.x)
    if step is not None:
        outputs = [np.clip(np.rint(each / step), -128, 127) * step for each in outputs]
        sure = np.stack([integer_margins(each, step) for each in outputs[:-1]]).astype(float)
    else:
        sure = np.stack([confidence("margin", probabilities_of(each)) for each in outputs[:-1]])
    right = np.stack([each.argmax(axis=1) == data.y for each in outputs])
    return ExitAnswers(right, sure, np.array(COSTS, float))


def test_the_thresholds_are_the_best_on_held_back_examples(found: tuple[ExitThresholds, Path]) -> None:
    record, _ = found
    policy, known = record.policy, answers(held_back())
    best = ThresholdSearch(known).most_accurate(0.5 * ALONE[-1])
    assert best is not None
    assert policy.is_optimal
    assert policy.thresholds == best.thresholds
    assert policy.held_back.all.accuracy == pytest.approx(best.right / known.examples)
    assert policy.held_back.all.cost == pytest.approx(best.cost)
    assert record.target.cost == pytest.approx(0.5 * ALONE[-1])
    assert [each.measure for each in record.policies] == ["margin", "entropy", "calibrated"]
    assert all(each.held_back.all.cost <= record.target.cost for each in record.policies)
    assert record.examples == 90


def test_the_figures_of_test_examples_are_those_of_the_thresholds(found: tuple[ExitThresholds, Path]) -> None:
    record, arrays = found[0], exits_arrays()
    data = Arrays(arrays["x_test"], arrays["y_test"])
    known, test = answers(data), record.policy.test
    assert test is not None
    taken = known.taken(record.policy.thresholds)
    assert test.all.accuracy == pytest.approx(known.right_at(taken).mean())
    assert test.all.cost == pytest.approx(np.array(COSTS)[taken].mean())
    assert test.all.shares == pytest.approx([(taken == k).mean() for k in range(3)])
    assert [each.accuracy_test for each in record.exits] == pytest.approx(known.right.mean(axis=1).tolist())
    assert [(each.name, each.cost, each.cost_alone) for each in record.exits] == list(
        zip(EXITS, COSTS, ALONE, strict=True)
    )
    for groups in (record.by_difficulty, record.by_class):
        assert sum(each.examples for each in groups) == 120
        assert sum(each.examples * each.accuracy for each in groups) == pytest.approx(120 * test.all.accuracy)
        for each in groups:
            assert sum(each.shares) == pytest.approx(1)
            assert all(low <= share <= high for share, (low, high) in zip(each.shares, each.intervals, strict=True))
    assert [each.name for each in record.by_class] == ["0", "1", "2"]
    margins = confidence("margin", probabilities_of(ExitsFramework().predict(exits_model(), data.x)[-1]))
    hardest = np.argsort(margins, kind="stable")[:30]
    assert record.by_difficulty[0].cost == pytest.approx(np.array(COSTS)[taken[hardest]].mean())


def test_integer_thresholds_are_the_best_for_the_file(found: tuple[ExitThresholds, Path]) -> None:
    integers = found[0].integers
    assert integers is not None
    assert (integers.file, integers.steps, integers.never) == ("model-int8.tflite", (1 / 16,) * 3, 256)
    known = answers(held_back(), 1 / 16)
    best = ThresholdSearch(known, is_integer=True, never=256.0).most_accurate(0.5 * ALONE[-1])
    assert best is not None
    assert integers.policy.thresholds == best.thresholds
    assert integers.policy.held_back.all.accuracy == pytest.approx(best.right / known.examples)
    assert all(each == int(each) for each in integers.policy.thresholds)


def test_files_hold_the_record_the_curve_and_the_shares(found: tuple[ExitThresholds, Path]) -> None:
    record, out = found
    assert sorted(path.name for path in out.iterdir()) == ["curve.csv", "report.html", "shares.csv", "thresholds.json"]
    assert load_thresholds(out) == load_thresholds(out / "thresholds.json") == record
    schema = json.loads((SCHEMAS / "reds-thresholds-1.json").read_text())
    jsonschema.validate(json.loads((out / "thresholds.json").read_text()), schema)
    curve = list(csv.DictReader((out / "curve.csv").open()))
    assert len(curve) == len(record.curve)
    for measure in ("margin", "entropy", "calibrated"):
        own = [row for row in curve if row["measure"] == measure]
        for column in ("accuracy_held_back", "cost_held_back"):
            values = [float(row[column]) for row in own]
            assert values == sorted(values)
    shares = list(csv.DictReader((out / "shares.csv").open()))
    assert len(shares) == 3 * (len(record.by_class) + len(record.by_difficulty))
    page = (out / "report.html").read_text()
    assert_nothing_is_fetched(page)
    assert "Integer margin" in page


def test_test_examples_choose_nothing(folder: Path, tmp_path: Path, found: tuple[ExitThresholds, Path]) -> None:
    arrays = exits_arrays()
    arrays["y_test"] = np.random.default_rng(0).permutation(arrays["y_test"])
    np.savez(tmp_path / "data.npz", **arrays)
    other = chosen(folder, tmp_path / "t", target_cost=0.5, seed=3, validation_data=None, registry=REGISTRY)
    same = reds_core.choose_thresholds(
        folder / "model.keras", tmp_path / "data.npz", tmp_path / "u",
        target_cost=0.5, holdout=HOLDOUT, seed=3, registry=REGISTRY, verbose=0,
    )  # fmt: skip
    assert [each.thresholds for each in same.policies] == [each.thresholds for each in other.policies]
    assert [each.thresholds for each in other.policies] == [each.thresholds for each in found[0].policies]
    assert same.policy.held_back == other.policy.held_back
    assert same.policy.test != other.policy.test


def test_the_cheapest_thresholds_reach_an_accuracy(folder: Path, tmp_path: Path) -> None:
    known = answers(held_back(0))
    for accuracy in (0.6, None):
        out = tmp_path / str(accuracy)
        found = chosen(folder, out, target_accuracy=accuracy, cost="energy")
        wanted = float(known.right[-1].mean()) if accuracy is None else accuracy
        best = ThresholdSearch(known).cheapest(int(np.ceil(wanted * known.examples - 1e-9)))
        assert best is not None
        assert found.policy.thresholds == best.thresholds
        assert found.policy.held_back.all.accuracy >= wanted - 1e-12
        assert found.cost == "energy"
        assert found.policy.held_back.all.cost == pytest.approx(best.cost * 1170)
        assert found.target.is_of_last_exit == (accuracy is None)


def test_given_costs_and_an_amount(folder: Path, tmp_path: Path) -> None:
    found = chosen(
        folder, tmp_path / "t", cost="latency", exit_costs="1ms,2ms,9ms", target_cost="4ms", measure="entropy"
    )
    assert [each.cost for each in found.exits] == [1e6, 2e6, 9e6]
    assert found.target.cost == 4e6
    assert found.policy.measure == "entropy"
    assert found.policy.held_back.all.cost <= 4e6


def test_measured_costs_may_be_equal(folder: Path, tmp_path: Path) -> None:
    """As far as a clock can tell."""
    found = chosen(folder, tmp_path / "t", cost="latency", exit_costs="1ms,1ms,9ms", target_cost="4ms")
    assert [each.cost for each in found.exits] == [1e6, 1e6, 9e6]
    assert found.policy.held_back.all.cost <= 4e6


def test_targets_that_nothing_reaches_are_infeasible(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match="because the first exit already takes 75 MAC"):
        chosen(folder, tmp_path / "t", target_cost=0.01)
    with pytest.raises(InfeasibleError, match=r"an accuracy of at least 100.0.% on held-back examples, where the best"):
        chosen(folder, tmp_path / "t", target_accuracy=1.0)
    assert not (tmp_path / "t" / "thresholds.json").exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"measure": "sure"}, "measure cannot be 'sure'; choose from: margin, entropy, calibrated"),
        ({"cost": "ram"}, "cost cannot be 'ram'"),
        ({"target_cost": 0.5, "target_accuracy": 0.9}, "are both given"),
        ({"target_accuracy": 90}, "target_accuracy is 90"),
        ({"target_cost": "much"}, "^target_cost much is malformed"),
        ({"exit_costs": "1ms,2ms,3ms"}, "exit_costs 1ms has a unit 'ms'.* or say by cost what else they are"),
        ({"energy_model": "nucleo-l4r5zi"}, "energy_model has no effect, since cost is macs"),
        ({"exit_costs": ["5", "6"]}, "holds 2 costs"),
        ({"cost": "instructions"}, "no profile states the instructions up to each exit"),
        ({"holdout": 0.0}, "no examples are held back"),
        ({"holdout": 2.0}, "holdout 2.0 is not a share"),
        ({"mode": "resume"}, "cannot be resumed"),
        ({"device_file": "none-int8.tflite"}, "does not exist|is no toy model"),
    ],
)
def test_bad_arguments_are_refused(folder: Path, tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        chosen(folder, tmp_path / "t", **changes)


def test_other_models_data_and_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has a single output and therefore no early exits"):
        reds_core.choose_thresholds(
            folder / "single.keras", folder / "data.npz", tmp_path / "t", registry=REGISTRY, verbose=0
        )
    ExitsFramework().save_model(residual_model(), tmp_path / "single-int8.tflite")
    with pytest.raises(InputError, match="the file has 1 outputs, and the model 3"):
        chosen(folder, tmp_path / "t", device_file=tmp_path / "single-int8.tflite")
    chosen(folder, tmp_path / "t")
    with pytest.raises(InputError, match='holds chosen thresholds; add mode="overwrite"'):
        chosen(folder, tmp_path / "t")
    chosen(folder, tmp_path / "t", mode="overwrite")
    (tmp_path / "t" / "plan.json").write_text("{}")
    with pytest.raises(InputError, match="holds a run, a comparison or an audit"):
        chosen(folder, tmp_path / "t", mode="overwrite")


def test_outputs_that_are_not_by_depth_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toy_exits.EXITS", ("exit_1", "head", "exit_2"))
    with pytest.raises(InputError, match="the outputs exit_1, head, exit_2 are not ordered by what they cost"):
        chosen(folder, tmp_path / "t")


def test_a_stream_needs_held_back_examples_of_its_own(folder: Path, tmp_path: Path) -> None:
    arrays = exits_arrays()

    def batches() -> Any:
        return iter([(arrays["x_train"], arrays["y_train"])])

    given = {"registry": REGISTRY, "verbose": 0}
    with pytest.raises(InputError, match="nothing can be held back from training data that is a stream"):
        reds_core.choose_thresholds(folder / "model.keras", batches, tmp_path / "t", **given)
    own = (arrays["x_test"], arrays["y_test"])
    found = reds_core.choose_thresholds(folder / "model.keras", batches, tmp_path / "t", validation_data=own, **given)
    assert (found.examples, found.policy.test) == (120, None)
    assert "There is no test data" in early_exit_page(found)


def test_held_back_examples_that_the_network_knows_are_noticed(folder: Path, tmp_path: Path) -> None:
    arrays, listener = exits_arrays(), Listener()
    model = exits_model()
    arrays["y_train"] = ExitsFramework().predict(model, arrays["x_train"])[-1].argmax(axis=1)
    parts = [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
    reds_core.choose_thresholds(model, parts, tmp_path / "t", holdout=HOLDOUT, registry=REGISTRY, watcher=listener)
    assert any("were probably training examples" in each for each in listener.warnings)


# --- the folder of a run ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A finished run whose full network has been given exits."""
    place = Workplace(tmp_path_factory.mktemp("run"))
    model = residual_model()
    ToyFramework().save_model(model, place.model)
    np.savez(place.data, **toy_arrays(model, train=300, test=100))
    with pytest.MonkeyPatch.context() as monkeypatch:
        skip_report(monkeypatch)
        place.prune(settings=dataclasses.replace(NO_TRAINING, seed=5, holdout=0.4))
    ExitsFramework().save_model(exits_model(), place.out / "nested.keras")
    ExitsFramework().save_model(exits_model(), place.out / "full-int8.tflite")
    plan = json.loads((place.out / "plan.json").read_text())
    plan["full"]["files"] = {"tflite_int8": "full-int8.tflite"}  # as plans of version 1 name the kind
    (place.out / "plan.json").write_text(json.dumps(plan))
    return place


def test_a_run_holds_back_what_it_held_back_in_training(run: Workplace, tmp_path: Path) -> None:
    found = reds_core.choose_thresholds(run.out, run.data, tmp_path / "t", registry=REGISTRY, verbose=0)
    with np.load(run.data) as arrays:
        data = split_validation(Arrays(arrays["x_train"], arrays["y_train"]), 0.4, 5)[1]
    known = answers(data)
    assert found.examples == 120
    assert [each.accuracy_held_back for each in found.exits] == pytest.approx(known.right.mean(axis=1).tolist())
    assert found.integers is not None
    assert found.integers.file == "full-int8.tflite"
    with pytest.raises(InputError, match=r"has held back 40.% of its data; leave out holdout"):
        reds_core.choose_thresholds(run.out, run.data, tmp_path / "u", holdout=0.2, registry=REGISTRY, verbose=0)


def test_costs_are_taken_from_the_profile_of_a_run(run: Workplace, tmp_path: Path) -> None:
    """The first record has no latencies of exits, the third is of another network."""
    counted = tuple(ExitFigures(name, instructions=count) for name, count in zip(EXITS, (10, 25, 40), strict=True))
    timed = tuple(ExitFigures(name, ns) for name, ns in zip(EXITS, (1e3, 3e3, 9e3), strict=True))
    used = Energy(0.9, "rapl", "here")
    records = (
        ProfileRecord("full-int8.tflite", "full", "c-engine", "cortex-m4", instructions=40, exits=counted),
        ProfileRecord("full-int8.tflite", "full", "c-engine", "host", 9e3, energy=used, exits=timed),
        ProfileRecord("subnet-50-int8.tflite", "50", "c-engine", "other", 9e3, exits=timed),
    )
    save_profiles(run.out, records)

    def costs(**changes: Any) -> tuple[list[float], str]:
        given: dict[str, Any] = {"registry": REGISTRY, "verbose": 0, "mode": "overwrite"}
        found = reds_core.choose_thresholds(run.out, run.data, tmp_path / "t", **(given | changes))
        return [each.cost for each in found.exits], found.cost_source

    assert costs(cost="latency") == ([1e3, 3e3, 9e3], "profile on c-engine, host")
    assert costs(cost="instructions", target_cost="30") == ([10, 25, 40], "profile on c-engine, cortex-m4")
    assert costs(cost="energy") == ([1e5, 3e5, 9e5], "profile on c-engine, host, rapl")
    assert costs(cost="latency", energy_model="nucleo-l4r5zi")[1].startswith("modelled")
    assert costs()[0] == list(COSTS)
    for changes, why in (
        ({"cost": "latency", "on": "litert"}, "no profile on litert states the latency up to each exit"),
        ({"cost": "latency", "on": "c-engine", "config": "other"}, "no profile on c-engine other states"),
        ({"on": "c-engine"}, "on has no effect, since cost is macs"),
        ({"cost": "instructions", "energy_model": "nucleo-l4r5zi"}, "energy_model has no effect, since cost is instr"),
        ({"cost": "latency", "on": "c-engine", "exit_costs": "1ms,2ms,3ms"}, "exit_costs and on both state costs"),
    ):
        with pytest.raises(InputError, match=why):
            costs(**changes)


def test_other_data_than_that_of_the_run_is_refused(run: Workplace, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not that of the run"):
        reds_core.choose_thresholds(run.out, folder / "data.npz", tmp_path / "t", registry=REGISTRY, verbose=0)


# --- the command and the file ----------------------------------------------------------------------------------------


@pytest.fixture
def exits_reds(reds: Reds) -> Reds:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ExitsFramework)))
    return reds


def test_the_command_prints_what_thresholds_reach(exits_reds: Reds, folder: Path, tmp_path: Path) -> None:
    given = (folder / "model.keras", "--data", folder / "data.npz", "--target-cost", "50%", "--holdout", HOLDOUT)
    shown = exits_reds("thresholds", *given, "--out", tmp_path / "t")
    assert shown.status == 0, shown.err
    assert all(word in shown.out for word in ("Margin", "Entropy", "Calibrated", "exit_1", "head", "MACs"))
    again = exits_reds("thresholds", *given, "--out", tmp_path / "t", "--overwrite", "--json")
    assert again.json == json.loads((tmp_path / "t" / "thresholds.json").read_text())
    exits_reds("thresholds", *given, "--out", tmp_path / "t").check_error(2, "add --overwrite")
    low = (*given[:4], "1%", "--out", tmp_path / "u")
    exits_reds("thresholds", *low).check_error(3, "give a higher --target-cost")


def test_the_report_is_written_again(found: tuple[ExitThresholds, Path]) -> None:
    path = found[1] / "report.html"
    before = path.read_text()
    path.unlink()
    assert reds_core.write_report(found[1]) == path
    assert path.read_text() == "a page" != before
    path.write_text(before)


def test_damaged_files_are_refused(found: tuple[ExitThresholds, Path], tmp_path: Path) -> None:
    content = json.loads((found[1] / "thresholds.json").read_text())
    path = tmp_path / "thresholds.json"
    damages: list[Any] = [
        {**content, "format": "reds-thresholds/9"},
        {**content, "measure": "none"},
        {**content, "policies": [{**content["policies"][0], "thresholds": [0.5]}]},
        {key: value for key, value in content.items() if key != "exits"},
        [],
    ]
    for damage in damages:
        path.write_text(json.dumps(damage))
        with pytest.raises(InputError, match="does not hold thresholds of format reds-thresholds/1"):
            load_thresholds(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_thresholds(tmp_path / "missing.json")
