"""The command line."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from reds_core.commands.checked import CheckedCommand, CommandList
from reds_core.commands.plain_help import WIDEST
from reds_core.commands.standard_streams import guard_standard_streams
from reds_core.commands.verbosity import Detailed, Quiet, choosable_verbosity, with_verbosity
from reds_core.errors import Caller, RedsError, speaking_to
from reds_core.system.interruption import termination_as_interruption
from reds_core.system.machine_faults import machine_fault
from reds_core.system.output import write_nowhere

__all__ = [
    "main",
    "run",
]

# some versions of typer import click and others vendor it, so its usage errors are found through typer's exports
_UsageError: type[Any] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

_INTERRUPTED = 130
_HOW_TO_RESUME = {
    "prune": "add --resume to the command to continue after the last finished epoch or step",
    "extract": "run the same command again; a training continues after its last finished epoch",
    "latency": "run the same command again to resume",
    "audit": "run the same command again; a training continues after its last finished epoch",
}
"""How to resume commands that keep their progress. The messages of comparisons say so themselves."""

_SUMMARIES = {
    "prune": "Prune a model to nested subnetworks within their budgets, and write .keras and .tflite files.",
    "inspect": "Show the layers and channel groups of a model, and its MACs, parameters and peak RAM.",
    "extract": "Add another subnetwork to a finished run, with or without training.",
    "export": "Write the subnetworks of a finished run for a device, such as the C engine.",
    "evaluate": "Measure a model file, or a file for a device, on test data.",
    "profile": "Measure what a file, or each file of a run, takes on a device: latency, memory and flash.",
    "simulate": "Simulate which subnetwork a battery-powered device runs when, under one or several governors.",
    "report": "Write the report of a finished run or comparison again.",
    "formulate": "Formulate the pruning of a model as a knapsack problem and write it to a file for `reds solve`.",
    "solve": "Solve a knapsack problem from a file, as `reds formulate` writes it.",
    "convert": "Write a problem in the file format of another solver, or check the solution file of one.",
    "latency": "Time the layers of a model at several widths on this machine, for latency budgets.",
    "sensitivity": "Measure how much the loss rises if a single layer gets one of its levels, such as fewer bits.",
    "exits": "Add early exits to a classifier, at which subnetworks and easy examples can end.",
    "thresholds": "Choose at which confidence an example leaves a network with early exits, on held-back data.",
    "audit": "Find out which classes and examples the subnetworks of finished runs get wrong, and whether by chance.",
    "bench": "Compare solvers on problems, each solve in its own process. Run the same command again to resume.",
    "compare": "Compare recipes, pruners, scorers and solvers over seeds. Run the same command again to resume.",
    "suite": "List the suites of problems for `reds bench`, or export one as a folder that can be published.",
    "plugins": "List the installed plugins and whether they can be used, or describe one of them and its options.",
    "new": "Start the package of a new plugin, with a working example and its tests.",
    "check": "Run the conformance checks on a plugin of any kind. The exit status is 1 if a check fails.",
}
"""The commands in the order of the help. Each is the function NAME_command of the module NAME in `commands`."""


def _show_version(is_asked: bool) -> None:
    if is_asked:
        print(f"reds {importlib.metadata.version('reds-core')}")
        raise typer.Exit


def application(asked: str | None = None) -> typer.Typer:
    """The command line as typer runs it.

    Args:
        asked: The only command that will run. The others are listed without their options, so that their modules need
            not be imported. By default all commands are complete.
    """
    app = typer.Typer(
        name="reds",
        help="Shrink a trained Keras network to fit a device, and prove how good the choice of channels is.",
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        cls=CommandList,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    )
    app.callback()(_program)
    for name, summary in _SUMMARIES.items():
        is_listed_only = asked is not None and name != asked
        command = _listed if is_listed_only else _command(name)
        app.command(name, cls=CheckedCommand, help=summary)(command)
    return app


def _program(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
    quiet: Quiet = False,
    verbose: Detailed = False,
) -> None:
    """Placeholder that holds the options of the program itself."""


def _command(name: str) -> Callable[..., None]:
    command: Callable[..., None] = getattr(importlib.import_module(f"reds_core.commands.{name}"), f"{name}_command")
    return with_verbosity(command)


def _listed() -> None:
    """Placeholder for a command that will not run."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status. An error is one line on stderr, without a traceback."""
    guard_standard_streams()
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status. SIGTERM is handled like Ctrl-C.

    Args:
        arguments: The arguments after the name of the program. By default they are those of the process.
    """
    with termination_as_interruption(), speaking_to(Caller.COMMAND_LINE), choosable_verbosity():
        return _run(sys.argv[1:] if arguments is None else list(arguments))


def _run(arguments: list[str]) -> int:
    asked = next((a for a in _typed_words() or arguments if not a.startswith("-")), "")
    try:
        status = application(asked)(arguments, prog_name="reds", standalone_mode=False)
        if status == 1 and not asked:  # of the options for completion, which print no such line
            return _failed("this shell is unknown or has no completion; run it in bash, zsh, fish or PowerShell", 2)
        if status == _INTERRUPTED:  # some versions of typer catch Ctrl-C themselves
            raise KeyboardInterrupt
        sys.stdout.flush()  # so that a failure to write can still be reported
        return status if isinstance(status, int) else 0
    except RedsError as error:
        return _failed(str(error), error.exit_status)
    except _UsageError as error:
        message = " ".join(error.format_message().split()).rstrip(".") or "no command is given"
        message = message.replace(". Did you mean", "; did you mean") + ";" * (not message.endswith("?"))
        command = error.ctx.command_path if getattr(error, "ctx", None) else "reds"
        return _failed(f"{message} see `{command} --help`", 2)
    except (KeyboardInterrupt, typer.Abort):
        again = "nothing is kept, so run the command again"
        how = again if "--dry-run" in arguments else _HOW_TO_RESUME.get(asked, again)
        return _failed(f"interrupted; {how}", _INTERRUPTED)
    except BrokenPipeError:  # nobody reads the output any more
        write_nowhere(sys.stdout)
        return 0
    except Exception as error:
        fault = machine_fault(error)
        if fault is not None:
            return _failed(str(fault), fault.exit_status)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _failed(f"a bug in reds ({what}); report it with the command that led to it", 1)


def _typed_words() -> list[str]:
    """The words after the name of the program in the line that a shell asks to complete; empty otherwise."""
    if "_REDS_COMPLETE" not in os.environ:
        return []
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    return line.split()[1:]


def _failed(message: str, status: int) -> int:
    try:
        print(f"error: {message}", file=sys.stderr)
    except OSError:  # nobody reads stderr; the exit status still reports the failure
        write_nowhere(sys.stderr)
    return status
