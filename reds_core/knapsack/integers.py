"""Validated, read-only int64 arrays, as problems hold them."""

from __future__ import annotations

import operator
from typing import SupportsIndex

import numpy as np

from reds_core.arrays import IntArray, Table
from reds_core.errors import InputError

MAGNITUDE_LIMIT = 2**62
"""The largest absolute value of any sum of values or costs, so that partial sums cannot overflow int64."""


def refused(what: str, fix: str = "correct the problem file or the code that builds it") -> InputError:
    """The error for an invalid problem."""
    return InputError(f"knapsack problem: {what}", fix)


def is_sealed(array: object, dtype: type[np.generic]) -> bool:
    """Whether `array` is read-only and owns its data, so that variants of a problem can share it."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        return False
    return bool(array.flags.owndata) and not array.flags.writeable


def as_integers(array: object, what: str) -> IntArray:
    """`array` as read-only int64. Floats are accepted if they are whole numbers.

    Args:
        array: anything that NumPy turns into an array. It is copied unless it can be shared as it is.
        what: what the numbers are, for messages.

    Raises:
        InputError: if the array is not numeric, or an entry is not a whole number or is too large.
    """
    raw = np.asarray(array)
    if raw.dtype.kind == "f":
        if not np.all(np.isfinite(raw)) or np.any(raw != np.rint(raw)) or np.any(np.abs(raw) > MAGNITUDE_LIMIT):
            raise refused(f"{what} holds a number that is not whole", "round it; all numbers are 64-bit integers")
    elif raw.dtype.kind == "u":
        if raw.size and int(raw.max()) > MAGNITUDE_LIMIT:
            raise refused(f"{what} holds a number above 2^62", "scale the numbers down")
    elif raw.dtype.kind not in "i":
        raise refused(f"{what} has type {raw.dtype}, not integers", "store it as int64")
    if is_sealed(raw, np.int64):
        return raw
    result = raw.astype(np.int64)
    result.setflags(write=False)
    return result


def as_integer(number: object, what: str) -> int:
    """`number` as a Python integer of any size. Floats are accepted if they are whole numbers.

    Args:
        number: the number.
        what: what it is, for messages.

    Raises:
        InputError: if it is not a whole number.
    """
    if isinstance(number, float | np.floating) and np.isfinite(number) and number == np.rint(number):
        return int(number)
    if isinstance(number, bool) or not isinstance(number, SupportsIndex):
        raise refused(f"{what} is {number!r}, which is not whole", "round it; all numbers are 64-bit integers")
    return operator.index(number)


def checked_table(array: object, shape: tuple[int, ...], what: str) -> Table:
    """`array` as read-only int64 of the given shape; None, which represents zeros, is returned as it is.

    Raises:
        InputError: if the shape differs, or for the reasons given at `as_integers`.
    """
    if array is None:
        return None
    result = as_integers(array, what)
    if result.shape != shape:
        raise refused(f"{what} has shape {result.shape} where {shape} is expected")
    return result


def largest(table: Table) -> int:
    """The largest absolute value in `table`, as a Python integer of any size; 0 for an empty table or None."""
    if table is None or table.size == 0:
        return 0
    return max(abs(int(table.max())), abs(int(table.min())))


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as '1 group' or '1,024 options'. The plural is formed with an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
