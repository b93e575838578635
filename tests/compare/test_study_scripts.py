"""The studies of transforms and of pruners: their cells, what runs next, what is measured, and their pages."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmark_modules import benchmark_modules

from reds_core.errors import InputError, UnsupportedError
from reds_core.knapsack.solver import Solver
from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry
from reds_core.scoring.scorer import Scorer
from reds_core.transforms.transform import Transform

NAMES = (
    "cell_runs",
    "study",
    "study_files",
    "study_tables",
    "toolbox",
    "toolbox_cells",
    "toolbox_page",
    "mobilenetv2",
    "mobilenetv2_base",
    "mobilenetv2_cells",
    "mobilenetv2_page",
)


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    """The modules of the scripts, by name."""
    return benchmark_modules(NAMES)


def record(modules: dict[str, ModuleType], network: str, arm: str, budget: str, **more: Any) -> Any:
    """A record of a finished cell."""
    figures = modules["study_files"].FileFigures(40_960, 20_480, 10_240, 0.5, None)
    usage = {"usage": {"macs": 4_000_000, "weight_bytes": 50, "params": 30}}
    full = {"full_usage": {"macs": 10_000_000, "weight_bytes": 100, "params": 100}, "full_figures": figures}
    made = modules["study"].CellRecord(network, arm, budget, 0, 20, "2026-01-01", wall_s=1.0, cpu_s=1.0)
    found = {"accuracy": 0.75, "keras_accuracy": 0.77, "full_accuracy": 0.8, "figures": figures}
    found |= {"nonzero_weights": 38_100, "full_nonzero_weights": 100_000, "full_vector_weights": 10_000}
    return dataclasses.replace(made, **(usage | full | found | more))


def recorded(modules: dict[str, ModuleType]) -> Any:
    """What runs a cell in place of the study: it returns a record at once."""

    def perform(cell: Any, out: Path, registry: Registry) -> Any:
        return record(modules, "n", cell.arm, "b", epochs=cell.settings.finetune.epochs)

    return perform


def written(folder: Path, network: str, **predicted: list[int]) -> None:
    """Write predictions and labels, which are all 1."""
    for name, classes in predicted.items():
        np.savez_compressed(folder / f"{name}.npz", predicted=np.array(classes, np.uint8))
    np.savez_compressed(folder / f"{network}-labels.npz", labels=np.ones(4, np.uint8))


def test_every_cell_names_plugins_with_options_that_they_have(modules: dict[str, ModuleType]) -> None:
    registry = Registry()
    ours = record(modules, "mobilenetv2", "taylor-knapsack", "macs-50")
    cells = [*modules["toolbox_cells"].cells(), *modules["mobilenetv2_cells"].cells([ours])]
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        settings = cell.settings
        registry.create(Pruner, settings.pruner, settings.options)
        registry.create(Scorer, settings.scorer, settings.options)
        if settings.solver != "auto":
            registry.create(Solver, settings.solver, settings.options)
        for name in settings.transforms:
            if name in registry.available(Transform):
                registry.create(Transform, name, settings.options)


def test_transforms_that_save_no_macs_are_not_tried_at_a_budget_of_macs(modules: dict[str, ModuleType]) -> None:
    cells = modules["toolbox_cells"].cells()
    assert {cell.arm for cell in cells if cell.budget == "macs-50"} == {"widths", "low-rank", "widths-and-ranks"}
    assert {cell.seed for cell in cells if cell.network == "resnet8"} == {0, 1, 2}
    assert {cell.seed for cell in cells if cell.network == "ds-cnn-s"} == {0}
    quarter = [cell for cell in cells if cell.budget == "bytes-25"]
    others = [cell.seed for cell in cells if cell.budget != "bytes-25"]
    assert others == sorted(others)
    assert cells[len(others) :] == quarter
    assert {cell.seed for cell in quarter} == {0}
    alone = next(cell for cell in cells if cell.arm == "sparsity")
    assert alone.settings.widths.keep == ("*",)


def test_unstructured_pruning_waits_until_it_is_known_how_many_weights_stay(modules: dict[str, ModuleType]) -> None:
    cells = modules["mobilenetv2_cells"].cells
    ours = record(modules, "mobilenetv2", "taylor-knapsack", "macs-25")
    assert not [cell for cell in cells() if cell.arm == "magnitude-unstructured"]
    (masked,) = (cell for cell in cells([ours]) if cell.arm == "magnitude-unstructured")
    assert (masked.budget, masked.seed) == ("macs-25", 0)
    assert masked.settings.options["sparsity"] == {
        "sparsity": "69",
        "scope": "global",
    }  # 28,100 of 90,000 weights of kernels
    assert masked.settings.budgets == ("macs=100%",)


def test_all_methods_on_mobilenetv2_are_trained_in_the_same_way(modules: dict[str, ModuleType]) -> None:
    ours = record(modules, "mobilenetv2", "taylor-knapsack", "macs-50")
    cells = modules["mobilenetv2_cells"].cells([ours])
    assert len({cell.settings.finetune for cell in cells}) == 1
    assert {Path(cell.model).stem for cell in cells if cell.arm.startswith("slimming")} == {"slimming"}
    assert {Path(cell.model).stem for cell in cells if not cell.arm.startswith("slimming")} == {"base"}


def test_kept_channels_are_averaged_by_where_they_are(modules: dict[str, ModuleType]) -> None:
    groups = ("Conv1", "block_2_expand", "block_6_expand", "block_6_project", "Conv_1")
    wide = record(modules, "mobilenetv2", "l1-uniform", "macs-50", widths=dict.fromkeys(groups, 10))
    narrow = dict(zip(groups, (1, 2, 3, 4, 5), strict=True))
    records = [wide, record(modules, "m", "taylor-knapsack", "macs-50", widths=narrow)]
    page = modules["mobilenetv2_page"]
    made = page.kept_table(records, page.full_widths(records))
    assert "| 50 % | `taylor-knapsack` | 10 | 20 | 30 | 40 | 50 |" in made
    assert "| 50 % | `l1-uniform` | 100 | 100 | 100 | 100 | 100 |" in made


@pytest.fixture
def toy_cells(modules: dict[str, ModuleType], tmp_path: Path) -> list[Any]:
    """Two cells whose model file exists."""
    (tmp_path / "model").touch()
    settings = modules["mobilenetv2_cells"].settings_of(modules["mobilenetv2_cells"].ARMS["taylor-uniform"], 50, 0)
    given = ("b", 0, str(tmp_path / "model"), "data", settings)
    return [modules["study"].Cell("n", arm, *given) for arm in ("first", "second")]


@pytest.fixture
def toy_study(modules: dict[str, ModuleType], toy_cells: list[Any]) -> Any:
    """A study whose second cell exists once the first is recorded."""
    return modules["study"].study(
        "toy.py", lambda records: toy_cells if records else toy_cells[:1], lambda records, folder: "a page"
    )


def test_cells_run_once_and_further_cells_follow_from_records(
    modules: dict[str, ModuleType], toy_study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def perform(cell: Any, out: Path, registry: Registry) -> Any:
        ran.append(cell.arm)
        (out / "runs" / cell.name).mkdir(parents=True)
        return record(modules, "n", cell.arm, "b", epochs=cell.settings.finetune.epochs)

    monkeypatch.setattr(modules["study"], "perform", perform)
    toy_study.run(tmp_path / "out")
    assert ran == ["first", "second"]
    toy_study.run(tmp_path / "out")
    assert ran == ["first", "second"]
    assert len(toy_study.records.read(tmp_path / "out")) == 2
    toy_study.run(tmp_path / "out", epochs=1)
    assert ran == ["first", "second", "first", "second"]
    assert [*(tmp_path / "out" / "runs").iterdir()] == []


def test_records_and_the_page_are_kept_unless_the_training_is_another_one(
    modules: dict[str, ModuleType],
    toy_study: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(modules["study"], "perform", recorded(modules))
    study = dataclasses.replace(toy_study, page=tmp_path / "page.md", kept=tmp_path / "kept", out=tmp_path / "out")
    study.main(None, ["--epochs", "1"])
    assert not study.kept.exists()
    assert not study.page.exists()
    assert (tmp_path / "out-epochs1" / "page.md").exists()
    study.main(None, ["--cells", "n-first-*"])
    assert [each.arm for each in study.records.read(study.kept)] == ["first"]
    study.page.unlink()
    study.main(None, ["--from-records"])
    assert study.page.read_text() == "a page"
    capsys.readouterr()
    study.main(None, ["--plan"])
    assert capsys.readouterr().out.split() == [cell.name for cell in study.wanted([None])]
    with pytest.raises(SystemExit, match="no cell matches 'other'"):
        study.main(None, ["--cells", "other"])


def test_records_of_cells_that_are_not_run_again_stay(
    modules: dict[str, ModuleType], toy_study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted cell, and a folder with other cells, take nothing from what is kept."""
    study = dataclasses.replace(toy_study, page=tmp_path / "page.md", kept=tmp_path / "kept", out=tmp_path / "out")

    monkeypatch.setattr(modules["study"], "perform", recorded(modules))
    study.main(None, [])

    def interrupted(cell: Any, out: Path, registry: Registry) -> Any:
        (out / "runs" / cell.name).mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(modules["study"], "perform", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.main(None, ["--out", str(tmp_path / "other")])
    assert [each.arm for each in study.records.read(study.kept)] == ["first", "second"]
    assert len([*(tmp_path / "other" / "runs").iterdir()]) == 1


def test_a_cell_that_a_plugin_refuses_is_left_for_later(
    modules: dict[str, ModuleType],
    toy_study: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def perform(cell: Any, out: Path, registry: Registry) -> Any:
        raise UnsupportedError("it cannot do that", "do something else")

    monkeypatch.setattr(modules["study"], "perform", perform)
    toy_study.run(tmp_path / "out")
    assert "left for later, it cannot do that" in capsys.readouterr().out
    assert toy_study.records.read(tmp_path / "out") == ()


def test_cells_without_their_model_or_their_transforms_cannot_run_yet(
    modules: dict[str, ModuleType], toy_cells: list[Any]
) -> None:
    why = modules["study"].why_not_yet
    assert why(toy_cells[0], Registry()) is None
    missing = dataclasses.replace(toy_cells[0], model="nowhere.keras")
    assert "does not exist" in str(why(missing, Registry()))
    with pytest.raises(InputError, match=r"nowhere\.keras does not exist"):
        modules["study"].perform(missing, Path("out"), Registry())
    joint = next(cell for cell in modules["toolbox_cells"].cells() if cell.arm == "joint")
    assert "low-rank, sparsity, clustering, weight-bits is not installed" in str(why(joint, Registry([])))


def test_zipped_bytes_fall_with_zeros_and_are_always_the_same(modules: dict[str, ModuleType]) -> None:
    dense = np.random.default_rng(0).integers(-127, 128, 10_000).astype(np.int8)
    sparse = np.where(np.arange(10_000) % 4 == 0, dense, 0).astype(np.int8)
    zipped_bytes = modules["study_files"].zipped_bytes
    assert zipped_bytes(sparse.tobytes()) < 0.5 * zipped_bytes(dense.tobytes())
    assert zipped_bytes(dense.tobytes()) == zipped_bytes(dense.tobytes())


def test_latency_is_a_ratio_of_blocks_in_turn(modules: dict[str, ModuleType]) -> None:
    calls: list[str] = []
    modules["study_files"].ratio_in_turn(lambda: calls.append("a"), lambda: calls.append("b"), blocks=2, runs=1)
    assert calls == ["a", "a", "b", "b"] * 2
    few, many = (lambda: sum(range(1_000))), (lambda: sum(range(100_000)))
    assert modules["study_files"].ratio_in_turn(few, many, blocks=3, runs=2) < 0.5


def test_images_are_shifted_and_flipped_by_the_epoch_alone(modules: dict[str, ModuleType]) -> None:
    images = np.zeros((200, 32, 32, 3), np.uint8)
    images[:, 10, 12] = 255
    shown = modules["mobilenetv2_base"].augmented(images, np.random.default_rng((0, 3)))
    again = modules["mobilenetv2_base"].augmented(images, np.random.default_rng((0, 3)))
    assert shown.dtype == np.float32
    assert np.array_equal(shown, again)
    _, rows, columns = np.nonzero(shown[..., 0])
    assert len(rows) == 200
    assert {*rows.tolist()} == {*range(6, 15)}
    assert {*columns.tolist()} == {*range(8, 17), *range(15, 24)}  # column 12, and 19 where it was flipped


def test_the_learning_rate_rises_and_then_falls_to_zero(modules: dict[str, ModuleType]) -> None:
    base = modules["mobilenetv2_base"]
    rates = [base.rate_at(step, 10, 20) for step in range(200)]
    assert rates[0] == pytest.approx(base.LEARNING_RATE / 50)
    assert max(rates) == rates[50] == pytest.approx(base.LEARNING_RATE)
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] < 1e-3 * base.LEARNING_RATE


def test_the_toolbox_page_shows_what_the_records_say(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    written(tmp_path, "resnet8", joint=[1, 1, 1, 0], widths=[1, 0, 1, 0])
    records = [
        record(modules, "resnet8", "joint", "bytes-50", predictions="joint.npz"),
        record(modules, "resnet8", "widths", "bytes-50", predictions="widths.npz", accuracy=0.5),
        record(modules, "resnet8", "sparsity", "bytes-50", infeasible="it is too large", accuracy=None, figures=None),
    ]
    text = modules["toolbox_page"].page(records, tmp_path)
    assert "| `widths` | 50.0 (1) | 77.0 | 50.0 | 40.0 | 40.0 KiB | 20.0 KiB | 10.0 KiB | 0.50 | – | 4.68 |" in text
    assert "| `sparsity` | infeasible |" in text
    assert "- `sparsity` is infeasible: it is too large." in text
    assert "| `clustering` | not run yet |" in text
    assert "| `widths` | 1 run | +25.00 ± " in text
    assert "undecided (+25.0 ± " in text
    assert "yes, it alone is infeasible" in text
    assert f"3 of {len(modules['toolbox_cells'].cells())} runs are recorded so far" in text
    assert "Nothing has run yet" in modules["toolbox_page"].page([], tmp_path)


def test_the_page_of_pruners_tests_each_statement(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    written(tmp_path, "mobilenetv2", ours=[1, 1, 1, 1], l1=[0, 0, 0, 0])
    records = [
        record(modules, "mobilenetv2", "taylor-knapsack", "macs-50", predictions="ours.npz", accuracy=1.0),
        record(modules, "mobilenetv2", "l1-uniform", "macs-50", predictions="l1.npz", accuracy=0.0),
    ]
    text = modules["mobilenetv2_page"].page(records, tmp_path)
    assert "| `l1-uniform` | 0.0 (1) | 77.0 | 40.0 | 38 | 50.0 |" in text
    assert "(`taylor-knapsack`, `l1-uniform`) | yes (+100.0 ± 0.0) | not run yet |" in text
    assert "(`fpgm-uniform`, `l1-uniform`) | not run yet | not run yet |" in text
    assert "2 of 44 runs are recorded so far" in text
    assert "second training" not in text
    assert "Nothing has run yet" in modules["mobilenetv2_page"].page([], tmp_path)


def test_the_page_says_that_masks_were_made_on_another_training(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    written(tmp_path, "mobilenetv2", masked=[1, 0, 1, 1], ours=[1, 1, 1, 1])
    page = modules["mobilenetv2_page"].page

    def made(arm: str, full_accuracy: float, name: str) -> Any:
        changes = {"predictions": f"{name}.npz", "full_accuracy": full_accuracy}
        return record(modules, "mobilenetv2", arm, "macs-50", **changes)

    ours = made("taylor-knapsack", 0.9, "ours")
    text = page([ours, made("magnitude-unstructured", 0.88, "masked")], tmp_path)
    assert "prunes a second training of the given network**, of 88.0 % on the test set" in text
    assert "contain 2.0 points" in text
    for records in ([ours], [ours, made("magnitude-unstructured", 0.9, "masked")]):
        assert "second training" not in page(records, tmp_path)


def test_means_have_their_spread_and_the_number_of_runs_if_some_are_missing(modules: dict[str, ModuleType]) -> None:
    mean_text = modules["study_tables"].mean_text
    assert mean_text([0.5, 0.7], 1, 100, 2) == "60.0 ± 14.1"
    assert mean_text([0.5], 1, 100, 3) == "50.0 (1)"
    assert mean_text([], 1) == "–"
