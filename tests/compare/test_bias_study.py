"""The study of whom compression hurts: its cells and its page."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from benchmark_modules import benchmark_modules

from reds_core.registry import Registry
from reds_core.transforms.realisation import Realisation

TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.uint8)


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
