"""Options and output that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reds_core.commands.overriding import listed, override
from reds_core.errors import InputError, OutputError

if TYPE_CHECKING:
    from reds_core.formulation.width_rules import WidthRules
from reds_core.watcher import Watcher

ModelFile = Annotated[Path, typer.Argument(help="Model file (.keras or HDF5).")]
Json = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.", min=0)]
OptionTexts = Annotated[
    list[str] | None, typer.Option("--option", help="Option of a plugin, as NAME.KEY=VALUE. Repeatable.")
]
Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        help="Python file or module that defines custom layers. It is run before the model is read. Repeatable.",
    ),
]
INPUT_SHAPE = typer.Option(
    "--input-shape",
    metavar="SHAPE",
    help="The shape of one example, such as 224,224,3, if the model file leaves it open. For several inputs, write "
    "NAME=SHAPE. Can be given several times.",
)
InputShapes = Annotated[list[str] | None, INPUT_SHAPE]
BudgetTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        help="RESOURCE=AMOUNT[,AMOUNT...], such as macs=0.5. An amount is a share of the full network (0.5 or 50%), or "
        "a number with a unit: k, M, G, KB, MB, KiB, MiB, us, ms or s. Repeatable.",
    ),
]
SolverName = Annotated[
    str,
    typer.Option(
        help="Name of the solver plugin, or auto for the best that accepts the problem. "
        "A program is given as 'cmd:PROGRAM {mps} {answer}'."
    ),
]
ScorerName = Annotated[str, typer.Option(help="Name of the scorer plugin.")]
ScoreLevelName = Annotated[
    str,
    typer.Option("--score-level", help="What is scored: channel, or kernel (each connection between two channels)."),
]
DATA = typer.Option(
    help="Data set: digits, mnist, fashion_mnist, cifar10, tfds:NAME, an .npz file, or a folder of images."
)
DataSource = Annotated[str | None, DATA]
TIME_LIMIT = typer.Option(help="Time limit of each solve, in seconds.")
TimeLimit = Annotated[float | None, TIME_LIMIT]
THREADS = typer.Option(help="Number of threads of each solve (default: the choice of the solver)")
Threads = Annotated[int | None, THREADS]
MEMORY_LIMIT = typer.Option(
    help="Memory limit of the tables of a solve, such as 2GiB (default: half of the available memory)"
)
MemoryLimit = Annotated[str | None, MEMORY_LIMIT]
ElementSize = Annotated[
    int, typer.Option(help="Bytes of a weight or activation on the device: 1 (int8) or 4 (float32).")
]
LATENCY_TABLE = typer.Option("--latency-table", help="Table that `reds latency` wrote, for latency budgets.")
LatencyTableFile = Annotated[str | None, LATENCY_TABLE]
Keep = Annotated[
    list[str] | None,
    typer.Option("--keep", help="Shell pattern of the names of layers that are not pruned. Repeatable."),
]
Align = Annotated[
    int | None, typer.Option(help="Widths are multiples of this number, or the full width (default: 1)", min=1)
]
MinWidth = Annotated[int | None, typer.Option(help="The fewest channels that a layer may keep.", min=1)]
MaxOptions = Annotated[
    int | None,
    typer.Option(
        help="The most widths to choose from for a layer. Wider layers get a subset of their widths (default: 512)",
        min=2,
    ),
]
LOSS = typer.Option(
    help="Name of a Keras loss, with arguments in brackets (default: crossentropy by labels and last activation)"
)
Loss = Annotated[str | None, LOSS]
METRIC = typer.Option(help="Name of a Keras metric, with arguments in brackets (default: accuracy)")
Metric = Annotated[str | None, METRIC]
ClassWeight = Annotated[
    str | None,
    typer.Option(
        help="How much classes count in scores: CLASS=WEIGHT[,CLASS=WEIGHT...] or balanced (default: all alike)"
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Fail if a part of the model cannot be pruned, instead of a warning.")
]


def input_shape_of(texts: Sequence[str] | None) -> str | None:
    """The shape of the inputs as the calls of Python take it; None if no option --input-shape is given."""
    return ";".join(listed(texts)) if texts else None


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


class WarningEcho(Watcher):
    """Prints warnings to stderr and ignores everything else."""

    def warn(self, text: str) -> None:
        print(f"warning: {text}", file=sys.stderr)


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
    base: WidthRules, keep: list[str] | None, align: int | None, min_width: int | None, max_options: int | None
) -> WidthRules:
    """`base` with the rules that are given on the command line."""
    patterns = None if keep is None else listed(keep)
    return override(base, keep=patterns, align=align, min_width=min_width, max_options=max_options)
