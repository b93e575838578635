"""How a run's epochs are spread over its steps, and who is trained in them."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from reds_core.framework import Family
from reds_core.pruning import Step, Tools

Together = Literal["auto", "joint", "alone"]
"""Who is trained. joint: all subnetworks and the full network, with one set of weights; alone: each subnetwork by
itself; auto: joint where there are several subnetworks, alone where there is one, which has nobody to share with."""


def is_alone(together: Together, budgets: int) -> bool:
    """Whether subnetworks are trained each by itself."""
    return together == "alone" or (together == "auto" and budgets == 1)


def spread(epochs: int, steps: int) -> tuple[int, ...]:
    """`epochs` dealt as evenly as whole numbers allow; what is left over goes to later steps, the last one's first."""
    return tuple((i + 1) * epochs // steps - i * epochs // steps for i in range(steps))


def train(family: Family[Any], step: Step, tools: Tools, alone: int | None = None) -> Family[Any]:
    """The family after the epochs of a step: all of it with one set of weights, or only the member numbered `alone`."""
    if not step.epochs:
        return family
    if alone is None:
        return tools.finetune(family)
    trained = tools.finetune(Family(family.members[alone], (), ())).full
    members = (*family.members[:alone], trained, *family.members[alone + 1 :])
    return dataclasses.replace(family, members=members)
