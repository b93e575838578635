"""Names of variables and constraints in the files of other solvers.

Names of groups may contain any characters, while file formats allow few. A name therefore starts with indices, by which
solution files are read back, and ends with a label for people, in which all other characters are replaced.
"""

from __future__ import annotations

import re

from reds_core.knapsack.problem import KnapsackProblem

LABEL_LENGTH = 40
"""The most characters of a label. Some readers of LP files refuse names of more than 100 characters."""

_COLUMN = re.compile(r"x(\d{1,9})_(\d{1,9})(?:_|$)", re.ASCII)
_VALUE = re.compile(r"(?:x(\d{1,9})(?:_\w*)?=)?(?:o(\d{1,9})(?:_[wl]\w+)?|(\d{1,9}))", re.ASCII)


def label(text: str) -> str:
    """`text` with everything but ASCII letters, digits and underscores replaced by underscores, and cut to length."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)[:LABEL_LENGTH]


def column_name(problem: KnapsackProblem, group: int, option: int) -> str:
    """The name of the binary column of an option, such as `x2_7_w8_conv1`: group 2 and option 7, of width 8.

    An option with levels has these instead of the width, as in `x2_7_l8_4_conv1`.
    """
    return f"x{group}_{option}_{_option_label(problem, group, option)}_{label(problem.groups[group].name)}"


def cell_name(pair: int, first: int, second: int) -> str:
    """The name of the column of a joint choice, such as `y0_7_3`: pair 0, option 7 of its first group and 3 of its
    second."""
    return f"y{pair}_{first}_{second}"


def variable_name(problem: KnapsackProblem, group: int) -> str:
    """The name of a group in a cost function network, such as `x2_conv1`."""
    return f"x{group}_{label(problem.groups[group].name)}"


def option_name(problem: KnapsackProblem, group: int, option: int) -> str:
    """The name of an option in a cost function network, such as `o7_w8`: option 7, of width 8.

    An option with levels has these instead of the width, as in `o7_l8_4`.
    """
    return f"o{option}_{_option_label(problem, group, option)}"


def _option_label(problem: KnapsackProblem, group: int, option: int) -> str:
    """What an option decides: its width, or its levels in the order of the dimensions."""
    found = problem.groups[group]
    if found.levels is None:
        return f"w{int(found.widths[option])}"
    return label("l" + "_".join(str(level) for level in found.levels[option].tolist()))


def pair_variable_name(number: int) -> str:
    """The name of the variable of a pair in a cost function network, such as `y0`."""
    return f"y{number}"


def pair_option_name(first: int, second: int) -> str:
    """The name of a value of such a variable, such as `o7_o3`: option 7 of the first group and 3 of the second."""
    return f"o{first}_o{second}"


def option_of_column(name: str) -> tuple[int, int] | None:
    """The group and the option that a column belongs to; None if it is not the column of an option."""
    found = _COLUMN.match(name)
    return None if found is None else (int(found[1]), int(found[2]))


def option_of_value(text: str) -> tuple[int | None, int] | None:
    """The group, if it is named, and the option of one variable in a solution of a cost function network.

    Args:
        text: such as `x2_conv1=o7_w8`, `o7_w8` or `7`.

    Returns:
        None if `text` is neither.
    """
    found = _VALUE.fullmatch(text)
    if found is None:
        return None
    return None if found[1] is None else int(found[1]), int(found[2] or found[3])
