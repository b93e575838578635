"""The help of every command: texts as they are written, in whole sentences, at any width."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer.main
from command_line import Reds

from reds_core import cli
from reds_core.commands.plain_help import BASIC, SECTIONS
from reds_core.cost.resources import RESOURCES


def commands() -> dict[str, Any]:
    """Every command with options, by the words that call it."""
    found: dict[str, Any] = {}

    def add(words: str, command: Any) -> None:
        found[words] = command
        for name, inner in getattr(command, "commands", {}).items():
            add(f"{words} {name}".strip(), inner)

    add("", typer.main.get_command(cli.application()))
    return found


COMMANDS = commands()
PARAMETERS = [
    pytest.param(words, parameter, id=f"{words}-{parameter.name}")
    for words, command in COMMANDS.items()
    for parameter in command.params
    if not parameter.name.endswith("_completion")  # of the library
]


def packed(text: str) -> str:
    """`text` without blanks, at which lines are wrapped."""
    return "".join(text.split())


@pytest.fixture
def shown(reds: Reds, monkeypatch: pytest.MonkeyPatch) -> Any:
    def helped(words: str, columns: int = 200, flag: str = "--help") -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        outcome = reds(*words.split(), flag)
        assert (outcome.status, outcome.err) == (0, "")
        return outcome.out

    return helped


@pytest.mark.parametrize(("words", "parameter"), PARAMETERS)
def test_every_text_is_shown_as_it_is_written(shown: Any, words: str, parameter: Any) -> None:
    page = packed(shown(words))
    assert packed(str(parameter.help)) in page
    for name in (*parameter.opts, *parameter.secondary_opts) if parameter.param_type_name == "option" else ():
        assert packed(name) in page
    if isinstance(getattr(parameter, "show_default", None), str):
        assert packed(f"[default: {parameter.show_default}]") in page
    if parameter.metavar is not None:
        assert packed(parameter.metavar) in page


@pytest.mark.parametrize("text", ["'cpsat[presolve=false]'", "`reds formulate`"])
def test_brackets_and_quotes_survive(shown: Any, text: str) -> None:
    assert packed(text) in packed(shown("bench"))


@pytest.mark.parametrize(("words", "parameter"), PARAMETERS)
def test_texts_are_whole_sentences_and_values_have_names(words: str, parameter: Any) -> None:
    assert re.fullmatch(r"[A-Z].*[^.]\.", str(parameter.help), re.DOTALL), parameter.help
    assert "(default:" not in parameter.help
    takes_value = not (getattr(parameter, "is_flag", False) or parameter.name == "version")
    if takes_value:
        assert parameter.metavar, parameter.name
        assert "<" not in parameter.metavar


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
@pytest.mark.parametrize("words", COMMANDS)
def test_lines_fit_the_terminal(shown: Any, words: str, columns: int) -> None:
    lines = shown(words, columns).splitlines()
    assert max(map(len, lines)) <= max(min(columns, 100), 60)
    assert not [line for line in lines if line.endswith("-")], "names such as scipy-milp are not broken"


@pytest.mark.parametrize("words", COMMANDS)
def test_h_is_short_for_help(shown: Any, words: str) -> None:
    assert shown(words, flag="-h") == shown(words)


def test_prune_shows_its_basic_options_first_and_the_others_in_sections(shown: Any) -> None:
    page = shown("prune", 80)
    titles = re.findall(r"^([A-Z][\w -]+):$", page, re.MULTILINE)
    assert titles == ["Arguments", BASIC, *SECTIONS]
    basic = page[page.index(f"\n{BASIC}:") : page.index(f"\n{SECTIONS[0]}:")]
    options = re.findall(r"^  (--[\w-]+|-h)", basic, re.MULTILINE)
    assert options == ["--data", "--budget", "--pruner", "--finetune-epochs", "--out", "-h"]


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ("prune", "solver scorer pruner target"),
        ("solve", "solver"),
        ("formulate", "scorer target"),
        ("inspect", "target"),
        ("bench", "solver"),
    ],
)
def test_installed_plugins_are_named(shown: Any, words: str, kinds: str) -> None:
    first = {"solver": "brute.", "scorer": "apoz, ", "pruner": "layerwise, ", "target": ""}
    for kind in kinds.split():
        assert packed(f"Installed: {first[kind]}") in packed(shown(words))


def test_defaults_are_shown_unless_there_is_nothing_to_say(shown: Any) -> None:
    page = packed(shown("solve"))
    assert packed("--time-limit SECONDS  The time limit of each solve. [default: 60.0]") in page
    assert packed("The seed of all random numbers. [default: 0]") in packed(shown("formulate"))
    assert packed("Print only JSON on stdout. -q") in page
    assert packed("PROBLEM  The problem file (.npz), as `reds formulate` writes it. [required]") in page


SAID_ALIKE = ("--solver", "--scorer", "--score-level", "--loss", "--metric", "--import", "--option", "--input-shape")
SAID_ALIKE += ("--script", "--records", "--host", "--name", "--host-python")
"""Options that mean the same in every command that takes them."""


@pytest.mark.parametrize("option", SAID_ALIKE)
def test_an_option_of_several_commands_has_one_text(option: str) -> None:
    texts = {p.help for command in COMMANDS.values() for p in command.params if option == p.opts[0]}
    assert len(texts) == 1


@pytest.mark.parametrize("words", ["prune", "extract", "formulate"])
def test_the_help_of_budgets_names_all_resources(shown: Any, words: str) -> None:
    *names, last = RESOURCES
    assert packed(f"a resource ({', '.join(names)} or {last})") in packed(shown(words))


@pytest.mark.parametrize("words", ["extract", "formulate"])
def test_budgets_are_required_where_there_is_no_default(shown: Any, words: str) -> None:
    budget = next(p for p in COMMANDS[words].params if "--budget" in p.opts)
    assert packed(f"{budget.help} [required]") in packed(shown(words))


def test_the_version_is_shown(reds: Reds) -> None:
    outcome = reds("--version")
    assert outcome.status == 0
    assert re.fullmatch(r"reds \d+\.\d+\.\d+\S*\n", outcome.out)
