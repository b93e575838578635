"""Texts that docstrings hold in the sections of Google's style."""

from __future__ import annotations

import inspect
import itertools
import re
from typing import Any

_ENTRY = re.compile(r"^ {4}(\w+): ", re.MULTILINE)


def attribute_texts(cls: type[Any]) -> dict[str, str]:
    """The texts of the `Attributes:` section of the docstring of a class, by attribute."""
    section = (inspect.getdoc(cls) or "").partition("\nAttributes:\n")[2]
    lines = itertools.takewhile(lambda line: not line or line.startswith(" "), section.splitlines())
    _, *parts = _ENTRY.split("\n".join(lines))
    return {name: " ".join(text.split()) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def inherited_attribute_texts(cls: type[Any]) -> dict[str, str]:
    """`attribute_texts` of a class and its base classes. A class describes its attributes better than its bases."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__doc__ is not None:
            texts |= attribute_texts(base)
    return texts


def description_of(cls: type[Any]) -> str:
    """The docstring of a class itself without its sections, in paragraphs; empty if it has none."""
    text = inspect.cleandoc(cls.__doc__ or "")
    before = re.split(r"^(?:Args|Attributes|Example|Raises|Returns):$", text, maxsplit=1, flags=re.MULTILINE)[0]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in before.split("\n\n")).strip()
