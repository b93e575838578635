"""reds: shrinks trained neural networks to fit a device, and proves how good its choice is.

The names in `__all__` are the public entry points. Each is imported when it is first used, so that importing reds_core
stays fast for those who need only a part of it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
from typing import TYPE_CHECKING, Any

from reds_core.hooks import hookimpl

if TYPE_CHECKING:
    __version__: str
    from reds_core.audit.result import Audit, load_audit
    from reds_core.bench.api import run_bench
    from reds_core.bench.reader import read_records, records_frame
    from reds_core.bench.runner import BenchSettings
    from reds_core.bench.suite_folder import SuiteIndex, export_suite
    from reds_core.bench.suites import SuiteRecord, suites
    from reds_core.compare.api import run_comparison
    from reds_core.compare.grid import Grid
    from reds_core.compare.reader import read_results, results_frame
    from reds_core.compare.runner import CompareSettings
    from reds_core.discovery import PluginRecord, PluginStatus
    from reds_core.early_exit.record import ExitThresholds, load_thresholds
    from reds_core.exchange.checking import CheckedSolution, check_solution
    from reds_core.exchange.formats import Conversion, convert_problem
    from reds_core.framework.finetuning import FinetuneSettings
    from reds_core.framework.profile_records import ProfileRecord
    from reds_core.framework.task import Task
    from reds_core.knapsack.builder import ProblemBuilder
    from reds_core.knapsack.file import load_problem, save_problem
    from reds_core.knapsack.problem import KnapsackProblem
    from reds_core.knapsack.solver import Controls
    from reds_core.plan import Plan
    from reds_core.plan_details import Details, load_details
    from reds_core.progress import ConsoleWatcher
    from reds_core.registry import Registry, plugins
    from reds_core.reports import write_report
    from reds_core.run_history import HistoryRow, load_history
    from reds_core.runs.adding_exits import ExitRecord, exits
    from reds_core.runs.api import extract, prune
    from reds_core.runs.auditing import run_audit
    from reds_core.runs.checkpoint import load_scores
    from reds_core.runs.dataset import Dataset, load_data
    from reds_core.runs.deploying import export
    from reds_core.runs.evaluating import ModelEvaluation, evaluate
    from reds_core.runs.exit_thresholds import choose_thresholds
    from reds_core.runs.export_folder import FamilyExport
    from reds_core.runs.folder import Mode
    from reds_core.runs.formulating import formulate_model
    from reds_core.runs.inspection import inspect
    from reds_core.runs.latency import measure_latency
    from reds_core.runs.options import LatencyOptions, PruneOptions, WidthOptions
    from reds_core.runs.plugin_description import OptionDescription, PluginDescription, describe_plugin
    from reds_core.runs.profiling import profile
    from reds_core.runs.recipe import Recipe, load_recipe, recipe_text
    from reds_core.runs.saved_plan import SavedPlan, SavedSubnetwork, load_plan
    from reds_core.runs.search import Search
    from reds_core.runs.sensitivity import sensitivity
    from reds_core.runs.settings import RunSettings
    from reds_core.runs.solving import solve
    from reds_core.runs.splitting import split_validation
    from reds_core.scaffold.api import new_plugin
    from reds_core.scoring.sensitivity_table import SensitivityTable, load_sensitivity
    from reds_core.simulation.api import simulate
    from reds_core.simulation.record import Simulation
    from reds_core.testing import check
    from reds_core.watcher import Watcher

_MODULES = {
    "audit.result": ("Audit", "load_audit"),
    "bench.api": ("run_bench",),
    "bench.reader": ("read_records", "records_frame"),
    "bench.runner": ("BenchSettings",),
    "bench.suite_folder": ("SuiteIndex", "export_suite"),
    "bench.suites": ("SuiteRecord", "suites"),
    "compare.api": ("run_comparison",),
    "compare.grid": ("Grid",),
    "compare.reader": ("read_results", "results_frame"),
    "compare.runner": ("CompareSettings",),
    "early_exit.record": ("ExitThresholds", "load_thresholds"),
    "exchange.checking": ("CheckedSolution", "check_solution"),
    "exchange.formats": ("Conversion", "convert_problem"),
    "framework.finetuning": ("FinetuneSettings",),
    "framework.framework": ("Task",),
    "framework.profile_records": ("ProfileRecord",),
    "knapsack.builder": ("ProblemBuilder",),
    "knapsack.file": ("load_problem", "save_problem"),
    "knapsack.problem": ("KnapsackProblem",),
    "knapsack.solver": ("Controls",),
    "plan": ("Plan",),
    "plan_details": ("Details", "load_details"),
    "progress": ("ConsoleWatcher",),
    "discovery": ("PluginRecord", "PluginStatus"),
    "registry": ("Registry", "plugins"),
    "reports": ("write_report",),
    "run_history": ("HistoryRow", "load_history"),
    "runs.api": ("extract", "prune"),
    "runs.auditing": ("run_audit",),
    "runs.checkpoint": ("load_scores",),
    "runs.dataset": ("Dataset", "load_data"),
    "runs.deploying": ("export",),
    "runs.evaluating": ("ModelEvaluation", "evaluate"),
    "runs.exit_thresholds": ("choose_thresholds",),
    "runs.export_folder": ("FamilyExport",),
    "runs.adding_exits": ("ExitRecord", "exits"),
    "runs.folder": ("Mode",),
    "runs.formulating": ("formulate_model",),
    "runs.inspection": ("inspect",),
    "runs.latency": ("measure_latency",),
    "runs.plugin_description": ("OptionDescription", "PluginDescription", "describe_plugin"),
    "runs.profiling": ("profile",),
    "runs.options": ("LatencyOptions", "PruneOptions", "WidthOptions"),
    "runs.recipe": ("Recipe", "load_recipe", "recipe_text"),
    "runs.saved_plan": ("SavedPlan", "SavedSubnetwork", "load_plan"),
    "runs.search": ("Search",),
    "runs.sensitivity": ("sensitivity",),
    "runs.settings": ("RunSettings",),
    "runs.solving": ("solve",),
    "runs.splitting": ("split_validation",),
    "scaffold.api": ("new_plugin",),
    "scoring.sensitivity_table": ("SensitivityTable", "load_sensitivity"),
    "simulation.api": ("simulate",),
    "simulation.record": ("Simulation",),
    "testing": ("check",),
    "watcher": ("Watcher",),
}

logging.getLogger("reds").addHandler(logging.NullHandler())  # the program decides what becomes of records

__all__ = [
    "Audit",
    "BenchSettings",
    "CheckedSolution",
    "CompareSettings",
    "ConsoleWatcher",
    "Controls",
    "Conversion",
    "Dataset",
    "Details",
    "ExitRecord",
    "ExitThresholds",
    "FamilyExport",
    "FinetuneSettings",
    "Grid",
    "HistoryRow",
    "KnapsackProblem",
    "LatencyOptions",
    "Mode",
    "ModelEvaluation",
    "OptionDescription",
    "Plan",
    "PluginDescription",
    "PluginRecord",
    "PluginStatus",
    "ProblemBuilder",
    "ProfileRecord",
    "PruneOptions",
    "Recipe",
    "Registry",
    "RunSettings",
    "SavedPlan",
    "SavedSubnetwork",
    "Search",
    "SensitivityTable",
    "Simulation",
    "SuiteIndex",
    "SuiteRecord",
    "Task",
    "Watcher",
    "WidthOptions",
    "__version__",
    "check",
    "check_solution",
    "choose_thresholds",
    "convert_problem",
    "describe_plugin",
    "evaluate",
    "exits",
    "export",
    "export_suite",
    "extract",
    "formulate_model",
    "hookimpl",
    "inspect",
    "load_audit",
    "load_data",
    "load_details",
    "load_history",
    "load_plan",
    "load_problem",
    "load_recipe",
    "load_scores",
    "load_sensitivity",
    "load_thresholds",
    "measure_latency",
    "new_plugin",
    "plugins",
    "profile",
    "prune",
    "read_records",
    "read_results",
    "recipe_text",
    "records_frame",
    "results_frame",
    "run_audit",
    "run_bench",
    "run_comparison",
    "save_problem",
    "sensitivity",
    "simulate",
    "solve",
    "split_validation",
    "suites",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("reds-core")
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"reds_core.{module}"), name)
    raise AttributeError(f"module 'reds_core' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
