"""Errors of libraries and of users' code, in words short enough for one line."""

from __future__ import annotations

import re

_BOLD = re.compile("\x1b\\[[0-9]*m")
_KERAS_WRAPS = re.compile(
    r".*(?:Exception encountered when calling [^\n]*|(?:Exception|Error) encountered:)", re.DOTALL
)
"""What Keras writes before the message of an error that it wraps; wraps may stand inside one another."""


def first_sentence(error: BaseException) -> str:
    """What an error says first, or, where Keras wraps the error of a layer, what that one says first."""
    told = _BOLD.sub("", str(error.args[0] if error.args else error)).strip()
    words = _KERAS_WRAPS.sub("", told).strip() or type(error).__name__
    return words.splitlines()[0].split(". ")[0].rstrip(".")[:160]
