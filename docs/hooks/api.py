"""Pages of the public names, made from `__all__` of the packages that plugins and users may import.

A name that is added to `reds_core` has to be added to a group here; the build stops otherwise.
"""

from __future__ import annotations

import importlib
import inspect
import sys

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

import reds_core

GROUPS: dict[str, tuple[str, ...]] = {
    "Pruning": ("prune", "extract", "export", "evaluate", "profile", "inspect", "sensitivity", "measure_latency",
                "exits", "choose_thresholds", "run_audit", "simulate", "write_report"),
    "Plans and results": ("Plan", "SavedPlan", "SavedSubnetwork", "load_plan", "Details", "load_details",
                          "HistoryRow", "load_history",
                          "ModelEvaluation", "ProfileRecord",
                          "FamilyExport", "Simulation", "SensitivityTable", "load_sensitivity", "Audit",
                          "load_audit", "ExitRecord", "ExitThresholds", "load_thresholds", "load_scores"),
    "Settings and recipes": ("PruneOptions", "RunSettings", "FinetuneSettings", "WidthOptions", "LatencyOptions",
                             "Search", "Task", "Mode", "Recipe", "load_recipe", "recipe_text"),
    "Data": ("Dataset", "load_data", "split_validation"),
    "Problems and solvers": ("solve", "formulate_model", "ProblemBuilder", "KnapsackProblem", "load_problem",
                             "save_problem", "Controls", "convert_problem", "Conversion", "check_solution",
                             "CheckedSolution"),
    "Comparisons": ("run_bench", "BenchSettings", "read_records", "records_frame", "suites", "SuiteRecord",
                    "export_suite", "SuiteIndex", "run_comparison", "Grid", "CompareSettings", "read_results",
                    "results_frame"),
    "Plugins": ("plugins", "Registry", "PluginRecord", "PluginStatus", "describe_plugin", "PluginDescription",
                "OptionDescription", "new_plugin", "check", "hookimpl"),
    "Progress": ("Watcher", "ConsoleWatcher"),
}  # fmt: skip
"""The names of `reds_core` by what they are for."""
FACES = {
    "reds_core.errors": "The errors that users see, each with its exit status.",
    "reds_core.arrays": "The types of arrays that plugins take and return.",
    "reds_core.plugin": "The base class of all plugins, and their options.",
    "reds_core.network": "Descriptions of networks: groups, layers, weights and axes.",
    "reds_core.knapsack": "Problems, solvers and their answers.",
    "reds_core.cost": "Resources, budgets and latency tables.",
    "reds_core.runtime": "The base class of governors, and what they control: members, a battery and requests.",
    "reds_core.plan": "Plans, which are the results of runs.",
    "reds_core.transforms": "The base class of transforms, and the settings that they lead to.",
    "reds_core.framework": "The base classes of frameworks, of plugins of layers, of targets and of devices.",
    "reds_core.scoring": "The base class of scorers, and sums and scales of scores.",
    "reds_core.formulation": "From scores and costs to a problem.",
    "reds_core.pruning": "The base class of pruners, their steps, states and tools.",
    "reds_core.testing": "The conformance kit, which checks plugins of every kind.",
    "reds_core.testing.problems": "Problems with known answers for tests.",
    "reds_core.testing.oracle": "Answers by trying every choice, with which tests compare.",
    "reds_core.testing.strategies": "Strategies of Hypothesis that draw problems.",
    "reds_core.cli": "The command line as a function.",
}
"""The faces whose names stay, with what is in each."""
_INTRODUCTION = """# Python API

The names on these pages are public and keep their meaning as
[the promise about names](../../extend/plugins.md#names-that-stay) says. Everything that a user calls is in `reds_core`;
the other packages are for authors of plugins. [reds from Python](../../guide/python.md) shows how the calls are used.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the public names."""
    grouped = {name for names in GROUPS.values() for name in names}
    public = set(reds_core.__all__) - {"__version__"}
    if left_out := sorted(public - grouped):
        raise PluginError(f"GROUPS in docs/hooks/api.py lacks public names of reds_core: {', '.join(left_out)}")
    if unknown := sorted(grouped - public):
        raise PluginError(f"GROUPS in docs/hooks/api.py has names that reds_core lacks: {', '.join(unknown)}")
    lines = [_INTRODUCTION, "| of `reds_core` | names |", "| --- | --- |"]
    for title, names in GROUPS.items():
        links = ", ".join(f"[`{name}`][reds_core.{name}]" for name in names)
        lines.append(f"| [{title}]({_file_name(title)}) | {links} |")
        files.append(_page(config, _file_name(title), title, "reds_core", names))
    lines += ["", "| package | what is in it |", "| --- | --- |"]
    for face, summary in FACES.items():
        names = tuple(sorted(importlib.import_module(face).__all__, key=lambda name: _rank(face, name)))
        files.append(_page(config, f"{face}.md", f"`{face}`", face, names, summary))
        lines.append(f"| [`{face}`]({face}.md) | {summary} |")
    files.append(File.generated(config, "reference/api/index.md", content="\n".join(lines) + "\n"))
    return files


def _file_name(title: str) -> str:
    return title.lower().replace(" ", "-") + ".md"


def _rank(face: str, name: str) -> tuple[int, str]:
    """Classes come first, then functions, then types and constants."""
    found = getattr(importlib.import_module(face), name)
    return (0 if inspect.isclass(found) else 1 if callable(found) else 2, name)


def _identifier(package: str, name: str) -> str:
    """The place of a public name, which is that of its definition if a module beside it has the same name."""
    place = f"{package}.{name}"
    return f"{place}.{name}" if place in sys.modules else place


def _page(
    config: MkDocsConfig, file_name: str, title: str, package: str, names: tuple[str, ...], summary: str = ""
) -> File:
    blocks = [f"::: {_identifier(package, name)}\n    options:\n      heading_level: 2\n" for name in names]
    return File.generated(
        config, f"reference/api/{file_name}", content="\n".join([f"# {title}", "", summary, "", *blocks])
    )
