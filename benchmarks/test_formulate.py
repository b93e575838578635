"""Time to build a knapsack problem from scores, and of operations on problems.

python -m pytest benchmarks/test_formulate.py --benchmark-only
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reds_core.bench import NETWORKS, SUITES, knapsack, suite
from reds_core.cost import SumForm, resource_forms
from reds_core.formulation import formulate
from reds_core.knapsack import KnapsackProblem, load_problem, problem_digest, save_problem
from reds_core.network import Network
from reds_core.scoring import ScoreTable

RESOURCES = ["macs", "params", "peak_ram"]


def kernel_scores(network: Network, scores: ScoreTable) -> ScoreTable:
    """The same scores with a kernel for every pair of groups that is multiplied."""
    rng = np.random.default_rng(0)
    form = resource_forms(network, ["macs"])["macs"]
    assert isinstance(form, SumForm)
    channels = network.channels
    return ScoreTable(scores.channels, {(a, b): rng.random((channels[a], channels[b])) for a, b in form.products})


@pytest.mark.parametrize("level", ["channels", "kernels"])
def test_formulate(subject: Any, benchmark: Any, level: str) -> None:
    """The problem of a real model under three budgets."""
    network = subject.network
    scores = subject.scores if level == "channels" else kernel_scores(network, subject.scores)
    forms = resource_forms(network, RESOURCES)
    capacities = {r: int(form.at(network.channels)) // 2 for r, form in forms.items()}
    stated = benchmark(lambda: formulate(network, scores, forms, capacities, "benchmark"))
    assert [r.name for r in stated.problem.resources] == RESOURCES
    assert all((p.values is not None) == (level == "kernels") for p in stated.problem.pairs)


def test_resource_forms(subject: Any, benchmark: Any) -> None:
    """What widths cost, from the network's description."""
    forms = benchmark(lambda: resource_forms(subject.network, RESOURCES))
    assert list(forms) == RESOURCES


@pytest.fixture(scope="module")
def large() -> KnapsackProblem:
    return knapsack(NETWORKS["mobilenet-v1"]())


def test_save(large: KnapsackProblem, benchmark: Any, tmp_path: Path) -> None:
    """MobileNetV1 in single steps, 3 million table entries, as a file."""
    benchmark.pedantic(lambda: save_problem(large, tmp_path / "p.npz"), rounds=3)
    assert (tmp_path / "p.npz").exists()


def test_load(large: KnapsackProblem, benchmark: Any, tmp_path: Path) -> None:
    save_problem(large, tmp_path / "p.npz")
    loaded = benchmark.pedantic(lambda: load_problem(tmp_path / "p.npz"), rounds=3)
    assert loaded.name == large.name


def test_digest(large: KnapsackProblem, benchmark: Any) -> None:
    assert len(benchmark(lambda: problem_digest(large))) == 64


@pytest.mark.parametrize("name", SUITES)
def test_suite(name: str, benchmark: Any) -> None:
    """All instances of a suite with what is known of them."""
    assert benchmark.pedantic(lambda: suite(name), rounds=3, warmup_rounds=1)
