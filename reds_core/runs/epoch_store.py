"""Finished epochs of trainings on disk: one file per training, replaced after every epoch. Nothing is pickled."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reds_core.errors import argument
from reds_core.framework.epochs import EpochFigures, EpochKeeper, EpochState
from reds_core.runs.checkpoint import epochs_file
from reds_core.system.archive import ArchiveError, read_archive, write_archive
from reds_core.system.interruption import Interruption, deferred_interruption
from reds_core.system.records import from_plain, parse_json, to_plain
from reds_core.watcher import Watcher

_HEADER, _ARRAY = "header", "array/"
_NUMBERS = "biufc"
"""The kinds of NumPy types that can be saved without pickle."""


@dataclass(frozen=True)
class _EpochHeader:
    """The header of the file of a training.

    Attributes:
        origin: A digest that identifies the networks that are trained.
        done: The number of finished epochs.
        seconds: The time that they took, in seconds.
        figures: What is known of each network after each of them.
    """

    origin: str
    done: int
    seconds: float
    figures: tuple[EpochFigures, ...] = ()


class EpochStore(EpochKeeper):
    """Keeps the state of one training in a file.

    Attributes:
        earlier_s: The time that epochs of an earlier process took, in seconds.
        figures: What is known of each network after each epoch so far, including those of an earlier process.
    """

    def __init__(self, path: Path, epochs: int, interruption: Interruption, warn: Callable[[str], None]) -> None:
        """Create the store of one training.

        Args:
            path: The file (.npz).
            epochs: The number of epochs of the training.
            interruption: Checked after each epoch.
            warn: Called with a sentence that says why saved epochs cannot be used.
        """
        self.earlier_s = 0.0
        self.figures: tuple[EpochFigures, ...] = ()
        self._path, self._epochs, self._interruption, self._warn = path, epochs, interruption, warn
        self._origin, self._started = "", time.perf_counter()

    def load(self, origin: str) -> EpochState | None:
        self._origin, self._started = origin, time.perf_counter()
        found = self._read()
        self.figures = () if found is None else found.figures
        if self._epochs > (0 if found is None else found.done):
            self._interruption.scope = "this epoch"
        return found

    def save(self, state: EpochState) -> None:
        for name, array in state.arrays.items():
            if array.dtype.kind not in _NUMBERS:
                raise TypeError(f"array '{name}' of an epoch's state is of type {array.dtype}, which cannot be saved")
        seconds = self.earlier_s + time.perf_counter() - self._started
        header = json.dumps(to_plain(_EpochHeader(self._origin, state.done, seconds, state.figures)))
        arrays = {_ARRAY + name: array for name, array in state.arrays.items()}
        self.figures = state.figures
        write_archive(self._path, {_HEADER: np.array(header), **arrays})
        self._interruption.check()
        if state.done >= self._epochs:
            self._interruption.reset_scope()

    def _read(self) -> EpochState | None:
        outcome = "so the training of this step starts over"
        try:
            arrays = read_archive(self._path)
            header: _EpochHeader = from_plain(_EpochHeader, parse_json(str(arrays.pop(_HEADER)[()])))
        except FileNotFoundError:
            return None
        except (ArchiveError, ValueError, TypeError, KeyError) as error:
            reason = error.reason if isinstance(error, ArchiveError) else type(error).__name__
            self._warn(f"'{self._path}', which holds the finished epochs, is damaged ({reason}), {outcome}")
            return None
        if header.origin != self._origin or not 0 < header.done <= self._epochs:
            self._warn(f"'{self._path}' holds epochs of different networks from those that are trained now, {outcome}")
            return None
        self.earlier_s = header.seconds
        own = {name.removeprefix(_ARRAY): array for name, array in arrays.items()}
        return EpochState(header.done, own, header.figures)


class TrainingSlots:
    """Hands out one file for each training of a step, in the order of the trainings."""

    def __init__(self, file_of: Callable[[int], Path], interruption: Interruption, warn: Callable[[str], None]) -> None:
        """Create the slots of one step.

        Args:
            file_of: Returns the file of a training by its number, from 0.
            interruption: Checked after each epoch.
            warn: Called with a sentence that says why saved epochs cannot be used.
        """
        self._file_of, self._warn = file_of, warn
        self.interruption = interruption
        self._count = 0

    @contextmanager
    def next(self, epochs: int) -> Iterator[EpochStore]:
        """Context manager that keeps the epochs of the next training, which runs inside the block."""
        path = self._file_of(self._count)
        self._count += 1
        try:
            yield EpochStore(path, epochs, self.interruption, self._warn)
        finally:
            self.interruption.reset_scope()


@contextmanager
def resumable_trainings(
    folder: Path, place: str, scope: str, watcher: Watcher, resuming: str | None = None
) -> Iterator[TrainingSlots]:
    """Context manager for a part of a run, in which trainings resume where an earlier process stopped.

    The result of the part is saved at the end of the block. Ctrl-C or SIGTERM ends the run after the current epoch or,
    outside of a training, at the end of the block. A second one ends it at once, which loses the work since then.

    Args:
        folder: The folder of the run.
        place: The name of the part in the names of its files, as for `epochs_file`.
        scope: The name of the part in messages.
        watcher: Warned if the run is about to end, or if saved epochs cannot be used.
        resuming: How the work is resumed, as a clause of that warning. By default it is by resuming the run.

    Raises:
        KeyboardInterrupt: If the user ended the run.
    """

    how = resuming or f"{argument('mode', 'resume')} continues from there"

    def announce(scope: str) -> None:
        watcher.warn(f"the run ends after {scope}, and {how}; press Ctrl-C again to end it at once")

    with deferred_interruption(announce, scope) as interruption:
        yield TrainingSlots(lambda training: epochs_file(folder, place, training), interruption, watcher.warn)
    interruption.check()
