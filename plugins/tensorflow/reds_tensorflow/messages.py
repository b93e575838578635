"""Errors of libraries and of users' code, in words short enough for one line."""

from __future__ import annotations

_KERAS_WRAPS = "Exception encountered:"
"""What Keras writes before the message of the error that it wraps."""


def first_sentence(error: BaseException) -> str:
    """What an error says first, or, where Keras wraps the error of a layer, what that one says first."""
    words = str(error.args[0] if error.args else error).strip()
    words = words.rpartition(_KERAS_WRAPS)[2].strip() or type(error).__name__
    return words.splitlines()[0].split(". ")[0].rstrip(".")[:160]
