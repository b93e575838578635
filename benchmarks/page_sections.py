"""Replaces the sections of pages that scripts write."""

from __future__ import annotations

from pathlib import Path


def put(page: Path, section: str, text: str) -> None:
    """Replace the text between `<!-- SECTION -->` and `<!-- /SECTION -->`."""
    before, opened, rest = page.read_text(encoding="utf-8").partition(f"<!-- {section} -->\n")
    _, closed, after = rest.partition(f"<!-- /{section} -->")
    if not (opened and closed):
        raise SystemExit(f"{page} has no section {section}")
    page.write_text(f"{before}{opened}{text}\n{closed}{after}", encoding="utf-8")
