"""The description of a plugin as text."""

from __future__ import annotations

import textwrap

from reds_core.commands.plain_help import WIDEST
from reds_core.runs.plugin_description import OptionDescription, PluginDescription

_INDENT = "  "
_TITLES = {"features": "supports", "claims": "proves", "controls": "respects"}
"""How properties of solvers are shown."""


def description_text(plugin: PluginDescription, columns: int) -> str:
    """What a plugin does, where it comes from, its options and an example.

    Args:
        plugin: The description of the plugin.
        columns: The width of the terminal.
    """
    width = min(columns, WIDEST)
    blocks = [f"{plugin.name}: {plugin.kind or 'plugin'}, {plugin.status.value}"]
    blocks += [_filled(paragraph, width) for paragraph in plugin.description.split("\n\n") if paragraph]
    facts = [("detail", plugin.detail), ("from", _origin(plugin)), ("requires", ", ".join(plugin.requires))]
    facts += [(_TITLES.get(name, name), ", ".join(flags) or "nothing") for name, flags in plugin.properties.items()]
    named = [(name, text) for name, text in facts if text]
    indent = max((len(name) for name, _ in named), default=0) + len(_INDENT)
    blocks.append("\n".join(_filled(f"{name:<{indent}}{text}", width, " " * indent) for name, text in named))
    if plugin.options:
        blocks.append("Options:\n" + "\n".join(_option(option, width) for option in plugin.options))
        blocks.append("" if plugin.example is None else f"Example: --option {plugin.example}")
    else:
        blocks.append("It has no options.")
    return "\n\n".join(block for block in blocks if block)


def _origin(plugin: PluginDescription) -> str:
    distribution = f"{plugin.distribution} {plugin.version}" if plugin.distribution else ""
    return ", ".join(text for text in (distribution, plugin.source) if text)


def _option(option: OptionDescription, width: int) -> str:
    default = str(option.default).lower() if isinstance(option.default, bool | None) else str(option.default)
    title = f"{_INDENT}{option.name} ({option.type}, default: {default or 'empty'})"
    text = option.description[:1].upper() + option.description[1:]
    return f"{title}\n{_filled(2 * _INDENT + text, width, 2 * _INDENT)}" if text else title


def _filled(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False)
