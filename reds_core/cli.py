"""The command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reds_core.errors import ContractViolation, InputError, RedsError

if TYPE_CHECKING:
    from reds_core.registry import PluginRecord
    from reds_core.solution import Solution

# typer vendors click or imports it, by version: its own usage errors are found through what it exports
_UsageError: type[Any] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

_INTERRUPTED = 130

app = typer.Typer(
    name="reds",
    help="Shrink a trained Keras network to fit a device, and know how good the choice is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0)]
OptionTexts = Annotated[
    list[str] | None, typer.Option("--option", help="Option of a plugin: NAME.KEY=VALUE. Repeatable.")
]
BudgetTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--budget", help="R=V[,V...]: at most 1 is a fraction of the full network; units k M G KiB MiB. Repeatable."
    ),
]
SolverName = Annotated[str, typer.Option(help="A solver plugin, or auto.")]
ScorerName = Annotated[str, typer.Option(help="A scorer plugin.")]
DataSource = Annotated[
    str | None, typer.Option(help="digits, mnist, fashion_mnist, cifar10, an .npz, or a folder of images.")
]
TimeLimit = Annotated[float | None, typer.Option(help="Seconds a solve may take.")]
Threads = Annotated[int | None, typer.Option(help="Threads a solve may use.")]
ElementSize = Annotated[int, typer.Option(help="Bytes of a weight or activation on the device: 1 or 4.")]
Loss = Annotated[str | None, typer.Option(help="Keras loss identifier, where crossentropy does not fit.")]
Metric = Annotated[str | None, typer.Option(help="Keras metric identifier, where accuracy does not fit.")]


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


def print_json(content: Any) -> None:
    """Print records or plain values as JSON; figures that do not exist are null."""
    from reds_core.records import to_json

    sys.stdout.write(to_json(content))


@app.command()
def plugins(as_json: Json = False) -> None:
    """List the plugins that were found, and say of each whether it can be used."""
    from reds_core.registry import Registry

    records = Registry().records
    if as_json:
        print_json([_plugin_facts(r) for r in records])
        return
    from reds_core.console import print_table

    print_table(
        ["kind", "name", "status", "from", "detail"],
        [[r.kind or "-", r.name, r.status.value, _source(r), r.detail] for r in records],
    )


def _source(record: PluginRecord) -> str:
    return f"{record.distribution} {record.version}" if record.distribution else "-"


def _plugin_facts(record: PluginRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "kind": record.kind,
        "status": record.status,
        "detail": record.detail,
        "distribution": record.distribution,
        "version": record.version,
    }


@app.command()
def inspect(
    model: Path,
    element_size: ElementSize = 1,
    as_json: Json = False,
) -> None:
    """Show the channel groups of a model and what it costs."""
    from reds_core.api import load_for_inspection
    from reds_core.inspection import describe

    _, _, network = load_for_inspection(model)
    for warning in network.warnings:
        typer.echo(f"warning: {warning}", err=True)
    described = describe(network, element_size)
    if as_json:
        print_json(described)
        return
    from reds_core.console import print_inspection

    print_inspection(described)


@app.command(name="formulate")
def formulate_command(
    model: Path,
    out: Annotated[Path, typer.Option(help="The problem file to write, .npz.")],
    budget: BudgetTexts = None,
    data: DataSource = None,
    scorer: ScorerName = "taylor",
    option: OptionTexts = None,
    element_size: ElementSize = 1,
    loss: Loss = None,
    metric: Metric = None,
    seed: Seed = 0,
) -> None:
    """State a model's pruning as a knapsack problem, in a file that `reds solve` reads."""
    from reds_core.api import formulate_model
    from reds_core.framework import Task
    from reds_core.problem_file import save_problem

    if not budget:
        raise InputError("no budget is given", "give one such as --budget macs=0.5")
    formulation = formulate_model(
        model,
        data,
        budget,
        scorer=scorer,
        options=parse_plugin_options(option or []),
        task=Task(loss, metric),
        element_size_bytes=element_size,
        seed=seed,
    )
    save_problem(formulation.problem, out)
    typer.echo(f"wrote {out}")


@app.command(name="solve")
def solve_command(
    problem: Path,
    solver: SolverName = "auto",
    time_limit: TimeLimit = 60.0,
    seed: Annotated[int | None, typer.Option(help="Seed of the solver.", min=0)] = None,
    threads: Threads = None,
    option: OptionTexts = None,
    as_json: Json = False,
) -> None:
    """Solve a problem file."""
    from reds_core.no_choice import without_choice
    from reds_core.problem_file import load_problem
    from reds_core.registry import Registry
    from reds_core.search import Search
    from reds_core.solver import Controls

    registry = Registry()
    settings = parse_plugin_options(option or [])
    registry.check_settings(settings)
    search = Search(registry, solver, settings, Controls(time_limit, seed, threads))
    search.check()
    stated = load_problem(problem)
    solution = search.answer(stated)
    if as_json:
        print_json(solution_facts(solution))
    else:
        from reds_core.solution_text import solution_text

        typer.echo(solution_text(solution))
    if solution.choice is None:
        raise without_choice(stated, solution)


def solution_facts(solution: Solution) -> dict[str, Any]:
    """What `reds solve --json` prints."""
    return {
        "status": solution.status,
        "limit": solution.limit,
        "value": solution.value,
        "bound": solution.bound,
        "gap": solution.gap,
        "widths": solution.widths,
        "usage": solution.usage,
        "wall_s": solution.wall_s,
        "backend_s": solution.backend_s,
        "solver": solution.solver,
        "version": solution.version,
        "detail": "; ".join(solution.detail),
    }


@app.command(name="prune")
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
    from reds_core.framework import FinetuneSettings, Task
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
        holdout=RunSettings().holdout if holdout is None else holdout,
        seed=seed,
    )
    mode = Mode.RESUME if resume else Mode.OVERWRITE if overwrite else Mode.REFUSE
    with ConsoleWatcher(metric) as watcher:
        plan = prune(model, data, budget or DEFAULT_BUDGETS, out, settings=settings, mode=mode, watcher=watcher)
    print_plan(plan, out)


@app.command(name="extract")
def extract_command(
    folder: Annotated[Path, typer.Argument(help="A finished run.")],
    budget: BudgetTexts = None,
) -> None:
    """Add one more member to a finished family, without training."""
    from reds_core.console import ConsoleWatcher, print_plan
    from reds_core.extract import extract
    from reds_core.plan import load_plan
    from reds_core.registry import Registry

    if not budget:
        raise InputError("no budget is given", "give one such as --budget macs=0.4")
    with ConsoleWatcher() as watcher:
        extract(folder, tuple(budget), Registry(), watcher)
    print_plan(load_plan(folder), folder)


@app.command(name="check")
def check_command(
    target: Annotated[str, typer.Argument(help="An installed plugin's name, or module:Class.")],
    as_json: Json = False,
) -> None:
    """Run the conformance kit on a solver, a scorer or a pruner. Exit status 1 if a check fails."""
    from reds_core.testing import Outcome, check

    sys.path.insert(0, "")  # module:Class may name a module of the working folder, as `python -m` does
    reports = check(target)
    if as_json:
        print_json(reports)
    else:
        for report in reports:
            typer.echo(str(report))
    failed = [result.name for report in reports for result in report.with_outcome(Outcome.FAILED)]
    if failed:
        raise ContractViolation(
            f"'{target}' failed {len(failed)} of the checks, the first is '{failed[0]}'", "mend the plugin"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status. Errors end stderr with one line, without a traceback."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit status of a command line; arguments are the process's own by default."""
    try:
        status = app(None if arguments is None else list(arguments), prog_name="reds", standalone_mode=False)
        if status == _INTERRUPTED:  # some versions of typer catch Ctrl-C themselves
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except RedsError as error:
        return _failed(str(error), error.exit_status)
    except _UsageError as error:
        message = " ".join(error.format_message().split()).rstrip(".") or "no command is given"
        command = error.ctx.command_path if getattr(error, "ctx", None) else "reds"
        return _failed(f"{message}; see `{command} --help`", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _failed("interrupted; a run keeps its finished steps, go on with --resume", _INTERRUPTED)
    except MemoryError:
        return _failed("the machine ran out of memory; take a smaller batch size or model", 1)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _failed(f"a bug of reds ({what}); report it with the command that led to it", 1)


def _failed(message: str, status: int) -> int:
    typer.echo(f"error: {message}", err=True)
    return status
