"""A real model with its data, for the benchmarks that need one: ARM's DS-CNN S on Speech Commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reds_core import Registry, load_data
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import Scorer, ScoreTable, score

ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets"
MODEL, DATA = ASSETS / "models" / "arm_kws_ds_cnn_s.keras", ASSETS / "data" / "speech_commands.npz"

EXAMPLES = 512
"""The number of training examples for scorers."""


@dataclass(frozen=True)
class Subject:
    """The model and data of the benchmarks.

    Attributes:
        train: the first `EXAMPLES` training examples.
        scores: by `magnitude`, at channel level.
    """

    framework: Framework
    model: Any
    network: Network
    train: Arrays
    scores: ScoreTable


@pytest.fixture(scope="session")
def subject() -> Subject:
    pytest.importorskip("tensorflow")
    if not ASSETS.is_dir():
        pytest.skip(f"the real models are not at {ASSETS}")
    registry = Registry()
    framework = registry.default_framework()
    model = framework.load_model(MODEL)
    data = load_data(str(DATA), framework, framework.input_shape(model))
    train = framework.check_data(
        model, Arrays(data.train.x[:EXAMPLES], data.train.y[:EXAMPLES]), Task(), "training data"
    )
    network = framework.inspect(model)
    scores = score(registry.create(Scorer, "magnitude"), framework, model, network, None, Task())
    return Subject(framework, model, network, train, scores)
