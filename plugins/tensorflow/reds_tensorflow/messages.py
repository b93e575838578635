"""Errors of libraries and of users' code, in words short enough for one line."""

from __future__ import annotations


def first_sentence(error: BaseException) -> str:
    """What the error at the root of another says first."""
    while error.__context__ is not None:
        error = error.__context__
    words = str(error.args[0] if error.args else error).strip() or type(error).__name__
    return words.splitlines()[0].split(". ")[0].rstrip(".")[:160]
