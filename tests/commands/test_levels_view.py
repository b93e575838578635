"""How levels of layers are shown."""

from __future__ import annotations

from reds_core.runs.inspection_records import Inspection, LevelsRecord, NotOfferedRecord


def test_layers_that_several_transforms_leave_alone_are_named_once() -> None:
    without = NotOfferedRecord(None, "it has no kernel")
    levels = tuple(LevelsRecord(name, what, (), None, (without,)) for name in ("relu", "add") for what in ("a", "b"))
    assert "\nwithout levels: relu, add (it has no kernel)\n" in str(Inspection((), (), {"macs": 1}, levels))
