"""Writes the JSON Schemas of this folder anew from the dataclasses that the files are written from and read into.

Run it as `python docs/reference/schemas/generate.py` after a change to one of these dataclasses. It needs pydantic,
which comes with the extra `test`.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from reds_core.audit.result import Audit
from reds_core.bench.history import BenchHistory
from reds_core.bench.record import SolveRecord
from reds_core.bench.suite_folder import SuiteIndex
from reds_core.compare.record import ResultRecord
from reds_core.cost.device_table import DeviceTable
from reds_core.cost.latency_table import LatencyTable
from reds_core.early_exit.record import ExitThresholds
from reds_core.framework.profile_records import RunProfiles
from reds_core.framework.timings import Timings
from reds_core.knapsack.header import LevelsHeader, ProblemHeader
from reds_core.plan import FORMAT, LEVELS_FORMAT, Plan
from reds_core.plan_details import Details
from reds_core.runs.latency_parts import LatencyParts
from reds_core.runs.recipe import Recipe
from reds_core.runs.settings import RunSettings
from reds_core.scoring.sensitivity_table import SensitivityTable
from reds_core.system.docstrings import attribute_texts, description_of, inherited_attribute_texts
from reds_core.system.records import INLINE, REQUIRED

FOLDER = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Setting = str | int | float | bool | None
Amount = str | float
Budgets = str | tuple[str, ...] | Mapping[str, Amount | tuple[Amount, ...]]
"""Budgets as a recipe may state them; in `RunSettings` they are texts."""

IN_RECIPES: Mapping[str, Any] = {
    "model": str | None,
    "data": str | None,
    "data_sha256": str | None,
    "out": str | None,
    "budgets": Budgets,
    "options": Mapping[str, Mapping[str, Setting]],
}
"""Keys of a recipe that are no fields of `RunSettings`, or are written in other ways than those."""


class RecordSchema(GenerateJsonSchema):
    """Schemas without titles that repeat the names of fields, and with the inline mappings of records.

    A field has as its description its entry in the section `Attributes:` of the docstring.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dataclass_schema(self, schema: Any) -> dict[str, Any]:
        found = super().dataclass_schema(schema)
        found["additionalProperties"] = False
        found["description"] = _in_json(description_of(schema["cls"]))
        texts = inherited_attribute_texts(schema["cls"])
        if schema["cls"].__name__ == "Recipe":
            texts = attribute_texts(Recipe) | attribute_texts(RunSettings)
        for field in dataclasses.fields(schema["cls"]):
            if field.name in texts:
                found["properties"][field.name]["description"] = _in_json(texts[field.name])
            if INLINE in field.metadata:
                mapping = found["properties"].pop(field.name)
                found["additionalProperties"] = mapping["additionalProperties"]
                found["additionalProperties"]["description"] = mapping["description"]
                required = field.metadata.get(REQUIRED, ())
                others = [name for name in found.get("required", ()) if name != field.name]
                found["required"] = [*required, *others]
        return found


def _in_json(text: str) -> str:
    """A text of a docstring in the words of JSON."""
    for python, other in (("None", "null"), ("True", "true"), ("False", "false")):
        text = re.sub(rf"\b{python}\b", other, text)
    return text


def schema_of(record: type, closed: bool = True) -> dict[str, Any]:
    """Return the schema of a file that holds one `record`.

    Args:
        record: the dataclass.
        closed: whether fields that the dataclasses do not have are refused, as by the reader.
    """
    schema = TypeAdapter(record).json_schema(schema_generator=RecordSchema)
    if "format" in schema["properties"]:
        schema["properties"]["format"] = {"const": schema["properties"]["format"]["default"]}
        schema["required"] = ["format", *schema.get("required", ())]
    if not closed:
        for each in (schema, *schema.get("$defs", {}).values()):
            each.pop("additionalProperties", None)
    return {"$schema": DIALECT, **schema}


def plan_schema(version: str) -> dict[str, Any]:
    """The schema of one version of plans. Only the second has the settings of subnetworks."""
    schema = schema_of(Plan)
    schema["properties"]["format"]["const"] = version
    member = schema["$defs"]["SubnetworkRecord"]
    if version == FORMAT:
        del member["properties"]["settings"]
    else:
        settings = member["properties"]["settings"]
        member["properties"]["settings"] = settings["anyOf"][0] | {"description": settings["description"]}
        member["required"].append("settings")
    return schema


def recipe_schema() -> dict[str, Any]:
    """The schema of a recipe, whose lists of texts may also be one text alone, and whose keys may all be left out."""
    fields = {**typing.get_type_hints(RunSettings), **IN_RECIPES}
    recipe = dataclasses.make_dataclass("Recipe", list(fields.items()))
    recipe.__doc__ = "A pruning run. What is left out has its default."
    schema = schema_of(recipe)
    del schema["required"]
    for each in (schema, *schema["$defs"].values()):
        for key, of in each.get("properties", {}).items():
            if of.get("type") == "array":
                kept = {name: of.pop(name) for name in ("default", "description") if name in of}
                each["properties"][key] = {"anyOf": [of, of["items"]], **kept}
    return schema


def schemas() -> dict[str, str]:
    """The text of every schema by the name of its file."""
    found = {
        "reds-plan-1.json": plan_schema(FORMAT),
        "reds-plan-2.json": plan_schema(LEVELS_FORMAT),
        "reds-details-1.json": schema_of(Details),
        "reds-problem-1.json": schema_of(ProblemHeader, closed=False),
        "reds-problem-2.json": schema_of(LevelsHeader, closed=False),
        "reds-latency-1.json": schema_of(LatencyTable),
        "reds-device-table-1.json": schema_of(DeviceTable),
        "reds-latency-parts-1.json": schema_of(LatencyParts),
        "reds-timings-1.json": schema_of(Timings),
        "reds-sensitivity-1.json": schema_of(SensitivityTable),
        "reds-thresholds-1.json": schema_of(ExitThresholds),
        "reds-audit-1.json": schema_of(Audit),
        "reds-profile-1.json": schema_of(RunProfiles),
        "reds-bench-1.json": schema_of(BenchHistory),
        "reds-suite-1.json": schema_of(SuiteIndex),
        "bench-record.json": schema_of(SolveRecord),
        "compare-record.json": schema_of(ResultRecord),
        "recipe.json": recipe_schema(),
    }
    return {name: json.dumps(schema, indent=1) + "\n" for name, schema in found.items()}


if __name__ == "__main__":
    for name, text in schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
