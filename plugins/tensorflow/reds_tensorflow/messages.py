"""One-line summaries of errors that libraries and users' code raise."""

from __future__ import annotations

import re

_BOLD = re.compile("\x1b\\[[0-9]*m")
_KERAS_WRAPS = re.compile(
    r".*(?:Exception encountered when calling [^\n]*|(?:Exception|Error) encountered:)", re.DOTALL
)
"""The text that Keras adds in front of the message of an error that it wraps, possibly several times."""
_NODE = re.compile(r"^\{\{\S+ [^}]*\}\}\s*")
"""The node of a graph that TensorFlow names in front of a message."""


def first_sentence(error: BaseException) -> str:
    """Return the first sentence of an error, without what Keras and TensorFlow add about where it was raised."""
    told = _BOLD.sub("", str(error.args[0] if error.args else error)).strip()
    words = _NODE.sub("", _KERAS_WRAPS.sub("", told).strip()) or type(error).__name__
    return words.splitlines()[0].split(". ")[0].rstrip(".")[:160]
