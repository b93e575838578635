"""`reds solve` and `reds convert` on a problem whose options are rows of levels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Reds

from reds_core.exchange.formats import SUFFIXES
from reds_core.knapsack.builder import ProblemBuilder
from reds_core.knapsack.file import load_problem, problem_digest, save_problem


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    builder = ProblemBuilder("levels")
    levels = {"conv": {"width": [2, 1, 2]}, "conv/1": {"bits": [4, 8, 8]}}
    builder.add_group("conv", [0, 5, 9], levels=levels)
    builder.add_group("fc", [0, 2], levels={"fc/1": {"bits": [4, 8]}})
    builder.set_nesting("bits", "equal")
    builder.add_sum("bits", 14, {"conv": [8, 8, 16], "fc": [4, 8]}, base=-2)
    save_problem(builder.build(), tmp_path / "p.npz")
    return tmp_path / "p.npz"


def test_the_chosen_levels_are_printed(reds: Reds, problem: Path) -> None:
    answer = reds("solve", problem, "--json").json
    assert answer["value"] == 7
    assert answer["widths"] == {"conv": 1}
    assert answer["settings"] == {"conv/1": {"bits": 8}, "fc/1": {"bits": 8}}
    lines = [line.split() for line in reds("solve", problem).out.splitlines()]
    assert ["conv", "1"] in lines
    assert ["conv/1", "bits", "8"] in lines


def test_the_answer_is_read_back_as_a_solution(reds: Reds, problem: Path, tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(json.dumps(reds("solve", problem, "--json").json))
    checked = reds("convert", problem, "--solution", tmp_path / "answer.json", "--json").json
    assert (checked["value"], checked["feasible"], checked["choice"]) == (7, True, [1, 1])
    assert checked["settings"] == {"conv/1": {"bits": 8}, "fc/1": {"bits": 8}}
    text = reds("convert", problem, "--solution", tmp_path / "answer.json").out
    assert ["fc/1", "bits", "8"] in [line.split() for line in text.splitlines()]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_is_converted_to_each_format(reds: Reds, problem: Path, suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"out{suffix}"
    assert reds("convert", problem, out).status == 0
    if suffix == ".npz":
        assert problem_digest(load_problem(out)) == problem_digest(load_problem(problem))
    elif suffix != ".wcsp":
        assert "1_l1_8" in out.read_text()


def test_a_damaged_file_is_one_clear_error(reds: Reds, problem: Path, tmp_path: Path) -> None:
    arrays = dict(np.load(problem))
    del arrays["level/fc"]
    np.savez(tmp_path / "q.npz", **arrays)
    reds("solve", tmp_path / "q.npz").check_error(2, "lacks the array 'level/fc'")
