"""Options that several commands take, and how they print."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reds_core.commands.overriding import listed, override
from reds_core.errors import InputError, OutputError

if TYPE_CHECKING:
    from reds_core.formulation.width_rules import WidthRules
from reds_core.watcher import Watcher

Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0)]
OptionTexts = Annotated[
    list[str] | None, typer.Option("--option", help="Option of a plugin: NAME.KEY=VALUE. Repeatable.")
]
Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        help="Python file or module with layers of your own that the model refers to; it is run. Repeatable.",
    ),
]
BudgetTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--budget", help="R=V[,V...]: at most 1 is a fraction of the full network; units k M G KiB MiB. Repeatable."
    ),
]
SolverName = Annotated[str, typer.Option(help="A solver plugin, or auto.")]
ScorerName = Annotated[str, typer.Option(help="A scorer plugin.")]
ScoreLevelName = Annotated[
    str, typer.Option("--score-level", help="What is scored: channel or kernel, which joins two channels.")
]
DATA = typer.Option(help="digits, mnist, fashion_mnist, cifar10, an .npz, or a folder of images.")
DataSource = Annotated[str | None, DATA]
TIME_LIMIT = typer.Option(help="Seconds a solve may take.")
TimeLimit = Annotated[float | None, TIME_LIMIT]
THREADS = typer.Option(help="Threads a solve may use.")
Threads = Annotated[int | None, THREADS]
MEMORY_LIMIT = typer.Option(
    help="The most memory the tables of a solve may take, such as 2GiB (default: half of what is available)"
)
MemoryLimit = Annotated[str | None, MEMORY_LIMIT]
ElementSize = Annotated[int, typer.Option(help="Bytes of a weight or activation on the device: 1 or 4.")]
LATENCY_TABLE = typer.Option("--latency-table", help="File of `reds latency`, for latency budgets.")
LatencyTableFile = Annotated[str | None, LATENCY_TABLE]
Keep = Annotated[
    list[str] | None, typer.Option("--keep", help="Shell pattern of layers to leave as they are. Repeatable.")
]
Align = Annotated[int | None, typer.Option(help="Widths in multiples of this; the full width stays an option.", min=1)]
MinWidth = Annotated[int | None, typer.Option(help="The fewest channels a layer may keep.", min=1)]
MaxOptions = Annotated[
    int | None, typer.Option(help="The most widths on offer for a layer; wider ones are thinned (default: 512)", min=2)
]
LOSS = typer.Option(help="Keras loss where crossentropy does not fit; settings go in brackets behind its name.")
Loss = Annotated[str | None, LOSS]
METRIC = typer.Option(help="Keras metric where accuracy does not fit; settings go in brackets behind its name.")
Metric = Annotated[str | None, METRIC]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse models of which something cannot be pruned.")]


def parse_plugin_options(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Options of plugins from NAME.KEY=VALUE texts.

    Raises:
        InputError: if a text is malformed.
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
    """Prints warnings to stderr and passes over the rest."""

    def warn(self, text: str) -> None:
        print(f"warning: {text}", file=sys.stderr)


def print_json(content: Any) -> None:
    """Print records or plain values as JSON, in ASCII; figures that do not exist are null."""
    from reds_core.system.records import to_json

    sys.stdout.write(to_json(content))


@contextmanager
def results_kept() -> Iterator[None]:
    """What is printed inside tells of files that are written: if it cannot be, that is no failure of the command."""
    try:
        yield
        sys.stdout.flush()
    except OutputError as error:
        print(f"warning: all files are written, but {error.what}", file=sys.stderr)


def width_rules(
    base: WidthRules, keep: list[str] | None, align: int | None, min_width: int | None, max_options: int | None
) -> WidthRules:
    """`base` with what was given on the command line."""
    patterns = None if keep is None else listed(keep)
    return override(base, keep=patterns, align=align, min_width=min_width, max_options=max_options)
