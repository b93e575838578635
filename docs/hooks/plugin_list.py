"""The page of all plugins, made from the registry when the site is built. It imports no library behind a plugin."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

import reds_core
from reds_core import PluginDescription

ROOT = Path(__file__).parents[2]
PAGE = "reference/plugins.md"
DISTRIBUTION = "reds-core"
_KINDS = ("solver", "scorer", "pruner", "transform", "target", "governor", "framework", "layers")
_INTRODUCTION = """# All plugins

The plugins that come with `reds`, with their options and defaults, as `reds plugins NAME` describes them. Options are
given as `--option NAME.KEY=VALUE` on the command line, and as `options={"NAME": {"KEY": VALUE}}` in Python.
[Writing a plugin](../plugins/README.md) shows how to add one.
"""
_PROPERTIES = {"features": "Supports", "claims": "Proves", "controls": "Respects"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of all plugins."""
    files.append(File.generated(config, PAGE, content=plugins_page()))
    return files


def first_party() -> list[PluginDescription]:
    """Descriptions of the plugins of this repository, by kind and name.

    Raises:
        PluginError: if one of them cannot be shown.
    """
    names = {record.name for record in reds_core.plugins() if record.distribution == DISTRIBUTION}
    found = [each for name in names for each in reds_core.describe_plugin(name)]
    ours = [each for each in found if each.distribution == DISTRIBUTION]
    for each in ours:
        if each.kind not in _KINDS or each.source is None:
            reason = each.detail or f"docs/hooks/plugin_list.py does not know plugins of the kind {each.kind}"
            raise PluginError(f"The plugin {each.name} cannot be shown on {PAGE}: {reason}")
    return sorted(ours, key=lambda each: (_KINDS.index(str(each.kind)), each.name))


def plugins_page() -> str:
    """The page of all plugins as Markdown."""
    found = first_party()
    lines = [_INTRODUCTION, "| plugin | kind | what it does |", "| --- | --- | --- |"]
    for each in found:
        lines.append(f"| [`{each.name}`](#{_anchor(each)}) | {each.kind} | {_cell(each.description.splitlines()[0])} |")
    for kind in _KINDS:
        same = [each for each in found if each.kind == kind]
        if same:
            title = "Layers" if kind == "layers" else f"{kind.capitalize()}s"
            lines += ["", f"## {title}", *(line for each in same for line in _section(each))]
    return "\n".join(lines) + "\n"


def _anchor(plugin: PluginDescription) -> str:
    return f"{plugin.kind}-{plugin.name}"


def _section(plugin: PluginDescription) -> list[str]:
    source = source_of(plugin)
    package = Path(*source.parts[:2], "README.md")
    lines = ["", f"### `{plugin.name}` {{ #{_anchor(plugin)} }}", "", plugin.description, ""]
    lines += [f"[Package](../{package.as_posix()}), [source](../{source.as_posix()})"]
    if plugin.requires:
        lines[-1] += f". Needs {', '.join(f'`{name}`' for name in plugin.requires)}"
    lines[-1] += "."
    for name, values in plugin.properties.items():
        if values:
            lines += ["", f"{_PROPERTIES.get(name, name)}: {', '.join(f'`{value}`' for value in values)}."]
    if plugin.options:
        lines += ["", "| option | type | default | meaning |", "| --- | --- | --- | --- |"]
        for option in plugin.options:
            default = "none" if option.default is None else str(option.default)
            default = default.lower() if isinstance(option.default, bool) else default
            kind = _cell(option.type)
            lines.append(f"| `{option.name}` | {kind} | `{default or '(empty)'}` | {_cell(option.description)} |")
    if plugin.example:
        lines += ["", f"Example: `--option {plugin.example}`"]
    return lines


def source_of(plugin: PluginDescription) -> Path:
    """The place of the source of a plugin in the repository."""
    module, _, name = str(plugin.source).partition(":")
    file = inspect.getsourcefile(getattr(importlib.import_module(module), name))
    return Path(str(file)).resolve().relative_to(ROOT)


def _cell(text: str) -> str:
    return re.sub(r"\|", "&#124;", " ".join(text.split()))
