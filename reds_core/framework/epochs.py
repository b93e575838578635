"""The state of a training after each epoch, from which an interrupted training is resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class EpochFigures:
    """What a training knows of one network after one epoch. Figures that do not exist are None, or not finite.

    Attributes:
        epoch: the index of the epoch, from 0.
        member: the index of the member in the family; None for the full network, or the only one.
        loss: the mean of the training loss over the batches of the epoch. That of several networks that are trained
            together is one figure, which the full network has.
        metric: the metric over the batches of the epoch.
        val_loss: the loss on held-back data after the epoch, given as `loss` is.
        val_metric: the metric on held-back data after the epoch.
        learning_rate: the learning rate at the end of the epoch.
    """

    epoch: int
    member: int | None = None
    loss: float | None = None
    metric: float | None = None
    val_loss: float | None = None
    val_metric: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True, eq=False)
class EpochState:
    """The state of a training after an epoch, from which it can be resumed as if it had never stopped.

    Attributes:
        done: the number of finished epochs.
        arrays: numeric arrays by name: weights, the variables of the optimizer, the states of random generators, and
            the best networks so far. The framework chooses the names.
        figures: what is known of each network after each of the finished epochs, for training curves; empty if the
            framework does not report it.
    """

    done: int
    arrays: Mapping[str, npt.NDArray[Any]]
    figures: tuple[EpochFigures, ...] = ()


class EpochKeeper:
    """Keeps the state of a training between epochs. This base class keeps nothing.

    A framework calls `load` once before the first epoch, and `save` after every epoch. If it calls neither, a run that
    is interrupted repeats the whole training.
    """

    def load(self, origin: str) -> EpochState | None:
        """The state after the last saved epoch, or None if training starts from the beginning.

        Args:
            origin: the digest, from `digest_of`, of the weights that training starts from. A saved state that was
                reached from other weights is ignored.
        """
        return None

    def save(self, state: EpochState) -> None:
        """Save the state in place of the previous one.

        Raises:
            KeyboardInterrupt: if the user interrupted the run; the state is saved first.
        """


def digest_of(arrays: Iterable[npt.NDArray[Any]]) -> str:
    """The SHA-256 digest, in hexadecimal, of arrays including their types and shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
