"""Options that are derived from the dataclasses of settings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
import typer
import typer.main

from reds_core.commands.overriding import Absent
from reds_core.commands.prune import OPTIONS
from reds_core.commands.setting_options import OptionRule, SettingOptions, with_setting_options
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.task import Task
from reds_core.runs.settings import RunSettings
from reds_core.system.docstrings import attribute_texts


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    """What lies inside.

    Attributes:
        depth: How deep it goes (Moon et al.,
            1999). It is the second sentence that is left out.
    """

    depth: int = 3


@dataclass(frozen=True)
class Outer:
    """All settings.

    Attributes:
        size_bytes: Size of a part.
        rate: Rate of change, unlike `how_deep`. None means the rate of yesterday.
        colour: colour of all.
        words: Word to say.
        loud: Speak loudly.
        inner: What lies inside.

    Raises:
        ValueError: Never.
    """

    size_bytes: int = 1
    rate: float | None = None
    colour: Colour = Colour.RED
    words: tuple[str, ...] = ()
    loud: bool = True
    inner: Inner = Inner()


MADE_UP = SettingOptions(Outer(), {"inner.depth": OptionRule("how_deep", least=2)}, {"inner": "Inside"})


@pytest.fixture
def command() -> Any:
    given_before: list[Any] = []

    @with_setting_options(MADE_UP.all)
    def made_up(first: str = "a", *, last: bool = False, **given: Any) -> None:
        given_before.append(MADE_UP.applied(Outer(rate=2.0, words=("a",), inner=Inner(4)), given))

    app = typer.Typer()
    app.command()(made_up)
    found: Any = typer.main.get_command(app)

    def run(*arguments: str) -> Outer:
        found.main(list(arguments), standalone_mode=False)
        outer: Outer = given_before[-1]
        return outer

    found.run = run
    return found


def test_names_types_defaults_and_texts_follow_from_the_fields(command: Any) -> None:
    options = {p.name: p for p in command.params}
    names = ["size", "rate", "colour", "words", "loud", "how_deep"]
    assert [n for n in options if "completion" not in n] == ["first", *names, "last"]
    assert {name: options[name].help for name in names} == {
        "size": "Size of a part.",
        "rate": "Rate of change, unlike --how-deep.",
        "colour": "Colour of all.",
        "words": "Word to say. Can be given several times.",
        "loud": "Speak loudly.",
        "how_deep": "How deep it goes (Moon et al., 1999).",
    }
    defaults = ("1", "the rate of yesterday", "red", "none", "on", "3")
    assert tuple(options[name].show_default for name in names) == defaults
    assert tuple(options[name].metavar for name in names) == ("N", "X", "red|blue", "TEXT", None, "N")
    assert options["how_deep"].rich_help_panel == "Inside"
    assert (options["loud"].opts, options["loud"].secondary_opts) == (["--loud"], ["--no-loud"])


def test_what_is_given_replaces_settings_and_the_rest_stays(command: Any) -> None:
    before = Outer(rate=2.0, words=("a",), inner=Inner(4))
    assert command.run() == before
    assert command.run("--rate", "none", "--colour", "blue") == dataclasses.replace(
        before, rate=None, colour=Colour.BLUE
    )
    assert command.run("--words", "b", "--words", "c", "--size", "7").words == ("b", "c")
    assert command.run("--words", "none", "--no-loud") == dataclasses.replace(before, words=(), loud=False)
    assert command.run("--how-deep", "2").inner == Inner(2)
    with pytest.raises(Exception, match="greater than or equal to 2"):
        command.run("--how-deep", "1")


def test_none_takes_a_setting_away() -> None:
    given: dict[str, Any] = dict.fromkeys(option.name for option in MADE_UP.all)
    assert MADE_UP.applied(Outer(rate=2.0), {**given, "rate": Absent.ABSENT}) == Outer()


@pytest.mark.parametrize("settings", [RunSettings, FinetuneSettings, WidthRules, Task])
def test_every_setting_is_documented(settings: type[Any]) -> None:
    fields = [field.name for field in dataclasses.fields(settings)]
    assert list(attribute_texts(settings)) == fields


def test_every_setting_of_a_run_is_an_option_once() -> None:
    names = [option.name for option in OPTIONS.all]
    assert len(names) == len(set(names))
    inner = {"finetune": FinetuneSettings, "widths": WidthRules, "task": Task}
    expected = {(field.name,) for field in dataclasses.fields(RunSettings) if field.name not in inner}
    expected |= {(name, field.name) for name, cls in inner.items() for field in dataclasses.fields(cls)}
    assert {option.path for option in OPTIONS.all} == expected
