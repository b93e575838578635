"""The home page of the documentation, which the README calls a list of all pages."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_home_page_links_every_page() -> None:
    home = DOCS / "index.md"
    linked = set(re.findall(r"\]\(([^)#]+)[^)]*\)", home.read_text(encoding="utf-8")))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page != home}
    assert pages <= linked, f"docs/index.md does not link {sorted(pages - linked)}"
