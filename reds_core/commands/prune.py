"""`reds prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reds_core.commands import finetuning
from reds_core.commands.overriding import listed, or_none, override
from reds_core.commands.shared import (
    DATA,
    LATENCY_TABLE,
    LOSS,
    MEMORY_LIMIT,
    METRIC,
    THREADS,
    TIME_LIMIT,
    Align,
    BudgetTexts,
    Imports,
    Keep,
    MaxOptions,
    MinWidth,
    OptionTexts,
    parse_plugin_options,
    results_kept,
    width_rules,
)
from reds_core.errors import InputError


def prune_command(
    model: Annotated[Path | None, typer.Argument(help="A .keras or HDF5 file; none: train a small one first.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="YAML file of a whole run; other options override it, none clears a setting.")
    ] = None,
    data: Annotated[Any, or_none(str, DATA)] = None,
    budget: BudgetTexts = None,
    pruner: Annotated[str | None, typer.Option(help="A pruner plugin (default: nested)")] = None,
    scorer: Annotated[str | None, typer.Option(help="A scorer plugin (default: taylor)")] = None,
    score_level: Annotated[
        str | None, typer.Option(help="What is scored: channel or kernel, which joins two channels. [default: channel]")
    ] = None,
    solver: Annotated[str | None, typer.Option(help="A solver plugin, or auto (default: auto)")] = None,
    option: OptionTexts = None,
    imports: Imports = None,
    holdout: Annotated[float | None, typer.Option(help="Share of the training data held back for choosing.")] = None,
    time_limit: Annotated[Any, or_none(float, TIME_LIMIT)] = None,
    threads: Annotated[Any, or_none(int, THREADS)] = None,
    memory_limit: Annotated[Any, or_none(str, MEMORY_LIMIT)] = None,
    element_size: Annotated[
        int | None, typer.Option(help="Bytes of a weight or activation on the device: 1 or 4 (default: 1)")
    ] = None,
    latency_table: Annotated[Any, or_none(str, LATENCY_TABLE)] = None,
    keep: Keep = None,
    align: Align = None,
    min_width: MinWidth = None,
    max_options: MaxOptions = None,
    loss: Annotated[Any, or_none(str, LOSS)] = None,
    metric: Annotated[Any, or_none(str, METRIC)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random (default: 0)", min=0)] = None,
    finetune_epochs: finetuning.Epochs = None,
    batch_size: finetuning.BatchSize = None,
    learning_rate: finetuning.LearningRate = None,
    optimizer: finetuning.Optimizer = None,
    momentum: finetuning.Momentum = None,
    schedule: finetuning.ScheduleName = None,
    warmup_epochs: finetuning.WarmupEpochs = None,
    weight_decay: finetuning.WeightDecay = None,
    clip_norm: finetuning.ClipNorm = None,
    patience: finetuning.Patience = None,
    augment: finetuning.Augment = None,
    dropout: finetuning.Dropout = None,
    precision: finetuning.PrecisionName = None,
    distill: finetuning.Distill = None,
    distill_weight: finetuning.DistillWeight = None,
    distill_temperature: finetuning.DistillTemperature = None,
    recalibrate: finetuning.Recalibrate = None,
    int8: Annotated[
        bool | None,
        typer.Option("--int8/--no-int8", help="Write int8 .tflite files too, where data is given. (default: on)"),
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--no-strict", help="Refuse models of which something cannot be pruned. (default: off)"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results (default: reds-out)")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last finished epoch or step.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the folder.")] = False,
) -> None:
    """Prune a model to a family of nested subnetworks within their budgets, and write .keras and .tflite files."""
    from reds_core.commands.console import ConsoleWatcher, print_plan
    from reds_core.runs.api import prune
    from reds_core.runs.folder import Mode
    from reds_core.runs.recipe import Recipe, load_recipe
    from reds_core.runs.settings import DEFAULT_OUT, merged_options
    from reds_core.scoring.scorer import parse_level

    if resume and overwrite:
        raise InputError("--resume and --overwrite exclude each other", "give one of them")
    base = Recipe() if recipe is None else load_recipe(recipe)
    settings = override(
        base.settings,
        budgets=tuple(budget) if budget else None,
        pruner=pruner,
        scorer=scorer,
        score_level=None if score_level is None else parse_level(score_level),
        solver=solver,
        options=merged_options(base.settings.options, parse_plugin_options(option or [])),
        imports=None if imports is None else listed(imports),
        finetune=override(
            base.settings.finetune,
            epochs=finetune_epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            optimizer=optimizer,
            momentum=momentum,
            schedule=schedule,
            warmup_epochs=warmup_epochs,
            weight_decay=weight_decay,
            clip_norm=clip_norm,
            patience=patience,
            augment=finetuning.comma_separated(augment),
            dropout=dropout,
            precision=precision,
            distill=distill,
            distill_weight=distill_weight,
            distill_temperature=distill_temperature,
            recalibrate=recalibrate,
        ),
        task=override(base.settings.task, loss=loss, metric=metric),
        time_limit_s=time_limit,
        threads=threads,
        memory_limit=memory_limit,
        element_size_bytes=element_size,
        latency_table=latency_table,
        widths=width_rules(base.settings.widths, keep, align, min_width, max_options),
        holdout=holdout,
        int8=int8,
        strict=strict,
        seed=seed,
    )
    base = override(base, model=None if model is None else str(model), data=data, settings=settings)
    folder = out or Path(base.out or DEFAULT_OUT)
    mode = Mode.RESUME if resume else Mode.OVERWRITE if overwrite else Mode.REFUSE
    default_data = "digits" if data is None else None  # none says that there shall be none
    with ConsoleWatcher(settings.task.metric) as watcher:
        plan = prune(recipe=base, out=folder, mode=mode, default_data=default_data, watcher=watcher)
    with results_kept():
        print_plan(plan, folder)
