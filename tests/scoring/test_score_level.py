"""Scores of kernels, from the command line to the problem, the plan and a further member; curves on the same way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Reds
from toy_framework import ToyFramework, describe, residual_model
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, Workplace

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.task import Task
from reds_core.knapsack.file import load_problem, save_problem
from reds_core.runs.checkpoint import load_scores, save_scores
from reds_core.runs.extraction import extract
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.runs.folder import SCORES_FILE
from reds_core.runs.formulating import formulate_model
from reds_core.scoring.scorer import ScoreLevel, Scorer, ScoreTable, check_level, parse_level, score
from reds_core.watcher import Watcher


@pytest.fixture
def reds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Reds:
    monkeypatch.setenv("COLUMNS", "200")
    return Reds(capsys, monkeypatch)


KERNELS = replace(NO_TRAINING, score_level=ScoreLevel.KERNEL)


def test_kernel_scores_are_saved_with_the_problem(place: Workplace, tmp_path: Path) -> None:
    stated = formulate_model(
        place.model,
        None,
        {"macs": 0.5},
        scorer="magnitude",
        score_level=ScoreLevel.KERNEL,
        options={"magnitude": {"normalise": "none"}},
        registry=toy_registry(),
    )
    save_problem(stated.problem, tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz", allow_pickle=False) as arrays:
        header = json.loads(str(arrays["header"][()]))
        kernel = arrays["kernel/0"]
    assert header["pairs"] == [["stem", "inside"]]
    weights = ToyFramework().load_model(place.model).weights
    squares = np.square(weights["inside/kernel"].astype(float)) + np.square(weights["out/kernel"].astype(float)).T
    np.testing.assert_allclose(kernel, squares[np.ix_(stated.order["stem"], stated.order["inside"])])
    values = load_problem(tmp_path / "p.npz").pairs[0].values
    assert values is not None
    assert values[-1, -1] > 0


def test_the_value_is_what_the_subnetwork_holds(place: Workplace) -> None:
    """Summed weight by weight over what `extract` leaves of the kernels."""
    stated = formulate_model(
        place.model,
        None,
        {"macs": 0.5},
        scorer="magnitude",
        score_level=ScoreLevel.KERNEL,
        options={"magnitude": {"normalise": "none"}},
        registry=toy_registry(),
    )
    model = ToyFramework().load_model(place.model)

    def held(widths: dict[str, int]) -> float:
        kept = {g: stated.order[g][:w] for g, w in widths.items()}
        small = ToyFramework().extract(model, describe(model), kept)
        return sum(float(np.square(w.astype(float)).sum()) for name, w in small.weights.items() if "kernel" in name)

    full = held({"stem": 6, "inside": 5})
    for choice in ([0, 0], [2, 4], [5, 0], [3, 2]):
        value = stated.problem.evaluate(choice).value
        assert value / 2**31 == pytest.approx(held(stated.problem.widths(choice)) / full, abs=1e-6)


def test_a_run_at_kernel_level_resumes_into_the_same_plan_and_extracts(place: Workplace) -> None:
    plan = place.prune(settings=KERNELS, data=None)
    assert plan.options["score_level"] == "kernel"
    assert [s.gap for s in plan.subnetworks] == [0, 0, 0]
    assert set(load_scores(place.out / SCORES_FILE).pairs) == {("stem", "inside"), ("inside", "stem")}
    again = place.resume(settings=KERNELS, data=None)
    assert again == plan
    record = extract(place.out, ExtractionRequest(("macs=0.4",)), toy_registry(), Watcher())
    smaller, larger = plan.subnetworks[:2]
    for group, width in record.widths.items():
        assert smaller.widths[group] <= width <= larger.widths[group]


def test_another_level_is_another_run(place: Workplace) -> None:
    place.prune(settings=NO_TRAINING, data=None)
    with pytest.raises(InputError, match="score_level"):
        place.resume(settings=KERNELS, data=None)


@pytest.mark.parametrize("scorer", ["fisher", "bn-scale", "fpgm", "mean-activation", "apoz", "random", "sensitivity"])
def test_scorers_of_channels_say_so_before_anything_is_written(place: Workplace, scorer: str) -> None:
    message = f"'{scorer}' does not support the score level 'kernel'; give score_level="
    with pytest.raises(UnsupportedError, match=message):
        place.prune(settings=replace(KERNELS, scorer=scorer))
    assert not place.out.exists()


def test_the_command_line_takes_a_level(reds: Reds, place: Workplace, tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    stated = ["formulate", place.model, "--budget", "macs=0.5", "--scorer", "magnitude", "--out", path]
    assert reds(*stated, "--score-level", "kernel").status == 0
    assert load_problem(path).pairs[0].kernel is not None
    assert reds(*stated).status == 0
    assert load_problem(path).pairs[0].kernel is None
    wrong = reds(*stated, "--score-level", "layer")
    wrong.check_error(2, "score level 'layer' is unknown; give channel or kernel")
    pruned = ["prune", place.model, "--scorer", "magnitude", "--finetune-epochs", "0", "--budget", "macs=0.5"]
    assert reds(*pruned, "--out", tmp_path / "out", "--score-level", "kernel").status == 0
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert plan["options"]["score_level"] == "kernel"


def test_levels_by_name() -> None:
    assert [parse_level(name) for name in ("channel", "kernel")] == list(ScoreLevel)
    with pytest.raises(InputError, match="score level 'Kernel' is unknown; give channel or kernel"):
        parse_level("Kernel")


class Curved(Scorer):
    """Gives what it is told to."""

    name = "curved"
    needs_data = False
    table: ScoreTable

    def score(self, *arguments: Any) -> ScoreTable:
        return self.table


@pytest.mark.parametrize(
    ("curves", "why"),
    [
        ({"stem": np.zeros(5)}, r"the curve of group 'stem' no float64 scores of shape \(6,\)"),
        ({"stem": np.zeros(6, np.float32)}, r"the curve of group 'stem' no float64 scores"),
        ({"stem": np.full(6, np.nan)}, r"the curve of group 'stem' scores that are not finite"),
        ({"stern": np.zeros(6)}, r"'stern', which is not a group"),
    ],
)
def test_curves_are_checked(curves: Any, why: str) -> None:
    model = residual_model()
    scorer = Curved()
    scorer.table = ScoreTable({"stem": np.zeros(6), "inside": np.zeros(5)}, curves=curves)
    with pytest.raises(Exception, match=why):
        score(scorer, ToyFramework(), model, describe(model), None, Task())


def test_a_level_that_is_not_declared_is_never_asked() -> None:
    with pytest.raises(UnsupportedError, match='give score_level="channel"'):
        check_level(Curved(), ScoreLevel.KERNEL)


def test_curves_are_saved_and_loaded(tmp_path: Path) -> None:
    table = ScoreTable({"a/b": np.arange(3.0)}, {}, {"a/b": np.array([0.0, 0.5, 0.25])})
    save_scores(tmp_path / "s.npz", table)
    loaded = load_scores(tmp_path / "s.npz")
    np.testing.assert_array_equal(loaded.curves["a/b"], table.curves["a/b"])
    np.testing.assert_array_equal(loaded.channels["a/b"], table.channels["a/b"])
