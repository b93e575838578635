"""Loading the compiled library and declaring its functions."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from reds_core.knapsack.compiled.sources import FOLDER, library_name

VARIABLE = "REDS_COMPILED"
"""The environment variable that switches compiled code off, if it is 0."""

STOP = ctypes.CFUNCTYPE(ctypes.c_int)
_STOPPED, _NO_MEMORY = 1, 2


@functools.cache
def _loaded() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(FOLDER / library_name()))
    except OSError:  # not compiled when this was installed, or for another kind of machine
        return None
    number, real, address = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
    program: list[Any] = [number, address, address, address]
    library.reds_sweep.argtypes = [*program, number, number, address, address, address, STOP]
    library.reds_marginals.argtypes = [*program, number, number, *(address,) * 5, STOP]
    library.reds_decode.argtypes = [*program, number, number, number, address, address, address]
    library.reds_labels.argtypes = [*program, number, number, *(address,) * 9, STOP]
    library.reds_lowest.argtypes = [number, number, *(address,) * 4, number, real, real, address]
    library.reds_undominated.argtypes = [number, number, *(address,) * 4]
    library.reds_undominated.restype = number
    return library


def compiled_library() -> ctypes.CDLL | None:
    """The compiled library, or None if it was not built or is switched off by the environment variable."""
    return None if os.environ.get(VARIABLE) == "0" else _loaded()


def described() -> str:
    """Which implementation of the innermost loops is used, in words."""
    if compiled_library() is not None:
        return "compiled code"
    return f"NumPy, because {VARIABLE} is 0" if os.environ.get(VARIABLE) == "0" else "NumPy, as no library was compiled"


def address(array: npt.NDArray[Any]) -> int:
    """The address of the first entry of a contiguous array."""
    where: int = array.__array_interface__["data"][0]
    return where


class Stopper:
    """A check that may raise an exception, as a callback that C code asks whether to stop.

    Args:
        check: called each time; an exception that it raises is kept, and stops the C code.

    Attributes:
        callback: the callback; valid as long as this object.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._raised: BaseException | None = None
        self.callback = STOP(self._ask)

    def _ask(self) -> int:
        try:
            self._check()
        except BaseException as error:  # also an interrupt, which must not be lost
            self._raised = error
            return 1
        return 0

    def take(self, status: int) -> BaseException | None:
        """The exception that stopped a compiled function with this status, or None.

        Raises:
            MemoryError: if the status says that memory ran out.
        """
        if status == _NO_MEMORY:
            raise MemoryError
        raised, self._raised = self._raised, None
        return raised if status == _STOPPED else None

    def finish(self, status: int) -> None:
        """Raise what a status of a compiled function means, if it means an exception."""
        raised = self.take(status)
        if raised is not None:
            raise raised
