"""The study of whom compression hurts: its cells, and its page."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmark_modules import benchmark_modules

TRUTH = [0, 1, 2, 3]


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    """The modules of the script, by name."""
    return benchmark_modules(("study_tables", "cell_runs", "experiments", "bias_cells", "bias_page"))


@pytest.fixture
def records(modules: dict[str, ModuleType], tmp_path: Path) -> list[Any]:
    """Two seeds of a network that is right, and of networks by two methods that are wrong about the last example."""
    kind, found = modules["bias_cells"].BiasRecord, []
    np.savez_compressed(tmp_path / "resnet8-truth.npz", labels=np.array(TRUTH, np.uint8))
    said = {"base": TRUTH, "drop": [0, 1, 2, 0], "fold": [0, 1, 2, 0], "magnitude": TRUTH}
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
