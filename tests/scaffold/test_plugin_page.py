"""docs/plugins.md and plugins/README.md tell authors what is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import Reds

from reds_core import kinds
from reds_core.plugin import ENTRY_POINT_GROUP
from reds_core.scaffold.naming import plugin_name
from reds_core.scaffold.templates import TEMPLATES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text()
GUIDE = (ROOT / "plugins" / "README.md").read_text()


def test_the_page_names_every_hook_and_how_plugins_are_found() -> None:
    hooks = {name for name in vars(kinds) if name.startswith("reds_")}
    assert {hook for hook in hooks if f"`{hook}`" in PAGE} == hooks
    assert f"entry-point group is `{ENTRY_POINT_GROUP}`" in " ".join(PAGE.split())
    files = TEMPLATES["solver"].files(plugin_name("acme"))
    (project,) = [text for path, text in files.items() if path.name == "pyproject.toml"]
    assert 'keywords = ["reds-plugin"]' in project
    assert "keyword `reds-plugin`" in PAGE


def test_entries_have_the_columns_of_the_table() -> None:
    (header,) = [line for line in PAGE.splitlines() if line.startswith("| distribution")]
    entries = [line for line in PAGE.splitlines() if line.startswith("| [reds-")]
    assert entries
    assert {line.count("|") for line in entries} == {header.count("|")}


def test_the_guide_starts_every_kind(reds: Reds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands are run as they stand there, and make the files that the guide lists."""
    monkeypatch.chdir(tmp_path)
    commands = dict.fromkeys(re.findall(r"^(?:\| `)?reds (new \w+ acme)", GUIDE, re.MULTILINE))
    assert [command.split()[1] for command in commands] == list(TEMPLATES)
    for command in commands:
        kind = command.split()[1]
        assert reds(*shlex.split(command), "--out", kind).status == 0
    table = GUIDE.partition("| file | contents |")[2].partition("\n\n")[0]
    listed = {name for row in table.splitlines()[2:] for name in re.findall(r"`([\w/]+\.\w+)`", row)}
    made = [str(path) for path in tmp_path.rglob("*") if path.is_file()]
    assert [name for name in listed if not any(path.endswith(f"/{name}") for path in made)] == []
    assert len(listed) > 5
