"""What a training tells after each of its epochs, so that it can go on after the last one that was finished."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class EpochState:
    """All that a training needs to go on after an epoch as if it had never stopped.

    Attributes:
        done: how many epochs are finished.
        arrays: of numbers, by name: weights, the optimizer's variables, states of random generators, the best networks
            so far. The names are the framework's own.
    """

    done: int
    arrays: Mapping[str, npt.NDArray[Any]]


class EpochKeeper:
    """Keeps the state of a training between its epochs. This one keeps nothing.

    A framework calls `load` once, before the first epoch, and `save` after every epoch. One that calls neither trains
    all the same, but then a run that is stopped repeats the whole training.
    """

    def load(self, origin: str) -> EpochState | None:
        """The state after the last epoch that was saved; None where training begins.

        Args:
            origin: digest of what training begins from, as `digest_of` gives it. A state that was reached from
                anything else is passed over.
        """
        return None

    def save(self, state: EpochState) -> None:
        """Keep the state in place of the one before.

        Raises:
            KeyboardInterrupt: if the user asked for an end; the state is kept first.
        """


def digest_of(arrays: Iterable[npt.NDArray[Any]]) -> str:
    """SHA-256, in hex, of arrays with their types and shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
