"""Which groups of subnetworks have merged channels, as texts."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.plan import SubnetworkRecord
from reds_core.report import units

_MOST_GROUPS = 12
"""The most groups that a sentence lists."""


def realised_width(record: SubnetworkRecord, group: str) -> str:
    """Return the width of a group, with how it was realised if its channels were merged, such as "12 (fold)"."""
    width = str(record.widths[group])
    return f"{width} ({(record.realised or {})[group]})" if group in (record.merged or {}) else width


def merged_groups(record: SubnetworkRecord) -> str:
    """Return the groups whose channels were merged, with how, or why there are none; empty if a run only drops."""
    if record.merged is None:
        return ""
    realised = record.realised or {}
    groups = tuple(f"{group} ({realised[group]})" for group in record.merged)
    return units.listed(groups, _MOST_GROUPS) if groups else "none"


def merging_sentences(records: Sequence[SubnetworkRecord]) -> tuple[str, ...]:
    """Return a sentence on subnetworks with merged channels and what follows from them, if there are any."""
    merging = [record for record in records if record.merged]
    if not merging:
        return ()
    counts = [f"{len(r.merged or {})} of {units.many(len(r.widths), 'group')} in {r.name}" for r in merging]
    where = units.listed(tuple(counts), _MOST_GROUPS)
    return (
        f"Channels were merged rather than dropped in {where}, so these subnetworks have weights of their own, which "
        "no other network shares.",
    )
