"""The settings of a run as keyword arguments, and the forms of budgets and modes."""

from __future__ import annotations

import inspect
import re
import typing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_framework import residual_model, toy_arrays
from toy_plugins import toy_registry
from toy_runs import Workplace

import reds_core
from reds_core.commands.prune import OPTIONS
from reds_core.errors import InputError
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.finetuning import FinetuneSettings, Precision, Schedule, Teacher
from reds_core.runs.forms import mode_of, texts_of
from reds_core.runs.options import LatencyOptions, PruneOptions, WidthOptions, argument_places, changed
from reds_core.runs.settings import RunSettings
from reds_core.scoring.scorer import ScoreLevel

OTHER_NAMES = {"budget": "budgets", "option": "options", "metric": "metrics"}
PARAMETERS = set(inspect.signature(reds_core.prune).parameters)
KEYWORDS = set(PruneOptions.__annotations__)


def test_options_of_the_command_line_and_arguments_are_the_same() -> None:
    options = {OTHER_NAMES.get(option.name, option.name) for option in OPTIONS.all}
    assert options - PARAMETERS - KEYWORDS == set()
    assert KEYWORDS - options == set()
    assert set() == KEYWORDS & PARAMETERS


def test_arguments_lead_to_the_fields_that_their_options_set() -> None:
    places = argument_places(RunSettings)
    for option in OPTIONS.all:
        name = OTHER_NAMES.get(option.name, option.name)
        if name != "metrics":  # of the task, together with objects
            assert places[name][0] == option.path
    assert set(places) >= KEYWORDS


def described(options: type[Any]) -> dict[str, str]:
    section = (inspect.getdoc(options) or "").partition("\nAttributes:\n")[2]
    return dict(re.findall(r"^    (\w+): (.*)$", section, re.MULTILINE))


@pytest.mark.parametrize("options", [LatencyOptions, PruneOptions, WidthOptions])
def test_every_argument_is_described(options: type[Any]) -> None:
    assert set(described(options)) == set(typing.get_type_hints(options))


def test_values_are_converted_to_the_types_of_the_settings(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "keep": "stem*",
        "align": "auto",
        "min_width": np.int64(4),
        "skip_blocks": True,
        "score_level": "kernel",
        "time_limit": 2,
        "memory_limit": 2**20,
        "gap": 0.01,
        "element_size": 4,
        "latency_table": tmp_path / "t.json",
        "energy_model": "NUCLEO-L4R5ZI",
        "int8": False,
        "learning_rate": np.float32(0.5),
        "schedule": "step",
        "precision": Precision.BFLOAT16,
        "distill": "none",
        "augment": "flip,shift=0.1",
        "patience": None,
        "finetune_epochs": 3,
    }
    assert changed(RunSettings(widths=WidthRules(align=8)), given) == RunSettings(
        widths=WidthRules(("stem*",), None, 4, skip_blocks=True),
        score_level=ScoreLevel.KERNEL,
        time_limit_s=2.0,
        memory_limit="1048576",
        gap=0.01,
        element_size_bytes=4,
        latency_table=str(tmp_path / "t.json"),
        energy_model="board-model:nucleo-l4r5zi",
        int8=False,
        finetune=FinetuneSettings(
            epochs=3,
            learning_rate=0.5,
            schedule=Schedule.STEP,
            precision=Precision.BFLOAT16,
            distill=Teacher.NONE,
            augment=("flip", "shift=0.1"),
        ),
    )
    assert changed(RunSettings(), {"keep": ["a", "b"]}).widths.keep == ("a", "b")
    assert [changed(RunSettings(), {"int8": given}).int8 for given in (True, "shared", "separate", False)] == [
        *("shared", "shared", "separate", False)
    ]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"learning_rate": "fast"}, "learning_rate is 'fast', not a number; give a number"),
        ({"batch_size": 1.5}, "batch_size is 1.5, not a whole number"),
        ({"batch_size": True}, "batch_size is True, not a whole number"),
        ({"holdout": None}, "holdout is None, not a number"),
        ({"schedule": "cosin"}, 'schedule is \'cosin\', not one of "cosine", "constant", "step", "exponential"'),
        ({"int8": "no"}, 'int8 is \'no\', not one of "shared", "separate", True or False'),
        ({"int8": 1}, 'int8 is 1, not one of "shared", "separate", True or False'),
        ({"keep": 3}, "keep is 3, not a string or a list of strings"),
        ({"keep": [3]}, "keep is 3, not a string or a list of strings"),
        ({"min_width": 0}, "the smallest width 0 is below 1"),
        ({"seed": "x"}, "seed is 'x', not a whole number"),
        ({"pruner": 3}, "pruner is 3, not a string"),
        ({"solver": None}, "solver is None, not a string"),
        ({"gap": "1%"}, "gap is '1%', not a number"),
        ({"gap": -0.1}, "the gap -0.1 is not a finite share of at least 0"),
        ({"time_limit": float("nan")}, "time_limit is nan, not a number"),
        ({"align": "8"}, "align is '8', not a whole number or \"auto\""),
        ({"memory_limit": 1.5}, "memory_limit is 1.5, not a whole number of bytes or a string such as"),
    ],
)
def test_wrong_arguments_are_refused_by_name(given: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)):
        changed(RunSettings(), given)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("learning_rte", "did you mean learning_rate?"),
        ("epochs", "did you mean finetune_epochs?"),
        ("metric", "did you mean metrics?"),
        ("callback", "did you mean callbacks?"),
        ("validation", "did you mean validation_data?"),
        ("more", "did you mean mode?"),
        ("zzz", "see `help(reds_core.prune)`"),
    ],
)
def test_an_unknown_argument_is_refused_with_the_one_that_was_meant(name: str, fix: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"`prune` has no argument '{name}'; {fix}")):
        reds_core.prune("m.keras", "d.npz", 0.5, **{name: 1})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("budgets", "texts"),
    [
        (0.5, ("macs=0.5",)),
        (np.float64(0.25), ("macs=0.25",)),
        (1, ("macs=1",)),
        ("50%", ("macs=50%",)),
        ("0.5,0.25", ("macs=0.5,0.25",)),
        ([0.5, 0.25], ("macs=0.5,0.25",)),
        (np.array([0.5, 0.25]), ("macs=0.5,0.25",)),
        (np.array(0.5), ("macs=0.5",)),
        ({"macs": np.array(0.5)}, ("macs=0.5",)),
        ("macs=0.5", ("macs=0.5",)),
        (["macs=0.5", "peak_ram=64KiB"], ("macs=0.5", "peak_ram=64KiB")),
        ({"macs": "50%", "params": [0.5, 0.25]}, ("macs=50%", "params=0.5,0.25")),
    ],
)
def test_budgets_have_many_forms(budgets: Any, texts: tuple[str, ...]) -> None:
    assert texts_of(budgets) == texts


@pytest.mark.parametrize(
    ("budgets", "why"),
    [
        (True, "budget of 'macs' is [True], which is not an amount"),
        (b"macs=0.5", "budget of 'macs' is [b'macs=0.5'], which is not an amount"),
        (object(), "which is not an amount"),
        ([None], "which is not an amount"),
        ({"macs": b"1"}, "budget of 'macs' is b'1', which is not an amount"),
        ({"macs": {"a": 1}}, "budget of 'macs' is {'a': 1}, which is not an amount"),
        (["macs=0.5", 0.25], "only some of the budgets ['macs=0.5', 0.25] name a resource"),
    ],
)
def test_what_is_no_budget_is_refused(budgets: Any, why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)):
        texts_of(budgets)


def test_an_unknown_mode_is_refused_with_the_known_ones() -> None:
    why = 'mode \'owerwrite\' is not a mode; did you mean "overwrite"? give "refuse", "resume" or "overwrite"'
    with pytest.raises(InputError, match=re.escape(why)):
        mode_of("owerwrite")


class NamedOptimizer:
    """An optimizer object, given where only names fit."""


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"mode": "owerwrite"}, "mode 'owerwrite' is not a mode"),
    ({"model": 3}, "model of type int"),
    ({"data": 3}, "data of type int cannot be used as a data set"),
    ({"out": 3}, "out of type int is not a path"),
    ({"recipe": 3}, "recipe of type int is not a path"),
    ({"budgets": 7j}, "which is not an amount"),
    ({"settings": {"seed": 1}}, "settings of type dict"),
    ({"options": "x"}, "options is 'x', not a dict"),
    ({"options": {"taylor": 3}}, "options is 3, not a dict of the form {plugin: {key: value}}"),
    ({"registry": 3}, "registry of type int is not a registry"),
    ({"imports": 3}, "imports"),
    ({"optimizer": 3}, "optimizer of type int is not an optimizer object"),
    ({"optimizer": NamedOptimizer}, "optimizer class NamedOptimizer is not an optimizer object"),
    ({"callbacks": 3}, "callback of type int is not a callback object"),
    ({"class_weight": 3}, "class weights 3"),
    ({"validation_data": 3}, "validation_data of type int cannot be used"),
    ({"finetune_epochs": "3"}, "finetune_epochs is '3', not a whole number"),
    ({"max_drop": "1"}, "max_drop is '1', not a number"),
    ({"seed": -1}, "seed -1 is below 0"),
    ({"min_widths": 8}, "`prune` has no argument 'min_widths'; did you mean min_width?"),
]


@pytest.mark.parametrize(("given", "why"), WRONG)
def test_wrong_arguments_of_prune_are_errors_of_input(place: Workplace, given: dict[str, Any], why: str) -> None:
    asked: dict[str, Any] = {"model": place.model, "data": place.data, "budgets": 0.5, "out": place.out, **given}
    with pytest.raises(InputError, match=re.escape(why)) as caught:
        reds_core.prune(**{"registry": toy_registry(), **asked})
    assert "--" not in str(caught.value)
    assert not place.out.exists()


def test_names_are_demanded_where_settings_take_no_objects() -> None:
    optimizer: Any = NamedOptimizer()
    with pytest.raises(InputError, match=r"optimizer of type NamedOptimizer is not a name; .* argument `optimizer` of"):
        FinetuneSettings(optimizer=optimizer)


def test_a_run_with_keyword_arguments_is_the_same_as_with_settings(place: Workplace) -> None:
    asked: dict[str, Any] = {
        "model": place.model,
        "data": place.data,
        "registry": toy_registry(),
        "scorer": "magnitude",
    }
    plan = reds_core.prune(**asked, budgets=0.5, out=place.out, align=2, min_width=2, finetune_epochs=0, holdout=0.2)
    settings = RunSettings(widths=WidthRules(align=2, min_width=2), finetune=FinetuneSettings(epochs=0), holdout=0.2)
    other = reds_core.prune(**asked, budgets={"macs": 0.5}, out=place.folder / "other", settings=settings)
    assert plan.options == other.options
    assert [s.widths for s in plan.subnetworks] == [s.widths for s in other.subnetworks]
    again = reds_core.prune(
        **asked, budgets=["macs=0.5"], out=place.folder / "third", settings=replace(settings, holdout=0.1), holdout=0.2
    )
    assert again.options == plan.options


def test_formulate_model_takes_rules_for_widths_one_by_one() -> None:
    model, data = residual_model(), toy_arrays(residual_model())
    examples = ((data["x_train"], data["y_train"]), (data["x_test"], data["y_test"]))

    def widths(**given: Any) -> list[list[int]]:
        problem = reds_core.formulate_model(model, examples, 0.5, registry=toy_registry(), **given).problem
        return [list(group.widths) for group in problem.groups]

    assert widths(min_width=3) == widths(widths=WidthRules(min_width=3)) != widths()
    assert widths(align="auto") == widths()
    with pytest.raises(InputError, match="`formulate_model` has no argument 'minwidth'; did you mean min_width"):
        widths(minwidth=3)
    with pytest.raises(InputError, match="score_level is 'both', not one of"):
        widths(score_level="both")


WRONG_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("solve", {"problem": "p.npz", "solver": 3}, "solver of type int is not a solver"),
    ("solve", {"problem": "p.npz", "time_limit": "a"}, "time_limit is 'a', not a number"),
    ("solve", {"problem": "p.npz", "seed": "a"}, "seed is 'a', not a whole number"),
    ("solve", {"problem": "p.npz", "threads": 1.5}, "threads is 1.5, not a whole number"),
    ("solve", {"problem": "p.npz", "options": 3}, "options is 3, not a dict"),
    ("inspect", {"model": "m.keras", "options": 3}, "options is 3, not a dict"),
    ("inspect", {"model": "m.keras", "registry": 3}, "registry of type int"),
    ("evaluate", {"model": "m.keras", "data": "d.npz", "options": 3}, "options is 3, not a dict"),
    ("extract", {"folder": "run", "budgets": 0.5, "finetune_epochs": "1"}, "finetune_epochs is '1'"),
    ("extract", {"folder": "run", "budgets": 0.5, "finetune_epochs": None}, "finetune_epochs is None"),
    ("extract", {"folder": "run", "budgets": 0.5, "finetune_epochs": 1.5}, "finetune_epochs is 1.5"),
    ("extract", {"folder": "run", "budgets": 0.5, "time_limit": "a"}, "time_limit is 'a', not a number"),
    ("extract", {"folder": "run", "budgets": 0.5, "solver": 3}, "solver is 3, not a string"),
    ("formulate_model", {"model": "m.keras", "data": "d.npz", "budgets": 0.5, "aling": 8}, "did you mean align?"),
    ("describe_plugin", {"name": 3}, "unknown plugin '3'; see `reds_core.plugins`"),
    ("check", {"plugin": 3}, "plugin of type int is not a name"),
]


@pytest.mark.parametrize(("call", "given", "why"), WRONG_CALLS)
def test_wrong_arguments_of_other_calls_are_errors_of_input(call: str, given: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)):
        getattr(reds_core, call)(**given)
