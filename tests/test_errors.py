"""The words of messages: arguments for callers in Python, options for users of the command line."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

import reds_core
from reds_core import cli
from reds_core.errors import Caller, argument, command, speaking_to
from reds_core.runs.options import LatencyOptions, PruneOptions

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for path in sorted([*ROOT.glob("reds_core/**/*.py"), *ROOT.glob("plugins/*/reds_*/**/*.py")])
    if path.relative_to(ROOT).parts[:2] not in (("reds_core", "commands"), ("reds_core", "testing"))
    and path.name not in ("cli.py", "errors.py", "timing_program.py")  # the last is a program with options of its own
]
"""Where errors and warnings are worded that a caller in Python may see."""
OTHER_PROGRAMS = re.compile(r"(pip|apt-get) install|dask worker|^--specs=|^-Wl,|^# A run of reds: |^--[a-z-]+$")
"""Commands, and arguments that stand alone and are thus passed to another program."""


@pytest.mark.parametrize(
    ("name", "value", "python", "typed"),
    [
        ("holdout", ..., "holdout", "--holdout"),
        ("holdout", 0.2, "holdout=0.2", "--holdout 0.2"),
        ("finetune_epochs", 0, "finetune_epochs=0", "--finetune-epochs 0"),
        ("mode", "resume", 'mode="resume"', "--resume"),
        ("mode", "overwrite", 'mode="overwrite"', "--overwrite"),
        ("int8", False, "int8=False", "--no-int8"),
        ("strict", True, "strict=True", "--strict"),
        ("strict", ..., "strict", "--strict"),
        ("solver", "auto", 'solver="auto"', "--solver auto"),
        ("keep", ("stem*", "x"), 'keep=["stem*", "x"]', "--keep 'stem*' --keep x"),
        ("imports", "my_layers.py", 'imports="my_layers.py"', "--import my_layers.py"),
        ("budgets", {"macs": 0.5}, 'budgets={"macs": 0.5}', "--budget macs=0.5"),
        ("options", {"dp": {"x": "1"}}, 'options={"dp": {"x": "1"}}', "--option dp.x=1"),
    ],
)
def test_arguments_are_named_in_the_words_of_the_caller(name: str, value: Any, python: str, typed: str) -> None:
    given = () if value is ... else (value,)
    assert argument(name, *given) == python
    with speaking_to(Caller.COMMAND_LINE):
        assert argument(name, *given) == typed
    assert argument(name, *given) == python


def test_commands_are_named_in_the_words_of_the_caller() -> None:
    assert (command("inspect"), command("latency")) == ("`reds_core.inspect`", "`reds_core.measure_latency`")
    with speaking_to(Caller.COMMAND_LINE):
        assert (command("inspect"), command("latency")) == ("`reds inspect`", "`reds latency`")


PASS_NAMES_ON = {
    *(
        "counting_devices.py",
        "elsewhere.py",
        "exit_cost_sources.py",
        "options.py",
        "registry.py",
        "settings.py",
        "simulation/api.py",
    ),
    "worker_pool.py",
}
"""Modules that find the name of an argument in a list, or with functions that are given it, such as `check_number`."""


def texts_of(tree: ast.AST) -> list[ast.Constant]:
    """All texts of a module but docstrings."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [node for node in found if id(node) not in docstrings]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_message_names_an_option_with_dashes(path: Path) -> None:
    texts = [str(node.value) for node in texts_of(ast.parse(path.read_text(encoding="utf-8")))]
    texts = [text.replace("var(--", "") for text in texts]  # names of colours in style sheets
    assert [t for t in texts if re.search(r"(?<![\w-])--[a-z]|\s--$", t) and not OTHER_PROGRAMS.search(t)] == []


def calls_of(function: str) -> list[tuple[Path, str]]:
    """The first arguments of all calls of a function in the sources, which must be texts unless they are passed on."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
                if isinstance(node.args[0], ast.Constant):
                    found.append((path, str(node.args[0].value)))
                else:
                    assert {path.name, f"{path.parent.name}/{path.name}"} & PASS_NAMES_ON, path
    return found


def test_messages_name_arguments_and_options_that_exist() -> None:
    """In Python and, for those of commands, on the command line."""
    group: Any = typer.main.get_command(cli.application())
    options = {flag for each in group.commands.values() for p in each.params for flag in (*p.opts, *p.secondary_opts)}
    public = [getattr(reds_core, name) for name in reds_core.__all__]
    arguments = {name for call in filter(inspect.isfunction, public) for name in inspect.signature(call).parameters}
    arguments |= {field.name for cls in filter(is_dataclass, public) for field in fields(cls)}
    arguments |= {*PruneOptions.__annotations__, *LatencyOptions.__annotations__}
    named = [*calls_of("argument"), *calls_of("check_number")]
    assert len(named) > 40
    for path, name in named:
        assert name in arguments, (path, name)
        with speaking_to(Caller.COMMAND_LINE):
            assert name == "mode" or argument(name) in options, (path, name)


def test_messages_name_commands_that_exist() -> None:
    group: Any = typer.main.get_command(cli.application())
    for path, name in calls_of("command"):
        assert name in group.commands, path
        assert command(name).strip("`").removeprefix("reds_core.") in reds_core.__all__, path
