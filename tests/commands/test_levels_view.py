"""How levels of layers are printed."""

from __future__ import annotations

import pytest

from reds_core.commands.levels_view import print_levels
from reds_core.runs.inspection import LevelsRecord, NotOfferedRecord


def test_layers_that_several_transforms_leave_alone_are_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    without = NotOfferedRecord(None, "it has no kernel")
    print_levels([LevelsRecord(name, what, (), None, (without,)) for name in ("relu", "add") for what in ("a", "b")])
    assert "without levels: relu, add (it has no kernel)" in capsys.readouterr().out
