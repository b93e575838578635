"""The words of the project: standard terms instead of synonyms, and whole sentences instead of notes.

The words to avoid, and what to write instead, are listed in vocabulary.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from prose import CODE, ROOT, Prose, blanked, errors_of_module, modules, pages, prose_of_page, texts, texts_of_module

LIST = Path(__file__).with_name("vocabulary.toml")
GLOSSARY = "docs/about/glossary.md"
_BLOCK = re.compile(r"(?:^(?!\s*$).*\n?)+", re.M)
_NO_PROSE = re.compile(r"\s*([#|>!]|[-*+] |\d+\. |\[\^|<|(-{3,}|\*{3,})\s*$)|    |\[[\w ]+\]: ")
"""Headings, tables, pictures, lists, footnotes, HTML, lines, indented code and targets of links."""
_ENDS = (".", ":", "?", "!", ".*", ".)", "**", CODE)
_CODE = (CODE, "    ")


@dataclass(frozen=True)
class Term:
    """Words to avoid.

    Attributes:
        avoid: A regular expression of the words, which are matched as whole words.
        use: What to write instead.
        case: Whether upper and lower case differ.
    """

    avoid: str
    use: str
    case: bool = False

    @property
    def pattern(self) -> re.Pattern[str]:
        words = self.avoid.replace(" ", r"\s+")
        return re.compile(rf"(?<![\w/.-])(?:{words})(?![\w/-]|\.\w)", 0 if self.case else re.I)


@cache
def _listed() -> dict[str, Any]:
    return tomllib.loads(LIST.read_text(encoding="utf-8"))


def terms() -> tuple[Term, ...]:
    """The words to avoid."""
    return tuple(Term(**term) for term in _listed()["term"])


def avoided(prose: Iterable[Prose]) -> Iterator[str]:
    """Every use of words to avoid, with its place and what to write instead."""
    patterns = [(term.pattern, term.use) for term in terms()]
    for piece in prose:
        for pattern, use in patterns:
            for found in pattern.finditer(piece.text):
                line = piece.line + piece.text.count("\n", 0, found.start())
                words = " ".join(found[0].split())
                yield f"{piece.path}:{line}: '{words}'; write: {use}"


def unfinished(page: Prose) -> Iterator[str]:
    """Paragraphs of a page that do not end like a sentence, and that no code continues."""
    blocks = list(_BLOCK.finditer(page.text))
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        text = block[0].rstrip()
        if any(_NO_PROSE.match(line) for line in text.splitlines()) or text.endswith(_ENDS):
            continue
        if following is None or not following[0].startswith(_CODE):
            line = page.line + page.text.count("\n", 0, block.start())
            yield f"{page.path}:{line}: ... {' '.join(text[-40:].split())}"


def malformed(path: str, source: str) -> Iterator[str]:
    """Errors of a module that are not of the form "clause; imperative", which is shown as one line."""
    for line, what, fix in errors_of_module(source):
        first = fix.split(maxsplit=1)[0].rstrip(":,") if fix else ""
        if first and not first.startswith("{") and first not in _listed()["imperatives"]:
            yield f"{path}:{line}: '{fix}' does not begin with a verb such as {_listed()['imperatives'][0]}"
        if what.endswith((".", "!", ";")) or fix.endswith((".", "!", ";")):
            yield f"{path}:{line}: '{what}; {fix}' has parts that end like sentences"


def entries(glossary: str) -> list[str]:
    """The terms of the glossary."""
    return re.findall(r"^### (.+)$", glossary, re.M)


def unused(names: Iterable[str], prose: Iterable[Prose]) -> list[str]:
    """Terms of the glossary that no page uses, whatever the case and the form."""
    whole = " ".join(re.sub(r"\W+", " ", piece.text) for piece in prose).lower()
    return [name for name in names if re.sub(r"\W+", " ", name).lower() not in whole]


@pytest.mark.parametrize("prose", [pages, texts], ids=["pages", "docstrings, help texts and messages"])
def test_words_to_avoid_are_not_used(prose: object) -> None:
    assert callable(prose)
    assert list(avoided(prose())) == []


def test_paragraphs_of_pages_end_like_sentences() -> None:
    assert [found for page in pages() for found in unfinished(page)] == []


def test_errors_say_what_to_do_in_the_imperative() -> None:
    sources = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in modules()]
    assert sum(len(list(errors_of_module(source))) for _, source in sources) > 300
    assert [found for path, source in sources for found in malformed(path, source)] == []


def test_terms_of_the_glossary_are_in_order_explained_and_used() -> None:
    text = (ROOT / GLOSSARY).read_text(encoding="utf-8")
    names = entries(text)
    assert len(names) > 30
    assert names == sorted(names, key=str.lower)
    explained = re.findall(r"^### .+\n(?!\n|#).+", text, re.M)
    assert len(explained) == len(names), "a term has no explanation"
    others = [
        Prose(str(path.relative_to(ROOT)), 1, path.read_text(encoding="utf-8")) for path in ROOT.glob("docs/**/*.md")
    ]
    assert unused(names, [page for page in others if page.path != GLOSSARY]) == []


# --- the checks can fail --------------------------------------------------------------------------------------------

BAD = '''
"""The helper of the farm."""

def go(self) -> None:
    """Say of each whether it can be used: the FLOPs of a sub-network."""
    raise InputError(f"it stands beside {self.path} and goes" " on with it", "mend it")
'''


def test_bad_texts_of_code_are_found() -> None:
    found = list(avoided(Prose("bad.py", line, text) for line, text in texts_of_module(BAD)))
    words = [line.split("'")[1] for line in found]
    assert set(words) == {
        "helper",
        "farm",
        "Say of each whether",
        "FLOPs",
        "sub-network",
        "stands beside",
        "goes on with",
    }
    assert found[0].startswith("bad.py:")
    assert "; write: subnetwork" in "\n".join(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The child\nnetwork is small.", ["child network"]),
        ("Its FLOPs, `FLOPs` and\n```sh\nFLOPs\n```\n", ["FLOPs"]),
        ("Prune the [submodel](docs/submodel.md).", ["submodel"]),
        ("See /work/notes and ../shared/assets.", ["/work/notes"]),
        ("The records are in shared/assets.", ["shared/assets"]),
        ("tf.data.Dataset and model.dataset, `TFLite`, .tflite, finetuning.md", []),
        ("It stands in the way; TensorFlow Lite Micro runs it.", []),
        (
            "TensorFlow Lite runs it, and Batch Normalization, as in issue 7.",
            ["Batch Normalization", "TensorFlow Lite", "issue 7"],
        ),
    ],
)
def test_bad_words_of_pages_are_found_and_code_is_not_read(text: str, words: list[str]) -> None:
    found = avoided([Prose("page.md", 1, prose_of_page(text))])
    assert sorted(line.split("'")[1] for line in found) == words


@pytest.mark.parametrize(
    ("text", "is_finished"),
    [
        ("A sentence that ends.\n", True),
        ("What follows:\n", True),
        ("With a [link](a.md).\n", True),
        ("Ends in `code`\n", True),
        ("It is made by\n\n```sh\nreds\n```\n\nA sentence.\n", True),
        ("# Heading\n", True),
        ("- item\n- another\n", True),
        ("| a | b |\n|---|---|\n", True),
        ("Without data, and for models of several inputs\n", False),
        ("Of optimizers that have one\n\nNext.\n", False),
    ],
)
def test_paragraphs_without_an_end_are_found(text: str, is_finished: bool) -> None:
    assert (not list(unfinished(Prose("page.md", 1, prose_of_page(text))))) is is_finished


@pytest.mark.parametrize(
    ("call", "is_malformed"),
    [
        ('InputError(f"{name} is empty", "give a value")', False),
        ('InputError(f"{name} is empty", f"{near}choose another")', False),
        ('InputError(f"{name} is empty", "its options: a")', True),
        ('errors.InputError(f"{name} is empty.", "give" " a value")', True),
        ('InputError(f"{name} is empty", fix)', False),
    ],
)
def test_errors_of_another_form_are_found(call: str, is_malformed: bool) -> None:
    assert bool(list(malformed("bad.py", f"raise {call}"))) is is_malformed


def test_terms_that_no_page_uses_are_found() -> None:
    assert unused(["Width", "Held-back data", "Ghost"], [Prose("a.md", 1, "The widths of held-back\ndata.")]) == [
        "Ghost"
    ]


def test_blanks_keep_the_numbers_of_lines() -> None:
    assert blanked(re.compile("b.c", re.S), "ab\ncd\n") == "a \n d\n"
