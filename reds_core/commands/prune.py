"""`reds prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.shared import (
    BudgetTexts,
    DataSource,
    ElementSize,
    LatencyTableFile,
    Loss,
    Metric,
    OptionTexts,
    ScorerName,
    Seed,
    SolverName,
    Threads,
    TimeLimit,
    parse_plugin_options,
)
from reds_core.errors import InputError


def prune_command(
    model: Annotated[Path | None, typer.Argument(help="A .keras or HDF5 file; none: train a small one first.")] = None,
    data: DataSource = None,
    budget: BudgetTexts = None,
    pruner: Annotated[str, typer.Option(help="A pruner plugin.")] = "nested",
    scorer: ScorerName = "taylor",
    solver: SolverName = "auto",
    option: OptionTexts = None,
    finetune_epochs: Annotated[int | None, typer.Option(help="Passes over the training data.", min=0)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a training step.", min=1)] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of fine-tuning, at its start.")] = None,
    holdout: Annotated[float | None, typer.Option(help="Share of the training data held back for choosing.")] = None,
    time_limit: TimeLimit = None,
    threads: Threads = None,
    element_size: ElementSize = 1,
    latency_table: LatencyTableFile = None,
    loss: Loss = None,
    metric: Metric = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("reds-out"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last finished step.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the folder.")] = False,
) -> None:
    """Prune a model to a family of nested subnetworks within their budgets, and write .keras and .tflite files."""
    from reds_core.api import prune
    from reds_core.console import ConsoleWatcher, print_plan
    from reds_core.finetuning import FinetuneSettings
    from reds_core.framework import Task
    from reds_core.run_folder import Mode
    from reds_core.settings import DEFAULT_BUDGETS, RunSettings

    if resume and overwrite:
        raise InputError("--resume and --overwrite exclude each other", "give one of them")
    if data is None and model is None:
        data = "digits"
    defaults = FinetuneSettings()
    finetune = FinetuneSettings(
        defaults.epochs if finetune_epochs is None else finetune_epochs,
        defaults.batch_size if batch_size is None else batch_size,
        defaults.learning_rate if learning_rate is None else learning_rate,
    )
    settings = RunSettings(
        pruner=pruner,
        scorer=scorer,
        solver=solver,
        options=parse_plugin_options(option or []),
        finetune=finetune,
        task=Task(loss, metric),
        time_limit_s=time_limit,
        threads=threads,
        element_size_bytes=element_size,
        latency_table=latency_table,
        holdout=RunSettings().holdout if holdout is None else holdout,
        seed=seed,
    )
    mode = Mode.RESUME if resume else Mode.OVERWRITE if overwrite else Mode.REFUSE
    with ConsoleWatcher(metric) as watcher:
        plan = prune(model, data, budget or DEFAULT_BUDGETS, out, settings=settings, mode=mode, watcher=watcher)
    print_plan(plan, out)
