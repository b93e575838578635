"""The state of a training after an epoch as plain arrays, from which another process can resume it exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reds_core.framework import EpochFigures, EpochState, digest_of

_VARIABLE = "variable/"
_CHOICE = "choice/"
_PLAIN = "biuf"


class Remembering(Protocol):
    """An object with state between epochs that is not in variables."""

    def remembered(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the state as arrays by name."""

    def recall(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Restore a state that `remembered` returned."""


class TrainingState:
    """The complete state of a training.

    Attributes:
        origin: digest of the state before the first epoch, and of what else the training depends on.
    """

    def __init__(
        self, variables: Sequence[Any], choice: Remembering, conditions: Iterable[npt.NDArray[Any]] = ()
    ) -> None:
        """Args:
        variables: the variables of the training (weights, states, those of the optimizer and of augmentation), not of
            the models, with their values before the first epoch.
        choice: decides which epoch is kept.
        conditions: arrays that stand for what else the training depends on. A state is only resumed from if they are
            the same.
        """
        self._variables, self._choice = variables, choice
        self.origin = digest_of([*plain_arrays(variables), *conditions])

    def after(self, done: int, figures: tuple[EpochFigures, ...] = ()) -> EpochState:
        """Return the state after `done` epochs, with what is known of the networks after each of them."""
        arrays = {f"{_VARIABLE}{i}": array for i, array in enumerate(plain_arrays(self._variables))}
        arrays |= {_CHOICE + name: array for name, array in self._choice.remembered().items()}
        return EpochState(done, arrays, figures)

    def restore(self, state: EpochState) -> None:
        """Restore a state that `after` returned, possibly in another process."""
        for i, variable in enumerate(self._variables):
            assign_plain(variable, state.arrays[f"{_VARIABLE}{i}"])
        self._choice.recall(
            {name.removeprefix(_CHOICE): a for name, a in state.arrays.items() if name.startswith(_CHOICE)}
        )


def plain_arrays(variables: Iterable[Any]) -> list[npt.NDArray[Any]]:
    """Return copies of the values. Types that are not native to NumPy, such as bfloat16, are returned as bits."""
    values = [np.array(variable.numpy()) for variable in variables]
    return [v if v.dtype.kind in _PLAIN else v.view(np.dtype(f"u{v.dtype.itemsize}")) for v in values]


def assign_plain(variable: Any, array: npt.NDArray[Any]) -> None:
    """Assign a value that `plain_arrays` returned to a variable."""
    dtype = np.asarray(variable.numpy()).dtype
    variable.assign(array if array.dtype == dtype else array.view(dtype))
