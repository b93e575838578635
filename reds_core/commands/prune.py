"""`reds prune`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from reds_core.commands.completing import choices, device_names, plugin_names, realisation_names, transform_names
from reds_core.commands.overriding import Absent, listed, or_none, override
from reds_core.commands.setting_options import OptionRule, SettingOptions, with_setting_options
from reds_core.commands.shared import (
    BUDGET_TEXT,
    DATA,
    IMPORT_TEXT,
    INPUT_SHAPE,
    LOSS_TEXT,
    METRIC_TEXT,
    OPTION_TEXT,
    SCORE_LEVELS,
    SCORER_TEXT,
    SOLVER_TEXT,
    in_section,
    input_shape_of,
    parse_gap,
    parse_plugin_options,
    results_kept,
)
from reds_core.commands.verbosity import chosen_verbose
from reds_core.cost.energy_models import BOARDS
from reds_core.errors import InputError
from reds_core.framework.fallback import FallbackNumbers
from reds_core.plugin import PluginOptions
from reds_core.runs.settings import SEPARATE, SHARED, Int8Files, RunSettings, merged_options
from reds_core.scales import PERCENT, read_typed
from reds_core.scoring.scorer import ScoreLevel, parse_level


def _all(texts: Sequence[str], _: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(texts)


def _merged(texts: Sequence[str], options: PluginOptions) -> Mapping[str, Mapping[str, str]]:
    return merged_options(options, parse_plugin_options(texts))


def _level(text: str, _: ScoreLevel) -> ScoreLevel:
    return parse_level(text)


def _align(given: str | Absent, _: int | None) -> int | Absent:
    """The number of which widths are multiples. The words auto and none leave it to each search."""
    if given in (AUTO, Absent.ABSENT):
        return Absent.ABSENT
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise InputError(f"'{given}' is not a number of channels", f"give --align {AUTO}, or a number of 1 or more")
    return int(given)


def _points_of(option: str) -> Callable[[str | Absent, float | None], float | Absent]:
    """What reads a number of percentage points, with or without a percent sign."""

    def points(given: str | Absent, _: float | None) -> float | Absent:
        if isinstance(given, Absent):
            return given
        typed = read_typed(given)
        if typed is None or typed.unit not in ("", PERCENT):
            raise InputError(f"'{given}' is not a number of points", f"give --{option} 1.0 or 1%")
        return float(typed.number)

    return points


def _fallback(given: str | Absent, _: FallbackNumbers | None) -> str | Absent:
    if isinstance(given, Absent) or given in FALLBACKS:
        return given
    raise InputError(f"'{given}' is neither {' nor '.join(FALLBACKS)}", "give one of them, or none")


def _int8(given: str, _: Int8Files) -> str:
    if given not in (SHARED, SEPARATE):
        raise InputError(
            f"'{given}' is neither {SHARED} nor {SEPARATE}", f"give --int8 {SHARED}, --int8 {SEPARATE} or --no-int8"
        )
    return given


def _gap(given: str | Absent, _: float | None) -> float | Absent:
    return given if isinstance(given, Absent) else parse_gap(given)


def _comma_separated(texts: Sequence[str], _: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of texts such as "flip,shift=0.1". The single word none means no parts."""
    return listed([part for text in texts for part in text.split(",")])


AUTO = "auto"
FALLBACKS = get_args(FallbackNumbers)

BUDGETS, SCORING, SOLVER, RUN = "Budgets and widths", "Scoring", "Solver", "Run"
DATA_SECTION, FINE_TUNING, EXPORT = "Data", "Fine-tuning", "Export"
TRANSFORMS = "Transforms and targets"

BUDGETS_TEXT = f"{BUDGET_TEXT}. There is one subnetwork for each value"

INT8_TEXT = (
    "Whether the integer weights of each subnetwork in its int8 file are slices of those of the full network (shared), "
    "or each subnetwork is quantised by itself (separate), as those with merged channels always are"
)

OPTIONS = SettingOptions(
    RunSettings(),
    {
        "budgets": OptionRule("budget", text=BUDGETS_TEXT, metavar="R=V[,V...]", read=_all),
        "max_drop": OptionRule(metavar="POINTS", is_text=True, read=_points_of("max-drop")),
        "max_drop_resource": OptionRule(metavar="NAME"),
        "max_drop_epochs": OptionRule(least=1),
        "max_drop_target": OptionRule(metavar="NAME", complete=device_names("export")),
        "pruner": OptionRule(metavar="NAME", complete=plugin_names("pruner")),
        "scorer": OptionRule(text=SCORER_TEXT, metavar="NAME", complete=plugin_names("scorer")),
        "score_level": OptionRule(
            metavar="|".join(SCORE_LEVELS), is_text=True, complete=choices(SCORE_LEVELS), read=_level
        ),
        "solver": OptionRule(text=SOLVER_TEXT, metavar="NAME", complete=plugin_names("solver")),
        "options": OptionRule("option", text=OPTION_TEXT, metavar="NAME.KEY=VALUE", read=_merged),
        "imports": OptionRule(flag="--import", text=IMPORT_TEXT, metavar="FILE"),
        "finetune.epochs": OptionRule("finetune_epochs", least=0),
        "finetune.batch_size": OptionRule(least=1),
        "finetune.learning_rate": OptionRule(metavar="RATE"),
        "finetune.optimizer": OptionRule(metavar="NAME"),
        "finetune.augment": OptionRule(metavar="NAME[=X],...", read=_comma_separated),
        "finetune.dropout": OptionRule(metavar="SHARE"),
        "finetune.distill_weight": OptionRule(metavar="SHARE"),
        "task.loss": OptionRule(text=LOSS_TEXT, metavar="NAME"),
        "task.metric": OptionRule(text=METRIC_TEXT, metavar="NAME"),
        "task.loss_weights": OptionRule(metavar="X,..."),
        "task.kind": OptionRule("task"),
        "time_limit_s": OptionRule(metavar="SECONDS"),
        "memory_limit": OptionRule(metavar="SIZE"),
        "gap": OptionRule(metavar="SHARE", is_text=True, read=_gap),
        "element_size_bytes": OptionRule(metavar="BYTES"),
        "latency_table": OptionRule(metavar="FILE"),
        "energy_model": OptionRule(metavar="NAME", complete=choices(tuple(BOARDS))),
        "widths.keep": OptionRule(metavar="PATTERN"),
        "widths.align": OptionRule(metavar="N", is_text=True, read=_align),
        "widths.min_width": OptionRule(least=1),
        "widths.max_options": OptionRule(least=2),
        "transforms": OptionRule(
            flag="--transform", metavar="NAME,...", complete=transform_names, read=_comma_separated
        ),
        "realise": OptionRule(metavar="NAME", complete=realisation_names),
        "targets": OptionRule(
            flag="--target", metavar="NAME,...", complete=device_names("export"), read=_comma_separated
        ),
        "exchange_rate": OptionRule(metavar="RATE"),
        "calibrate": OptionRule(least=2),
        "holdout": OptionRule(metavar="SHARE"),
        "int8": OptionRule(
            metavar=f"{SHARED}|{SEPARATE}",
            is_text=True,
            complete=choices((SHARED, SEPARATE)),
            read=_int8,
            text=INT8_TEXT,
        ),
        "calibration": OptionRule(metavar="D|N"),
        "int8_drop": OptionRule(metavar="POINTS", is_text=True, read=_points_of("int8-drop")),
        "fallback": OptionRule(metavar="|".join(FALLBACKS), is_text=True, complete=choices(FALLBACKS), read=_fallback),
        "class_weight": OptionRule(metavar="CLASS=X,..."),
        "seed": OptionRule(least=0),
    },
    panels={
        **dict.fromkeys(("imports", "task", "holdout", "class_weight", "stream", "strict"), DATA_SECTION),
        **dict.fromkeys(("max_drop", "max_drop_resource", "max_drop_epochs", "max_drop_target", "widths"), BUDGETS),
        **dict.fromkeys(("element_size_bytes", "latency_table", "energy_model"), BUDGETS),
        **dict.fromkeys(
            ("transforms", "realise", "targets", "exchange_rate", "calibrate", "qat", "qat_activations"), TRANSFORMS
        ),
        **dict.fromkeys(("scorer", "score_level"), SCORING),
        **dict.fromkeys(("solver", "time_limit_s", "threads", "memory_limit", "gap"), SOLVER),
        **dict.fromkeys(("options", "seed"), RUN),
        "finetune": FINE_TUNING,
        "finetune.epochs": None,
        "int8": EXPORT,
        **dict.fromkeys(("calibration", "int8_drop", "fallback"), EXPORT),
    },
)


@with_setting_options(OPTIONS.all)
def prune_command(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL",
            help="The model file (.keras or HDF5). Without one, a small network is trained on the data first.",
        ),
    ] = None,
    data: Annotated[Any, or_none(str, DATA)] = None,
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder in which the results are written.", show_default="reds-out"),
    ] = None,
    input_shape: Annotated[list[str] | None, in_section(INPUT_SHAPE, DATA_SECTION)] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A YAML file with the settings of a run. Other options take precedence over it, and the word none as "
            "their value restores the default of a setting.",
            rich_help_panel=RUN,
        ),
    ] = None,
    no_int8: Annotated[bool, typer.Option("--no-int8", help="Write no int8 files.", rich_help_panel=EXPORT)] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the run in DIR after its last finished epoch or step. The folder knows all other options.",
            rich_help_panel=RUN,
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in DIR.", rich_help_panel=RUN)
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only choose the widths and show what they cost, without training or writing anything.",
            rich_help_panel=RUN,
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only the plan as JSON on stdout.", rich_help_panel=RUN)
    ] = False,
    **given: Any,
) -> None:
    """Run `reds prune`."""
    from reds_core.commands.console import print_plan
    from reds_core.commands.preview_view import print_preview
    from reds_core.plan import plan_text
    from reds_core.runs.api import prune
    from reds_core.runs.folder import Mode, RunFolder
    from reds_core.runs.recipe import Recipe, load_recipe
    from reds_core.runs.settings import DEFAULT_OUT

    if resume and overwrite:
        raise InputError("--resume and --overwrite cannot be combined", "give one of them")
    base = Recipe() if recipe is None else load_recipe(recipe)
    folder = out or Path(base.out or DEFAULT_OUT)
    mode = Mode.RESUME if resume else Mode.OVERWRITE if overwrite else Mode.REFUSE
    if recipe is None:  # a run to resume knows its settings
        base = override(base, settings=RunFolder(folder, mode).earlier_settings())
    if no_int8 and given["int8"] is not None:
        raise InputError("--int8 and --no-int8 cannot be combined", "give one of them")
    settings = override(OPTIONS.applied(base.settings, given), int8=False if no_int8 else None)
    base = override(base, model=None if model is None else str(model), data=data, settings=settings)
    default_data = "digits" if data is None else None  # --data none means no data
    plan = prune(
        recipe=base,
        input_shape=input_shape_of(input_shape),
        out=folder,
        mode=mode,
        dry_run=dry_run,
        default_data=default_data,
        verbose=chosen_verbose(),
    )
    with results_kept():
        if as_json:
            sys.stdout.write(plan_text(plan))
        elif dry_run:
            print_preview(plan)
        else:
            print_plan(plan, folder)
