"""`reds prune` and `reds extract` on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Outcome, Reds
from toy_framework import ToyFramework
from toy_plugins import FIRST_PARTY, HalfwaySolver, IdleSolver, PluginModule, ToyBits, ToyTarget
from toy_runs import Workplace

from reds_core.plan import ExtractionRecord, load_plan


def pruned(reds: Reds, place: Workplace, *more: object) -> Outcome:
    return reds("prune", place.model, "--data", place.data, "--out", place.out, *more)


def test_prune_with_its_defaults(reds: Reds, place: Workplace) -> None:
    outcome = pruned(reds, place)
    assert outcome.status == 0
    plan = load_plan(place.out)
    assert [s.name for s in plan.subnetworks] == ["25", "50", "75"]
    assert (plan.pruner, plan.scorer, plan.seed) == ("nested", "taylor", 0)
    for text in ("75", "50", "25", str(place.out)):
        assert text in outcome.out


def test_prune_takes_every_option(reds: Reds, place: Workplace) -> None:
    arguments = [
        *("--budget", "macs=0.6,0.3", "--budget", "peak_ram=160", "--pruner", "nested", "--scorer", "magnitude"),
        *("--solver", "brute", "--option", "magnitude.norm=l1", "--finetune-epochs", "1", "--batch-size", "8"),
        *(
            "--learning-rate",
            "0.01",
            "--optimizer",
            "sgd",
            "--momentum",
            "0.8",
            "--schedule",
            "step",
            "--warmup-epochs",
        ),
        *("0.5", "--weight-decay", "0.001", "--clip-norm", "2", "--patience", "3", "--augment", "flip,shift=0.2"),
        *("--augment", "noise", "--dropout", "0.5"),
        *("--precision", "mixed_bfloat16", "--distill", "input", "--distill-weight", "0.7"),
        *(
            "--members-per-step",
            "2",
            "--member-choice",
            "sandwich",
            "--anchor",
            "0.1",
            "--distill-temperature",
            "2",
            "--no-recalibrate",
            "--holdout",
            "0.2",
            "--time-limit",
            "5",
            "--threads",
            "1",
            "--gap",
            "0.01%",
            "--element-size",
            "4",
        ),
        *("--seed", "4", "--int8", "separate", "--calibration", "64"),
        *("--int8-drop", "99%", "--energy-model", "nucleo-l4r5zi", "--task", "supervised", "--realise", "drop"),
    ]
    assert pruned(reds, place, *arguments).status == 0
    options = load_plan(place.out).options
    assert options["budgets"] == ["macs=0.6,0.3", "peak_ram=160"]
    assert options["options"] == {"magnitude": {"norm": "l1"}}
    assert options["finetune"] == {
        "epochs": 1,
        "batch_size": 8,
        "learning_rate": 0.01,
        "optimizer": "sgd",
        "momentum": 0.8,
        "schedule": "step",
        "warmup_epochs": 0.5,
        "weight_decay": 0.001,
        "clip_norm": 2.0,
        "patience": 3,
        "augment": ["flip", "shift=0.2", "noise"],
        "dropout": 0.5,
        "precision": "mixed_bfloat16",
        "distill": "input",
        "distill_weight": 0.7,
        "distill_temperature": 2.0,
        "members_per_step": 2,
        "member_choice": "sandwich",
        "anchor": 0.1,
        "recalibrate": False,
    }
    assert (options["solver"], options["time_limit_s"], options["threads"]) == ("brute", 5.0, 1)
    assert options["gap"] == 1e-4
    assert (options["element_size_bytes"], options["holdout"], options["seed"]) == (4, 0.2, 4)
    assert (options["int8"], options["calibration"]) == ("separate", "64")
    assert options["int8_drop"] == 99.0
    assert options["task"] == {"loss": None, "metric": None, "loss_weights": None}
    assert options["energy_model"] == "board-model:nucleo-l4r5zi"


def test_int8_files_are_shared_separate_or_none(reds: Reds, place: Workplace) -> None:
    wrong = pruned(reds, place, "--int8", "both")
    wrong.check_error(2, "'both' is neither shared nor separate; give --int8 shared, --int8 separate or --no-int8")
    pruned(reds, place, "--int8", "shared", "--no-int8").check_error(2, "--int8 and --no-int8 cannot be combined")
    assert pruned(reds, place, "--no-int8").status == 0
    assert load_plan(place.out).options["int8"] is False
    assert not list(place.out.glob("*int8*"))


def test_the_plan_says_that_a_choice_was_taken_at_the_gap(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, HalfwaySolver)))
    arguments = ("--solver", "halfway", "--pruner", "oneshot", "--align", "1", "--finetune-epochs", "0")
    assert pruned(reds, place, *arguments, "--budget", "macs=0.5", "--gap", "0.5").status == 0
    (member,) = load_plan(place.out).subnetworks
    assert (member.status, member.limit, member.bound) == ("feasible", "gap", (member.value or 0) + 1)
    exact = reds("extract", place.out, "--budget", "macs=0.4", "--gap", "0", "--json").json
    assert (exact["status"], "limit" in exact) == ("optimal", False)
    again = reds("extract", place.out, "--budget", "macs=0.3", "--json").json
    assert (again["status"], again["limit"]) == ("feasible", "gap")


def test_prune_takes_transforms_and_targets(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, ToyBits, ToyTarget)))
    arguments = [
        *("--transform", "toy-bits", "--option", "toy-bits.levels=4,8", "--target", "toy-device"),
        *("--budget", "macs=0.5", "--budget", "weight_bytes=0.4", "--exchange-rate", "0.3"),
        *("--qat", "--qat-activations"),
    ]
    preview = pruned(reds, place, *arguments, "--dry-run")
    assert re.search(r"^inside +weight bits +[48]\s*$", preview.out, re.MULTILINE)
    outcome = pruned(reds, place, *arguments)
    assert outcome.status == 0, outcome.err
    assert re.search(r"\d×[48]", outcome.out)
    plan = load_plan(place.out)
    options = plan.options
    assert (options["transforms"], options["targets"]) == (["toy-bits"], ["toy-device"])
    assert (options["exchange_rate"], options["calibrate"]) == (0.3, None)
    assert (options["qat"], options["qat_activations"]) == (True, True)
    (member,) = plan.subnetworks
    assert member.settings
    assert reds("report", place.out).status == 0
    assert "Levels of each layer" in (place.out / "report.html").read_text()
    again = reds("prune", "--recipe", place.out / "recipe.yaml", "--out", place.folder / "again", "--json")
    assert again.json["subnetworks"][0]["settings"] == member.settings
    added = reds("extract", place.out, "--budget", "macs=0.7", "--json")
    assert added.json["settings"].keys() == dict(member.settings).keys()
    pruned(reds, place, *arguments, "--overwrite", "--transform", "toy-bit").check_error(2, "toy-bit")


def test_prune_without_a_model_trains_one_on_digits(reds: Reds, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    out = tmp_path / "out"
    assert reds("prune", "--out", out, "--finetune-epochs", "0").status == 0
    plan = load_plan(out)
    assert (plan.options["model"], plan.options["data"]) == (None, "digits")
    assert (out / "model.keras").exists()


def test_prune_refuses_resumes_and_overwrites(reds: Reds, place: Workplace) -> None:
    assert pruned(reds, place).status == 0
    pruned(reds, place).check_error(2, "holds a finished run; add --resume")
    assert pruned(reds, place, "--resume").status == 0
    pruned(reds, place, "--resume", "--seed", "1").check_error(2, "started with seed 0, not 1")
    assert pruned(reds, place, "--overwrite", "--seed", "1").status == 0
    assert load_plan(place.out).seed == 1


def test_a_resumed_run_takes_its_settings_from_the_folder(reds: Reds, place: Workplace) -> None:
    assert pruned(reds, place, "--seed", "3", "--min-width", "2").status == 0
    expected = load_plan(place.out)
    assert reds("prune", "--resume", "--out", place.out).status == 0
    assert load_plan(place.out) == expected
    assert reds("prune", "--resume", "--out", place.out, "--seed", "3").status == 0
    reds("prune", "--resume", "--out", place.out, "--seed", "0").check_error(2, "started with seed 3, not 0")
    reds("prune", "--resume", "--out", place.out, "--no-int8").check_error(2, "started with int8 shared, not")


def test_prune_skips_blocks_only_where_framework_and_strategy_can(reds: Reds, place: Workplace) -> None:
    cannot = "framework 'toy' does not remove residual blocks from models; leave out --skip-blocks"
    pruned(reds, place, "--skip-blocks").check_error(2, cannot)
    pruned(reds, place, "--skip-blocks", "--pruner", "uniform").check_error(2, "pruner 'uniform' cannot skip")
    assert pruned(reds, place, "--skip-blocks", "--no-skip-blocks").status == 0
    assert "skip_blocks" not in load_plan(place.out).options["widths"]


def test_prune_exit_statuses(reds: Reds, place: Workplace) -> None:
    pruned(reds, place, "--budget", "macs=0.001").check_error(
        3, "the least that can be reached is .*; raise the budget"
    )
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, IdleSolver)))
    pruned(reds, place, "--solver", "idle").check_error(4, "solver 'idle' stopped without a choice")


def test_prune_without_data(reds: Reds, place: Workplace) -> None:
    reds("prune", place.model, "--out", place.out).check_error(2, "scorer 'taylor' needs training data; give --data")
    arguments = ("--scorer", "magnitude", "--finetune-epochs", "0")
    assert reds("prune", place.model, "--out", place.out, *arguments).status == 0
    assert load_plan(place.out).full.accuracy.after is None


def test_prune_interrupted(reds: Reds, place: Workplace) -> None:
    class Interrupted(ToyFramework):
        def finetune(self, *arguments: Any) -> None:
            raise KeyboardInterrupt

    reds.install(PluginModule("toy", (*FIRST_PARTY, Interrupted)))
    pruned(reds, place).check_error(130, "interrupted; .* --resume")
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework)))
    pruned(reds, place).check_error(2, "holds an unfinished run; add --resume")
    assert pruned(reds, place, "--resume").status == 0


def test_prune_is_resumed_from_anywhere(reds: Reds, place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    arguments = ("--budget", "macs=0.6", "--finetune-epochs", "1", "--out")
    assert reds("prune", "model.keras", "--data", "data.npz", *arguments, "out").status == 0
    monkeypatch.chdir("/")
    assert reds("prune", *arguments, place.out, "--resume").status == 0
    reds("prune", "--data", "digits", *arguments, place.out, "--resume").check_error(2, "is not|features|shape")


def test_an_interrupted_extraction_says_how_it_continues(reds: Reds, place: Workplace) -> None:
    class Interrupted(ToyFramework):
        def load_model(self, path: Path) -> Any:
            raise KeyboardInterrupt

    pruned(reds, place)
    reds.install(PluginModule("toy", (*FIRST_PARTY, Interrupted)))
    reds("extract", place.out, "--budget", "macs=0.4", "--finetune-epochs", "2").check_error(
        130, "interrupted; run the same command again; a training continues after its last finished epoch"
    )


def test_extract(reds: Reds, place: Workplace) -> None:
    pruned(reds, place)
    outcome = reds("extract", place.out, "--budget", "macs=0.4")
    assert outcome.status == 0
    assert "40" in outcome.out
    assert [s.name for s in load_plan(place.out).subnetworks] == ["25", "40", "50", "75"]
    reds("extract", place.out, "--budget", "macs=0.4").check_error(
        2, "already holds a subnetwork '40'; choose another budget, or give --finetune-epochs to train it"
    )
    reds("extract", place.out, "--budget", "macs=0.001").check_error(3, "the least that can be reached")
    reds("extract", place.folder / "nowhere", "--budget", "macs=0.4").check_error(2, "holds no finished run")


def test_extract_says_what_is_not_trained_and_trains_it(reds: Reds, place: Workplace) -> None:
    pruned(reds, place)
    outcome = reds("extract", place.out, "--budget", "macs=0.4")
    assert "* " in next(line for line in outcome.out.splitlines() if line.startswith("40"))
    assert "* not trained: added after the run" in outcome.out
    assert "warning: subnetwork '40' was not trained" in outcome.err
    outcome = reds("extract", place.out, "--budget", "macs=0.4", "--finetune-epochs", 1)
    assert outcome.status == 0
    assert "not trained" not in outcome.out + outcome.err
    (member,) = [s for s in load_plan(place.out).subnetworks if s.name == "40"]
    assert member.extraction == ExtractionRecord("50", 1)


def test_extract_prints_the_record_as_json(reds: Reds, place: Workplace) -> None:
    pruned(reds, place)
    options = ("--solver", "brute", "--time-limit", 30, "--data", place.data, "--option", "tensorflow.x=1")
    reds("extract", place.out, "--budget", "macs=0.4", *options).check_error(2, "tensorflow")
    outcome = reds("extract", place.out, "--budget", "macs=0.4", *options[:-2], "--json")
    plan = json.loads((place.out / "plan.json").read_text())
    assert outcome.json == next(s for s in plan["subnetworks"] if s["name"] == "40")
    assert outcome.json["extraction"] == {"source": "50", "finetune_epochs": 0}
