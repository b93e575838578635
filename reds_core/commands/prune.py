"""`reds prune`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from reds_core.commands.overriding import Absent, listed, or_none, override
from reds_core.commands.setting_options import OptionRule, SettingOptions, with_setting_options
from reds_core.commands.shared import DATA, InputShapes, Json, input_shape_of, parse_plugin_options, results_kept
from reds_core.errors import InputError
from reds_core.plugin import PluginOptions
from reds_core.runs.settings import RunSettings, merged_options
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


def _points(given: str | Absent, _: float | None) -> float | Absent:
    """A number of percentage points, with or without a percent sign."""
    if isinstance(given, Absent):
        return given
    typed = read_typed(given)
    if typed is None or typed.unit not in ("", PERCENT):
        raise InputError(f"'{given}' is not a number of points", "give --max-drop 1.0 or 1%")
    return float(typed.number)


def _comma_separated(texts: Sequence[str], _: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of texts such as "flip,shift=0.1". The single word none means no parts."""
    return listed([part for text in texts for part in text.split(",")])


AUTO = "auto"

OPTIONS = SettingOptions(
    RunSettings(),
    {
        "budgets": OptionRule("budget", read=_all),
        "score_level": OptionRule(is_text=True, read=_level),
        "options": OptionRule("option", text="Option of a plugin, as NAME.KEY=VALUE", read=_merged),
        "imports": OptionRule(flag="--import"),
        "max_drop": OptionRule(is_text=True, read=_points),
        "max_drop_epochs": OptionRule(least=1),
        "finetune.epochs": OptionRule("finetune_epochs", least=0),
        "finetune.batch_size": OptionRule(least=1),
        "finetune.augment": OptionRule(read=_comma_separated),
        "widths.align": OptionRule(is_text=True, read=_align),
        "widths.min_width": OptionRule(least=1),
        "widths.max_options": OptionRule(least=2),
        "seed": OptionRule(least=0),
    },
    panels={"finetune": "Fine-tuning"},
)


@with_setting_options(OPTIONS.all)
def prune_command(
    model: Annotated[
        Path | None, typer.Argument(help="Model file (.keras or HDF5). Without one, a small network is trained first.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with the settings of a run. Other options override it; the word none clears a setting."
        ),
    ] = None,
    data: Annotated[Any, or_none(str, DATA)] = None,
    *,
    input_shape: InputShapes = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results (default: reds-out)")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in the folder after its last finished epoch or step.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the folder.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only choose the widths and show what they cost. Nothing is written.")
    ] = False,
    as_json: Json = False,
    **given: Any,
) -> None:
    """Run `reds prune`."""
    from reds_core.commands.console import ConsoleWatcher, print_plan
    from reds_core.commands.preview_view import print_preview
    from reds_core.plan import plan_text
    from reds_core.runs.api import prune
    from reds_core.runs.folder import Mode
    from reds_core.runs.recipe import Recipe, load_recipe
    from reds_core.runs.settings import DEFAULT_OUT

    if resume and overwrite:
        raise InputError("--resume and --overwrite cannot be combined", "give one of them")
    base = Recipe() if recipe is None else load_recipe(recipe)
    settings = OPTIONS.applied(base.settings, given)
    base = override(base, model=None if model is None else str(model), data=data, settings=settings)
    folder = out or Path(base.out or DEFAULT_OUT)
    mode = Mode.RESUME if resume else Mode.OVERWRITE if overwrite else Mode.REFUSE
    default_data = "digits" if data is None else None  # --data none means no data
    with ConsoleWatcher(settings.task.metric) as watcher:
        plan = prune(
            recipe=base,
            input_shape=input_shape_of(input_shape),
            out=folder,
            mode=mode,
            dry_run=dry_run,
            default_data=default_data,
            watcher=watcher,
        )
    with results_kept():
        if as_json:
            sys.stdout.write(plan_text(plan))
        elif dry_run:
            print_preview(plan)
        else:
            print_plan(plan, folder)
