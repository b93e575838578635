"""Warnings about the files of a run that are worse than planned, or worse than float32."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from reds_core.cost.resources import RESOURCES
from reds_core.errors import argument
from reds_core.knapsack.levels import Dimension
from reds_core.report.facts import Metric
from reds_core.report.units import byte_size

INT8_LOSS_POINTS = 2.0
"""The loss of accuracy from the float32 file to the int8 file, in points, above which there is a warning."""
INT8_CHANGE = 0.05
"""The relative difference in another metric between the int8 and float32 files above which there is a warning."""


def usage_warnings(
    name: str, counted: Mapping[str, int], planned: Mapping[str, int], capacities: Mapping[str, int]
) -> list[str]:
    """Compare what a file uses, counted from the file alone, with what the plan states.

    A file uses more than was planned if its converter stores a layer in a form that descriptions of networks do not
    know, such as a recurrent layer step by step. The network is trained by then, so that this is not an error, even if
    the file exceeds the budget. A file may use a few bytes less, such as for a batch norm of a single channel.

    Args:
        name: The name of the file.
        counted: What the file uses of each resource that its target counts.
        planned: What the plan states. Resources that it does not state are not compared.
        capacities: What the budget allows of each resource that it limits.

    Returns:
        One sentence for each resource of which the file uses more.
    """
    warnings = []
    for resource, used in counted.items():
        if used <= planned.get(resource, used):
            continue
        excess = used - capacities.get(resource, used)
        above = f", which is {excess} above the budget," if excess > 0 else ""
        is_peak = resource in RESOURCES and RESOURCES[resource].steps is not None
        scratch = "needs scratch memory for a layer or " if is_peak else ""
        warnings.append(
            f"'{name}' uses {used} {resource}{above} instead of {planned[resource]} as planned, because it {scratch}"
            "stores a layer in another form than the plan counts"
        )
    return warnings


def refused_warning(name: str, refused: Mapping[Dimension, str]) -> str:
    """Return a sentence that warns of a file without all levels of the plan, which only another target realises.

    Args:
        name: The name of the file.
        refused: Why the file cannot have a level, by what is decided about which layer.
    """
    reasons: dict[str, list[str]] = {}
    for dimension, reason in refused.items():
        reasons.setdefault(reason, []).append(dimension.site)
    texts = (
        f"{sites[0]}{f' and {len(sites) - 1} more' if len(sites) > 1 else ''}: {reason}"
        for reason, sites in reasons.items()
    )
    return (
        f"'{name}' does not have all levels of the plan, so it may use more than the plan states ({'; '.join(texts)})"
    )


def int8_warnings(float32: Path, int8: Path, exact: float | None, found: float | None, metric: Metric) -> list[str]:
    """Sentences that warn of an int8 file that is worse than the float32 file of the same subnetwork.

    There is a warning if the int8 file loses more than two points of accuracy, if another metric differs by more than a
    twentieth (in either direction, since it is not known whether more is better), or if the int8 file is larger.

    Args:
        float32: The float32 file.
        int8: The int8 file.
        exact: The metric of the float32 file on test data; None if it was not measured.
        found: The metric of the int8 file on test data; None if it was not measured.
        metric: What is measured.
    """
    warnings = []
    if exact is not None and found is not None and math.isfinite(exact):
        figures = f"{metric.name} {metric.text(found)} on test data, and '{float32.name}' has {metric.text(exact)}"
        if metric.is_share and not 100 * (exact - found) <= INT8_LOSS_POINTS + 1e-9:
            warnings.append(
                f"'{int8.name}' loses {100 * (exact - found):.1f} points by quantisation to int8: {figures}"
            )
        elif not metric.is_share and not abs(found - exact) <= INT8_CHANGE * abs(exact):
            warnings.append(f"'{int8.name}' is far from float32: {figures}")
    sizes = [path.stat().st_size for path in (int8, float32)]
    if sizes[0] > sizes[1]:
        warnings.append(
            f"'{int8.name}' is larger than the float32 file '{float32.name}': {byte_size(sizes[0])} instead of "
            f"{byte_size(sizes[1])}; {argument('int8', False)} leaves int8 files out"
        )
    return warnings
