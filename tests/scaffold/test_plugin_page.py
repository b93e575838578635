"""docs/extend/plugins.md and plugins/README.md tell authors what is there."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest
from command_line import Reds

from reds_core import kinds
from reds_core.framework import LayerPlugin
from reds_core.plugin import ENTRY_POINT_GROUP
from reds_core.scaffold.naming import plugin_name
from reds_core.scaffold.templates import TEMPLATES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend" / "plugins.md").read_text()
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


def test_the_code_of_the_guide_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which the blocks need each other; `reds_torch` exists in the guide only."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    acme = ModuleType("reds_acme")
    monkeypatch.setitem(sys.modules, "reds_acme", acme)
    names = acme.__dict__ | {"choice": (0,), "value": 1, "bound": 2, "LayerPlugin": LayerPlugin}
    classes = [block for block in blocks if "class " in block]
    others = [block for block in blocks if "class " not in block and "torch.manual_seed" not in block]
    assert (len(classes), len(others), len(blocks)) == (5, 3, 9)
    for block in [*classes, *others]:
        exec(block, names)
        acme.__dict__.update({name: names[name] for name in names if name.startswith("Acme")})
    hooks = {name: names[name]() for name in names if name.startswith("reds_")}
    assert hooks == {"reds_solvers": [names["AcmeSolver"]], "reds_scorers": [names["AcmeScorer"]]}
    (mark,) = names["test_conformance"].pytestmark
    assert mark.name == "parametrize"


def test_the_entry_point_of_the_guide_is_that_of_a_new_package() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    files = TEMPLATES["scorer"].files(plugin_name("acme"))
    made = tomllib.loads(files[PurePosixPath("pyproject.toml")])["project"]["entry-points"]
    assert tomllib.loads(block)["project"]["entry-points"] == made
