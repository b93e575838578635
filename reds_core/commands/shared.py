"""Options and output that several commands share."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reds_core.commands.completing import choices, device_names, plugin_names, transform_names
from reds_core.commands.overriding import listed, override
from reds_core.commands.plain_help import REPEATABLE
from reds_core.cost.energy_models import BOARDS
from reds_core.cost.resources import RESOURCES
from reds_core.errors import InputError, OutputError
from reds_core.framework.task import TaskKind
from reds_core.scales import PERCENT, read_typed

if TYPE_CHECKING:
    from reds_core.formulation.width_rules import WidthRules


def _listed_names(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


BUDGET_TEXT = (
    f"The limit of a resource ({_listed_names(RESOURCES)}), such as macs=0.5. A value is a share of the full network "
    "(0.5 or 50%), or a number with a unit: k, M, G, KB, MB, KiB, MiB, us, ms, s, uJ or mJ"
)
SOLVER_TEXT = (
    "The solver plugin, or auto for the best one that accepts the problem. A program is given as "
    "'cmd:PROGRAM {mps} {answer}'"
)
SCORER_TEXT = "The scorer plugin, which says how important each channel is"
IMPORT_TEXT = "A Python file or module that defines custom layers. It is run before the model is read"
LOSS_TEXT = "The name of a Keras loss, with arguments in brackets if it needs any"
METRIC_TEXT = "The name of a Keras metric, with arguments in brackets if it needs any"
OPTION_TEXT = "An option of a plugin, such as taylor.batch_size=64. See `reds plugins NAME` for the options of a plugin"

SCORE_LEVELS = ("channel", "kernel")

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="The model file (.keras or HDF5).")]
Json = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]
Seed = Annotated[int, typer.Option(metavar="N", help="The seed of all random numbers.", min=0)]
OptionTexts = Annotated[
    list[str] | None, typer.Option("--option", metavar="NAME.KEY=VALUE", help=f"{OPTION_TEXT}. {REPEATABLE}")
]
Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="FILE",
        help=f"{IMPORT_TEXT}. {REPEATABLE}",
    ),
]
INPUT_SHAPE = typer.Option(
    "--input-shape",
    metavar="[NAME=]SHAPE",
    help="The shape of one example, such as 224,224,3, if the model file leaves it open. If the model has several "
    f"inputs, give the NAME of each. {REPEATABLE}",
)
InputShapes = Annotated[list[str] | None, INPUT_SHAPE]
BudgetTexts = Annotated[
    list[str],
    typer.Option(
        "--budget",
        metavar="R=V",
        help=f"{BUDGET_TEXT}. {REPEATABLE}",
    ),
]
SOLVER = typer.Option(metavar="NAME", help=f"{SOLVER_TEXT}.", autocompletion=plugin_names("solver"))
SolverName = Annotated[str, SOLVER]
ScorerName = Annotated[str, typer.Option(metavar="NAME", help=f"{SCORER_TEXT}.", autocompletion=plugin_names("scorer"))]
ScoreLevelName = Annotated[
    str,
    typer.Option(
        "--score-level",
        metavar="|".join(SCORE_LEVELS),
        help="What is scored: each channel, or each kernel that connects two channels.",
        autocompletion=choices(SCORE_LEVELS),
    ),
]
DATA = typer.Option(
    metavar="DATA",
    help="The data set: digits, mnist, fashion_mnist, cifar10, tfds:NAME, the path of an .npz file, or a folder of "
    "images.",
)
DataSource = Annotated[str | None, DATA]
CalibrationSource = Annotated[
    str | None,
    typer.Option(
        metavar="D|N",
        help="The examples on which the ranges of activations in integer files are measured: a number of training "
        "examples, or other data with or without labels.",
        show_default="that of the run",
    ),
]
TransformNames = Annotated[
    list[str] | None,
    typer.Option(
        "--transform",
        metavar="NAME,...",
        help=f"A transform, which offers levels for each layer, such as weight-bits. {REPEATABLE}",
        autocompletion=transform_names,
    ),
]
TargetNames = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME,...",
        help=f"A target. A level is only offered if the files of at least one target can store it. {REPEATABLE}",
        autocompletion=device_names("export"),
    ),
]
TIME_LIMIT = typer.Option(metavar="SECONDS", help="The time limit of each solve.")
TimeLimit = Annotated[float | None, TIME_LIMIT]
THREADS = typer.Option(
    metavar="N", help="The number of threads of each solve.", show_default="the choice of the solver"
)
Threads = Annotated[int | None, THREADS]
MEMORY_LIMIT = typer.Option(
    metavar="SIZE",
    help="The most memory that the tables of a solve may take, such as 2GiB.",
    show_default="half of the available memory",
)
MemoryLimit = Annotated[str | None, MEMORY_LIMIT]
GAP_FORM = "0.0001 or 0.01%"
GAP = typer.Option(
    metavar="SHARE",
    help=f"Stop each solve as soon as its choice is proven to be within this share of the optimum, such as {GAP_FORM}.",
    show_default="search for a proof of optimality",
)
Gap = Annotated[str | None, GAP]
ElementSize = Annotated[
    int,
    typer.Option(
        metavar="BYTES", help="The size of a weight or an activation on the device: 1 for int8, or 4 for float32."
    ),
]
LATENCY_TABLE = typer.Option(
    "--latency-table", metavar="FILE", help="The table that `reds latency` wrote, for budgets of latency."
)
LatencyTableFile = Annotated[str | None, LATENCY_TABLE]
EnergyModelName = Annotated[
    str | None,
    typer.Option(
        "--energy-model",
        metavar="NAME",
        help=f"The model of a board by which energy is counted: {_listed_names(BOARDS)}.",
        autocompletion=choices(tuple(BOARDS)),
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="PATTERN",
        help=f"A shell pattern for the names of layers that are not pruned, such as 'stem*'. {REPEATABLE}",
    ),
]
Align = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Allow only widths that are multiples of N, and full widths.", show_default="1", min=1
    ),
]
MinWidth = Annotated[
    int | None, typer.Option(metavar="N", help="The fewest channels that a layer may keep.", show_default="1", min=1)
]
MaxOptions = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="The most widths that are offered for a layer. Wider layers are offered a selection of their widths.",
        show_default="512",
        min=2,
    ),
]
SkipBlocks = Annotated[
    bool,
    typer.Option(
        "--skip-blocks",
        help="Offer subnetworks without some residual blocks, as one more width, 0, of the channels inside each.",
    ),
]
LOSS = typer.Option(
    metavar="NAME",
    help=f"{LOSS_TEXT}.",
    show_default="the crossentropy that fits the labels and the last activation",
)
Loss = Annotated[str | None, LOSS]
TASKS = "|".join(kind.value for kind in TaskKind)
TaskName = Annotated[
    str,
    typer.Option(
        "--task",
        metavar=TASKS,
        help="What outputs are compared with: the labels of the data, the outputs of the unchanged model, or the "
        "examples themselves. Only the first needs labels.",
        autocompletion=choices(tuple(TASKS.split("|"))),
    ),
]
METRIC = typer.Option(
    metavar="NAME",
    help=f"{METRIC_TEXT}.",
    show_default="accuracy",
)
Metric = Annotated[str | None, METRIC]
ClassWeight = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS=X,...",
        help="How much the examples of each class count in scores. The word balanced gives all classes the same total "
        "weight.",
        show_default="1 for all classes",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Fail, instead of warning, if a part of the model cannot be pruned.")
]


def in_section(option: Any, title: str) -> Any:
    """A copy of an option that a section of the help with this title lists."""
    copied = copy.copy(option)
    copied.rich_help_panel = title
    return copied


def with_default(option: Any, default: str) -> Any:
    """A copy of an option whose help says what it means if the option is not given."""
    copied = copy.copy(option)
    copied.show_default = default
    return copied


def input_shape_of(texts: Sequence[str] | None) -> str | None:
    """The shape of the inputs as the calls of Python take it; None if no option --input-shape is given."""
    return ";".join(listed(texts)) if texts else None


def names_in(texts: Sequence[str] | None) -> tuple[str, ...]:
    """The names that a repeatable option gives, each of which may be several, joined by commas."""
    return tuple(name for text in texts or () for name in text.split(","))


def parse_plugin_options(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Parse options of plugins, each of the form NAME.KEY=VALUE.

    Raises:
        InputError: If an option is malformed.
    """
    parsed: dict[str, dict[str, str]] = {}
    for text in texts:
        target, equals, setting = text.partition("=")
        name, dot, key = target.partition(".")
        if not (equals and dot and name and key):
            raise InputError(f"option '{text}' is malformed", "write NAME.KEY=VALUE, such as taylor.batch_size=64")
        parsed.setdefault(name, {})[key] = setting
    return parsed


def parse_gap(text: str) -> float:
    """Parse a share below 1 that is written as a number or in percent.

    Raises:
        InputError: If it is malformed or at least 1.
    """
    typed = read_typed(text)
    if typed is None or typed.unit not in ("", PERCENT):
        raise InputError(f"the gap '{text}' is not a share", f"give --gap {GAP_FORM}")
    share = float(typed.number / 100 if typed.unit == PERCENT else typed.number)
    if share >= 1:  # rather 1 meant as 1 % than a gap at which nearly any choice will do
        raise InputError(f"the gap '{text}' is 100 % or more", f"give --gap {GAP_FORM}, or 1% for one percent")
    return share


def print_json(content: Any) -> None:
    """Print records or plain values as JSON in ASCII. Missing figures are null."""
    from reds_core.system.records import to_json

    sys.stdout.write(to_json(content))


@contextmanager
def results_kept() -> Iterator[None]:
    """Context manager for printing about files that are already written, so that a failed print is only a warning."""
    try:
        yield
        sys.stdout.flush()
    except OutputError as error:
        print(f"warning: all files are written, but {error.what}", file=sys.stderr)


def width_rules(
    base: WidthRules,
    keep: list[str] | None,
    align: int | None,
    min_width: int | None,
    max_options: int | None,
    skip_blocks: bool,
) -> WidthRules:
    """`base` with the rules that are given on the command line."""
    patterns = None if keep is None else listed(keep)
    return override(
        base, keep=patterns, align=align, min_width=min_width, max_options=max_options, skip_blocks=skip_blocks
    )
