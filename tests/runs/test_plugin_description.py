"""Descriptions of installed plugins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest
from command_line import Reds
from toy_plugins import FIRST_PARTY, BruteSolver, PluginModule, toy_registry

import reds_core
from reds_core.discovery import PluginStatus
from reds_core.errors import InputError
from reds_core.registry import Registry
from reds_core.runs.plugin_description import OptionDescription, describe_plugin


@dataclass(frozen=True)
class BaseOptions:
    """Options of several solvers.

    Attributes:
        depth: How deep it searches.
        loud: Whether it says so.
    """

    depth: int | None = None
    loud: bool = False


@dataclass(frozen=True)
class SomeOptions(BaseOptions):
    """Options of one solver.

    Attributes:
        order: The order in which groups are decided,
            which matters.
        depth: How deep it searches, in levels.
    """

    order: Literal["forward", "backward"] = "forward"


class Described(BruteSolver):
    """Solves what it is given.

    It is slow,
    but certain.

    Attributes:
        other: Not for users.
    """

    name = "described"
    Options = SomeOptions


class Undescribed(BruteSolver):
    name = "undescribed"


REGISTRY = toy_registry(Described, Undescribed)


def test_a_plugin_is_described_in_the_words_of_its_author() -> None:
    (found,) = describe_plugin("described", REGISTRY)
    assert (found.kind, found.status, found.detail) == ("solver", PluginStatus.OK, "")
    assert found.description == "Solves what it is given.\n\nIt is slow, but certain."
    assert found.source == f"{__name__}:Described"
    assert found.properties == {
        "features": ("pair_terms", "multi_resource", "peak", "bounds"),
        "claims": ("optimal", "infeasible", "bound"),
        "controls": (),
    }
    assert found.options == (
        OptionDescription("depth", "int | none", None, "How deep it searches, in levels."),
        OptionDescription("loud", "bool", False, "Whether it says so."),
        OptionDescription(
            "order", "forward | backward", "forward", "The order in which groups are decided, which matters."
        ),
    )
    assert found.example == "described.depth=none"


def test_a_plugin_without_words_and_options() -> None:
    (found,) = describe_plugin("undescribed", REGISTRY)
    assert (found.description, found.options, found.example) == ("", (), None)


def test_a_name_may_belong_to_several_kinds_and_unknown_ones_are_guessed() -> None:
    assert {d.kind for d in describe_plugin("uniform", REGISTRY)} == {"pruner"}
    with pytest.raises(InputError, match=r"unknown plugin 'tailor'; did you mean 'taylor'\? see `reds_core.plugins`"):
        describe_plugin("tailor", REGISTRY)


def test_every_first_party_option_is_described_and_every_example_works() -> None:
    registry = Registry()
    for record in registry.records:
        assert record.plugin is not None, record
        for found in describe_plugin(record.name, registry):
            assert found.description, found.name
            assert all(option.description for option in found.options), found.name
            if found.example is not None:
                key, _, value = found.example.partition("=")
                registry.create(record.plugin, record.name, {record.name: {key.partition(".")[2]: value}})


def test_the_command(reds: Reds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    reds.install(PluginModule("toy", (*FIRST_PARTY, Described)), PluginModule("bad", (), OSError("no [disk]")))
    shown = reds("plugins", "described")
    assert shown.status == 0
    assert all(len(line) <= 60 for line in shown.out.splitlines())
    for text in (
        "described: solver, ok",
        "It is slow, but certain.",
        "proves    optimal, infeasible, bound",
        "  order (forward | backward, default: forward)\n",
        "  loud (bool, default: false)\n    Whether it says so.",
    ):
        assert text in shown.out
    assert "It has no options." in reds("plugins", "brute").out
    assert "detail  OSError: no [disk]" in reds("plugins", "bad").out
    (found,) = reds("plugins", "described", "--json").json
    (described,) = reds_core.describe_plugin("described")
    assert found["options"][0] == {
        "name": "depth",
        "type": "int | none",
        "default": None,
        "description": described.options[0].description,
    }
    reds("plugins", "describd").check_error(2, r"unknown plugin 'describd'; did you mean 'described'\?")
