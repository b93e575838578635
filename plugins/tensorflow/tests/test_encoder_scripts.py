"""The experiments on encoders: their loss and views, trainings that resume, and their pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])


def test_the_contrastive_loss_by_hand() -> None:
    from encoder_views import TEMPERATURE, nt_xent

    vectors = np.random.default_rng(0).normal(size=(6, 4))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = np.exp(unit @ unit.T / TEMPERATURE)
    wanted = [-np.log(similar[i, (i + 3) % 6] / sum(similar[i, j] for j in range(6) if j != i)) for i in range(6)]
    np.testing.assert_allclose(nt_xent(None, vectors), wanted, rtol=1e-5)


def test_views_are_pairs_of_the_same_images_and_depend_on_the_seed_alone() -> None:
    from encoder_views import paired

    colours = np.linspace(20, 230, 9).astype(np.uint8)
    images = np.broadcast_to(colours[:, None, None, None], (9, 8, 8, 3))
    found = paired(images, 4, np.random.default_rng(1))
    assert (found.shape, found.dtype) == ((16, 8, 8, 3), np.uint8)  # the ninth image fills no batch
    assert np.array_equal(found, paired(images, 4, np.random.default_rng(1)))
    assert not np.array_equal(found[:4], found[4:8])
    assert found.std(axis=(1, 2, 3)).max() < 1  # a crop of one colour has one colour
    first, second = (found[start : start + 4].mean(axis=(1, 2, 3)) for start in (0, 4))
    ratios = np.concatenate([first, second]) / np.tile(colours[:4], 2)
    assert (ratios > 0.55).all()
    assert (ratios < 1.45).all()


@pytest.mark.parametrize("stopped_before_saving", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_training_that_was_killed_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_before_saving: bool
) -> None:
    import encoder_training

    x = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)

    def small() -> Any:
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(2)])

    def epoch(generator: np.random.Generator) -> Any:
        order = generator.permutation(24)
        return x[order], x[order, :2]

    plan = encoder_training.Plan("small", small, "mean_squared_error", epoch, 24, 7, epochs=3, rate=1e-2)
    whole = encoder_training.train(plan, tmp_path / "whole")
    save, kept = encoder_training._keep, []

    def killed(model: Any, path: Path) -> None:
        if len(kept) == 1 and stopped_before_saving:
            raise KeyboardInterrupt
        save(model, path)
        kept.append(path)
        if len(kept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(encoder_training, "_keep", killed)
    with pytest.raises(KeyboardInterrupt):
        encoder_training.train(plan, tmp_path / "stopped")
    monkeypatch.setattr(encoder_training, "_keep", save)
    resumed = encoder_training.train(plan, tmp_path / "stopped")
    assert resumed.losses == whole.losses
    assert [a.tobytes() for a in resumed.model.get_weights()] == [a.tobytes() for a in whole.model.get_weights()]


def test_features_that_tell_classes_apart_are_rated_higher() -> None:
    from embedding_quality import embedding_quality

    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    telling = (np.eye(3)[labels] + rng.normal(0, 0.1, (90, 3))).astype(np.float32)
    blind = rng.normal(size=(90, 3)).astype(np.float32)
    good, bad = (embedding_quality(f[:60], labels[:60], f[60:], labels[60:]) for f in (telling, blind))
    assert (good.linear_probe, good.knn) == (1.0, 1.0)
    assert max(bad.linear_probe, bad.knn) < 0.7


def test_the_pages_are_made_from_records() -> None:
    from embedding_losses import LossRecord, part
    from encoder_page import page
    from encoder_records import EncoderRecord

    records = [
        EncoderRecord("simclr", "input", 0, 0.6, 0.5, epochs=40, first_loss=5.0, last_loss=4.0, seconds_per_epoch=21.4),
        EncoderRecord("simclr", "25", 10, 0.4, 0.3, metric=0.9),
        EncoderRecord("simclr", "50", 10, 0.5, 0.4, metric=0.95),
        EncoderRecord("autoencoder", "input", 0, 0.8, 0.7, error=300.0),
    ]
    text = page(records)
    assert "40 epochs of 21 s each" in text
    assert text.index("| 50 % of MACs | 10 epochs | 95.0 % | 50.0 % | 40.0 % |") < text.index("| 25 % of MACs |")
    assert "| input model | – | 300 | 80.0 % | 70.0 % |" in text
    losses = [LossRecord("cosine_distance", "50", seed, 0.9 + seed / 100, 0.5, 0.4) for seed in (0, 1)]
    assert "| `cosine_distance` | 50 % | 90.5 (90.0 to 91.0) | 50.0 (50.0 to 50.0) |" in part(losses)
