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


def check_name(name: str) -> None:
    """Check that a name can be written to files, whose arrays are named after groups and resources.

    Raises:
        InputError: if it has a null character, or a surrogate, which UTF-8 cannot represent.
    """
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise refused(f"the name {name!r} has a character that files cannot contain", "choose another name")


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
        InputError: if the array is not numeric or has rows of different lengths, or an entry is not a whole number or
            is too large.
    """
    try:
        raw = np.asarray(array)
    except ValueError as error:
        raise refused(f"{what} have rows of different lengths", "give an array of integers") from error
    if raw.dtype.kind == "f" and (not np.all(np.isfinite(raw)) or np.any(raw != np.rint(raw))):
        raise refused(f"{what} include a number that is not whole", "round it; all numbers are 64-bit integers")
    is_object_of_integers = raw.dtype.kind == "O" and raw.size > 0 and all(type(each) is int for each in raw.flat)
    if raw.dtype.kind not in "iuf" and not is_object_of_integers:
        found = "other objects" if raw.dtype.kind == "O" else f"of type {raw.dtype}"
        raise refused(f"{what} are not integers, but {found}", "give an array of integers")
    wide = raw.astype(np.float64) if raw.dtype.kind == "f" else raw  # half precision has no such limit
    if raw.dtype.kind in "ufO" and raw.size and np.any(np.abs(wide) > MAGNITUDE_LIMIT):
        raise refused(f"{what} include a number above 2^62", "scale the numbers down")
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
    try:
        if not isinstance(number, bool) and isinstance(number, SupportsIndex):
            return operator.index(number)
    except TypeError:  # arrays have an __index__ too, but only those without dimensions can use it
        pass
    fix = "round it" if isinstance(number, float | np.floating) else "give an integer"
    raise refused(f"{what} is {number!r}, which is not a whole number", f"{fix}; all numbers are 64-bit integers")


def checked_table(array: object, shape: tuple[int, ...], what: str) -> Table:
    """`array` as read-only int64 of the given shape; None, which represents zeros, is returned as it is.

    Raises:
        InputError: if the shape differs, or for the reasons given at `as_integers`.
    """
    if array is None:
        return None
    result = as_integers(array, what)
    if result.shape != shape:
        raise refused(f"{what} have shape {result.shape} instead of {shape}")
    return result


def largest(table: Table) -> int:
    """The largest absolute value in `table`, as a Python integer of any size; 0 for an empty table or None."""
    if table is None or table.size == 0:
        return 0
    return max(abs(int(table.max())), abs(int(table.min())))


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as '1 group' or '1,024 options'. The plural is formed with an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
