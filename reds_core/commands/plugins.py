"""`reds plugins`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reds_core.commands.completing import plugin_names
from reds_core.commands.shared import Json, print_json

if TYPE_CHECKING:
    from reds_core.discovery import PluginRecord


def plugins_command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The name of a plugin to describe. Without it, all plugins are listed.",
            autocompletion=plugin_names(),
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run `reds plugins`."""
    if name is not None:
        _describe(name, as_json)
        return
    from reds_core.registry import plugins

    records = plugins()
    if as_json:
        print_json([_plugin_facts(r) for r in records])
        return
    from reds_core.commands.tables import print_table

    print_table(
        ["kind", "name", "status", "from", "detail"],
        [[r.kind or "-", r.name, r.status.value, _source(r), r.detail] for r in records],
    )


def _describe(name: str, as_json: bool) -> None:
    from reds_core.commands.description_text import description_text
    from reds_core.runs.plugin_description import describe_plugin

    described = describe_plugin(name)
    if as_json:
        print_json(described)
        return
    columns = shutil.get_terminal_size().columns
    print("\n\n".join(description_text(plugin, columns) for plugin in described))


def _source(record: PluginRecord) -> str:
    return f"{record.distribution} {record.version}" if record.distribution else "-"


def _plugin_facts(record: PluginRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "kind": record.kind,
        "status": record.status,
        "detail": record.detail,
        "distribution": record.distribution,
        "version": record.version,
    }
