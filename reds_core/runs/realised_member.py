"""One more member of a finished family whose channels are merged rather than dropped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reds_core.arrays import IntArray
from reds_core.errors import InputError, argument
from reds_core.framework.data import sampled
from reds_core.runs.finished_family import FinishedFamily
from reds_core.runs.member_data import MemberData
from reds_core.runs.member_training import recalibrate_member
from reds_core.runs.planned_member import PlannedMember
from reds_core.runs.realiser import LOSS_EXAMPLES, FullModel, Realiser
from reds_core.transforms.joining import DROPPED, RealisedGroup
from reds_core.watcher import Watcher


def realised_member(
    family: FinishedFamily, member: PlannedMember, realiser: Realiser, data: MemberData, watcher: Watcher
) -> tuple[PlannedMember, Any]:
    """Return a new member with how its widths are realised, and its model, whose costs are counted.

    The channels of the full network of the family are merged, which are those of the input model in another order.

    Args:
        family: The family.
        member: The member as it was decided.
        realiser: Realises the widths.
        data: The data of the run.
        watcher: Notified of groups that cannot be merged.

    Raises:
        InputError: If realisations are compared and there is no data.
        ContractViolation: If the model does not use what was planned.
    """
    framework, network = family.framework, family.statement.network
    unchanged = {group: np.arange(count, dtype=np.int64) for group, count in network.channels.items()}

    def loss(model: Any) -> float:
        if data.examples is None:
            raise InputError("the realisations of widths are compared on training data", f"give {argument('data')}")
        if realiser.measures_statistics:
            recalibrate_member(family, member.name, model, data, watcher)
        sample = sampled(data.examples, LOSS_EXAMPLES, family.settings.seed)
        return framework.loss(model, sample, family.settings.task)

    source = FullModel(framework, family.full, network, unchanged)
    (model,), (found,) = realiser.members(source, [member.decision.widths], loss if realiser.compares else None)
    for warning in realiser.warnings([found]):
        watcher.warn(warning)
    realised = replace(member, realised={g: _of_input(own, family.order[g]) for g, own in found.items()})
    realised.check(framework, model)
    return realised, model


def _of_input(own: RealisedGroup, order: IntArray) -> RealisedGroup:
    """The record of a group in the channels of the input model instead of those of the full network of the family.

    Args:
        own: The record in the channels of the full network.
        order: The channel of the input model that each of these is.
    """
    clusters = np.full(len(order), DROPPED, np.int64)
    clusters[order] = own.clusters
    return replace(own, kept=tuple(int(order[i]) for i in own.kept), clusters=tuple(int(c) for c in clusters))
