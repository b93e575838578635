"""Starts the package of a new plugin."""

from __future__ import annotations

import importlib.util
import os
from os import PathLike
from pathlib import Path

from reds_core.errors import InputError, suggestion
from reds_core.registry import Registry
from reds_core.scaffold.naming import PluginName, plugin_name
from reds_core.scaffold.templates import TEMPLATES, PluginTemplate
from reds_core.system.files import folder_written_beside, given_path
from reds_core.system.machine_faults import shown


def new_plugin(kind: str, name: str, out: str | PathLike[str] = ".", *, registry: Registry | None = None) -> Path:
    """Start the package of a new plugin from a template.

    This is what `reds new` does. The package contains a small working plugin and its tests. It can be installed with
    `pip install -e`, and passes `reds check NAME`, before anything in it is changed.

    Args:
        kind: The kind of the plugin: "solver", "scorer", "pruner", "layers", "transform", "target"
            or "governor".
        name: The name by which users will ask for the plugin, such as "acme": lower-case letters, digits and single
            hyphens.
        out: The folder in which the folder of the package, `reds-NAME`, is created.
        registry: The plugins whose names are taken. By default they are all that are installed.

    Returns:
        The path of the new folder.

    Raises:
        InputError: If there is no template of that kind, the name is malformed or taken, the new folder exists, or it
            cannot be written.

    Example:
        >>> reds_core.new_plugin("solver", "acme")
    """
    template = _template(kind)
    names = plugin_name(name)
    path = given_path(out, "out") / names.distribution
    if os.path.lexists(path):
        raise InputError(f"{shown(path)} exists", "choose another name or another folder, or remove it")
    _check_not_taken(names, registry or Registry())
    with folder_written_beside(path) as temporary:
        for file, text in template.files(names).items():
            target = temporary / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return path


def _template(kind: str) -> PluginTemplate:
    if kind in TEMPLATES:
        return TEMPLATES[kind]
    fix = f"{suggestion(kind, TEMPLATES)}kinds: {', '.join(TEMPLATES)}"
    raise InputError(f"there is no template for a plugin of kind '{kind}'", fix)


def _check_not_taken(names: PluginName, registry: Registry) -> None:
    """Raise InputError if the name belongs to an installed plugin, or the package name to another package."""
    for record in registry.records:
        if record.name == names.name:
            source = f" of {record.distribution}" if record.distribution else ""
            raise InputError(
                f"there is a {record.kind or 'broken plugin'} named '{names.name}'{source}",
                "choose another name; `reds plugins` lists those that are taken",
            )
    if importlib.util.find_spec(names.package) is not None:
        raise InputError(f"there is a package named {names.package}", f"choose another name than '{names.name}'")
