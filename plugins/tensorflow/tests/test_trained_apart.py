"""Subnetworks that were trained by themselves: their files hold the weights that the training left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from reds_tensorflow.framework import TensorFlowFramework

import reds_core
from reds_core.framework import Training


def small_model() -> Any:
    """Three convolutions and a classifier."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((8, 8, 3), name="image")
    for index, channels in enumerate((6, 6, 10)):
        x = keras.layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"conv{index}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, keras.layers.Dense(3, activation="softmax", name="classes")(x), name="small")


def images(count: int, seed: int) -> tuple[Any, Any]:
    """Images whose class is the channel of the brightest corner."""
    x = np.random.default_rng(seed).uniform(0, 1, (count, 8, 8, 3)).astype(np.float32)
    return x, x[:, :4, :4].mean(axis=(1, 2)).argmax(axis=1).astype(np.int64)


@pytest.mark.parametrize(
    "settings",
    [
        # members of a shared store read codes of the full network, but not those that were trained by themselves
        {"budgets": {"macs": 0.5, "weight_bytes": 0.4}, "transforms": "truncated-bits"},
        # the density of each layer is fixed, so that there is no level to decide
        {
            "budgets": {"macs": 1.0},
            "transforms": "sparsity",
            "options": {"sparsity": {"scope": "global", "sparsity": "75"}},
        },
    ],
    ids=lambda settings: settings["transforms"],
)
def test_files_hold_the_weights_that_the_training_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """A network is trained in the form in which it is delivered."""
    pytest.importorskip("reds_c_engine")
    trained = list[dict[str, Any]]()
    finetune = TensorFlowFramework.finetune

    def spied(self: TensorFlowFramework, family: Any, training: Training) -> None:
        finetune(self, family, training)
        if training.settings.epochs:
            trained.append({layer.name: layer.kernel.numpy() for layer in family.full.layers if _has_kernel(layer)})

    monkeypatch.setattr(TensorFlowFramework, "finetune", spied)
    plan = reds_core.prune(
        small_model(),
        (images(192, 0), images(64, 1)),
        **settings,
        out=tmp_path / "run",
        pruner="oneshot",
        targets="c-engine",
        finetune_epochs=3,
        batch_size=64,
        verbose=0,
    )
    member = plan.subnetworks[0]
    kernels = {layer.name: layer.kernel.numpy() for layer in member.load().layers if _has_kernel(layer)}
    if settings["transforms"] == "sparsity":
        zeros = sum(int((kernel == 0).sum()) for kernel in kernels.values())
        assert zeros >= 0.7 * sum(kernel.size for kernel in kernels.values())
    else:
        assert 4 in {level for levels in (member.settings or {}).values() for level in levels.values()}
    assert kernels.keys() == trained[-1].keys()
    for name, kernel in kernels.items():
        np.testing.assert_allclose(kernel, trained[-1][name], rtol=1e-6, atol=1e-7)


def _has_kernel(layer: Any) -> bool:
    return hasattr(layer, "kernel")
