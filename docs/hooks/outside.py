"""Shows pages on the site that lie outside docs/, and leads links between the two to where they are shown.

The pages link to each other by their places in the repository, as GitHub shows them. A source file that a page links to
gets a page of its own.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
OUTSIDE = ("CHANGELOG.md", "plugins/README.md", "plugins/*/README.md", "benchmarks/README.md")
_README = "installation.md"
"""Where the site shows README.md, whose name it would take for that of the home page."""
_CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?(?=[)\s])")
_FILE_NAME = re.compile(r"\[[\w./-]+\.md\](?=\((?![a-z]+:)([^)\s#]+)(?:#[^)\s]*)?\))")
"""The text of a link to a page, where it is the name of the file."""
_HEADING = re.compile(r"^# (.+?)(?: \{.*\})?$", re.MULTILINE)
_LEXERS = {".py": "python", ".sh": "sh", ".c": "c", ".h": "c", ".toml": "toml", ".yaml": "yaml", ".json": "json"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and a page for each source file that a page links to."""
    outside = {path.relative_to(ROOT).as_posix(): path for pattern in OUTSIDE for path in sorted(ROOT.glob(pattern))}
    outside[_README] = ROOT / "README.md"
    for uri, path in outside.items():
        files.append(File.generated(config, uri, content=path.read_text(encoding="utf-8")))
    for page in list(files.documentation_pages()):
        for target in _linked(page):
            if files.get_file_from_path(_uri(target, files)) is None and (ROOT / target).is_file():
                files.append(File.generated(config, _source_uri(target), content=_source_page(target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links of a page to where their targets are shown, by titles instead of the names of files."""

    def shown(link: re.Match[str]) -> str:
        target = _uri(_resolved(page.file.src_uri, link[1]), files)
        if files.get_file_from_path(target) is None:
            return link[0]  # MkDocs says that it is broken
        return posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".") + (link[2] or "")

    def titled(name: re.Match[str]) -> str:
        target = files.get_file_from_path(_uri(_resolved(page.file.src_uri, name[1]), files))
        heading = target and _HEADING.search(target.content_string)
        return f"[{heading[1]}]" if heading else name[0]

    return _outside_code(markdown, lambda text: _LINK.sub(shown, _FILE_NAME.sub(titled, text)))


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """A page with everything but its code changed."""
    return "".join(part if part.startswith("`") else change(part) for part in _CODE.split(markdown))


def _linked(page: File) -> list[str]:
    """The places in the repository to which a page links."""
    found: list[str] = []

    def noted(text: str) -> str:
        found.extend(_resolved(page.src_uri, link[1]) for link in _LINK.finditer(text))
        return text

    _outside_code(page.content_string, noted)
    return found


def _resolved(uri: str, link: str) -> str:
    """The place in the repository of what a page of the site links to."""
    is_inside = (ROOT / "docs" / uri).exists()
    home = posixpath.dirname(f"docs/{uri}" if is_inside else uri)
    return posixpath.normpath(posixpath.join(home, link))


def _uri(place: str, files: Files) -> str:
    """Where the site shows a file of the repository."""
    if place.startswith("docs/"):
        return place.removeprefix("docs/")
    if place == "README.md":
        return _README
    return place if files.get_file_from_path(place) is not None else _source_uri(place)


def _source_uri(place: str) -> str:
    return f"source/{place}.md"


def _source_page(place: str) -> str:
    text = (ROOT / place).read_text(encoding="utf-8")
    lexer = _LEXERS.get(Path(place).suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# `{place}`\n\n~~~~ {{.{lexer} }}\n{text}\n~~~~\n"
