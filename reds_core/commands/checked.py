"""The check that every command makes of its arguments before it parses them."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from reds_core.errors import InputError


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
