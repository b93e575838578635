"""The code blocks of the documentation, and how each of them is checked.

A block is marked by a comment before it, which GitHub and the site do not show: `<!-- not run: REASON -->`,
`<!-- run by TEST -->` for a test that runs it in another way, or `<!-- run with TensorFlow -->` for one of the slow
tests. A comment before the first heading of a page holds for all of its blocks in Python. Other blocks in Python are
run, and of those for a shell each command of `reds` is checked.

`python tests/support/code_blocks.py` prints all blocks.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/**/*.md",
    "plugins/README.md",
    "plugins/*/README.md",
    "benchmarks/*.md",
)
LANGUAGES = ("python", "sh")
_BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^\n]*?) -->\n+)?^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$", re.M | re.S)
_PAGE_MARK = re.compile(r"\A<!-- (.*?) -->\n")


class Way(Enum):
    """How a block is checked."""

    RUN = "run"
    CHECKED = "commands checked"
    ELSEWHERE = "run by another test"
    TENSORFLOW = "run with TensorFlow"
    NOT_RUN = "not run"
    UNKNOWN = "unknown mark"


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    Attributes:
        page: The place of the page in the repository.
        line: The line of the page on which its code begins, counted from 1.
        language: Its language, such as "python".
        code: Its text.
        way: How it is checked.
        reason: Why it is not run, or which test runs it; empty otherwise.
    """

    page: str
    line: int
    language: str
    code: str
    way: Way
    reason: str = ""

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[list[str]]:
        """The commands of a block for a shell, each as its words."""
        lines = self.code.replace("\\\n", " ").splitlines()
        parts = [shlex.split(part, comments=True) for line in lines for part in line.split(" && ")]
        return [words for words in parts if words]


def pages() -> list[Path]:
    """The pages of the documentation."""
    return sorted({path for pattern in PATTERNS for path in ROOT.glob(pattern)})


def blocks_of(text: str, page: str) -> Iterator[Block]:
    """The blocks of a page in Python and for a shell."""
    whole = _PAGE_MARK.match(text)
    for found in _BLOCK.finditer(text):
        language = found["language"]
        if language in LANGUAGES:
            mark = found["mark"] or (whole[1] if whole and language == "python" else "")
            way, reason = _way(mark, language)
            yield Block(page, text[: found.start("code")].count("\n") + 1, language, found["code"], way, reason)


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [
        block
        for page in pages()
        for block in blocks_of(page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix())
    ]


def _way(mark: str, language: str) -> tuple[Way, str]:
    if not mark:
        return (Way.RUN if language == "python" else Way.CHECKED), ""
    if mark.startswith("not run: "):
        return Way.NOT_RUN, mark.removeprefix("not run: ")
    if mark == Way.TENSORFLOW.value:
        return Way.TENSORFLOW, ""
    if mark.startswith("run by "):
        return Way.ELSEWHERE, mark.removeprefix("run by ")
    return Way.UNKNOWN, mark


def main() -> None:
    """Print all blocks and how each is checked."""
    found = all_blocks()
    for block in found:
        print(f"{block.name:45} {block.language:7} {block.way.value}{': ' * bool(block.reason)}{block.reason}")
    counts = Counter(block.way.value for block in found)
    print(f"{len(found)} blocks: " + ", ".join(f"{count} {way}" for way, count in counts.most_common()))


if __name__ == "__main__":
    main()
