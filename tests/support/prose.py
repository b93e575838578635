"""The prose of the project: pages, docstrings, help texts and messages, without code.

`python tests/support/prose.py WORD` lists the lines of prose that hold a word.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("*.md", "docs/**/*.md", "plugins/*.md", "plugins/*/README.md", "benchmarks/*.md")
MODULES = ("reds_core/**/*.py", "plugins/*/reds_*/**/*.py")
CODE = "¤"
"""Takes the place of each character of code in a page."""
LEAST_WORDS = 3
"""Shorter texts in code are names and keys, not prose."""

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.M | re.S)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.S)
_TARGET = re.compile(r"\]\([^)\s]*\)|\]\[[^\]]*\]|^\[[^\]]*\]: .*$|<https?:[^>]*>|https?://[^\s\])]+", re.M)
_TAG = re.compile(r"</?[a-z][^>]*>")
_PARAMETER = re.compile(r"^ +\w+(, \w+)*:(?= )", re.M)
"""The name of what a docstring describes."""


@dataclass(frozen=True)
class Prose:
    """A piece of prose.

    Attributes:
        path: The file that holds it, relative to the root of the project.
        line: Its first line, counted from 1.
        text: The text, in which code is replaced by blanks or `CODE`.
    """

    path: str
    line: int
    text: str


def blanked(pattern: re.Pattern[str], text: str, filler: str = " ") -> str:
    """`text` with matches replaced by blanks, or by another character, which keeps the numbers of lines."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", filler, match[0]), text)


def prose_of_page(text: str) -> str:
    """The text of a page in Markdown without comments, tags and the targets of links, and with `CODE` for code."""
    for pattern, filler in ((_FENCE, CODE), (_COMMENT, " "), (_CODE, CODE), (_TARGET, " "), (_TAG, " ")):
        text = blanked(pattern, text, filler)
    return text


def texts_of_module(source: str) -> Iterator[tuple[int, str]]:
    """The texts of a module with their first lines: docstrings, help texts, messages and labels.

    Expressions inside of a text become "{}", and a text that is added up from parts is one text.
    """
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        text = _text(node)
        if text is None:
            pending.extend(ast.iter_child_nodes(node))
        elif len(text.split()) >= LEAST_WORDS:
            yield node.lineno, blanked(_PARAMETER, blanked(_CODE, text))  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str | None:
    """The text of a literal, an f-string, or a sum of these; None for other nodes."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None and right is None else (left or "{}") + (right or "{}")
    return None


def errors_of_module(source: str) -> Iterator[tuple[int, str, str]]:
    """The errors that a module raises with two texts, what is wrong and how to fix it, with their lines.

    Expressions inside of a text become "{}". A text that is an expression itself is empty.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and len(node.args) == len(("what", "fix")):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name.endswith("Error"):
                what, fix = (_text(argument) or "" for argument in node.args)
                yield node.lineno, what, fix


def pages() -> Iterator[Prose]:
    """The prose of every page."""
    for path in sorted({path for pattern in PAGES for path in ROOT.glob(pattern)}):
        yield Prose(str(path.relative_to(ROOT)), 1, prose_of_page(path.read_text(encoding="utf-8")))


def modules() -> list[Path]:
    """The modules of reds and its plugins, without those of tests."""
    found = {path for pattern in MODULES for path in ROOT.glob(pattern)}
    return sorted(path for path in found if "tests" not in path.relative_to(ROOT).parts)


def texts() -> Iterator[Prose]:
    """The docstrings, help texts and messages of every module."""
    for path in modules():
        for line, text in texts_of_module(path.read_text(encoding="utf-8")):
            yield Prose(str(path.relative_to(ROOT)), line, text)


if __name__ == "__main__":
    wanted = re.compile(sys.argv[1], re.I)
    for each in (*pages(), *texts()):
        for number, line in enumerate(each.text.splitlines(), each.line):
            if wanted.search(line):
                print(f"{each.path}:{number}: {line.strip()}")
