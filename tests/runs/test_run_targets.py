"""The targets of a run: the files that it writes, how its plan names them, and what is refused before it begins."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace, contents, skip_report
from toy_targets import ToyFileTarget

import reds_core
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.file_kinds import FileKind
from reds_core.framework.target import ExportSource
from reds_core.runs.export_warnings import usage_warnings


@dataclass(frozen=True)
class CompactOptions:
    fast: bool = False


class Compact(ToyFileTarget):
    """A target that is not among those that are written by default."""

    name = "compact"
    file = FileKind("compact", "Compact", "-compact.bin", "float16", None)
    Options = CompactOptions


class Foreign(ToyFileTarget):
    name = "foreign"
    made_from = "another"
    file = FileKind("foreign", "Foreign", "-foreign.bin")


class Unable(ToyFileTarget):
    """A target whose format expresses no model."""

    name = "unable"
    file = FileKind("unable", "Unable", "-unable.bin")

    def export(self, source: ExportSource, path: Path) -> None:
        raise UnsupportedError("there is no such format", "use another")


REGISTRY = toy_registry(Compact, Foreign, Unable)


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


def asked(place: Workplace, *targets: str, **changes: Any) -> Any:
    settings = dataclasses.replace(NO_TRAINING, targets=targets)
    given: dict[str, Any] = {"settings": settings, "registry": REGISTRY, "budgets": {"macs": [0.5]}}
    return place.prune(**(given | changes))


def test_targets_replace_those_of_the_default_list(place: Workplace) -> None:
    (member,) = asked(place, "compact", "tflite-int8").subnetworks
    assert dict(member.files) == {
        "keras": "subnet-50.keras",
        "compact": "subnet-50-compact.bin",
        "tflite-int8": "subnet-50-int8.tflite",
    }
    assert list(member.accuracy.exported) == ["compact", "tflite-int8"]
    written = {path.name for path in place.out.glob("subnet-*")}
    assert written == set(member.files.values())
    plan = reds_core.load_plan(place.out)
    assert plan.format == "reds-plan/2"
    assert plan["50"].path("tflite-int8").exists()
    found = reds_core.evaluate(plan["50"].path("compact"), str(place.data), registry=REGISTRY)
    assert (found.format, found.value) == ("Compact", member.accuracy.exported["compact"])
    assert found.usage == member.usage


def test_the_default_list_keeps_the_first_version_of_the_format(place: Workplace) -> None:
    (member,) = asked(place).subnetworks
    assert list(member.files) == ["keras", "tflite", "tflite_int8"]
    content = json.loads((place.out / "plan.json").read_text())
    assert content["format"] == "reds-plan/1"
    assert "targets" not in content["options"]


def test_a_run_and_its_files_are_the_same_with_the_default_list_by_name(place: Workplace, tmp_path: Path) -> None:
    default = asked(place)
    named = asked(place, "tflite", "tflite-int8", out=tmp_path / "named")
    figures = [list(plan.subnetworks[0].accuracy.exported.values()) for plan in (default, named)]
    assert figures[0] == figures[1]
    ours = {name: data for name, data in contents(place.out).items() if name.startswith("subnet-")}
    assert ours == {name: data for name, data in contents(tmp_path / "named").items() if name.startswith("subnet-")}


def test_a_member_is_added_with_the_files_of_the_run(place: Workplace) -> None:
    asked(place, "compact")
    member = reds_core.extract(place.out, {"macs": 0.4}, registry=REGISTRY)
    assert dict(member.files) == {"keras": "subnet-40.keras", "compact": "subnet-40-compact.bin"}


def test_the_files_of_all_targets_are_removed_if_the_run_is_replaced(place: Workplace) -> None:
    asked(place, "compact")
    asked(place, mode="overwrite")
    assert not list(place.out.glob("*compact*"))


def test_a_file_that_cannot_be_written_does_not_keep_others_from_being_written(place: Workplace) -> None:
    listener = Listener()
    (member,) = asked(place, "unable", "compact", watcher=listener).subnetworks
    assert dict(member.files) == {"keras": "subnet-50.keras", "unable": None, "compact": "subnet-50-compact.bin"}
    assert member.accuracy.exported["unable"] is None
    warning = "'subnet-50-unable.bin' is left out, 'subnet-50.keras' is written: there is no such format"
    assert warning in listener.warnings


@pytest.mark.parametrize(
    ("targets", "changes", "message"),
    [
        (("compct",), {}, "unknown target 'compct'; did you mean 'compact'"),
        (("foreign",), {}, "target 'foreign' is made from models of framework 'another', not of 'toy'; choose from:"),
        (("compact", "compact"), {}, "names 'compact' twice"),
        (("tflite-int8",), {"data": None}, "target 'tflite-int8' needs data to calibrate its files; give data"),
        (
            ("tflite-int8",),
            {"settings": dataclasses.replace(NO_TRAINING, targets=("tflite-int8",), int8=False)},
            "target 'tflite-int8' writes files that int8=False leaves out",
        ),
        (("compact",), {"options": {"tflite": {"x": "1"}}}, "target 'tflite' takes no part"),
        ((), {"options": {"compact": {"fast": "true"}}}, "target 'compact' takes no part"),
        (("compact",), {"options": {"compact": {"slow": "true"}}}, "no option 'slow'"),
    ],
)
def test_what_is_refused_before_the_run_begins(
    place: Workplace, targets: tuple[str, ...], changes: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        asked(place, *targets, **changes)
    assert not place.out.exists() or not list(place.out.iterdir())


def test_warnings_name_files_that_use_more_than_was_planned() -> None:
    assert usage_warnings("f", {"weight_bytes": 5, "arena": 7}, {"weight_bytes": 5}, {"arena": 6}) == []
    assert usage_warnings("f", {"weight_bytes": 4}, {"weight_bytes": 5}, {}) == []
    (warning,) = usage_warnings("f", {"weight_bytes": 6}, {"weight_bytes": 5}, {"macs": 2, "weight_bytes": 6})
    assert warning.startswith("'f' uses 6 weight_bytes instead of 5 as planned")
    (warning,) = usage_warnings("f", {"arena": 96}, {"arena": 48}, {"arena": 64})
    assert warning.startswith(
        "'f' uses 96 arena, which is 32 above the budget, instead of 48 as planned, because it needs"
    )
