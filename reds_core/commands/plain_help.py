"""The help of commands as plain text, with the options in titled sections.

Help texts are never interpreted as markup, so that brackets, quotes and backticks are shown as they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

BASIC = "Options"
"""The section of the options that are not given to another one."""
SECTIONS = ("Data", "Budgets and widths", "Transforms and targets", "Scoring", "Solver", "Fine-tuning", "Export", "Run")
"""The order of the other sections."""
WIDEST = 100
"""The greatest number of columns of a help text, which is narrower on narrower terminals."""

REPEATABLE = "Can be given several times."
"""The sentence that ends the help of options that may be given several times."""
_NAMES_COLUMN = 26
"""The greatest width of the column of names. Longer names have a line of their own."""

Notes = Mapping[str, Callable[[], str]]
"""Texts that are added to the help of options, by the name of the parameter. They are computed when help is shown."""


def write_parameters(parameters: Iterable[Any], formatter: Any, notes: Notes) -> None:
    """Write the arguments and options of a command.

    Args:
        parameters: The parameters as typer made them.
        formatter: The formatter of the command line library.
        notes: Texts that are added to the help of options.
    """
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], BASIC: [], **{title: [] for title in SECTIONS}}
    for parameter in parameters:
        if getattr(parameter, "hidden", False):
            continue
        is_argument = parameter.param_type_name == "argument"
        title = "Arguments" if is_argument else getattr(parameter, "rich_help_panel", None) or BASIC
        name = argument_name(parameter) if is_argument else option_names(parameter)
        sections.setdefault(title, []).append((name, _text(parameter, notes)))
    for title, rows in sections.items():
        if rows:
            with formatter.section(title):
                write_rows(rows, formatter)


def write_rows(rows: list[tuple[str, str]], formatter: Any) -> None:
    """Write names and texts. Lines are not broken at hyphens, which are part of the names of options and plugins."""
    first, unbroken = len(formatter.buffer), "\N{NON-BREAKING HYPHEN}"
    formatter.write_dl([(name, text.replace("-", unbroken)) for name, text in rows], col_max=_NAMES_COLUMN)
    formatter.buffer[first:] = [piece.replace(unbroken, "-") for piece in formatter.buffer[first:]]


def argument_name(parameter: Any) -> str:
    """The name of an argument as the help shows it, such as MODEL."""
    return str(parameter.metavar or parameter.name.upper())


def usage_piece(parameter: Any) -> str:
    """An argument in the usage line: in brackets if it is optional, with dots if there may be several."""
    name = argument_name(parameter) + ("..." if parameter.nargs != 1 else "")
    return name if parameter.required else f"[{name}]"


def option_names(parameter: Any) -> str:
    """The ways to type an option, and what it takes, such as "--seed N"."""
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.secondary_opts:
        names += " / " + ", ".join(parameter.secondary_opts)
    takes_value = not (getattr(parameter, "is_flag", False) or getattr(parameter, "count", False))
    return f"{names} {parameter.metavar or parameter.name.upper()}" if takes_value else names


def _text(parameter: Any, notes: Notes) -> str:
    text = str(getattr(parameter, "help", None) or "")
    if parameter.name in notes:
        text = f"{text} {notes[parameter.name]()}"
    remark = "required" if parameter.required else default_text(parameter)
    return f"{text} [{remark}]" if remark else text


def default_text(parameter: Any) -> str:
    """The remark on the default of a parameter; empty if there is nothing to say."""
    shown, default = getattr(parameter, "show_default", True), parameter.default
    if isinstance(shown, str):
        return f"default: {shown}"
    if not shown or default is False or default == "" or not isinstance(default, str | int | float | PurePath | Enum):
        return ""  # versions of the library differ in what they put in the place of a missing default
    return f"default: {default.value if isinstance(default, Enum) else default}"
