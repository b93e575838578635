"""`reds formulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.shared import (
    Align,
    BudgetTexts,
    ClassWeight,
    DataSource,
    ElementSize,
    EnergyModelName,
    Imports,
    InputShapes,
    Keep,
    LatencyTableFile,
    Loss,
    MaxOptions,
    Metric,
    MinWidth,
    ModelFile,
    OptionTexts,
    ScoreLevelName,
    ScorerName,
    Seed,
    SkipBlocks,
    Strict,
    TargetNames,
    TaskName,
    TransformNames,
    input_shape_of,
    names_in,
    parse_plugin_options,
    results_kept,
    width_rules,
)
from reds_core.commands.verbosity import chosen_verbose


def formulate_command(
    model: ModelFile,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The problem file to write (.npz).")],
    budget: BudgetTexts,
    data: DataSource = None,
    scorer: ScorerName = "taylor",
    score_level: ScoreLevelName = "channel",
    option: OptionTexts = None,
    imports: Imports = None,
    input_shape: InputShapes = None,
    element_size: ElementSize = 1,
    latency_table: LatencyTableFile = None,
    energy_model: EnergyModelName = None,
    keep: Keep = None,
    align: Align = None,
    min_width: MinWidth = None,
    max_options: MaxOptions = None,
    skip_blocks: SkipBlocks = False,
    exit: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The early exit at which the subnetwork ends, such as exit_1, if the model has any.",
            show_default="the last output",
        ),
    ] = None,
    task: TaskName = "supervised",
    loss: Loss = None,
    metric: Metric = None,
    transform: TransformNames = None,
    target: TargetNames = None,
    exchange_rate: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="How much a rise of the loss by 1 counts in units of the scores, by which the measured losses of "
            "levels are weighed against the importance of channels.",
            show_default="0.5 for scores on the logarithmic scale, and 1 for those that are losses",
        ),
    ] = None,
    class_weight: ClassWeight = None,
    strict: Strict = False,
    seed: Seed = 0,
) -> None:
    """Run `reds formulate`."""
    from reds_core.formulation.width_rules import WidthRules
    from reds_core.knapsack.file import save_problem
    from reds_core.runs.formulating import formulate_model
    from reds_core.scoring.scorer import parse_level
    from reds_core.system.files import given_file

    out = given_file(out, "out")  # before scoring, which takes time
    formulation = formulate_model(
        model,
        data,
        budget,
        scorer=scorer,
        score_level=parse_level(score_level),
        options=parse_plugin_options(option or []),
        imports=imports or (),
        input_shape=input_shape_of(input_shape),
        task=task,
        loss=loss,
        metrics=metric,
        element_size=element_size,
        latency_table=latency_table,
        energy_model=energy_model,
        widths=width_rules(WidthRules(), keep, align, min_width, max_options, skip_blocks),
        exit=exit,
        transforms=names_in(transform),
        targets=names_in(target),
        exchange_rate=exchange_rate,
        class_weight=class_weight,
        strict=strict,
        seed=seed,
        verbose=chosen_verbose(),
    )
    save_problem(formulation.problem, out)
    with results_kept():
        print(f"wrote {out}")
