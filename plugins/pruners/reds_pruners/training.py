"""How the epochs of a run are spread over its steps, and which networks are trained in them."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from reds_core.framework import Family
from reds_core.pruning import Step, Tools

Together = Literal["auto", "joint", "alone"]
"""What is trained. joint: all subnetworks and the full network, with one set of weights; alone: each subnetwork by
itself; auto: joint for several subnetworks, alone for one."""


def is_alone(together: Together, budgets: int) -> bool:
    """Whether each subnetwork is trained by itself."""
    return together == "alone" or (together == "auto" and budgets == 1)


def spread(epochs: int, steps: int) -> tuple[int, ...]:
    """Distribute epochs over steps as evenly as possible. Remaining epochs go to the last steps."""
    return tuple((i + 1) * epochs // steps - i * epochs // steps for i in range(steps))


def train(
    family: Family[Any], step: Step, tools: Tools, alone: int | None = None, exit: str | None = None
) -> Family[Any]:
    """Train a family for the epochs of a step.

    Args:
        alone: the index of the only member that is trained; None trains all networks with one set of weights.
        exit: the early exit at which that member ends; None for the last output.

    Returns:
        The trained family.
    """
    if not step.epochs:
        return family
    if alone is None:
        return tools.finetune(family)
    single = Family(family.members[alone], (), (), full_settings=family.settings_of(alone), full_exit=exit)
    trained = tools.finetune(single).full
    members = (*family.members[:alone], trained, *family.members[alone + 1 :])
    return dataclasses.replace(family, members=members)
