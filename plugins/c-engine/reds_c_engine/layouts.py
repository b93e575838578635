"""How the files of a generated engine are laid out, and the files around them, made from templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

TEMPLATES = Path(__file__).with_name("templates")
BUILDING = "building.md"
"""The template of a section of the README. All other files in the folder of a layout are files of their own."""

LayoutName = Literal["plain", "arduino", "zephyr"]


@dataclass(frozen=True)
class Layout:
    """A layout.

    Attributes:
        name: Its name, and that of the folder of its templates.
        sources: The folder of the files in C, relative to that of the engine.
    """

    name: LayoutName
    sources: str

    def files(self, words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the path and the text of each file around the files in C, except the README.

        Args:
            words: The replacement for each word that stands between two @ in templates.
        """
        folder = TEMPLATES / self.name
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != BUILDING:
                yield path.relative_to(folder).as_posix(), filled(path, words)

    def building(self) -> str:
        """Return the text that explains how to build."""
        return (TEMPLATES / self.name / BUILDING).read_text("utf-8").strip()


LAYOUTS: dict[LayoutName, Layout] = {
    "plain": Layout("plain", ""),
    "arduino": Layout("arduino", "src"),
    "zephyr": Layout("zephyr", "src"),
}


def filled(path: Path, words: Mapping[str, str]) -> str:
    """Return the text of a template with words replaced.

    Raises:
        KeyError: If the template has an unknown word.
    """
    return re.sub(r"@([A-Z_]+)@", lambda match: words[match.group(1)], path.read_text("utf-8"))
