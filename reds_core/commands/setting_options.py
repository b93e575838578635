"""Options of the command line that set the fields of settings, derived from the dataclasses of the settings.

Each field gives its option a name, a type, a default and, from the `Attributes:` section of the docstring, a help text.
An option that is not given leaves its setting as it is; `none` clears a setting.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, TypeVar

import typer

from reds_core.commands.overriding import listed, or_none, override
from reds_core.commands.plain_help import REPEATABLE
from reds_core.system.docstrings import attribute_texts

T = TypeVar("T")

_UNITS = ("_s", "_bytes")
_OTHER_SETTING = re.compile(r"`(\w+_\w+)`")
"""How the text of a setting names another one."""
_SENTENCE_END = re.compile(r"\.(?=\s+[A-Z]|$)")
_NONE_MEANS = re.compile(r"None means (.*?)\.(?=\s+[A-Z]|$)")


def _metavar(kind: type[Any]) -> str:
    """What an option of a type takes, as the help shows it."""
    if issubclass(kind, Enum):
        return "|".join(str(choice.value) for choice in kind)
    return {int: "N", float: "X"}.get(kind, "TEXT")


def _as_given(given: Any, setting: Any) -> Any:
    return listed(given) if isinstance(given, list) else given


@dataclass(frozen=True)
class OptionRule:
    """How an option differs from what is derived from its field.

    Attributes:
        name: The name of the parameter, if it differs from that of the field without its unit.
        flag: The option as it is typed, if it differs from the name of the parameter with dashes.
        text: The help text, if it differs from that of the field.
        metavar: What the option takes, as the help shows it, if it differs from N, X, TEXT or the list of choices.
        least: The least number that is accepted.
        is_text: Whether the option takes any text, which `read` then checks.
        complete: Completes a value that is typed in a shell.
        read: Computes the new setting from the given value and the present setting.
    """

    name: str | None = None
    flag: str | None = None
    text: str | None = None
    metavar: str | None = None
    least: int | None = None
    is_text: bool = False
    complete: Callable[[str], list[str]] | None = None
    read: Callable[[Any, Any], Any] = _as_given


@dataclass(frozen=True)
class SettingOption:
    """The option of one field of the settings, or of a dataclass inside them.

    Attributes:
        path: The names of the fields that lead to it.
        kind: The type of the field.
        default: Its default.
        text: Its description in the docstring.
        rule: How the option differs from what is derived from the field.
        panel: The panel of the help that lists it. None means the first.
    """

    path: tuple[str, ...]
    kind: Any
    default: Any
    text: str
    rule: OptionRule
    panel: str | None

    @property
    def name(self) -> str:
        """The name of the parameter: `time_limit` of `time_limit_s`."""
        unit = next((u for u in _UNITS if self.path[-1].endswith(u)), "")
        return self.rule.name or self.path[-1].removesuffix(unit)

    @property
    def parameter(self) -> inspect.Parameter:
        """The parameter of a command, as typer reads it."""
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=self._annotation)

    @property
    def _annotation(self) -> Any:
        is_union = typing.get_origin(self.kind) in (types.UnionType, typing.Union)
        kinds = typing.get_args(self.kind) if is_union else (self.kind,)
        if self.kind is Any:  # an object from Python, or a text
            kinds = (str, types.NoneType)
        kind = str if self.rule.is_text else next(k for k in kinds if k is not type(None))
        flag = self.rule.flag or "--" + self.name.replace("_", "-")
        if kind is bool:
            flag = f"{flag}/--no-{flag.removeprefix('--')}"
        option = typer.Option(
            flag,
            help=self._help,
            metavar=None if kind is bool else self.rule.metavar or _metavar(kind),
            show_default=self._default_text,
            rich_help_panel=self.panel,
            min=self.rule.least,
            autocompletion=self.rule.complete,
        )
        if self._is_list:
            return Annotated[list[str] | None, option]
        if kind is bool:  # a switch takes no value, not even none
            return Annotated[bool | None, option]
        return Annotated[Any, or_none(kind, option)] if len(kinds) > 1 else Annotated[kind | None, option]

    @property
    def _is_list(self) -> bool:
        return isinstance(self.default, Mapping | tuple)

    @property
    def _help(self) -> str:
        text = self.rule.text or _SENTENCE_END.split(self.text)[0]
        text = _OTHER_SETTING.sub(lambda name: "--" + name[1].replace("_", "-"), text)
        repeatable = f" {REPEATABLE}" if self._is_list else ""
        return f"{text[:1].upper()}{text[1:]}.{repeatable}"

    @property
    def _default_text(self) -> str:
        if isinstance(self.default, bool):
            return "on" if self.default else "off"
        if isinstance(self.default, Enum):
            return str(self.default.value)
        if isinstance(self.default, Mapping | tuple) and self.default:
            return " ".join(self.default)
        if self.default is None or isinstance(self.default, Mapping | tuple):
            means = _NONE_MEANS.search(self.text)
            return means[1] if means else "none"
        return str(self.default)


@dataclass(frozen=True)
class SettingOptions:
    """The options of all fields of a settings dataclass and of the dataclasses inside it.

    Attributes:
        settings: The settings with their defaults.
        rules: How the options of some fields differ, by path, such as "finetune.epochs".
        panels: The sections of the help that list the options, by path. Those of a dataclass hold for its fields.
    """

    settings: Any
    rules: Mapping[str, OptionRule]
    panels: Mapping[str, str | None] = field(default_factory=dict)

    @cached_property
    def all(self) -> tuple[SettingOption, ...]:
        """The options in the order of the fields."""
        return tuple(self._options(self.settings, (), None))

    def _options(self, record: Any, path: tuple[str, ...], panel: str | None) -> Iterator[SettingOption]:
        kinds, texts = typing.get_type_hints(type(record)), attribute_texts(type(record))
        for each in dataclasses.fields(record):
            at, default = (*path, each.name), getattr(record, each.name)
            own = self.panels.get(".".join(at), panel)
            if dataclasses.is_dataclass(default):
                yield from self._options(default, at, own)
            else:
                rule = self.rules.get(".".join(at), OptionRule())
                yield SettingOption(at, kinds[each.name], default, texts.get(each.name, ""), rule, own)

    def applied(self, settings: T, given: Mapping[str, Any]) -> T:
        """`settings` with the values that are given on the command line.

        Args:
            settings: The present settings.
            given: The values of the options by parameter; None or an empty list if an option is not given.
        """
        return self._applied(settings, (), given)

    def _applied(self, record: T, path: tuple[str, ...], given: Mapping[str, Any]) -> T:
        options = {option.path: option for option in self.all}
        changed: dict[str, Any] = {}
        for each in dataclasses.fields(record):  # type: ignore[arg-type]
            at, setting = (*path, each.name), getattr(record, each.name)
            if dataclasses.is_dataclass(setting):
                changed[each.name] = self._applied(setting, at, given)
            elif given[options[at].name] not in (None, []):
                changed[each.name] = options[at].rule.read(given[options[at].name], setting)
        return override(record, **changed)


def with_setting_options(options: Sequence[SettingOption]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator that replaces the `**given` of a command by the parameters of `options`, before keyword-only ones.

    Typer reads options from the signature of a function and does not support dataclasses.
    """

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        first = [p for p in own if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        parameters = [*first, *(option.parameter for option in options), *own[len(first) :]]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return with_options
