"""The page of all commands, made from the command line itself when the site is built."""

from __future__ import annotations

import re
from typing import Any

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from reds_core import cli, errors
from reds_core.commands.plain_help import BASIC, SECTIONS, argument_name, default_text, option_names

PAGE = "reference/commands.md"
_INTRODUCTION = """# Commands

Every command, with its arguments, options and defaults, as `reds COMMAND --help` prints them.
[The command line](../guide/command-line.md) says what the commands have in common, and
[reds from Python](../guide/python.md) which call each command makes. Which plugins an option may name is on the page of
[all plugins](plugins.md).
"""
_STATUSES = {
    0: "The command has done what it was asked.",
    1: "`reds check` found that a check fails, a plugin has a bug, or `reds` itself has one.",
    130: "The command was interrupted by Ctrl-C or SIGTERM. The message says how to resume it.",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of all commands."""
    files.append(File.generated(config, PAGE, content=commands_page()))
    return files


def commands_page() -> str:
    """The page of all commands as Markdown."""
    program: Any = typer.main.get_command(cli.application())
    sections = [_INTRODUCTION, _program_section(program)]
    sections += [_command_section(name, command) for name, command in program.commands.items()]
    return "\n".join([*sections, _status_section()])


def _program_section(program: Any) -> str:
    return "\n".join(["## reds", "", program.help, "", "```text", "reds [OPTIONS] COMMAND [ARGS]...", "```", "",
                      *_tables(program)])  # fmt: skip


def _command_section(name: str, command: Any) -> str:
    if not command.help:
        raise PluginError(f"The command reds {name} has no help text for {PAGE}; give its function a docstring")
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(["reds", name, *command.collect_usage_pieces(context)])
    return "\n".join([f"## reds {name}", "", _plain(command.help), "", "```text", usage, "```", "", *_tables(command)])


def _tables(command: Any) -> list[str]:
    """One table for each section of the help of a command."""
    parameters = [each for each in command.params if not getattr(each, "hidden", False)]
    sections: dict[str, list[str]] = {title: [] for title in ("Arguments", BASIC, *SECTIONS)}
    for each in parameters:
        is_argument = each.param_type_name == "argument"
        title = "Arguments" if is_argument else getattr(each, "rich_help_panel", None) or BASIC
        name = argument_name(each) if is_argument else option_names(each)
        default = "*required*" if each.required else _plain(default_text(each).removeprefix("default: ")) or " "
        sections.setdefault(title, []).append(f"| `{name}` | {default} | {_plain(each.help or '')} |")
    lines: list[str] = []
    for title, rows in sections.items():
        if rows:
            head = "argument" if title == "Arguments" else "option"
            lines += [f"**{title}**", "", f"| {head} | default | meaning |", "| --- | --- | --- |", *rows, ""]
    return lines


def _status_section() -> str:
    kinds = [kind for name in errors.__all__ if isinstance(kind := getattr(errors, name), type)]
    raised = [kind for kind in kinds if issubclass(kind, errors.RedsError) and kind is not errors.RedsError]
    rows = dict(_STATUSES)
    for kind in raised:
        if kind.exit_status not in _STATUSES:
            summary = str(kind.__doc__).splitlines()[0]
            rows[kind.exit_status] = f"{rows.get(kind.exit_status, '')} {summary}".strip()
    names = {status: ", ".join(f"`{k.__name__}`" for k in raised if k.exit_status == status) for status in rows}
    table = [f"| {status} | {text} | {names[status]} |" for status, text in sorted(rows.items())]
    text = "A command that fails prints one line that begins with `error:` on stderr. From Python, the same faults are"
    return "\n".join(["## Exit statuses", "", f"{text} exceptions ([errors](api/reds_core.errors.md)).", "",
                      "| status | meaning | exceptions |", "| --- | --- | --- |", *table, ""])  # fmt: skip


def _plain(text: str) -> str:
    """A help text, which is no markup, as Markdown shows it: code stays code, and nothing else is interpreted."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(p if p.startswith("`") else re.sub(r"([|<>*_\[\]\\])", r"\\\1", p) for p in parts).replace(
        "\\|", "&#124;"
    )
