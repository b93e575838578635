"""Callbacks of the training of a family: which epoch is kept, when training stops, what is saved and reported."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from reds_core.errors import InputError
from reds_core.framework import EpochFigures, EpochKeeper, EpochProgress, FinetuneSettings
from reds_tensorflow.epoch_state import TrainingState
from reds_tensorflow.family_model import FamilyModel
from reds_tensorflow.feeding import Feed

SECONDS_BETWEEN_REPORTS = 0.25


class EpochStart(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells the feed which epoch begins. It is the first callback, since the others may read data."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._feed.begin(epoch)


class EpochChoice(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the networks of the epoch with the lowest loss on held-back data, and stops training early."""

    def __init__(self, patience: int | None) -> None:
        super().__init__()
        self._patience = patience
        self._least = math.inf
        self._best: list[npt.NDArray[Any]] = []
        self._epochs_since_best = 0
        self.has_stopped = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("val_loss")
        if loss is not None:
            if loss < self._least or not self._best:
                with self.model.averaged():
                    self._best = self.model.snapshot()
                self._least, self._epochs_since_best = math.inf if math.isnan(loss) else float(loss), 0
            else:
                self._epochs_since_best += 1
            if self._patience is not None and self._epochs_since_best >= self._patience:
                self.model.stop_training = True
        self.has_stopped = bool(self.model.stop_training)

    def take(self, model: FamilyModel) -> None:
        """Restore the best networks, or keep the last ones without held-back data."""
        if self._best:
            model.restore(self._best)

    def remembered(self) -> dict[str, npt.NDArray[Any]]:
        """Return the state after the epochs so far as arrays."""
        figures = {
            "least": np.array(self._least),
            "since_best": np.array(self._epochs_since_best),
            "stopped": np.array(self.has_stopped),
        }
        return figures | {f"best/{i}": array for i, array in enumerate(self._best)}

    def recall(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Restore a state that `remembered` returned."""
        self._least, self._epochs_since_best = float(arrays["least"]), int(arrays["since_best"])
        self.has_stopped = bool(arrays["stopped"])
        self._best = [arrays[f"best/{i}"] for i in range(len(arrays) - 3)]


class EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]
    """Refuses weights that are not finite, and saves the state. It comes last, since saving may end the run."""

    def __init__(
        self,
        state: TrainingState,
        keeper: EpochKeeper,
        settings: FinetuneSettings,
        figures: tuple[EpochFigures, ...] = (),
    ) -> None:
        """Create the callback.

        Args:
            state: the state of the training.
            keeper: saves it.
            settings: the settings of fine-tuning.
            figures: what is known of the networks after each epoch that an earlier process finished.
        """
        super().__init__()
        self._state, self._keeper, self._settings = state, keeper, settings
        self._figures = figures

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self.model.is_finite():
            raise diverged(epoch, self._settings)
        self._figures += self.model.epoch_figures(epoch, logs or {})
        self._keeper.save(self._state.after(epoch + 1, self._figures))


class Reports(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports progress every few batches, and ends a training whose loss is not finite."""

    def __init__(
        self,
        progress: Callable[[EpochProgress], None],
        settings: FinetuneSettings,
        batches: int,
        metrics: Sequence[str],
    ) -> None:
        """Create the callback.

        Args:
            progress: called with the progress.
            settings: the settings of fine-tuning.
            batches: number of batches in an epoch.
            metrics: names of the full network's metrics in logs.
        """
        super().__init__()
        self._progress, self._settings, self._batches, self._metrics = progress, settings, batches, metrics
        self._epoch, self._reported = 0, -math.inf

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise diverged(self._epoch, self._settings)
        now = time.monotonic()
        if batch + 1 == self._batches or now - self._reported >= SECONDS_BETWEEN_REPORTS:
            self._reported = now
            metric = float(np.mean([logs[name] for name in self._metrics]))
            done = (self._epoch, self._settings.epochs, batch + 1, self._batches)
            self._progress(EpochProgress(*done, loss, metric))


def diverged(epoch: int, settings: FinetuneSettings) -> InputError:
    """Return the error of a training whose loss or weights are not finite."""
    return InputError(
        f"training diverged in epoch {epoch + 1}: the loss is not finite",
        f"give a learning rate below {settings.learning_rate:g}",
    )
