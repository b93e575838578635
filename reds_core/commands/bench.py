"""`reds bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.backend_options import LOKY, Backend, Scheduler, jobs_option
from reds_core.commands.completing import plugin_list
from reds_core.commands.plain_help import REPEATABLE
from reds_core.commands.shared import Gap, OptionTexts, parse_gap, parse_plugin_options, results_kept
from reds_core.commands.verbosity import chosen_verbose

NO_LIMIT = "none"


def bench_command(
    problems: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PROBLEM", help="The problem files, as `reds formulate` writes them."),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"A suite of problems that comes with reds. {REPEATABLE}"),
    ] = None,
    solvers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="The solvers, with their options in brackets: dp,'cpsat[presolve=false]'. The word all means every "
            f"solver that is available. {REPEATABLE}",
            show_default="all",
            autocompletion=plugin_list("solver"),
        ),
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="The time limit of each solve.")] = 60.0,
    memory_limit: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="The most memory that the process of a solve may take, such as 800MiB, or none for no limit. The "
            "tables of the solver may take three quarters of it.",
        ),
    ] = "4GiB",
    gap: Gap = None,
    repeat: Annotated[int, typer.Option(metavar="N", help="The number of times that each solve is run.", min=1)] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="The random seed of the solvers.", min=0)] = 0,
    threads: Annotated[int, typer.Option(metavar="N", help="The number of threads of each solve.", min=1)] = 1,
    option: OptionTexts = None,
    jobs: Annotated[int | None, jobs_option("solves")] = None,
    backend: Backend = LOKY,
    scheduler: Scheduler = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the records and the report.")] = Path(
        "reds-bench"
    ),
) -> None:
    """Run `reds bench`."""
    from reds_core.bench.api import run_bench
    from reds_core.bench.runner import BenchSettings
    from reds_core.commands.bench_view import print_bench
    from reds_core.system.memory import parse_bytes

    settings = BenchSettings(
        problems=tuple(problems or ()),
        suites=tuple(suite or ()),
        solvers=tuple(solvers or ()),
        options=parse_plugin_options(option or []),
        time_limit_s=time_limit,
        memory_limit_bytes=None if memory_limit.strip().lower() == NO_LIMIT else parse_bytes(memory_limit),
        gap=None if gap is None else parse_gap(gap),
        repeat=repeat,
        seed=seed,
        threads=threads,
        jobs=jobs,
        backend=backend,
        scheduler=scheduler,
    )
    run = run_bench(settings, out, verbose=chosen_verbose())
    with results_kept():
        print_bench(run, out)
