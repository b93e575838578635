"""How every command parses its arguments and shows its help."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

from reds_core.commands.completing import able_text, installed_text, realisation_text, transform_text
from reds_core.commands.plain_help import Notes, usage_piece, write_parameters, write_rows
from reds_core.errors import InputError

NOTES: Notes = {
    name: partial(installed_text, kind) for kind in ("solver", "scorer", "pruner") for name in (kind, f"{kind}s")
} | {
    **dict.fromkeys(("target", "targets"), partial(able_text, "export")),
    **dict.fromkeys(("transform", "transforms"), transform_text),
    "realise": realisation_text,
}
"""The options whose help lists the plugins that are installed."""
NOTES_OF_COMMANDS: dict[str, Notes] = {
    "evaluate": {"on": partial(able_text, "load")},
    "export": {"target": partial(able_text, "export", "deploy")},
    "profile": {"on": partial(able_text, "profile")},
}
"""Options of single commands whose help lists other plugins."""


class CheckedCommand(TyperCommand):
    """A command that refuses empty values, since an empty path would mean the current folder.

    Raises:
        InputError: If the value of an option or argument is empty; the message names it.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in self.get_params(ctx):
            value = given.get(str(parameter.name))
            if any(text == "" for text in (value if isinstance(value, list | tuple) else [value])):
                is_option = parameter.param_type_name == "option"
                name = max(parameter.opts, key=len) if is_option else str(parameter.name).upper()
                raise InputError(f"{name} is empty", "give a value or leave it out; perhaps a shell variable is unset")
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [p for p in self.get_params(ctx) if p.param_type_name == "argument"]
        return ["[OPTIONS]", *(usage_piece(argument) for argument in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        notes = {**NOTES, **NOTES_OF_COMMANDS.get(str(self.name), {})}
        write_parameters(self.get_params(ctx), formatter, notes)


class CommandList(TyperGroup):
    """The program without a command: its help lists all commands with their whole summaries."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            print(ctx.get_help(), file=sys.stderr)
            raise InputError("no command is given", "see `reds --help`")
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_parameters(self.get_params(ctx), formatter, {})
        with formatter.section("Commands"):
            write_rows([(name, self.commands[name].help or "") for name in self.list_commands(ctx)], formatter)
