"""Settings of fine-tuning: figures out of range, rates at every step, augmentations as texts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reds_core.errors import InputError
from reds_core.framework.augmentation import Augmentation, Change, augmentations
from reds_core.framework.finetuning import FinetuneSettings, Schedule
from reds_core.runs.settings import RunSettings


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("epochs", -1, "the number of epochs -1 is below 0"),
        ("batch_size", 0, "the batch size 0 is below 1"),
        ("learning_rate", 0.0, "learning rate 0.0 is not above 0"),
        ("learning_rate", -1e-3, "is not above 0"),
        ("learning_rate", math.nan, "learning rate nan"),
        ("learning_rate", math.inf, "learning rate inf"),
        ("momentum", 1.0, "momentum 1.0 is not from 0 to below 1"),
        ("momentum", -0.1, "momentum -0.1"),
        ("warmup_epochs", -1.0, "warm-up epochs -1.0 is not 0 or more"),
        ("warmup_epochs", math.inf, "warm-up epochs inf"),
        ("weight_decay", -1e-4, "weight decay -0.0001 is below 0"),
        ("clip_norm", 0.0, "gradient norm 0.0 is not above 0"),
        ("patience", 0, "the patience 0 is below 1"),
        ("augment", ("flop",), "augmentation 'flop' is unknown; give flip"),
        ("dropout", 1.5, "dropout 1.5 is not a share from 0 to 1; give 0.5"),
        ("dropout", math.nan, "dropout nan"),
        ("distill_weight", 1.5, "distillation weight 1.5 is not a share from 0 to 1"),
        ("distill_temperature", 0.0, "temperature 0.0 is not above 0"),
    ],
)
def test_settings_out_of_range(field: str, value: Any, why: str) -> None:
    with pytest.raises(InputError, match=why):
        FinetuneSettings(**{field: value})


def test_early_stopping_needs_held_back_data() -> None:
    settings = FinetuneSettings(patience=2)
    RunSettings(finetune=settings)
    with pytest.raises(InputError, match="early stopping needs held-back data; give a holdout above 0"):
        RunSettings(finetune=settings, holdout=0.0)


# Rates


def rates(schedule: Schedule, warmup: float = 0.0, epochs: int = 4, steps: int = 25) -> Any:
    return FinetuneSettings(epochs=epochs, learning_rate=0.2, schedule=schedule, warmup_epochs=warmup).rates(steps)


def test_rates_of_each_schedule() -> None:
    """At the start, and behind a quarter, a half and three quarters of 100 steps."""
    at = [0, 25, 50, 75]
    half = math.sqrt(0.5)
    np.testing.assert_allclose(rates(Schedule.COSINE)[at], [0.2, 0.1 * (1 + half), 0.1, 0.1 * (1 - half)])
    np.testing.assert_allclose(rates(Schedule.CONSTANT), 0.2)
    np.testing.assert_allclose(rates(Schedule.STEP)[[*at, 49, 74, 99]], [0.2, 0.2, 0.02, 0.002, 0.2, 0.02, 0.002])
    np.testing.assert_allclose(rates(Schedule.EXPONENTIAL)[at], [0.2, 0.2 * 10**-0.5, 0.02, 0.2 * 10**-1.5])


def test_warm_up_rises_to_the_rate_and_the_schedule_follows() -> None:
    warm = rates(Schedule.COSINE, warmup=1.0)
    np.testing.assert_allclose(warm[:25], 0.2 * np.arange(1, 26) / 26)
    np.testing.assert_allclose(warm[25:], rates(Schedule.COSINE, epochs=3))


@given(
    st.sampled_from(Schedule),
    st.integers(0, 5),
    st.integers(1, 20),
    st.floats(0, 10),
    st.floats(1e-6, 10),
)
def test_rates_never_pass_the_highest_and_rise_only_in_the_warm_up(
    schedule: Schedule, epochs: int, steps: int, warmup: float, rate: float
) -> None:
    settings = FinetuneSettings(epochs=epochs, learning_rate=rate, schedule=schedule, warmup_epochs=warmup)
    found = settings.rates(steps)
    assert found.shape == (epochs * steps,)
    assert np.all((found > 0) & (found <= rate * (1 + 1e-12)))
    falling = found[len(found) // 2 :]
    assert np.all(np.diff(falling) <= 1e-12 * rate), "the warm-up takes half of the training at most"


# Augmentations


def test_augmentations_have_strengths() -> None:
    assert augmentations(["flip", "shift", " zoom=0.3"]) == (
        Augmentation(Change.FLIP),
        Augmentation(Change.SHIFT, 0.1),
        Augmentation(Change.ZOOM, 0.3),
    )


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["shft"], "'shft' is unknown; give shift"),
        (["xyz"], "'xyz' is unknown; give flip, flip-vertical, shift"),
        (["flip=0.5"], "'flip' has no strength"),
        (["shift=much"], "'shift=much' has no strength above 0 and at most 1; give shift=0.1"),
        (["rotate=0"], "'rotate=0' has no strength above 0"),
        (["rotate=nan"], "'rotate=nan' has no strength above 0"),
        (["zoom=0.1", "zoom"], "'zoom' is given twice"),
    ],
)
def test_augmentations_that_are_none(texts: list[str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        augmentations(texts)
