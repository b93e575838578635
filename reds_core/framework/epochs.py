"""The state of a training after each epoch, from which an interrupted training is resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class EpochState:
    """The state of a training after an epoch, from which it can be resumed as if it had never stopped.

    Attributes:
        done: the number of finished epochs.
        arrays: numeric arrays by name: weights, the variables of the optimizer, the states of random generators, and
            the best networks so far. The framework chooses the names.
    """

    done: int
    arrays: Mapping[str, npt.NDArray[Any]]


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
