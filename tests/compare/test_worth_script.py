"""The comparison of the joint choice with its rivals: its runs, its statistics, and the page made from its records."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmark_modules import benchmark_modules

from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    """The modules of the script, by name."""
    return benchmark_modules(("worth_arms", "worth_records", "worth_page", "worth_of_joint"))


def record(modules: dict[str, ModuleType], arm: str, seed: int = 0, **more: Any) -> Any:
    made = modules["worth_records"].WorthRecord("resnet8", arm, 20, seed, 5, "2026-01-01", wall_s=1.0)
    chosen = {"widths": {"a": 3}, "bits": {"a": 4}, "gap": 0.01, "accuracy": 0.75}
    usage = {"usage": {"weight_bytes": 20, "macs": 40}, "full_usage": {"weight_bytes": 100, "macs": 100}}
    return dataclasses.replace(made, **(chosen | usage | more))


def test_the_most_telling_runs_come_first(modules: dict[str, ModuleType]) -> None:
    arms = modules["worth_arms"]
    runs = arms.planned(list(arms.NETWORKS), list(arms.ARMS), list(arms.BUDGETS), [0, 1, 2], None)
    assert len(runs) == len({run.key for run in runs}) == 2 * len(arms.ARMS) * 4 * 3
    telling = [run for run in runs if arms.ARMS[run.arm].is_telling and run.percent in (15, 20)]
    assert runs[: len(telling)] == telling
    assert {run.seed for run in telling[: len(telling) // 3]} == {0}
    assert {run.epochs for run in runs if run.network == "resnet8"} == {5}
    assert {run.epochs for run in arms.planned(["resnet8"], ["joint"], [20], [0], 1)} == {1}


def test_every_arm_is_a_pruner_with_options_that_it_has(modules: dict[str, ModuleType]) -> None:
    arms, registry = modules["worth_arms"], Registry()
    for run in arms.planned(["resnet8"], list(arms.ARMS), [20], [0], None):
        settings = run.settings
        pruner = registry.create(Pruner, settings.pruner, settings.options)
        assert pruner.takes_transforms
        assert settings.qat is True


def test_discordant_examples_are_counted_and_tested(modules: dict[str, ModuleType]) -> None:
    first = np.array([1, 1, 1, 1, 1, 1, 0, 1, 0, 0], bool)
    second = np.array([1, 1, 0, 0, 0, 0, 1, 1, 0, 0], bool)
    found = modules["worth_records"].paired([(first, second)])
    assert (found.runs, found.examples, found.first_only, found.second_only) == (1, 10, 4, 1)
    assert found.difference == pytest.approx(0.3)
    assert found.p == pytest.approx(2 * (1 + 5) / 2**5)  # at most 1 of 5 heads, on both sides
    variance = ((4 * (1 - 0.3) ** 2) + (-1 - 0.3) ** 2 + 5 * 0.3**2) / 9
    assert found.margin == pytest.approx(1.959964 * math.sqrt(variance / 10))


def test_runs_on_the_same_examples_are_not_taken_for_independent(modules: dict[str, ModuleType]) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(500) < 0.8, rng.random(500) < 0.7
    once = modules["worth_records"].paired([(first, second)])
    twice = modules["worth_records"].paired([(first, second)] * 2)
    assert twice.margin == pytest.approx(once.margin)
    assert (twice.first_only, twice.second_only) == (2 * once.first_only, 2 * once.second_only)
    equal = modules["worth_records"].paired([(first, first)])
    assert (equal.difference, equal.margin, equal.p) == (0, 0, 1)


def test_a_choice_is_that_of_another_arm_if_widths_bits_and_training_are(modules: dict[str, ModuleType]) -> None:
    joint = record(modules, "joint")
    assert joint.has_choice_of(record(modules, "uniform-4", accuracy=None))
    for other in ({"widths": {"a": 4}}, {"bits": {"a": 8}}, {"seed": 1}):
        assert not joint.has_choice_of(record(modules, "uniform-4", **other))
    assert not joint.has_choice_of(dataclasses.replace(joint, epochs=6))


def test_the_page_shows_what_the_records_say(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    right = {"joint.npz": [1, 1, 1, 0], "uniform.npz": [1, 0, 1, 0]}
    for name, predicted in right.items():
        np.savez_compressed(tmp_path / name, predicted=np.array(predicted, np.uint8))
    np.savez_compressed(tmp_path / "resnet8-labels.npz", labels=np.ones(4, np.uint8))
    records = [
        record(modules, "joint", predictions="joint.npz", gap=0.0),
        record(modules, "uniform-4", predictions="uniform.npz", accuracy=0.5, bits={"a": 8}),
        record(modules, "8-bits", infeasible="no widths meet the budget", accuracy=None),
    ]
    text = modules["worth_page"].page(records, tmp_path)
    assert "| `joint` | 75.0 |" in text
    assert "| `uniform-4` | 50.0 |" in text
    assert "| `8-bits` | infeasible |" in text
    assert "20.0 % bytes<br>40.0 % MACs<br>gap 1.00 %<br>same 0 of 1" in text
    assert "- `8-bits`: no widths meet the budget (at 20 % of the bytes)." in text
    assert "|  | 20 % | seed 0 | +25.00 ± " in text
    assert "`bits-then-prune`" not in text
    assert "No runs are recorded yet." in modules["worth_page"].page([], tmp_path)
