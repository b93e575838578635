"""The code blocks of the documentation: those in Python run, and commands are accepted.

`python tests/support/code_blocks.py` lists the blocks and how each is checked.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from code_blocks import ROOT, Block, Way, all_blocks, blocks_of
from command_line import write_problem

import reds_core
from reds_core import cli
from reds_core.errors import InputError
from reds_core.plugin import build_options

BLOCKS = all_blocks()
RUN = sorted({block.page for block in BLOCKS if block.way is Way.RUN})
CHECKED = [block for block in BLOCKS if block.way is Way.CHECKED]
OTHERS = (
    *("cd", "check-jsonschema", "dask", "export", "git", "highs", "make", "mkdocs", "mypy", "pip", "pre-commit"),
    *("pytest", "python", "python3", "ruff", "toulbar2"),
)
"""Programs of others, which are not run."""
RUNNING = ("plugins", "solve", "new", "suite")
"""Commands that are run, since they are cheap and need no model."""
LINE_LENGTH = 84
"""The number of characters of code that fit into a line of the site in a window of 1280 pixels."""
_KINDS = ("solver", "solvers", "scorer", "scorers", "pruner", "pruners", "transform", "target", "on")
CHOOSING = [f"--{kind}" for kind in _KINDS]


@pytest.fixture(autouse=True)
def _prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a small problem under the names that pages use."""
    monkeypatch.chdir(tmp_path)
    for name in ("problem", "half", "joint"):
        write_problem(Path(f"{name}.npz"), capacity=7)


# --- marks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.name} {block.way.value}")
def test_every_block_is_run_or_says_why_not(block: Block) -> None:
    assert block.way is not Way.UNKNOWN, f"{block.name}: unknown comment '{block.reason}'"
    if block.way is Way.NOT_RUN:
        assert len(block.reason.split()) > 1, "the reason is a phrase"
    if block.way is Way.ELSEWHERE:
        test = ROOT / block.reason
        assert test.is_file()
        assert Path(block.page).name in test.read_text(encoding="utf-8") or Path(block.page).stem in test.read_text()
    if block.way is Way.CHECKED:
        assert any(words[0].endswith("reds") for words in block.commands()) or any(
            words[0] == "python" for words in block.commands()
        ), "a block without a command of reds says by <!-- not run: REASON --> why it is not run"


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS}))
def test_code_is_as_narrow_as_a_page_of_the_site(page: str) -> None:
    """Longer lines are cut at the edge of the page: `ruff format --isolated --line-length 84 PAGE`."""
    lines = {
        f"{page}:{block.line + n}": line
        for block in BLOCKS
        if block.page == page
        for n, line in enumerate(block.code.splitlines())
    }
    assert {place: line for place, line in lines.items() if len(line) > LINE_LENGTH} == {}


def test_marks_are_read() -> None:
    text = (
        "# Page\n```python\na\n```\n<!-- not run: it takes hours -->\n```sh\nb\n```\n"
        "<!-- run by tests/x.py -->\n\n```python\nc\n```\n<!-- other -->\n```sh\nreds x \\\n  --y && z  # why\n```\n"
    )
    found = list(blocks_of(text, "p.md"))
    assert [(b.line, b.way, b.reason) for b in found] == [
        (3, Way.RUN, ""),
        (7, Way.NOT_RUN, "it takes hours"),
        (12, Way.ELSEWHERE, "tests/x.py"),
        (16, Way.UNKNOWN, "other"),
    ]
    assert found[-1].commands() == [["reds", "x", "--y"], ["z"]]
    (block,) = blocks_of("<!-- run by a -->\n# Page\n```python\nb\n```\n", "p.md")
    assert block.way is Way.ELSEWHERE


# --- Python ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", RUN)
def test_blocks_in_python_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("page")  # dataclasses look for the module of a class
    module.__dict__["kernel"] = np.ones((3, 3, 2, 4), np.float32)
    monkeypatch.setitem(sys.modules, "page", module)
    for block in BLOCKS:
        if block.page == page and block.way is Way.RUN:
            exec(compile("\n" * (block.line - 1) + block.code, page, "exec"), module.__dict__)


# --- commands -------------------------------------------------------------------------------------------------------


def call_of(words: list[str]) -> Any:
    """The call that does the work of a command; its docstring says so."""
    command = words[1]
    if "--solution" in words:
        return reds_core.check_solution
    said = re.compile(rf"This is what `reds {command}`")
    found = [getattr(reds_core, name) for name in reds_core.__all__ if name.islower()]
    (call,) = [each for each in found if said.search(inspect.getdoc(each) or "")][:1]
    return call


def options_of(words: list[str], *names: str) -> list[str]:
    return [value for name, value in itertools.pairwise(words) if name in names]


def check_names(words: list[str]) -> None:
    """The plugins of a command exist, and so do their options with such values."""
    known = {record.name: record.plugin for record in reds_core.plugins()}
    for listed in options_of(words, *CHOOSING):
        if not listed.startswith("cmd:"):
            plain = re.sub(r"\[[^\]]*\]", "", listed)
            unknown = {name for name in plain.split(",") if name not in known} - {"auto", "all"}
            assert not unknown, f"unknown plugins {unknown} in {' '.join(words)}"
    for option in options_of(words, "--option"):
        name, key, value = re.fullmatch(r"([\w-]+)\.(\w+)=(.*)", option).groups()  # type: ignore[union-attr]
        plugin = known[name]
        assert plugin is not None
        build_options(plugin, {key: value})


def check_accepted(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A command is read without an error, up to the call that does its work."""
    real = call_of(words)

    def called(*given: Any, **named: Any) -> Any:
        inspect.signature(real).bind(*given, **named)
        raise InputError("the call was made", "this is a test")

    home = "reds_core.testing" if words[1] == "check" else real.__module__
    with monkeypatch.context() as patched:
        patched.setattr(importlib.import_module(home), real.__name__, called)
        status = cli.run(words[1:])
    assert (status, "the call was made" in capsys.readouterr().err) == (2, True), " ".join(words)


@pytest.mark.parametrize("block", CHECKED, ids=lambda block: block.name)
def test_commands_are_accepted(
    block: Block, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in block.commands():
        if words[0] == "python" and words[1].endswith(".py"):
            assert (ROOT / words[1]).is_file(), words[1]
        elif words[0].removeprefix(".venv/bin/") != "reds":
            assert words[0].removeprefix(".venv/bin/") in OTHERS, (
                f"'{words[0]}' is neither reds nor a program that is known here"
            )
        elif words[1].startswith("-"):
            continue
        elif words[1] in RUNNING and "cmd:" not in " ".join(words):
            check_names(words)
            status = cli.run(words[1:])
            assert status == 0, f"{' '.join(words)}: {capsys.readouterr().err}"
        else:
            check_names(words)
            check_accepted(words, monkeypatch, capsys)
