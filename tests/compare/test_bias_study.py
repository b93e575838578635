"""The study of whom compression hurts: its cells and its page."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmark_modules import benchmark_modules

from reds_core.registry import Registry
from reds_core.transforms.realisation import Realisation

TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.uint8)
FOUR = [0, 1, 2, 3]


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    """The modules of the script, by name."""
    return benchmark_modules(("bias_cells", "bias_page"))


def test_networks_are_made_before_they_are_compressed(modules: dict[str, ModuleType]) -> None:
    cells, registry = modules["bias_cells"].cells(), Registry()
    assert len({cell.name for cell in cells}) == len(cells)
    made = set()
    for cell in cells:
        if cell.method == "base":
            made.add((cell.network, cell.seed))
        else:
            assert (cell.network, cell.seed) in made
            assert cell.settings.seed == cell.seed
            assert cell.settings.realise == "drop" or cell.settings.realise in registry.available(Realisation)


def test_the_page_counts_classes_exemplars_and_overlaps(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    cells = modules["bias_cells"]
    said = {
        "base": [TRUTH, TRUTH],
        "drop": [[0, 0, 1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1, 0]],
        "fold": [[0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1]],
    }
    np.savez_compressed(tmp_path / "resnet8-truth.npz", labels=TRUTH)
    records = []
    for method, networks in said.items():
        for seed, labels in enumerate(networks):
            percent, epochs = (100, cells.BASE_EPOCHS) if method == "base" else (50, 0)
            name = f"{method}{seed}.npz"
            np.savez_compressed(tmp_path / name, labels=np.array(labels, np.uint8))
            accuracy = float((np.array(labels) == TRUTH).mean())
            cell = dataclasses.asdict(cells.BiasCell("resnet8", method, percent, seed, epochs))
            figures = {"ece": 0.1, "confidence": 0.5, "margin": 1.0, "parameters": 0.5, "attribution_auc": 0.75}
            records.append(
                cells.BiasRecord(
                    **cell, started_at="", accuracy=accuracy, predictions=name, wall_s=1.0, cpu_s=1.0, **figures
                )
            )
    text = modules["bias_page"].page(records, tmp_path)
    assert "| 50 % | 68.8 ± 8.8 (ECE 0.100) | 87.5 ± 0.0 (ECE 0.100) | – |" in text
    assert "| 50 % | -31.2; airplane -50.0; 0 | -12.5; airplane -25.0; 0 | – |" in text
    assert "| 50 % | 3 (100 %) | 1 (100 %) | – |" in text  # of equally frequent classes, the first counts
    assert "| 50 % | 0.33 | – | – | 0.67 | 1.00 | – |" in text
    assert "| 50 % | 0.75 ± 0.00 / – / – / – | 0.75 ± 0.00 / – / – / – |" in text


@pytest.fixture
def records(modules: dict[str, ModuleType], tmp_path: Path) -> list[Any]:
    """Two seeds of a network that is right, and of networks by two methods that are wrong about the last example."""
    kind, found = modules["bias_cells"].BiasRecord, []
    np.savez_compressed(tmp_path / "resnet8-truth.npz", labels=np.array(FOUR, np.uint8))
    said = {"base": FOUR, "drop": [0, 1, 2, 0], "fold": [0, 1, 2, 0], "magnitude": FOUR}
    aucs = {"drop": (0.7, 0.6), "fold": (0.5, 0.6)}
    for method, labels in said.items():
        for seed in range(2):
            name = f"{method}{seed}.npz"
            np.savez_compressed(tmp_path / name, labels=np.array(labels, np.uint8))
            is_base, (both, margin) = method == "base", aucs.get(method, (None, None))
            found.append(
                kind(
                    network="resnet8",
                    method=method,
                    percent=100 if is_base else 50,
                    seed=seed,
                    epochs=5 if is_base else 0,
                    started_at="2026-01-01",
                    accuracy=0.75,
                    ece=0.02,
                    confidence=0.9,
                    margin=1.0,
                    parameters=0.5,
                    predictions=name,
                    wall_s=1.0,
                    cpu_s=1.0,
                    both_auc=both,
                    margin_auc=None if margin is None else margin - 0.02 * seed,
                )
            )
    return found


def test_runs_with_training_have_seeds_of_their_own(modules: dict[str, ModuleType]) -> None:
    cells = modules["bias_cells"].cells()
    assert len({cell.name for cell in cells}) == len(cells)
    networks = modules["bias_cells"].NETWORKS
    for name, network in networks.items():
        own = [cell for cell in cells if cell.network == name]
        methods = len(modules["bias_cells"].METHODS)
        assert len(own) == len(network.seeds) * (1 + methods * len(network.percents)) + (
            len(network.trained_seeds) * methods * len(network.trained)
        )
        assert {*network.trained_seeds} <= {*network.seeds}
        assert bool(network.trained) == bool(network.epochs) == bool(network.trained_seeds)


def test_the_page_shows_exemplars_and_what_predicts_losses(
    modules: dict[str, ModuleType], records: list[Any], tmp_path: Path
) -> None:
    text = modules["bias_page"].page(records, tmp_path)
    assert "| 50 % | 1 (100 %) | 1 (100 %) | 0 |" in text  # all networks were right about the example
    assert "drop and fold | drop and magnitude" in text
    assert "| 50 % | 1.00 | 0.00 | 0.00 |" in text
    # the sum of both scores is better than the margin alone by 0.10 and 0.12, and worse by 0.10 and 0.08
    assert "| `resnet8` | 50 % | 0.11 ± 0.01 (2 of 2) | -0.09 ± 0.01 (0 of 2) |" in text


def test_conclusions_wait_for_all_runs(modules: dict[str, ModuleType], records: list[Any], tmp_path: Path) -> None:
    page = modules["bias_page"]
    text = page.page(records, tmp_path)
    assert f"8 of {len(modules['bias_cells'].cells())} runs are recorded so far" in text
    assert page.FOUND not in text
