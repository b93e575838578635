"""The forms in which callers in Python give data, budgets and paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from reds_core.cost.budget import budget_texts

DataObject = Any
"""Data as an object in Python: training data, or a pair of training and test data.

Each of them is (x, y), (x, y, sample_weight), or an object that yields batches of these. x and y are arrays or, for
models of several inputs or outputs, lists or dicts of arrays.
"""
Budgets = Mapping[str, float | str | Sequence[float | str]]
Imports = str | PathLike[str] | Sequence[str | PathLike[str]]


def texts_of(budgets: Budgets | Sequence[str]) -> tuple[str, ...]:
    """Budgets as the texts that the command line accepts."""
    return budget_texts(budgets) if isinstance(budgets, Mapping) else tuple(budgets)
