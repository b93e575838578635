"""Pruning runs, from a model to a folder of smaller ones.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.runs.checkpoint import load_scores
from reds_core.runs.dataset import split_validation
from reds_core.runs.recipe import recipe_text
from reds_core.runs.search import Search

__all__ = [
    "Search",
    "load_scores",
    "recipe_text",
    "split_validation",
]
