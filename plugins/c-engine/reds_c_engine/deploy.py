"""Writes the engine of a family to a folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reds_c_engine.c_text import floating
from reds_c_engine.family import NO_EXITS, family_of
from reds_c_engine.kernel_files import needed_files
from reds_c_engine.layouts import LAYOUTS, TEMPLATES, LayoutName, filled
from reds_c_engine.member_weights import weight_bytes
from reds_c_engine.records import Family, Member
from reds_c_engine.selftest import Expectations, expectations, vectors_text
from reds_c_engine.sizes import Sizes
from reds_c_engine.source import SettingsWriter, constants_bytes, header_text, pointed_type, source_text
from reds_core.runtime import governor_sources

_EXITS = """
## Early exits

Some members can stop early. `net_begin` runs up to the first exit, and `net_continue` on to the next one; after the
last, it returns NULL. Nothing is computed twice. `reds_net_exits` holds the scale and the zero point of each exit of
each member. `net_run` executes no exits but the last.

```c
const {value} *output = net_begin(input);
while ({is_unsure}) {{
  const {value} *next = net_continue();
  if (!next) break;
  output = next;
}}
```
"""
HEADER, SOURCE = "reds_net.h", "reds_net.c"


@dataclass(frozen=True)
class Engine:
    """A generated engine.

    Attributes:
        family: The family that it runs.
        sizes: What its constants take in flash.
        files: The text of each file by its path, relative to the folder of the engine.
    """

    family: Family
    sizes: Sizes
    files: dict[str, str]


def generated(
    contents: Sequence[tuple[str, bytes]],
    layout: LayoutName = "plain",
    examples: int = 8,
    exits: Mapping[str, str] = NO_EXITS,
) -> Engine:
    """Return the engine of a family. Equal files give equal text.

    Args:
        contents: The name and the content of the .tflite file of each member, smallest first; the full one last.
        layout: How the files are laid out.
        examples: The number of inputs of the self-test.
        exits: The name of the output at which members end that do not end at the last one of their file, by the name of
            the member.

    Raises:
        InputError: If a file is damaged, or the files are not of one family.
        UnsupportedError: If the engine cannot run a member.
    """
    chosen = LAYOUTS[layout]
    family = family_of(contents, exits)
    writer = SettingsWriter()
    in_c = {HEADER: header_text(family), SOURCE: source_text(family, writer)}
    sizes = Sizes(len(family.store), constants_bytes(family, writer))
    kernels = {placed.step.kernel for member in family.members for placed in member.steps}
    in_c |= {path.name: path.read_text("utf-8") for path in needed_files(kernels)} | governor_sources()
    expected = expectations(family, [content for _, content in contents], examples)
    prefix = f"{chosen.sources}/" if chosen.sources else ""
    sources = [f"{prefix}{name}" for name in sorted(in_c) if name.endswith(".c")]
    indent = "    " if layout == "zephyr" else "  "
    words = {"SOURCES": " ".join(sources), "SOURCE_LINES": f"\n{indent}".join(sources)}
    words |= _readme_words(family, sizes, expected) | {"BUILDING": chosen.building()}
    files = {
        **{f"{prefix}{name}": text for name, text in in_c.items()},
        "test/reds_net_test.c": (TEMPLATES / "selftest.c").read_text("utf-8"),
        "test/reds_net_vectors.h": vectors_text(expected),
        "README.md": filled(TEMPLATES / "README.md", words),
        **dict(chosen.files(words)),
    }
    return Engine(family, sizes, dict(sorted(files.items())))


def written(engine: Engine, out: Path) -> tuple[Path, ...]:
    """Write the files of an engine to a folder, and return their paths."""
    paths = []
    for name, text in engine.files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
        paths.append(path)
    return tuple(paths)


def _readme_words(family: Family, sizes: Sizes, expected: Expectations) -> dict[str, str]:
    full = family.members[-1]
    notes = "".join(f"\n{str(own)[0].upper()}{str(own)[1:]}.\n" for own in family.own_kernels)
    return {
        "MEMBERS": "\n".join(_row(index, member) for index, member in enumerate(family.members)),
        "VALUE": pointed_type(family),
        "WEIGHTS": f"{sizes.weights_bytes:,}",
        "TABLES": f"{sizes.tables_bytes:,}",
        "ARENA": f"{max(member.arena_bytes for member in family.members):,}",
        "INPUT": _shape(full.input_shape),
        "OUTPUT": _shape(full.output_shape),
        "NOTES": notes,
        "EXITS": _about_exits(family),
        "EXAMPLES": str(expected.outputs.shape[1]),
        "ORACLE": expected.source,
    }


def _about_exits(family: Family) -> str:
    if family.most_exits == 1:
        return ""
    several = math.prod(family.members[-1].output_shape) > 1
    is_unsure = "net_margin(output) < least[net_exit()]" if several else "!is_sure(output, net_exit())"
    return _EXITS.format(value=pointed_type(family), is_unsure=is_unsure)


def _shape(shape: tuple[int, ...]) -> str:
    size = math.prod(shape)
    return f"{size} integers" + (f" ({' x '.join(map(str, shape))})" if len(shape) > 1 else "")


def _row(index: int, member: Member) -> str:
    scales = (f"{floating(each.scale).removesuffix('f')}, {each.zero_point}" for each in (member.input, member.output))
    return f"| {index} | {member.name} | {' | '.join(scales)} | {weight_bytes(member):,} | {member.arena_bytes:,} |"
