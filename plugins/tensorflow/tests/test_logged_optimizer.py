"""Callbacks that log the optimizer find a schedule that Keras can serialize."""

from __future__ import annotations

import keras
import numpy as np
from reds_tensorflow.optimizers import Rates, optimizer_of

from reds_core.framework import FinetuneSettings


def test_the_schedule_is_serialized_with_its_rates() -> None:
    rates = np.array([0.5, 0.25, 0.125])
    config = optimizer_of(FinetuneSettings(), rates).get_config()
    assert config["learning_rate"]["config"] == {"rates": [0.5, 0.25, 0.125]}
    again = Rates.from_config(config["learning_rate"]["config"])
    assert keras.ops.convert_to_numpy(again(1)) == 0.25
