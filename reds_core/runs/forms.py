"""The forms in which callers in Python give data, budgets, paths and modes, and their conversion."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from reds_core.cost.budget import amounts_in, budget_texts
from reds_core.errors import InputError
from reds_core.runs.folder import Mode

DataObject = Any
"""Data as an object in Python: training data, or a pair of training and test data.

Each of them is (x, y), (x, y, sample_weight), or an object that yields batches of these. x and y are arrays or, for
models of several inputs or outputs, lists or dicts of arrays.
"""
Budgets = float | str | Iterable[float | str] | Mapping[str, float | str | Iterable[float | str]]
"""Amounts of each resource, such as `{"macs": [0.5, 0.25], "peak_ram": "64KiB"}`, or texts such as `"macs=0.5,0.25"`.

Amounts without a resource, such as `0.5` or `[0.5, 0.25]`, are of MACs.
"""
Imports = str | PathLike[str] | Sequence[str | PathLike[str]]
_UNNAMED = "macs"
"""The resource of amounts that name none."""


def texts_of(budgets: Budgets) -> tuple[str, ...]:
    """Budgets as the texts that the command line accepts.

    Raises:
        InputError: If an amount is neither a number nor a text, or if only some of several texts name a resource.
    """
    if isinstance(budgets, Mapping):
        return budget_texts(budgets)
    listed = amounts_in(budgets)
    named = [isinstance(each, str) and ("=" in each or not any(c.isdigit() for c in each)) for each in listed]
    if all(named):
        return tuple(listed)
    if any(named):
        example = '{"macs": [0.5, 0.25], "peak_ram": "64KiB"}'
        raise InputError(f"only some of the budgets {listed!r} name a resource", f"name it for all, such as {example}")
    return budget_texts({_UNNAMED: [part for each in listed for part in _parts(each)]})


def _parts(amount: Any) -> list[Any]:
    """The amounts in a text such as "0.5,0.25"."""
    return amount.split(",") if isinstance(amount, str) else [amount]


def mode_of(mode: Mode | str) -> Mode:
    """The mode of that name.

    Raises:
        InputError: If there is none.
    """
    names = [each.value for each in Mode]
    if isinstance(mode, Mode) or mode in names:
        return Mode(mode)
    near = difflib.get_close_matches(str(mode), names, 1)
    fix = f'did you mean "{near[0]}"? ' if near else ""
    raise InputError(f"mode {mode!r} is not a mode", f'{fix}give "refuse", "resume" or "overwrite"')
