"""`reds plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reds_core.commands.shared import Json, print_json

if TYPE_CHECKING:
    from reds_core.registry import PluginRecord


def plugins_command(as_json: Json = False) -> None:
    """Run `reds plugins`."""
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
