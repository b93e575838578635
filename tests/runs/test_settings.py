"""Settings of a run: figures out of range are refused, seeds of steps are derived."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from reds_core.errors import InputError
from reds_core.runs.settings import RunSettings
from reds_core.system.records import from_plain, to_json


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("element_size_bytes", 2, "element size 2 is neither 1 nor 4"),
        ("holdout", 1.0, "holdout 1.0 is not a share"),
        ("holdout", -0.1, "holdout -0.1 is not a share"),
        ("holdout", math.nan, "holdout nan is not a share"),
        ("seed", -1, "seed -1 is below 0"),
    ],
)
def test_run_settings_out_of_range(field: str, value: Any, why: str) -> None:
    with pytest.raises(InputError, match=why):
        RunSettings(**{field: value})


def test_settings_come_back_from_a_plan() -> None:
    settings = RunSettings(options={"taylor": {"criterion": "squared"}}, time_limit_s=2.5, threads=2, seed=7)
    assert from_plain(RunSettings, json.loads(to_json(settings))) == settings


def test_seeds_of_steps_differ_from_each_other_and_from_run_to_run() -> None:
    seeds = {RunSettings(seed=run).step_seed(step) for run in range(50) for step in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert RunSettings(seed=2**40).step_seed(0) < 2**31
