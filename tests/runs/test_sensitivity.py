"""`reds sensitivity` on a toy model: what is measured, which files it writes, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Reds
from rounding import EvenTarget, Rounding
from toy_framework import ToyFramework, residual_model, toy_arrays
from toy_plugins import FIRST_PARTY, PluginModule, toy_registry
from toy_runs import Listener, Workplace, make_workplace

import reds_core
from reds_core.errors import InputError
from reds_core.report.sensitivity_figure import columns_of, rise_text, rows_of
from reds_core.scoring.sensitivity_table import LayerSensitivity, SensitivityTable, load_sensitivity

REGISTRY = toy_registry(Rounding, EvenTarget)
SITES = ["stem", "inside", "out", "head"]


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return make_workplace(tmp_path)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the picture, which takes longer than all measurements."""
    monkeypatch.setattr("reds_core.runs.sensitivity.sensitivity_figure", lambda table: None)
    monkeypatch.setattr("reds_core.runs.sensitivity.save_figure", lambda figure, path: path.write_bytes(b"picture"))


def measured(place: Workplace, **changes: Any) -> SensitivityTable:
    given: dict[str, Any] = {"transforms": "rounding", "out": place.out, "registry": REGISTRY, "verbose": 0}
    return reds_core.sensitivity(place.model, place.data, **(given | changes))


@pytest.mark.usefixtures("undrawn")
def test_levels_of_every_layer_are_measured_and_written(place: Workplace) -> None:
    table = measured(place, seed=4)
    assert load_sensitivity(place.out / "sensitivity.json") == table
    assert sorted(p.name for p in place.out.iterdir()) == ["sensitivity.json", "sensitivity.png"]
    assert [(each.layer, each.kind, each.what) for each in table.layers] == [(s, "dense", "steps") for s in SITES]
    assert all(each.levels == (1, 2, 8) for each in table.layers)
    assert all(each.losses[-1] == table.base_loss for each in table.layers)
    assert all(list(each.rises) == sorted(each.rises, reverse=True) and each.rises[-1] == 0 for each in table.layers)
    assert any(each.rises[0] > 0.01 for each in table.layers)
    assert [(left.layer, left.what, left.reason) for left in table.left_out] == [("norm", "steps", "it has no kernel")]
    assert (table.transforms, table.targets, table.seed, table.examples) == (("rounding",), (), 4, 54)
    assert table.versions["toy"] == "1.0"


@pytest.mark.usefixtures("undrawn")
def test_the_same_seed_measures_the_same(place: Workplace) -> None:
    first = measured(place, examples=20)
    assert first.examples == 20
    assert measured(place, examples=20, mode="overwrite") == first
    assert measured(place, examples=20, seed=1, mode="overwrite").base_loss != first.base_loss


@pytest.mark.usefixtures("undrawn")
def test_levels_that_no_target_realises_are_not_measured(place: Workplace) -> None:
    options = {"rounding": {"most": "3"}}
    table = measured(place, targets=["even"], options=options)
    assert {each.layer: each.levels for each in table.layers} == dict.fromkeys(SITES[1:], (2, 8))
    assert {left.layer: left.reason for left in table.left_out} == {
        "stem": "target 'even': the stem is copied",
        "norm": "it has no kernel",
    }
    assert (table.targets, table.options) == (("even",), options)


@pytest.mark.usefixtures("undrawn")
def test_objects_are_measured_like_files(place: Workplace) -> None:
    arrays = toy_arrays(residual_model())
    data = (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    told: list[tuple[int, int]] = []
    found = reds_core.sensitivity(
        residual_model(), data, ["rounding"], place.out, registry=REGISTRY, told=lambda *done: told.append(done)
    )
    whole = measured(place, out=place.folder / "file")
    assert found.layers == whole.layers
    assert (found.model != whole.model, len(found.model)) == (True, 64)
    assert told == [(k, 9) for k in range(1, 10)]


@pytest.mark.usefixtures("undrawn")
def test_a_finished_measurement_is_not_replaced_unless_asked(place: Workplace) -> None:
    measured(place)
    before = (place.out / "sensitivity.json").read_bytes()
    with pytest.raises(InputError, match=r"holds a finished measurement; add mode=\"overwrite\""):
        measured(place, seed=1)
    assert (place.out / "sensitivity.json").read_bytes() == before
    assert measured(place, seed=1, mode="overwrite").seed == 1


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"transforms": ()}, "no transform is given"),
        ({"transforms": ["rounding", "rounding"]}, "transforms names 'rounding' twice"),
        ({"transforms": "roundin"}, "did you mean 'rounding'"),
        ({"targets": "odd"}, "target 'odd'"),
        ({"examples": 0}, "cannot be measured on 0 examples"),
        ({"mode": "resume"}, "a measurement cannot be resumed"),
        ({"out": ""}, "out is empty"),
        ({"options": {"rounding": {"most": "x"}}}, "rounding.most"),
        ({"options": {"taylor": {"batch_size": "4"}}}, "taylor"),
        ({"options": {"rounding": {"most": "0"}}}, "transform 'rounding' has no choice for any layer"),
    ],
    ids=str,
)
def test_bad_input_is_refused_and_nothing_is_written(place: Workplace, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        measured(place, **changes)
    assert not place.out.exists()


def test_without_matplotlib_the_table_is_written_alone(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    listener = Listener()
    measured(place, watcher=listener)
    assert sorted(p.name for p in place.out.iterdir()) == ["sensitivity.json"]
    assert any("no picture is drawn: reports need matplotlib" in text for text in listener.warnings)


def test_the_command_prints_a_table_and_draws_a_picture(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, Rounding, EvenTarget)))
    asked = ("sensitivity", place.model, "--data", place.data, "--transform", "rounding", "--out", place.out)
    done = reds(*asked)
    assert done.status == 0, done.err
    table = load_sensitivity(place.out / "sensitivity.json")
    lines = done.out.splitlines()
    assert lines[0].split() == ["layer", "steps", "1", "steps", "2"]
    assert [line.split() for line in lines[1:5]] == [
        [each.layer, *(rise_text(rise) for rise in each.rises[:-1])] for each in table.layers
    ]
    assert "without levels: norm (it has no kernel)" in done.out
    assert (place.out / "sensitivity.png").read_bytes().startswith(b"\x89PNG")
    reds(*asked).check_error(2, "holds a finished measurement; add --overwrite")
    again = reds(*asked, "--overwrite", "--json", "--target", "even")
    assert again.json == json.loads((place.out / "sensitivity.json").read_text())
    reds(*asked, "--overwrite", "--option", "rounding.most=0").check_error(2, "has no choice for any layer")


def sample() -> SensitivityTable:
    layers = (
        LayerSensitivity("a", "Conv2D", "bits", (2, 4, 8), (1.5, 1.03, 1.0), (0.5, 0.03, 0.0)),
        LayerSensitivity("a", "Conv2D", "rank", (1, 9), (1.2, 1.0), (0.2, 0.0)),
        LayerSensitivity("b", "Dense", "bits", (4, 8), (1.0, 1.0), (0.0, 0.0)),
    )
    return SensitivityTable("net", "m", "d", ("bits", "rank"), (), {}, 10, 0, 1.0, layers, (), {})


def test_rows_are_layers_and_columns_are_levels_that_cost_something() -> None:
    assert columns_of(sample()) == (("bits", 2), ("bits", 4), ("rank", 1))
    assert rows_of(sample()) == {"a": {("bits", 2): 0.5, ("bits", 4): 0.03, ("rank", 1): 0.2}, "b": {("bits", 4): 0.0}}
    rises = (0, 0.00001, 0.0123, 0.5, 12.34, 1234.5)
    assert [rise_text(rise) for rise in rises] == ["0", "<0.0001", "0.012", "0.5", "12", "1234"]


def test_the_picture_holds_each_rise_and_leaves_other_cells_empty() -> None:
    pytest.importorskip("matplotlib")
    from reds_core.report.sensitivity_figure import sensitivity_figure

    (axes,) = sensitivity_figure(sample()).axes
    texts = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
    assert texts == {(0, 0): "0.5", (0, 1): "0.03", (0, 2): "0.2", (1, 1): "0"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["bits\n2", "bits\n4", "rank\n1"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda plain: plain | {"format": "reds-sensitivity/2"}, "does not hold sensitivities of format"),
        (lambda plain: plain | {"more": 1}, "does not hold sensitivities"),
        (lambda plain: {k: v for k, v in plain.items() if k != "base_loss"}, "does not hold sensitivities"),
        (lambda plain: plain | {"layers": [plain["layers"][0] | {"losses": [1.0]}]}, "does not hold sensitivities"),
        (lambda plain: [plain], "does not hold sensitivities"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, change: Any, why: str) -> None:
    path = tmp_path / "sensitivity.json"
    path.write_text(json.dumps(change(json.loads(json.dumps(dataclasses.asdict(sample()))))))
    with pytest.raises(InputError, match=why):
        load_sensitivity(path)
    path.write_text("{")
    with pytest.raises(InputError, match="does not hold sensitivities"):
        load_sensitivity(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_sensitivity(tmp_path / "missing.json")


@pytest.mark.usefixtures("undrawn")
def test_the_file_follows_its_schema(place: Workplace) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    measured(place)
    schemas = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
    schema = json.loads((schemas / "reds-sensitivity-1.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    content = json.loads((place.out / "sensitivity.json").read_text())
    validator.validate(content)
    assert not validator.is_valid(content | {"more": 1})


def test_losses_that_are_not_finite_are_refused(place: Workplace) -> None:
    model = residual_model()
    model.weights["head/bias"][:] = np.nan
    ToyFramework().save_model(model, place.model)
    with pytest.raises(InputError, match="not a finite number"):
        measured(place)
    assert not place.out.exists()
