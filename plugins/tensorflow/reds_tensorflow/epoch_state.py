"""The state of a training after an epoch as plain arrays, from which another process goes on bit by bit the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reds_core.framework import EpochState, digest_of

_VARIABLE = "variable/"
_CHOICE = "choice/"
_PLAIN = "biuf"


class Remembering(Protocol):
    """What holds more than variables between epochs."""

    def remembered(self) -> Mapping[str, npt.NDArray[Any]]:
        """All that it holds, by name."""

    def recall(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Hold what `remembered` gave."""


class TrainingState:
    """All that changes while a network trains.

    Attributes:
        origin: digest of where training begins.
    """

    def __init__(self, variables: Sequence[Any], choice: Remembering) -> None:
        """Args:
        variables: of the training, not of the models: weights, states, those of the optimizer and of what changes
            examples; as they are before the first epoch.
        choice: decides which epoch is taken.
        """
        self._variables, self._choice = variables, choice
        self.origin = digest_of(plain_arrays(variables))

    def after(self, done: int) -> EpochState:
        """The state after `done` epochs."""
        arrays = {f"{_VARIABLE}{i}": array for i, array in enumerate(plain_arrays(self._variables))}
        arrays |= {_CHOICE + name: array for name, array in self._choice.remembered().items()}
        return EpochState(done, arrays)

    def restore(self, state: EpochState) -> None:
        """Go to a state that `after` gave, be it in another process."""
        for i, variable in enumerate(self._variables):
            assign_plain(variable, state.arrays[f"{_VARIABLE}{i}"])
        self._choice.recall(
            {name.removeprefix(_CHOICE): a for name, a in state.arrays.items() if name.startswith(_CHOICE)}
        )


def plain_arrays(variables: Iterable[Any]) -> list[npt.NDArray[Any]]:
    """Copies of the values; types that NumPy does not know by itself, such as bfloat16, as their bits."""
    values = [np.array(variable.numpy()) for variable in variables]
    return [v if v.dtype.kind in _PLAIN else v.view(np.dtype(f"u{v.dtype.itemsize}")) for v in values]


def assign_plain(variable: Any, array: npt.NDArray[Any]) -> None:
    """Give a variable what `plain_arrays` made of its value."""
    dtype = np.asarray(variable.numpy()).dtype
    variable.assign(array if array.dtype == dtype else array.view(dtype))
