"""The hooks that make pages of the documentation site from the code, and lead links to where the site shows them."""

from __future__ import annotations

import dataclasses
import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import reds_core
from reds_core import cli

ROOT = Path(__file__).parents[2]
SCHEMAS = sorted((ROOT / "docs" / "reference" / "schemas").glob("*.json"))

mkdocs = pytest.importorskip("mkdocs", reason="the extra docs is not installed")


def hook(name: str) -> dict[str, Any]:
    """The names of a hook, which is a module by itself."""
    return runpy.run_path(str(ROOT / "docs" / "hooks" / f"{name}.py"))


@pytest.fixture(scope="module")
def files() -> Any:
    """The pages of docs/ and those that the hook `outside` adds."""
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import get_files

    config = MkDocsConfig()
    config.load_dict({"site_name": "reds", "docs_dir": str(ROOT / "docs"), "use_directory_urls": False})
    config.plugins = SimpleNamespace(_current_plugin="test")  # type: ignore[assignment]
    return hook("outside")["on_files"](get_files(config), config), config


def shown(files: Any, uri: str, markdown: str) -> str:
    """A page after the hook `outside`."""
    page = SimpleNamespace(file=files[0].get_file_from_path(uri))
    changed: str = hook("outside")["on_page_markdown"](markdown, page, files[1], files[0])
    return changed


def test_the_search_needs_nothing_from_elsewhere() -> None:
    """The plugin `offline` fetches the script `iframe-worker` from a server, unless a file has its name."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    settings = yaml.safe_load(re.sub(r"!!python/\S+", "", text))
    assert "offline" in settings["plugins"]
    assert settings["theme"]["font"] is False
    (script,) = settings["extra"]["polyfills"]
    assert "iframe-worker" in script
    assert "window.Worker=" in (ROOT / "docs" / script).read_text(encoding="utf-8")


# --- public names ---------------------------------------------------------------------------------------------------


def test_a_public_name_without_a_group_ends_the_build(files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reds_core, "__all__", [*reds_core.__all__, "shrink"])
    with pytest.raises(mkdocs.exceptions.PluginError, match=r"GROUPS in .*api.py lacks public names .*: shrink$"):
        hook("api")["on_files"](*files)


def test_a_group_with_a_name_that_is_gone_ends_the_build(files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reds_core, "__all__", [name for name in reds_core.__all__ if name != "prune"])
    with pytest.raises(mkdocs.exceptions.PluginError, match=r"has names that reds_core lacks: prune$"):
        hook("api")["on_files"](*files)


def test_each_public_name_is_on_one_page_and_in_the_index(files: Any) -> None:
    from mkdocs.structure.files import Files

    pages = hook("api")["on_files"](Files([]), files[1])
    texts = {file.src_uri: file.content_string for file in pages}
    index = texts.pop("reference/api/index.md")
    for name in set(reds_core.__all__) - {"__version__"}:
        assert f"[reds_core.{name}]" in index
        blocks = [text for uri, text in texts.items() if "reds_core." not in uri and f"::: reds_core.{name}\n" in text]
        blocks += [text for text in texts.values() if f"::: reds_core.{name}.{name}\n" in text]
        assert len(blocks) == 1, name


# --- commands -------------------------------------------------------------------------------------------------------


def test_the_page_of_commands_has_every_command_and_option() -> None:
    import typer.main

    page = hook("commands")["commands_page"]()
    program: Any = typer.main.get_command(cli.application())
    for name, command in program.commands.items():
        section = page.partition(f"## reds {name}\n")[2].partition("\n## ")[0]
        assert f"reds {name}" in section
        for each in command.params:
            if not getattr(each, "hidden", False) and each.param_type_name == "option":
                assert each.opts[0] in section, f"{name} {each.opts[0]}"


def test_a_command_without_help_ends_the_build() -> None:
    section = hook("commands")["_command_section"]
    with pytest.raises(mkdocs.exceptions.PluginError, match=r"The command reds shrink has no help text"):
        section("shrink", SimpleNamespace(help=""))


def test_help_texts_are_shown_as_they_are() -> None:
    plain = hook("commands")["_plain"]
    assert plain("a|b <x> *y* `c|d_e`") == r"a&#124;b \<x\> \*y\* `c|d_e`"


# --- plugins --------------------------------------------------------------------------------------------------------


def test_a_plugin_that_cannot_be_shown_ends_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reds_core.describe_plugin

    def described(name: str) -> Any:
        return [dataclasses.replace(each, source=None, detail="it is broken") for each in whole(name)]

    monkeypatch.setattr(reds_core, "describe_plugin", described)
    with pytest.raises(mkdocs.exceptions.PluginError, match=r"The plugin \S+ cannot be shown on .*: it is broken$"):
        hook("plugin_list")["first_party"]()


def test_a_kind_of_plugin_that_the_page_lacks_ends_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reds_core.describe_plugin
    monkeypatch.setattr(
        reds_core, "describe_plugin", lambda name: [dataclasses.replace(each, kind="oven") for each in whole(name)]
    )
    with pytest.raises(mkdocs.exceptions.PluginError, match=r"does not know plugins of the kind oven$"):
        hook("plugin_list")["first_party"]()


# --- file formats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_the_page_of_a_format_has_every_object_and_field(path: Path) -> None:
    schema = json.loads(path.read_text())
    page = hook("schemas")["schema_page"](path.name, schema)
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}
    assert set(sections) == {"The file", *schema.get("$defs", {})}
    for name, part in {"The file": schema, **schema.get("$defs", {})}.items():
        for field in (*part.get("properties", {}), *part.get("required", ())):
            assert f"\n| `{field}` | " in sections[name]
        for value in part.get("enum", ()):
            assert f'`"{value}"`' in sections[name]


def test_types_are_written_in_words() -> None:
    written = hook("schemas")["_type"]
    assert written({"anyOf": [{"type": "integer"}, {"type": "null"}]}) == "whole number or null"
    assert written({"type": "array", "items": {"$ref": "#/$defs/Step"}}) == "list of [Step](#step)"
    either = {"anyOf": [{"type": "string"}, {"type": "number"}]}
    assert written({"type": "object", "additionalProperties": either}) == "object: name → (text or number)"
    assert written({"const": "reds-plan/1"}) == '`"reds-plan/1"`'
    assert (
        written({"prefixItems": [{"type": "string"}, {"type": "string"}], "type": "array"}) == "list of text and text"
    )


def test_the_table_of_formats_links_to_the_pages_of_fields(files: Any) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="reference/formats.md"))
    text = hook("schemas")["on_page_markdown"]("| [recipe.json](schemas/recipe.json) |", page, files[1], files[0])
    assert text == "| [fields](schemas/recipe.md), [schema](schemas/recipe.json) |"


# --- pages outside docs/ --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "link", "expected"),
    [
        ("installation.md", "[docs](docs/guide/data.md#weights)", "[docs](guide/data.md#weights)"),
        ("guide/data.md", "[plugins](../../plugins/README.md)", "[plugins](../plugins/README.md)"),
        ("guide/data.md", "[install](../../README.md#install)", "[install](../installation.md#install)"),
        ("plugins/dp/README.md", "[x](../../docs/guide/limits.md)", "[x](../../guide/limits.md)"),
        ("guide/limits.md", "[data.md](data.md)", "[Data](data.md)"),
        ("guide/limits.md", "`[x](data.md)` [y](https://none.example)", "`[x](data.md)` [y](https://none.example)"),
        ("guide/limits.md", "[x](none.md)", "[x](none.md)"),
    ],
)
def test_links_lead_to_where_the_site_shows_their_targets(files: Any, uri: str, link: str, expected: str) -> None:
    assert shown(files, uri, link) == expected


def test_source_files_that_pages_link_to_have_pages_that_are_not_searched(files: Any) -> None:
    pages = [file for file in files[0] if file.src_uri.startswith("source/")]
    assert pages
    for page in pages:
        place = page.src_uri.removeprefix("source/").removesuffix(".md")
        assert page.content_string.startswith(f"---\nsearch:\n  exclude: true\n---\n\n# `{place}`\n")
        assert (ROOT / place).read_text(encoding="utf-8").strip() in page.content_string
