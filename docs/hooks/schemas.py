"""A page for each file format, made from its JSON Schema when the site is built."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

FOLDER = Path(__file__).parents[1] / "reference" / "schemas"
FORMATS = "reference/formats.md"
_REFERENCE = "#/$defs/"
_LINK = re.compile(r"\[([\w-]+)\.json\]\(schemas/\1\.json\)")
_OPTIONAL = ", *optional*"
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "array": "list",
    "object": "object",
}
"""What a value is called; `reds` names its own types in the same words."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each schema."""
    for path in sorted(FOLDER.glob("*.json")):
        text = schema_page(path.name, json.loads(path.read_text(encoding="utf-8")))
        files.append(File.generated(config, f"reference/schemas/{path.stem}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Link to the pages beside the schemas, which are all that there is outside the site."""
    if page.file.src_uri != FORMATS:
        return markdown
    return _LINK.sub(r"[fields](schemas/\1.md), [schema](schemas/\1.json)", markdown)


def schema_page(name: str, schema: dict[str, Any]) -> str:
    """The page of a schema as Markdown, with a table of fields for each kind of object, in the order of mention."""
    title = schema["properties"].get("format", {}).get("const")
    heading = f"`{title}`" if title else name.removesuffix(".json").replace("-", " ").capitalize()
    lines = [f"# {heading}", "", schema.get("description", ""), ""]
    lines += [
        f"These tables are made from the JSON Schema [{name}]({name}). [File formats](../formats.md) says which file"
    ]
    lines += [
        "has this format, and what all formats have in common. A field that is not marked as optional is required;"
    ]
    lines += ["the default of an optional one follows the mark.", "", "## The file", ""]
    lines += _fields(schema)
    for mentioned in _mentioned(schema, schema.get("$defs", {})):
        part = schema["$defs"][mentioned]
        lines += ["", f"## {mentioned}", "", part.get("description", ""), ""]
        lines += _fields(part) if "properties" in part else [f"Value: {_type(part)}."]
    return "\n".join(lines) + "\n"


def _fields(part: dict[str, Any]) -> list[str]:
    required = part.get("required", ())
    rows = []
    for name, field in part["properties"].items():
        if "const" in field and "description" not in field:
            field = field | {"description": "the format and its version"}
        rows.append(_row(f"`{name}`", field, "" if name in required else _default(field)))
    for name in (each for each in required if each not in part["properties"]):
        rows.append(_row(f"`{name}`", part["additionalProperties"], ""))
    if isinstance(others := part.get("additionalProperties"), dict):
        rows.append(_row("any other name", others, _OPTIONAL))
    return ["| field | type | meaning |", "| --- | --- | --- |", *rows]


def _row(name: str, field: dict[str, Any], presence: str) -> str:
    meaning = " ".join(field.get("description", "").split()).replace("|", "&#124;")
    return f"| {name} | {_type(field)}{presence} | {meaning} |"


def _default(field: dict[str, Any]) -> str:
    if field.get("default") is None or isinstance(field["default"], list | dict):
        return _OPTIONAL
    return f"{_OPTIONAL}: `{json.dumps(field['default'])}`"


def _type(part: dict[str, Any]) -> str:
    """What a value may be, with links to the kinds of objects."""
    if "$ref" in part:
        name = part["$ref"].removeprefix(_REFERENCE)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_type(each) for each in part["anyOf"]))
    if "const" in part or "enum" in part:
        return " or ".join(f"`{json.dumps(value)}`" for value in part.get("enum", [part.get("const")]))
    if "prefixItems" in part:
        return f"list of {' and '.join(_type(each) for each in part['prefixItems'])}"
    if part.get("type") == "array" and "items" in part:
        return f"list of {_grouped(part['items'])}"
    if part.get("type") == "object" and isinstance(part.get("additionalProperties"), dict):
        return f"object: name → {_grouped(part['additionalProperties'])}"
    return _TYPES[part["type"]] if "type" in part else "any value"


def _grouped(part: dict[str, Any]) -> str:
    """A type within another one, in parentheses where it says several."""
    text = _type(part)
    return f"({text})" if " or " in text and part.get("type") != "boolean" else text


def _mentioned(schema: dict[str, Any], parts: dict[str, Any]) -> list[str]:
    """The kinds of objects of a schema, each after the first one that mentions it."""
    found: list[str] = []
    for name in _references({key: value for key, value in schema.items() if key != "$defs"}):
        if name not in found:
            found += [name]
    for name in found:  # grows while it is read
        found += [each for each in dict.fromkeys(_references(parts[name])) if each not in found]
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].removeprefix(_REFERENCE)
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)
