"""The options of a problem that have given widths and levels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reds_core.knapsack.levels import UNTOUCHED, WIDTH, LevelSettings
from reds_core.knapsack.parts import Group
from reds_core.knapsack.problem import KnapsackProblem


def choice_of(
    problem: KnapsackProblem, widths: Mapping[str, int], settings: LevelSettings = UNTOUCHED
) -> tuple[int, ...]:
    """Return the option of each group that has its width in `widths` and its levels in `settings`.

    Args:
        problem: The problem.
        widths: The width of each group that has widths, by name.
        settings: The levels of everything else. What is not named is untouched, which is its highest level.

    Raises:
        KeyError: If a group has no width in `widths`.
        ValueError: If a group has no such option.
    """
    return tuple(_option_of(group, widths, settings) for group in problem.groups)


def _option_of(group: Group, widths: Mapping[str, int], settings: LevelSettings) -> int:
    if group.levels is None:
        matches = group.widths == widths[group.name]
    else:
        wanted = []
        for column, dimension in enumerate(group.dimensions):
            if dimension.what == WIDTH:
                wanted.append(widths[group.name])
            else:
                level = settings.at(dimension.site, dimension.what)
                wanted.append(int(group.levels[:, column].max()) if level is None else level)
        matches = (group.levels == wanted).all(axis=1)
    if not matches.any():
        raise ValueError(f"group '{group.name}' has no option with these widths and levels")
    return int(np.argmax(matches))
