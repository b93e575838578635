"""Lists of plugins with options of their own, as users write them: dp,cpsat[presolve=false]."""

from __future__ import annotations

from collections.abc import Mapping

from reds_core.errors import InputError


def parse_plugin_list(text: str, kind: str) -> list[tuple[str, dict[str, str]]]:
    """Names and options from a list such as "dp,cpsat[presolve=false],pulp[backend=HiGHS,presolve=false]".

    Args:
        kind: of the plugins, for messages.

    Raises:
        InputError: if it is malformed.
    """
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
        if depth not in (0, 1):
            break
    if depth != 0:
        raise _malformed(text, kind)
    return [_parse_plugin(part.strip(), kind) for part in parts]


def plugin_text(name: str, options: Mapping[str, str]) -> str:
    """A plugin with options as `parse_plugin_list` reads it: cpsat[presolve=false]; the name alone without options."""
    return f"{name}[{','.join(f'{key}={setting}' for key, setting in options.items())}]" if options else name


def _parse_plugin(text: str, kind: str) -> tuple[str, dict[str, str]]:
    name, bracket, inside = text.partition("[")
    if not name.strip() or (bracket and not inside.endswith("]")):
        raise _malformed(text, kind)
    options: dict[str, str] = {}
    for entry in inside.removesuffix("]").split(",") if inside.removesuffix("]").strip() else ():
        key, equals, setting = (piece.strip() for piece in entry.partition("="))
        if not key or not equals:
            raise _malformed(text, kind)
        options[key] = setting
    return name.strip(), options


def _malformed(text: str, kind: str) -> InputError:
    return InputError(
        f"'{text}' is no list of {kind}s", "write NAME or NAME[KEY=VALUE,...], joined by commas: dp,cpsat[presolve=no]"
    )
