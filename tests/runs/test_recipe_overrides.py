"""Whatever a recipe says, an option that is given on the command line wins, its own default included."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import typer.main
from command_line import Reds

from reds_core import cli
from reds_core.formulation.width_rules import WidthRules
from reds_core.runs.recipe import Recipe, load_recipe
from reds_core.runs.settings import RunSettings
from reds_core.system.files import write_text

BACK: dict[str, tuple[str, tuple[str, ...]]] = {
    "budget": ("budgets: {macs: 0.9, params: 0.9}", ("--budget", "macs=0.75,0.5,0.25")),
    "max_drop": ("max_drop: 1.0", ("--max-drop", "none", "--budget", "macs=0.75,0.5,0.25")),
    "max_drop_resource": ("max_drop_resource: params", ("--max-drop-resource", "none")),
    "max_drop_target": ("max_drop_target: tflite-int8", ("--max-drop-target", "none")),
    "max_drop_epochs": ("max_drop_epochs: 2", ("--max-drop-epochs", "none")),
    "pruner": ("pruner: layerwise", ("--pruner", "none")),
    "scorer": ("scorer: magnitude", ("--scorer", "taylor")),
    "score_level": ("score_level: kernel", ("--score-level", "channel")),
    "solver": ("solver: dp", ("--solver", "auto")),
    "holdout": ("holdout: 0", ("--holdout", "0.1")),
    "time_limit": ("time_limit_s: 5", ("--time-limit", "none")),
    "threads": ("threads: 2", ("--threads", "none")),
    "gap": ("gap: 0.01", ("--gap", "none")),
    "memory_limit": ("memory_limit: 2GiB", ("--memory-limit", "none")),
    "element_size": ("element_size_bytes: 4", ("--element-size", "1")),
    "latency_table": ("latency_table: t.json", ("--latency-table", "none")),
    "energy_model": ("energy_model: nucleo-l4r5zi", ("--energy-model", "none")),
    "imports": ("imports: [mine.py]", ("--import", "none")),
    "transforms": ("transforms: [weight-bits]", ("--transform", "none")),
    "realise": ("realise: fold", ("--realise", "drop")),
    "targets": ("targets: [tflite-int8]", ("--target", "none")),
    "exchange_rate": ("exchange_rate: 0.25", ("--exchange-rate", "none")),
    "calibrate": ("calibrate: 4", ("--calibrate", "none")),
    "keep": ("widths: {keep: [stem, head]}", ("--keep", "none")),
    "align": ("widths: {align: 8}", ("--align", "auto")),
    "min_width": ("widths: {min_width: 8}", ("--min-width", "1")),
    "max_options": ("widths: {max_options: 8}", ("--max-options", "512")),
    "skip_blocks": ("widths: {skip_blocks: true}", ("--no-skip-blocks",)),
    "loss": ("task: {loss: mean_squared_error}", ("--loss", "none")),
    "loss_weights": ("task: {loss_weights: all}", ("--loss-weights", "none")),
    "class_weight": ("class_weight: balanced", ("--class-weight", "none")),
    "task": ("task: {kind: embedding}", ("--task", "supervised")),
    "metric": ("task: {metric: top_k}", ("--metric", "none")),
    "seed": ("seed: 3", ("--seed", "0")),
    "int8": ("int8: separate", ("--int8", "shared")),
    "int8_drop": ("int8_drop: 1.0", ("--int8-drop", "none")),
    "fallback": ("int8_drop: 1.0\nfallback: float", ("--int8-drop", "none", "--fallback", "none")),
    "calibration": ("calibration: 64", ("--calibration", "none")),
    "stream": ("stream: true", ("--no-stream",)),
    "strict": ("strict: true", ("--no-strict",)),
    "finetune_epochs": ("finetune: {epochs: 0}", ("--finetune-epochs", "10")),
    "batch_size": ("finetune: {batch_size: 8}", ("--batch-size", "32")),
    "learning_rate": ("finetune: {learning_rate: 1}", ("--learning-rate", "0.003")),
    "optimizer": ("finetune: {optimizer: sgd}", ("--optimizer", "adam")),
    "momentum": ("finetune: {momentum: 0.5}", ("--momentum", "none")),
    "schedule": ("finetune: {schedule: step}", ("--schedule", "cosine")),
    "warmup_epochs": ("finetune: {warmup_epochs: 1}", ("--warmup-epochs", "0")),
    "weight_decay": ("finetune: {weight_decay: 0.1}", ("--weight-decay", "none")),
    "clip_norm": ("finetune: {clip_norm: 1}", ("--clip-norm", "none")),
    "patience": ("finetune: {patience: 3}", ("--patience", "none")),
    "augment": ("finetune: {augment: [flip, noise]}", ("--augment", "none")),
    "dropout": ("finetune: {dropout: 0.5}", ("--dropout", "0")),
    "precision": ("finetune: {precision: mixed_bfloat16}", ("--precision", "float32")),
    "distill": ("finetune: {distill: none}", ("--distill", "input")),
    "distill_weight": ("finetune: {distill_weight: 0.1}", ("--distill-weight", "0.5")),
    "distill_temperature": ("finetune: {distill_temperature: 1}", ("--distill-temperature", "4")),
    "members_per_step": ("finetune: {members_per_step: 2}", ("--members-per-step", "none")),
    "member_choice": ("finetune: {member_choice: sandwich}", ("--member-choice", "in-turn")),
    "anchor": ("finetune: {anchor: 0.01}", ("--anchor", "0")),
    "qat_activations": ("qat_activations: true", ("--no-qat-activations",)),
    "recalibrate": ("finetune: {recalibrate: false}", ("--recalibrate",)),
}
"""For each option what a recipe says, and the arguments that bring the default back."""

PLACES = {"model", "recipe", "data", "out", "option", "resume", "overwrite"}


@pytest.fixture
def asked(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `reds prune` asks for: of (text of a recipe, arguments)."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr("reds_core.runs.api.prune", lambda **given: seen.update(given))
    monkeypatch.setattr("reds_core.commands.console.print_plan", lambda *given: None)
    reds = Reds(capsys, monkeypatch)

    def ask(text: str, *arguments: object) -> Recipe:
        write_text(tmp_path / "r.yaml", text)
        outcome = reds("prune", "--recipe", tmp_path / "r.yaml", *arguments)
        assert outcome.status == 0, outcome.err
        recipe: Recipe = seen["recipe"]
        return recipe

    return ask


def test_no_option_is_left_out_here() -> None:
    command: Any = typer.main.get_command(cli.application())
    assert {p.name for p in command.commands["prune"].params} - {
        "help",
        "dry_run",
        "as_json",
        "quiet",
        "verbose",
        "input_shape",
        "no_int8",  # another form of int8
        "qat",  # a switch whose default is neither of its two forms
    } == set(BACK) | PLACES


@pytest.mark.parametrize("option", BACK)
def test_an_option_that_is_given_wins(asked: Any, option: str) -> None:
    text, arguments = BACK[option]
    recipe = asked(text)
    assert recipe.settings != RunSettings()
    assert asked(text, *arguments) == dataclasses.replace(recipe, settings=RunSettings())


@pytest.mark.parametrize("option", ["strict", "recalibrate", "qat"])
def test_both_forms_of_a_switch(asked: Any, option: str) -> None:
    for form, expected in ((f"--{option}", True), (f"--no-{option}", False)):
        for said in ("true", "false"):
            text = f"strict: {said}\nqat: {said}\nfinetune: {{recalibrate: {said}}}"
            settings = asked(text, form).settings
            found = {"strict": settings.strict, "recalibrate": settings.finetune.recalibrate}
            found["qat"] = settings.qat
            assert found == dict.fromkeys(found, said == "true") | {option: expected}


@pytest.mark.parametrize(
    ("said", "arguments", "int8"),
    [
        ("true", (), "shared"),
        ("shared", (), "shared"),
        ("separate", (), "separate"),
        ("false", (), False),
        ("no", (), False),
        ("false", ("--int8", "separate"), "separate"),
        ("shared", ("--no-int8",), False),
    ],
)
def test_int8_files_are_shared_separate_or_none(asked: Any, said: str, arguments: tuple[str, ...], int8: Any) -> None:
    assert asked(f"int8: {said}", *arguments).settings.int8 == int8


@pytest.mark.parametrize(("text", "align"), [("1", 1), ("16", 16), ("auto", None), ("none", None)])
def test_multiples_are_a_number_or_left_to_the_search(asked: Any, text: str, align: int | None) -> None:
    assert asked("widths: {align: 8, min_width: 2}", "--align", text).settings.widths == WidthRules(
        align=align, min_width=2
    )


def test_what_is_not_given_stays(asked: Any, tmp_path: Path) -> None:
    texts = [text for text, _ in BACK.values()]
    sections: dict[str, list[str]] = {}
    for text in texts:
        key, _, value = text.partition(": ")
        sections.setdefault(key, []).append(value.strip("{}"))
    merged = {
        key: f"{{{', '.join(v)}}}" if key in ("finetune", "widths", "task") else v[0] for key, v in sections.items()
    }
    merged["budgets"], merged["holdout"] = "{macs: 0.9}", "0.2"
    text = "\n".join(f"{key}: {value}" for key, value in {**merged, "model": "m.keras", "out": "there"}.items())
    assert asked(text) == load_recipe(tmp_path / "r.yaml")


def test_lists_are_replaced_and_options_of_plugins_merged(asked: Any) -> None:
    text = """
options: {taylor: {criterion: squared, batch_size: 8}, dp: {mode: exact}}
widths: {keep: [stem, head]}
finetune: {augment: [flip, noise]}
"""
    arguments = ("--option", "taylor.criterion=abs", "--keep", "out", "--augment", "shift", "--augment", "zoom=0.1")
    settings = asked(text, *arguments).settings
    assert settings.options == {"taylor": {"criterion": "abs", "batch_size": "8"}, "dp": {"mode": "exact"}}
    assert settings.widths.keep == ("out",)
    assert settings.finetune.augment == ("shift", "zoom=0.1")


def test_places_are_replaced(asked: Any, tmp_path: Path) -> None:
    text = "model: m.keras\ndata: mnist\nout: there"
    recipe = asked(text, "other.keras", "--data", "cifar10")
    assert (recipe.model, recipe.data) == ("other.keras", "cifar10")
    assert asked(text, "--data", "none").data is None


def test_none_without_a_recipe_is_the_default(asked: Any) -> None:
    arguments = [a for _, given in BACK.values() for a in given if given[-1] == "none"]
    assert len(arguments) == 2 * 30
    assert asked("seed: 0", *arguments).settings == RunSettings()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--patience", "soon"), "--patience.*'soon' is not a valid integer"),
        (("--patience", "0"), "the patience 0 is below 1"),
        (("--clip-norm", "much"), "--clip-norm.*'much' is not a valid float"),
        (("--threads", "1.5"), "--threads.*'1.5' is not a valid integer"),
        (("--time-limit", ""), "--time-limit is empty"),
        (("--augment", "none,flip"), "augmentation 'none' is unknown"),
        (("--data", "none"), "scorer 'taylor' needs training data"),
    ],
)
def test_what_is_neither_a_figure_nor_none(
    arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    Reds(capsys, monkeypatch)("prune", *arguments).check_error(2, why)
