"""What a search for the smallest network looks for, and the budgets that it tries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.cost.resources import resource_named
from reds_core.errors import InputError, argument
from reds_core.framework.target import Target
from reds_core.report.facts import metric_of
from reds_core.runs.settings import RunSettings
from reds_core.runs.targets import RunTargets

SHARES = 50
"""The budgets that a search can try are multiples of 1/SHARES of the full network, which is its precision."""
PROBE_SHARE = 3
"""A network that is tried is trained for one PROBE_SHARE-th of the epochs of fine-tuning, unless the user says more."""
_DEFAULT_RESOURCE, _RESOURCE_OF_LEVELS = "macs", "weight_bytes"
"""What is the least unless the user says more: weight_bytes if transforms decide levels, which often keep the MACs."""
_TOLERANCE_POINTS = 1e-4
"""Covers the rounding of metrics that frameworks compute in float32, and are smaller than one example of a million."""


@dataclass(frozen=True)
class DropGoal:
    """The smallest network that loses at most the given points of the metric on held-back data.

    Attributes:
        limit_points: The most percentage points that the network may lose.
        resource: The resource by which it is to be the smallest.
        epochs: How many epochs each network that is tried is trained for.
        limits: Budgets that it has to meet as well, as typed.
    """

    limit_points: float
    resource: str
    epochs: int
    limits: tuple[str, ...] = ()

    def budget(self, share: int) -> SubnetworkBudget:
        """The budget of `share`/SHARES of the full network, within the other limits."""
        return parse_budgets((f"{self.resource}={_share_text(share)}", *self.limits))[0]

    @property
    def largest(self) -> SubnetworkBudget:
        """The budget that allows the full network, within the other limits."""
        return self.budget(SHARES)

    def allows(self, drop_points: float | None) -> bool:
        """Whether a network may lose this number of points. None or NaN, if there is no such figure, is not allowed."""
        return drop_points is not None and drop_points <= self.limit_points + _TOLERANCE_POINTS


def _share_text(share: int) -> str:
    return f"{(Decimal(share) / SHARES).normalize():f}"


def all_budget_names() -> list[str]:
    """The names of all subnetworks that a search can find."""
    return [DropGoal(0.0, _DEFAULT_RESOURCE, 1).budget(share).name for share in range(1, SHARES + 1)]


def drop_goal(settings: RunSettings, has_data: bool) -> DropGoal | None:
    """What a run looks for, or None if its subnetworks are those of given budgets.

    Args:
        settings: The settings of the run.
        has_data: Whether the run has training data.

    Raises:
        InputError: If the drop cannot be measured, the resource is unknown, or the budgets are those of a family.
    """
    if settings.max_drop is None:
        refining = (
            (argument("max_drop_resource"), settings.max_drop_resource),
            (argument("max_drop_epochs"), settings.max_drop_epochs),
            (argument("max_drop_target"), settings.max_drop_target),
        )
        for name, value in refining:
            if value is not None:
                raise InputError(
                    f"{name} is given without {argument('max_drop')}", f"give {argument('max_drop', 1.0)} as well"
                )
        return None
    _check_measurable(settings, has_data)
    default = _RESOURCE_OF_LEVELS if settings.has_transforms else _DEFAULT_RESOURCE
    resource = resource_named(settings.max_drop_resource or default)
    _check_limits(settings.budgets, resource)
    epochs = settings.max_drop_epochs or math.ceil(settings.finetune.epochs / PROBE_SHARE)
    return DropGoal(settings.max_drop, resource, epochs, settings.budgets)


def drop_target(settings: RunSettings, targets: RunTargets) -> Target | None:
    """Return the target on whose files the drop is measured, or None if it is measured on models.

    Raises:
        InputError: If it is not a target of the run.
    """
    name = settings.max_drop_target
    if name is None:
        return None
    found = next((target for target in targets.targets if target.name == name), None)
    if found is None:
        names = ", ".join(target.name for target in targets.targets)
        raise InputError(
            f"{argument('max_drop_target')} '{name}' is not a target of the run",
            f"choose from: {names}, or give it as {argument('targets')} too",
        )
    if found.file.is_calibrated and not settings.int8:
        raise InputError(
            f"{argument('max_drop_target')} '{name}' needs files that {argument('int8', False)} leaves out",
            "leave out one of them",
        )
    return found


def _check_measurable(settings: RunSettings, has_data: bool) -> None:
    """Refuse settings under which the drop cannot be measured.

    Raises:
        InputError: If there is one.
    """
    metric, epochs, probe = settings.task.described().metric, settings.finetune.epochs, settings.max_drop_epochs
    assert settings.max_drop is not None
    for wrong, what, fix in (
        (
            not 0 <= settings.max_drop < 100,
            f"{argument('max_drop')} {settings.max_drop} is not a number of points from 0 to below 100",
            "give points such as 1.0",
        ),
        (
            not has_data,
            f"{argument('max_drop')} is measured on held-back training data, and no data is given",
            f"give {argument('data')}",
        ),
        (
            not settings.holdout,
            f"{argument('max_drop')} is measured on held-back data, and nothing is held back",
            f"give a {argument('holdout')} above 0",
        ),
        (
            not epochs,
            f"{argument('max_drop')} trains the networks that it compares, and the number of epochs is 0",
            f"give {argument('finetune_epochs')} of 1 or more",
        ),
        (
            not metric_of({"metric": metric}).is_share,
            f"{argument('max_drop')} counts points of accuracy, and metric '{metric}' is not an accuracy between 0 "
            "and 1",
            f"leave out {argument('metrics')}, or give budgets instead of {argument('max_drop')}",
        ),
        (
            probe is not None and not 1 <= probe <= epochs,
            f"{argument('max_drop_epochs')} {probe} is not from 1 to the {epochs} epochs of fine-tuning",
            f"give fewer than {argument('finetune_epochs')}",
        ),
    ):
        if wrong:
            raise InputError(what, fix)


def _check_limits(texts: tuple[str, ...], resource: str) -> None:
    """Refuse budgets of several subnetworks, and budgets of the resource that is minimised.

    Raises:
        InputError: If there is one, or a budget is malformed.
    """
    if not texts:
        return
    budgets = parse_budgets(texts)
    if len(budgets) > 1:
        raise InputError(
            f"{argument('max_drop')} finds one subnetwork, and budgets of {len(budgets)} subnetworks are given",
            "give one amount for each resource",
        )
    if resource in budgets[0].amounts:
        raise InputError(
            f"{argument('max_drop')} finds the least {resource}, and a budget of {resource} is given",
            f"leave out the budget of {resource}, or give another {argument('max_drop_resource')}",
        )
