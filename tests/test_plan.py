"""The plan file: reds-plan/1 as the design has it, read back as it was, refused where it is damaged."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from reds_core import plan as plan_module
from reds_core.commands.setting_options import attribute_texts
from reds_core.errors import InputError
from reds_core.plan import (
    Accuracy,
    ExtractionRecord,
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
        ("subnetworks.0.name", "../other"),
        ("subnetworks.0.files", {"keras": "/etc/passwd"}),
        ("subnetworks.0.files", {"keras": "sub/a.keras"}),
        ("subnetworks.0.files", {"keras": "..\\a.keras"}),
        ("subnetworks.0.files", {"keras": ".."}),
        ("subnetworks.0.files", {"keras": ""}),
        ("subnetworks.0.devices", {"toy": {"file": "../a.tflite"}}),
        ("full.files", {"tflite": "../a.tflite"}),
        ("full.devices", {"toy": {"file": "C:\\a.tflite"}}),
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
    with pytest.raises(InputError, match=r"plan.json' is malformed .*; run `reds_core.prune` again"):
        load_plan(tmp_path)


@pytest.mark.parametrize("resource", ["macs", "params", "peak_ram"])
def test_a_plan_without_a_cost_of_the_full_network_is_refused(tmp_path: Path, resource: str) -> None:
    save_plan(PLAN, tmp_path)
    content = json.loads((tmp_path / "plan.json").read_text())
    del content["full"][resource]
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"plan.json' is malformed \(.*'{resource}' is missing\); run"):
        load_plan(tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[]", "is not of format reds-plan/1"),
        (b"{}", "is not of format reds-plan/1"),
        (b'{"format": "reds-plan/3"}', "is not of format reds-plan/1 or reds-plan/2"),
        (b'{"format": "reds-plan/2"}', "is malformed"),
        (b'{"format": "reds-plan/1"}', "is malformed"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(InputError, match=why):
        load_plan(tmp_path)


def test_the_second_version_has_settings_and_the_first_has_none(tmp_path: Path) -> None:
    member = dataclasses.replace(PLAN.subnetworks[0], settings={"conv": {"weight_bits": 4}})
    plan = dataclasses.replace(PLAN, format="reds-plan/2", subnetworks=(member,))
    save_plan(plan, tmp_path)
    found = load_plan(tmp_path)
    assert found == plan
    assert found.subnetworks[0].levels.at("conv", "weight_bits") == 4
    assert found.subnetworks[0].levels.at("other", "weight_bits") is None
    for wrong, state in (
        (dataclasses.replace(plan, format="reds-plan/1"), "unknown"),
        (dataclasses.replace(PLAN, format="reds-plan/2"), "missing"),
    ):
        save_plan(wrong, tmp_path)
        with pytest.raises(InputError, match=rf"subnetworks\[0\]: field 'settings' is {state}"):
            load_plan(tmp_path)


def test_a_folder_without_a_plan(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no finished run; name a folder made by `reds_core.prune`"):
        load_plan(tmp_path)
    with pytest.raises(InputError, match="holds no finished run"):
        load_plan(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be read \(NotADirectoryError\)"):
        load_plan(tmp_path / "file")


RECORDS = [
    value
    for value in vars(plan_module).values()
    if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == plan_module.__name__
]


@pytest.mark.parametrize("record", RECORDS)
def test_every_field_is_explained(record: type[Any]) -> None:
    explained = attribute_texts(record)
    assert [field.name for field in dataclasses.fields(record) if not explained.get(field.name)] == []


def test_a_member_that_was_added_comes_back_and_others_do_not_mention_it(tmp_path: Path) -> None:
    small, large = PLAN.subnetworks
    added = dataclasses.replace(small, extraction=ExtractionRecord("75", 0))
    plan = dataclasses.replace(PLAN, subnetworks=(added, large))
    save_plan(plan, tmp_path)
    assert load_plan(tmp_path) == plan
    first, second = json.loads((tmp_path / "plan.json").read_text())["subnetworks"]
    assert first["extraction"] == {"source": "75", "finetune_epochs": 0}
    assert "extraction" not in second


@pytest.mark.parametrize(
    ("extraction", "untrained", "shares"),
    [(None, False, True), (ExtractionRecord("75", 0), True, True), (ExtractionRecord("full", 3), False, False)],
)
def test_what_an_extraction_means(extraction: ExtractionRecord | None, untrained: bool, shares: bool) -> None:
    record = dataclasses.replace(PLAN.subnetworks[0], extraction=extraction)
    assert (record.is_untrained, record.shares_weights) == (untrained, shares)


def test_a_plan_is_read_from_its_folder_or_its_file(tmp_path: Path) -> None:
    save_plan(PLAN, tmp_path)
    for path in (tmp_path, str(tmp_path), tmp_path / "plan.json", str(tmp_path / "plan.json")):
        assert load_plan(path) == PLAN
    with pytest.raises(InputError, match="folder is empty"):
        load_plan("")


def test_a_folder_may_be_called_like_the_file(tmp_path: Path) -> None:
    (tmp_path / "plan.json").mkdir()
    save_plan(PLAN, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == PLAN
