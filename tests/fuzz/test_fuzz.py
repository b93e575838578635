"""Fuzzing of the command line with odd values and damaged files.

Every command must exit with a documented status, report an error in one sentence, leave no partial files and leave its
inputs unchanged. Seventy fixed trials always run. `pytest -m slow tests/fuzz` runs thousands of random ones;
REDS_FUZZ_TRIES sets their number.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fuzz_commands import COMMANDS, VERBOSITY, CommandLine, command_lines
from fuzz_damage import DamagedInput, damaged_inputs
from fuzz_inputs import build, spread
from fuzz_trials import run_and_check, try_command_line, try_damaged_input
from hypothesis import HealthCheck, Verbosity, given, settings
from typer.main import get_command

from reds_core import cli

MANY = int(os.environ.get("REDS_FUZZ_TRIES", "2000"))
IN_CI = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
AT_LENGTH = settings(
    max_examples=MANY,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=True,
    verbosity=Verbosity.normal,
)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("pristine").resolve()
    build(folder)
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work").resolve() / "here"


@pytest.mark.parametrize("name", [n for n in COMMANDS if n not in ("bench", "compare", "check")])
def test_the_unchanged_command_lines_are_valid(name: str, pristine: Path, work: Path) -> None:
    arguments, options, _ = COMMANDS[name]
    valid = CommandLine((name, *arguments, *(part for option in options for part in option)))
    try_command_line(valid, pristine, work)
    assert name in ("plugins", "inspect", "solve") or len(list(work.rglob("*"))) > 20


def test_odd_values_are_tried_for_every_option() -> None:
    group: Any = get_command(cli.application())
    for name, command in group.commands.items():
        _, sound, tried = COMMANDS[name]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        known = {spelling for p in options for spelling in (*p.opts, *p.secondary_opts)}
        assert {*tried, *VERBOSITY, *(option for option, _ in sound)} == known, name


@IN_CI
@given(tried=command_lines())
def test_odd_command_lines(tried: CommandLine, pristine: Path, work: Path) -> None:
    try_command_line(tried, pristine, work)


@IN_CI
@given(tried=damaged_inputs())
def test_damaged_inputs(tried: DamagedInput, pristine: Path, work: Path) -> None:
    try_damaged_input(tried, pristine, work)


@pytest.mark.slow
@AT_LENGTH
@given(tried=command_lines())
def test_many_odd_command_lines(tried: CommandLine, pristine: Path, work: Path) -> None:
    try_command_line(tried, pristine, work)


@pytest.mark.slow
@AT_LENGTH
@given(tried=damaged_inputs())
def test_many_damaged_inputs(tried: DamagedInput, pristine: Path, work: Path) -> None:
    try_damaged_input(tried, pristine, work)


@pytest.mark.parametrize("arguments", [["solve", "\udcff"], ["solve", "p.npz", "--time-limit", "9" * 400], ["solve"]])
def test_a_few_as_processes(arguments: list[str], pristine: Path, tmp_path: Path) -> None:
    spread(pristine, tmp_path)
    command = [sys.executable, "-m", "reds_core", *arguments]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode in (0, 2), done.stderr
    assert b"Traceback" not in done.stderr


def test_the_checks_detect_faults(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks fail for a bug, for a partial file and for a changed input."""
    spread(pristine, tmp_path)

    def fail(*arguments: object) -> None:
        raise KeyError("x")

    with monkeypatch.context() as patch:
        patch.setattr("reds_core.knapsack.file.load_problem", fail)
        with pytest.raises(AssertionError, match="a bug in reds"):
            run_and_check(("solve", "p.npz"), tmp_path)
    (tmp_path / ".new.1.partial.npz").write_bytes(b"")
    with pytest.raises(AssertionError, match="solve"):
        run_and_check(("solve", "p.npz"), tmp_path)
