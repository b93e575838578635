"""Options, required libraries and versions of plugin classes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from reds_core.errors import InputError, RedsError
from reds_core.plugin import NoOptions, Plugin, build_options


@dataclass(frozen=True)
class AllKinds:
    flag: bool = False
    count: int = 3
    ratio: float = 0.5
    text: str = "x"
    limit: int | None = None
    share: float | None = 0.1
    mode: Literal["fast", "exact"] = "fast"
    two_words: int = 0


class Example(Plugin):
    kind = "solver"
    name = "example"
    Options = AllKinds


@pytest.mark.parametrize(
    ("key", "setting", "expected"),
    [
        ("flag", "true", True),
        ("flag", "No", False),
        ("flag", True, True),
        ("flag", 0, False),
        ("count", "7", 7),
        ("count", 7, 7),
        ("count", 7.0, 7),
        ("count", "-7", -7),
        ("ratio", "0.25", 0.25),
        ("ratio", 2, 2.0),
        ("text", "yes", "yes"),
        ("limit", "none", None),
        ("limit", None, None),
        ("limit", "4", 4),
        ("share", "None", None),
        ("share", "0.2", 0.2),
        ("mode", "exact", "exact"),
        ("two-words", "1", 1),
        ("two_words", "1", 1),
    ],
)
def test_settings_become_the_type_of_the_field(key: str, setting: Any, expected: Any) -> None:
    found = getattr(build_options(Example, {key: setting}), key.replace("-", "_"))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("key", "setting"),
    [
        ("flag", "maybe"),
        ("flag", None),
        ("count", "3.7"),
        ("count", 3.7),
        ("count", True),
        ("count", "many"),
        ("count", None),
        ("count", float("inf")),
        ("ratio", "half"),
        ("ratio", "nan"),
        ("ratio", None),
        ("text", None),
        ("limit", "4.5"),
        ("mode", "slow"),
    ],
)
def test_settings_of_another_type_are_refused(key: str, setting: Any) -> None:
    with pytest.raises(InputError, match=rf"option example\.{key} cannot be '{setting}'"):
        build_options(Example, {key: setting})


def test_unknown_options_are_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="has no option 'speed'; choose from its options: count, flag, limit"):
        build_options(Example, {"speed": "1"})


def test_a_plugin_without_options_says_so() -> None:
    class Bare(Plugin):
        kind = "solver"
        name = "bare"

    assert Bare().options == NoOptions()
    with pytest.raises(InputError, match="leave it out, as it has no options"):
        build_options(Bare, {"speed": "1"})


def test_options_left_out_keep_their_defaults() -> None:
    assert build_options(Example, {}) == AllKinds()
    assert Example().options == AllKinds()
    assert Example(AllKinds(count=9)).options.count == 9


def test_libraries_are_looked_for_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reds_test_heavy").mkdir()
    (tmp_path / "reds_test_heavy" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (tmp_path / "reds_test_heavy" / "inner.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    class Needy(Plugin):
        requires = ("reds_test_heavy", "reds_test_heavy.inner", "reds_test_absent", "reds_test_absent.inner")

    assert Needy.missing() == ("reds_test_absent", "reds_test_absent.inner")
    assert "reds_test_heavy" not in sys.modules


def test_a_blocked_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reds_test_blocked", None)

    class Needy(Plugin):
        requires = ("reds_test_blocked",)

    assert Needy.missing() == ("reds_test_blocked",)


def test_the_version_is_that_of_the_distribution() -> None:
    from reds_greedy import GreedySolver

    assert GreedySolver.version() == "0.1.0"
    assert Example.version() == "unknown"


def test_errors_say_what_is_wrong_and_how_to_fix_it_in_one_line() -> None:
    error = RedsError("something\n  is wrong", "do\tthis")
    assert str(error) == "something is wrong; do this"
    assert (error.what, error.fix) == ("something is wrong", "do this")
