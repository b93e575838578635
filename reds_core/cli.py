"""The command line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from reds_core.commands.checked import CheckedCommand
from reds_core.commands.standard_streams import guard_standard_streams, write_nowhere
from reds_core.errors import RedsError
from reds_core.system.interruption import termination_as_interruption
from reds_core.system.machine_faults import machine_fault

__all__ = [
    "main",
    "run",
]

# typer vendors click or imports it, by version: its own usage errors are found through what it exports
_UsageError: type[Any] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

_INTERRUPTED = 130
_ONWARD = {
    "prune": "add --resume to the command to go on after the last epoch or step that was finished",
    "latency": "the same command goes on where it stopped",
}
"""How to go on with a command that keeps what it has done. Comparisons say so themselves."""

_SUMMARIES = {
    "plugins": "List the plugins that were found, and say of each whether it can be used.",
    "inspect": "Show the channel groups of a model and what it costs.",
    "formulate": "State a model's pruning as a knapsack problem, in a file that `reds solve` reads.",
    "latency": "Time a model's layers at several widths on this machine, for latency budgets.",
    "solve": "Solve a problem file.",
    "prune": "Prune a model to nested subnetworks within their budgets, and write .keras and .tflite files.",
    "extract": "Add one more member to a finished family, without training.",
    "bench": "Compare solvers on problems, each solve in its own process. The same command goes on where it stopped.",
    "compare": "Compare recipes, pruners, scorers and solvers over seeds. The same command goes on where it stopped.",
    "check": "Run the conformance kit on a plugin of any kind. Exit status 1 if a check fails.",
}
"""The commands in the order of the help; each is the function NAME_command of the module NAME in `commands`."""


def application(asked: str | None = None) -> typer.Typer:
    """The command line as typer runs it.

    Args:
        asked: The only command that is to run, so that the modules of the others need not be imported; they are listed
            without their options. By default every command is complete.
    """
    app = typer.Typer(
        name="reds",
        help="Shrink a trained Keras network to fit a device, and know how good the choice is.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, summary in _SUMMARIES.items():
        is_listed_only = asked is not None and name != asked
        command = _listed if is_listed_only else _command(name)
        app.command(name, cls=CheckedCommand, help=summary)(command)
    return app


def _command(name: str) -> Callable[..., None]:
    command: Callable[..., None] = getattr(importlib.import_module(f"reds_core.commands.{name}"), f"{name}_command")
    return command


def _listed() -> None:
    """Stands for a command that is not going to run."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status. Errors end stderr with one line, without a traceback."""
    guard_standard_streams()
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit status of a command line; arguments are the process's own by default. SIGTERM ends it as Ctrl-C does."""
    with termination_as_interruption():
        return _run(sys.argv[1:] if arguments is None else list(arguments))


def _run(arguments: list[str]) -> int:
    asked = next((a for a in arguments if not a.startswith("-")), "")
    try:
        status = application(asked)(arguments, prog_name="reds", standalone_mode=False)
        if status == _INTERRUPTED:  # some versions of typer catch Ctrl-C themselves
            raise KeyboardInterrupt
        sys.stdout.flush()  # what fails to be written should be told while it still can be
        return status if isinstance(status, int) else 0
    except RedsError as error:
        return _failed(str(error), error.exit_status)
    except _UsageError as error:
        message = " ".join(error.format_message().split()).rstrip(".") or "no command is given"
        command = error.ctx.command_path if getattr(error, "ctx", None) else "reds"
        return _failed(f"{message}; see `{command} --help`", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _failed(f"interrupted; {_ONWARD.get(asked, 'nothing is kept, so run the command again')}", _INTERRUPTED)
    except BrokenPipeError:  # nobody reads the output any more
        write_nowhere(sys.stdout)
        return 0
    except Exception as error:
        fault = machine_fault(error)
        if fault is not None:
            return _failed(str(fault), fault.exit_status)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _failed(f"a bug of reds ({what}); report it with the command that led to it", 1)


def _failed(message: str, status: int) -> int:
    try:
        print(f"error: {message}", file=sys.stderr)
    except OSError:  # nobody reads it; the status still tells
        write_nowhere(sys.stderr)
    return status
