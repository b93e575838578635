"""The plan file: reds-plan/1 as the design has it, read back as it was, refused where it is damaged."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from reds_core.errors import InputError
from reds_core.plan import (
    Accuracy,
    FullAccuracy,
    FullRecord,
    GroupRecord,
    Hashes,
    Plan,
    StepRecord,
    SubnetworkRecord,
    load_plan,
    save_plan,
)

PLAN = Plan(
    full=FullRecord({"macs": 1000, "params": 200, "peak_ram": 30}, FullAccuracy(0.9, 0.91)),
    groups=(GroupRecord("a/b", 4, ("a/b", "relu")),),
    subnetworks=(
        SubnetworkRecord(
            name="50",
            budget={"macs": 0.5, "peak_ram": 65536},
            widths={"a/b": 2},
            kept={"a/b": (3, 0)},
            usage={"macs": 400, "params": 90, "peak_ram": 20},
            value=2**31,
            bound=2**31 + 1,
            gap=1 / 2**31,
            bound_independent=2**31 + 2,
            status="feasible",
            solver="greedy",
            wall_s=0.01,
            accuracy=Accuracy(0.5, 0.8, {"tflite": 0.8, "tflite_int8": 0.79}),
            files={"keras": "subnet-50.keras", "tflite": "subnet-50.tflite", "tflite_int8": "subnet-50-int8.tflite"},
        ),
        SubnetworkRecord(
            "75",
            {"macs": 0.75},
            {"a/b": 4},
            {"a/b": (3, 0, 1, 2)},
            {"macs": 1},
            accuracy=Accuracy(exported={"tflite": None, "tflite_int8": None}),
        ),
    ),
    pruner="nested",
    scorer="taylor",
    steps=(StepRecord(0, "choose 50", ("a/b",), {"a/b": 2}, 0.5, None),),
    seed=0,
    options={"budgets": ["macs=0.5"], "threads": None},
    versions={"python": "3"},
    hashes=Hashes("0f", None),
)


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    save_plan(PLAN, tmp_path)
    assert load_plan(tmp_path) == PLAN


def test_the_file_is_as_the_design_has_it(tmp_path: Path) -> None:
    save_plan(PLAN, tmp_path)
    content = json.loads((tmp_path / "plan.json").read_text())
    assert list(content)[:2] == ["format", "full"]
    assert content["format"] == "reds-plan/1"
    assert content["full"] == {
        "macs": 1000,
        "params": 200,
        "peak_ram": 30,
        "accuracy": {"before": 0.9, "after": 0.91},
    }
    assert content["groups"] == [{"name": "a/b", "channels": 4, "layers": ["a/b", "relu"]}]
    assert content["subnetworks"][0]["kept"] == {"a/b": [3, 0]}
    assert content["subnetworks"][1]["accuracy"] == dict.fromkeys(("before", "after", "tflite", "tflite_int8"))
    assert content["steps"] == [
        {"index": 0, "name": "choose 50", "groups": ["a/b"], "widths": {"a/b": 2}, "search_s": 0.5, "finetune_s": None}
    ]
    assert content["hashes"] == {"model": "0f", "data": None}


def test_the_keys_of_the_full_network_keep_their_order(tmp_path: Path) -> None:
    save_plan(PLAN, tmp_path)
    content = json.loads((tmp_path / "plan.json").read_text())
    assert list(content["full"]) == ["macs", "params", "peak_ram", "accuracy"]
    usage = {**PLAN.full.usage, "latency": 5}
    plan = dataclasses.replace(PLAN, full=FullRecord(usage, PLAN.full.accuracy))
    save_plan(plan, tmp_path)
    content = json.loads((tmp_path / "plan.json").read_text())
    assert list(content["full"]) == ["macs", "params", "peak_ram", "accuracy", "latency"]
    assert load_plan(tmp_path) == plan


def test_figures_that_do_not_exist_are_null(tmp_path: Path) -> None:
    full = FullRecord({"macs": 1, "params": 1, "peak_ram": 1}, FullAccuracy(math.nan, math.inf))
    save_plan(
        Plan(full=full, **{k: getattr(PLAN, k) for k in PLAN.__dataclass_fields__ if k not in ("full",)}), tmp_path
    )
    text = (tmp_path / "plan.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert load_plan(tmp_path).full.accuracy == FullAccuracy(None, None)


def change(content: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        content = content[int(key) if key.isdigit() else key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("full", None),
        ("full.macs", "many"),
        ("full.macs", 1.5),
        ("groups", {}),
        ("groups.0.channels", None),
        ("subnetworks.0.widths", [2]),
        ("subnetworks.0.kept", {"a/b": 3}),
        ("subnetworks.0.files", "subnet-50.keras"),
        ("subnetworks.0.extra", 1),
        ("steps.0.index", "0"),
        ("seed", None),
        ("hashes", []),
    ],
)
def test_a_malformed_plan_is_refused(tmp_path: Path, path: str, value: Any) -> None:
    save_plan(PLAN, tmp_path)
    content = json.loads((tmp_path / "plan.json").read_text())
    change(content, path, value)
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"plan.json' is malformed .*; make it anew by `reds prune`"):
        load_plan(tmp_path)


@pytest.mark.parametrize("resource", ["macs", "params", "peak_ram"])
def test_a_plan_without_a_cost_of_the_full_network_is_refused(tmp_path: Path, resource: str) -> None:
    save_plan(PLAN, tmp_path)
    content = json.loads((tmp_path / "plan.json").read_text())
    del content["full"][resource]
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"plan.json' is malformed \(.*'{resource}' is missing\); make it anew"):
        load_plan(tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[]", "is not of format reds-plan/1"),
        (b"{}", "is not of format reds-plan/1"),
        (b'{"format": "reds-plan/2"}', "is not of format reds-plan/1"),
        (b'{"format": "reds-plan/1"}', "is malformed"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(InputError, match=why):
        load_plan(tmp_path)


def test_a_folder_without_a_plan(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no finished run; name a folder made by `reds prune`"):
        load_plan(tmp_path)
    with pytest.raises(InputError, match="holds no finished run"):
        load_plan(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be read \(NotADirectoryError\)"):
        load_plan(tmp_path / "file")
