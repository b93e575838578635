"""reds: shrinks trained neural networks to fit a device, and proves how good its choice is.

The names below are the public entry points; each is imported when it is first used, so that importing reds_core stays
quick for those who need only a part of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reds_core.hooks import hookimpl

if TYPE_CHECKING:
    from reds_core.api import formulate_model, prune
    from reds_core.bench.reader import read_records, records_frame
    from reds_core.bench.runner import BenchSettings
    from reds_core.compare.grid import Grid
    from reds_core.compare.reader import read_results, results_frame
    from reds_core.compare.runner import CompareSettings
    from reds_core.comparison import run_bench, run_comparison
    from reds_core.data import Dataset, load_data
    from reds_core.finetuning import FinetuneSettings
    from reds_core.framework import Task
    from reds_core.plan import Plan, load_plan
    from reds_core.problem import KnapsackProblem
    from reds_core.problem_file import load_problem, save_problem
    from reds_core.recipe import Recipe, load_recipe
    from reds_core.registry import Registry
    from reds_core.run_folder import Mode
    from reds_core.settings import RunSettings
    from reds_core.solver import Controls, solve

_MODULES = {
    "api": ("formulate_model", "prune"),
    "bench.reader": ("read_records", "records_frame"),
    "bench.runner": ("BenchSettings",),
    "compare.grid": ("Grid",),
    "compare.reader": ("read_results", "results_frame"),
    "compare.runner": ("CompareSettings",),
    "comparison": ("run_bench", "run_comparison"),
    "data": ("Dataset", "load_data"),
    "finetuning": ("FinetuneSettings",),
    "framework": ("Task",),
    "plan": ("Plan", "load_plan"),
    "problem": ("KnapsackProblem",),
    "problem_file": ("load_problem", "save_problem"),
    "recipe": ("Recipe", "load_recipe"),
    "registry": ("Registry",),
    "run_folder": ("Mode",),
    "settings": ("RunSettings",),
    "solver": ("Controls", "solve"),
}

__all__ = [
    "BenchSettings",
    "CompareSettings",
    "Controls",
    "Dataset",
    "FinetuneSettings",
    "Grid",
    "KnapsackProblem",
    "Mode",
    "Plan",
    "Recipe",
    "Registry",
    "RunSettings",
    "Task",
    "formulate_model",
    "hookimpl",
    "load_data",
    "load_plan",
    "load_problem",
    "load_recipe",
    "prune",
    "read_records",
    "read_results",
    "records_frame",
    "results_frame",
    "run_bench",
    "run_comparison",
    "save_problem",
    "solve",
]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"reds_core.{module}"), name)
    raise AttributeError(f"module 'reds_core' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
