"""What `reds prune --dry-run` shows: the costs and the widths of every subnetwork."""

from __future__ import annotations

from rich.console import Console

from reds_core.commands.tables import print_table
from reds_core.plan import Plan, SubnetworkRecord
from reds_core.report import units
from reds_core.report.energy import energy_sentences
from reds_core.report.layer_levels import places, title_of
from reds_core.report.merged_channels import realised_width
from reds_core.report.proof import badge

_TITLES = {"macs": "MACs", "params": "params", "peak_ram": "peak RAM"}


def print_preview(plan: Plan) -> None:
    """Print the costs, the proof and the widths of all subnetworks of a plan, largest first."""
    resources = list(plan.full.usage)
    members = [(record.name, record.usage, badge(record)) for record in reversed(plan.subnetworks)]
    print_table(
        ["network", *(_TITLES.get(resource, resource) for resource in resources), "proof"],
        [
            [name, *(units.amount(resource, usage.get(resource)) for resource in resources), proof]
            for name, usage, proof in [("full", plan.full.usage, units.DASH), *members]
        ],
    )
    Console().print()
    print_table(
        ["group", "channels", *(record.name for record in reversed(plan.subnetworks))],
        [
            [group.name, str(group.channels), *(realised_width(r, group.name) for r in reversed(plan.subnetworks))]
            for group in plan.groups
        ],
    )
    levels = places(plan)
    if levels:
        Console().print()
        print_table(
            ["layer", "decided", *(record.name for record in reversed(plan.subnetworks))],
            [
                [site, title_of(what), *(_level(record, site, what) for record in reversed(plan.subnetworks))]
                for site, what in levels
            ],
        )
    if plan.energy_source is not None:
        Console().print()
    for sentence in energy_sentences([plan.energy_source]):
        Console().print(units.on_terminal(sentence), markup=False, highlight=False, soft_wrap=True)
    Console().print("\nThis was a dry run: nothing was trained or written.", highlight=False)


def _level(record: SubnetworkRecord, site: str, what: str) -> str:
    level = record.levels.at(site, what)
    return units.DASH if level is None else str(level)
