"""The published JSON Schemas: up to date, and true of the files that are written and read."""

from __future__ import annotations

import dataclasses
import json
import re
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import sample_comparisons
import sample_plans
import yaml
from compare_tools import failure, result
from other_machine import toy_records
from toy_runs import NO_TRAINING, make_workplace, skip_report

from reds_core.bench.history import BenchHistory, read_history, write_history
from reds_core.bench.suite_folder import export_suite
from reds_core.cost.device_table import DeviceTable, save_device_table
from reds_core.cost.energy_models import energy_model
from reds_core.cost.latency_table import load_latency_table, save_latency_table
from reds_core.cost.tables import load_table
from reds_core.errors import InputError
from reds_core.framework.profile_records import ProfileRecord, load_profiles, save_profiles
from reds_core.knapsack.file import load_problem, save_problem
from reds_core.knapsack.header import read_header
from reds_core.plan import load_plan, save_plan
from reds_core.runs.recipe import load_recipe, recipe_text
from reds_core.system.records import from_plain, parse_json, to_json_line

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "docs" / "reference" / "schemas"
INSTANCES = ROOT / ".." / "shared" / "instances"
NAMES = [
    "reds-details-1.json",
    *("reds-plan-1.json", "reds-plan-2.json", "reds-problem-1.json", "reds-problem-2.json"),
    *(
        "reds-latency-1.json",
        "reds-device-table-1.json",
        "reds-bench-1.json",
        "reds-suite-1.json",
        "reds-sensitivity-1.json",
        "reds-thresholds-1.json",
    ),
    "reds-audit-1.json",
    "reds-profile-1.json",
    *("reds-timings-1.json", "reds-latency-parts-1.json"),
    *("bench-record.json", "compare-record.json", "recipe.json"),
]


def check(name: str, content: Any) -> None:
    """Validate `content` by the published schema `name`."""
    schema = json.loads((SCHEMAS / name).read_text())
    jsonschema.Draft202012Validator(schema).validate(content)


def refuses(name: str, content: Any) -> bool:
    try:
        check(name, content)
    except jsonschema.ValidationError:
        return True
    return False


def test_the_published_schemas_are_up_to_date() -> None:
    """After a change to the dataclasses: python docs/reference/schemas/generate.py."""
    generated = runpy.run_path(str(SCHEMAS / "generate.py"))["schemas"]()
    assert sorted(generated) == sorted(NAMES) == sorted(p.name for p in SCHEMAS.glob("*.json"))
    for name, text in generated.items():
        assert json.loads((SCHEMAS / name).read_text()) == json.loads(text), name


@pytest.mark.parametrize("name", NAMES)
def test_the_published_schemas_are_schemas_and_documented(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads((SCHEMAS / name).read_text()))
    assert f"(schemas/{name})" in (ROOT / "docs" / "reference" / "formats.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_object_and_field_of_a_schema_is_described(name: str) -> None:
    schema = json.loads((SCHEMAS / name).read_text())
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["description"]
        assert "Attributes:" not in part["description"], "describe the values of an enumeration in its first paragraphs"
        fields = {key: of for key, of in part.get("properties", {}).items() if "const" not in of}
        if isinstance(part.get("additionalProperties"), dict):
            fields["other keys"] = part["additionalProperties"]
        assert [key for key, of in fields.items() if not of.get("description")] == []


def test_the_files_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune(settings=NO_TRAINING)
    plan = json.loads((place.out / "plan.json").read_text())
    recipe = yaml.safe_load((place.out / "recipe.yaml").read_text())
    check("reds-plan-1.json", plan)
    check("recipe.json", recipe)
    details = json.loads((place.out / "details.json").read_text())
    check("reds-details-1.json", details)
    assert all(details[part] for part in ("layers", "networks", "classes", "explorations"))
    assert refuses("reds-details-1.json", details | {"format": "reds-details/2"})
    assert refuses("reds-plan-1.json", plan | {"format": "reds-plan/2"})
    assert refuses("reds-plan-1.json", plan | {"seed": True})
    assert refuses("reds-plan-1.json", plan | {"more": 1})
    assert refuses("recipe.json", recipe | {"prunr": "nested"})
    assert refuses("recipe.json", recipe | {"seed": "one"})


def test_the_index_of_a_suite(tmp_path: Path) -> None:
    export_suite("tiny", tmp_path / "tiny")
    index = json.loads((tmp_path / "tiny" / "index.json").read_text())
    check("reds-suite-1.json", index)
    assert refuses("reds-suite-1.json", index | {"more": 1})


def test_the_recipe_of_the_documentation(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "guide" / "recipes.md").read_text(), re.DOTALL)
    check("recipe.json", yaml.safe_load(text))
    (tmp_path / "recipe.yaml").write_text(text)
    check("recipe.json", yaml.safe_load(recipe_text(load_recipe(tmp_path / "recipe.yaml"))))


@pytest.mark.parametrize(
    "text",
    [
        "seed: 1",
        "budgets: macs=0.5",
        "budgets: [macs=0.5, params=3k]",
        "budgets: {macs: 0.5, peak_ram: [64KiB, 3]}",
        "imports: layers.py",
        "finetune: {augment: flip, patience: null}",
        "options: {taylor: {batch_size: 64, noise: 1e-3, on: no}}",
    ],
)
def test_recipes_in_every_form(text: str) -> None:
    check("recipe.json", yaml.safe_load(text))


@pytest.mark.skipif(not INSTANCES.is_dir(), reason="the folder ../shared/instances is missing")
def test_headers_of_problem_files(tmp_path: Path) -> None:
    for path in sorted(INSTANCES.glob("*.npz")):
        text = str(np.load(path)["header"])
        check("reds-problem-1.json", json.loads(text))
        save_problem(load_problem(path), tmp_path / "p.npz")
        assert str(np.load(tmp_path / "p.npz")["header"]) == text, path.stem


HEADER: dict[str, Any] = {
    "format": "reds-problem/1",
    "name": "small",
    "groups": ["a", "b"],
    "pairs": [["a", "b"]],
    "resources": [
        {"name": "macs", "kind": "sum", "capacity": 50, "base": 3},
        {"name": "ram", "kind": "peak", "capacity": 20, "steps": [{"base": 1, "groups": ["b"]}, {"groups": []}]},
    ],
    "bilinear": [{"macs": 2}],
    "floors": {"a": 1},
}


def test_headers_are_read_as_leniently_as_ever() -> None:
    other = HEADER | {"made_by": "another program", "bilinear": [{"macs": 2.0}], "ceilings": None}
    check("reds-problem-1.json", other)
    assert read_header(other) == read_header(HEADER)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pairs": [["a"]]},
        {"pairs": ["ab"]},
        {"groups": [1, 2]},
        {"resources": [{"name": "macs", "kind": "max", "capacity": 50}]},
        {"resources": [{"name": "macs", "kind": "sum", "capacity": 1.5}]},
        {"floors": {"a": "1"}},
    ],
)
def test_headers_are_refused_by_reader_and_schema(wrong: dict[str, Any]) -> None:
    assert refuses("reds-problem-1.json", HEADER | wrong)
    with pytest.raises((TypeError, ValueError)):
        read_header(HEADER | wrong)


# --- files that are read and written again ---------------------------------------------------------------------------


def check_lines(schema: str, records: Iterable[Any]) -> None:
    for record in records:
        line = to_json_line(record)
        check(schema, json.loads(line))
        assert to_json_line(from_plain(type(record), parse_json(line))) == line


def test_lines_of_records() -> None:
    check_lines("bench-record.json", sample_comparisons.mixed())
    check_lines("compare-record.json", [result(), failure()])


def test_the_history_of_a_comparison(tmp_path: Path) -> None:
    write_history(tmp_path, BenchHistory((sample_comparisons.RUN,)))
    text = (tmp_path / "bench.json").read_text()
    check("reds-bench-1.json", json.loads(text))
    write_history(tmp_path, read_history(tmp_path))
    assert (tmp_path / "bench.json").read_text() == text


LATENCIES: dict[str, Any] = {
    "network": "net",
    "model": "0f",
    "channels": {"a": 4},
    "settings": {"element_size_bytes": 1, "threads": 1, "repeats": 200, "points": 5, "checks": 0},
    "machine": {"system": "Linux", "cpu": "a processor", "cores": 2, "memory_bytes": 1024, "python": "3.11"},
    "versions": {},
    "segments": [],
    "overhead": {"ns": 10, "spread_ns": 0.5, "runs": 200},
    "full": {"ns": 20.5, "spread_ns": 0, "runs": 200},
    "narrow": {"ns": 15.0, "spread_ns": 0.25, "runs": 200},
    "samples": [],
    "checks": [],
    "complete": False,
    "format": "reds-latency/1",
}


def test_records_of_another_machine() -> None:
    content = toy_records("litert", {"m.tflite": "0" * 64})
    check("reds-timings-1.json", content)
    assert refuses("reds-timings-1.json", content | {"format": "reds-timings/2"})
    assert refuses("reds-timings-1.json", content | {"heat": 3})


def test_a_latency_table_keeps_its_digest(tmp_path: Path) -> None:
    """The digest tells a resumed run whether its table is the same: also whole numbers of ns have to stay whole."""
    check("reds-latency-1.json", LATENCIES)
    text = json.dumps(LATENCIES, indent=1) + "\n"
    (tmp_path / "table.json").write_text(text)
    table = load_latency_table(tmp_path / "table.json")
    save_latency_table(table, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == text


DEVICE_TABLE: dict[str, Any] = {
    "network": "net",
    "model": "0f",
    "channels": {"a": 8, "b": 4},
    "on": "npu",
    "config": "small",
    "options": {"memory": "shared"},
    "versions": {"compiler": "1.0"},
    "points": 16,
    "check_count": 1,
    "facts": {"clock_MHz": "500"},
    "element_size_bytes": 1,
    "macs": 32,
    "widths": {"a": [4, 8], "b": [4]},
    "multiples": {"a": 4, "b": 4},
    "parts": [{"name": "0 CONV_2D", "groups": ["a", "b"]}],
    "moments": [[0]],
    "samples": [{"part": 0, "widths": [4, 4], "figures": {"cycles": 7}}],
    "repeats": {"equal": 3, "different": 0, "largest": {}},
    "sums": {"cycles": {"constant": 5, "groups": {"b": [1]}, "pairs": [{"groups": ["a", "b"], "costs": [[7], [9]]}]}},
    "peaks": {"npu_sram": {"steps": [{"base": 16, "groups": {"a": [64, 128]}}], "slack": 0}},
    "checks": [{"widths": {"a": 4, "b": 4}, "predicted": {"cycles": 13}, "counted": {"cycles": 13}}],
    "notes": [],
    "complete": True,
    "format": "reds-device-table/1",
}


def test_a_device_table_keeps_its_digest(tmp_path: Path) -> None:
    text = json.dumps(DEVICE_TABLE) + "\n"
    check("reds-device-table-1.json", DEVICE_TABLE)
    (tmp_path / "table.json").write_text(text)
    table = load_table(tmp_path / "table.json")
    assert isinstance(table, DeviceTable)
    save_device_table(table, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == text
    assert table.forms()["cycles"].at({"a": 8, "b": 4}) == 15
    assert table.forms()["npu_sram"].at({"a": 3, "b": 4}) == 80


@pytest.mark.parametrize(
    "change",
    [
        {"widths": {"a": [4, 4, 8], "b": [4]}},
        {"widths": {"a": [4], "b": [4]}},
        {"widths": {"b": [4]}},
        {"sums": {"cycles": {"constant": 5, "groups": {"a": [1]}, "pairs": []}}},
        {"sums": {"cycles": {"constant": 5, "groups": {}, "pairs": [{"groups": ["a", "b"], "costs": [[7]]}]}}},
        {"peaks": {"npu_sram": {"steps": [{"base": 16, "groups": {"a": [64]}}], "slack": 0}}},
        {"samples": [{"part": 0, "widths": [4], "figures": {}}]},
    ],
)
def test_a_device_table_with_other_entries_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text(json.dumps(DEVICE_TABLE | change))
    with pytest.raises(InputError, match="is not a table of format reds-device-table/1"):
        load_table(tmp_path / "table.json")


def test_profiles_of_a_run(tmp_path: Path) -> None:
    known = ProfileRecord("m.tflite", "full", "board", "fast", 12.5, arena=9, operators={"ADD": 1})
    records = (known, ProfileRecord("m.tflite", None, "board", macs=7, energy=energy_model("nucleo-l4r5zi").of_macs(7)))
    save_profiles(tmp_path, records)
    content = json.loads((tmp_path / "profile.json").read_text())
    check("reds-profile-1.json", content)
    assert load_profiles(tmp_path) == records
    assert refuses("reds-profile-1.json", content | {"format": "reds-profile/2"})
    assert refuses("reds-profile-1.json", content | {"records": [{**content["records"][0], "heat": 3}]})


def test_plans_with_levels_are_of_the_second_version(tmp_path: Path) -> None:
    save_plan(sample_plans.with_levels(), tmp_path)
    plan = json.loads((tmp_path / "plan.json").read_text())
    check("reds-plan-2.json", plan)
    assert refuses("reds-plan-1.json", plan)
    assert refuses("reds-plan-1.json", plan | {"format": "reds-plan/1"})
    first = {key: value for key, value in plan["subnetworks"][0].items() if key != "settings"}
    assert refuses("reds-plan-2.json", plan | {"subnetworks": [first]})
    assert refuses("reds-plan-2.json", plan | {"subnetworks": [first | {"settings": {"conv2d": 4}}]})


def test_a_plan_that_is_read_and_written_again_is_the_same(tmp_path: Path) -> None:
    plan = sample_plans.complete()
    (first, *more) = plan.subnetworks
    budget = {"macs": 100_000, "params": 0.5}
    plan = dataclasses.replace(plan, subnetworks=(dataclasses.replace(first, budget=budget), *more))
    save_plan(plan, tmp_path)
    text = (tmp_path / "plan.json").read_text()
    check("reds-plan-1.json", json.loads(text))
    save_plan(load_plan(tmp_path), tmp_path)
    assert (tmp_path / "plan.json").read_text() == text
