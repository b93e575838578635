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

NO_MEMORY, LIMIT = 2, 3
"""Statuses that compiled functions return; see program.h."""


@functools.cache
def _loaded() -> ctypes.PyDLL | None:
    try:
        library = ctypes.PyDLL(str(FOLDER / library_name()))
    except OSError:  # not compiled when this was installed, or for another kind of machine
        return None
    number, real, address = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
    program: list[Any] = [number, address, address, address]
    library.reds_sweep.argtypes = [*program, number, number, *(address,) * 4]
    library.reds_marginals.argtypes = [*program, number, number, *(address,) * 6]
    library.reds_decode.argtypes = [*program, number, number, number, address, address, address]
    library.reds_labels.argtypes = [*program, number, number, *(address,) * 10]
    library.reds_lowest.argtypes = [number, number, *(address,) * 4, number, real, real, address]
    library.reds_undominated.argtypes = [number, number, *(address,) * 4]
    library.reds_undominated.restype = number
    return library


def compiled_library() -> ctypes.PyDLL | None:
    """The compiled library, or None if it was not built or is switched off by the environment variable."""
    return None if os.environ.get(VARIABLE) == "0" else _loaded()


def described() -> str:
    """Which implementation of the innermost loops is used, in words."""
    if compiled_library() is not None:
        return "compiled code"
    if os.environ.get(VARIABLE) == "0":
        return f"NumPy, because {VARIABLE} is 0"
    if (FOLDER / library_name()).exists():
        return "NumPy, as the compiled library cannot be loaded on this machine"
    if any(FOLDER.glob("kernels-*.so")):
        return "NumPy, as the C sources have changed since they were compiled; install reds again"
    return "NumPy, as no library was compiled"


def address(array: npt.NDArray[Any]) -> int:
    """The address of the first entry of a contiguous array."""
    where: int = array.__array_interface__["data"][0]
    return where


class StopCheck(ctypes.Structure):
    """A function that compiled code calls regularly, and that may raise an exception to stop it.

    The exception is raised where the compiled function was called. C code calls the function through the interpreter
    itself, because an exception of a signal can be lost on the way into a callback that `ctypes` makes.

    Args:
        check: the function.
    """

    _fields_ = (("call", ctypes.c_void_p), ("release", ctypes.c_void_p), ("check", ctypes.py_object))

    def __init__(self, check: Callable[[], None]) -> None:
        call, release = (
            ctypes.cast(f, ctypes.c_void_p) for f in (ctypes.pythonapi.PyObject_CallNoArgs, ctypes.pythonapi.Py_DecRef)
        )
        super().__init__(call, release, check)


def finish(status: int) -> None:
    """Raise MemoryError if the status of a compiled function says that memory ran out."""
    if status == NO_MEMORY:
        raise MemoryError
