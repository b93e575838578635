"""The family as text in C: `reds_net.h` and `reds_net.c`."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable
from dataclasses import fields

from reds_c_engine.c_text import WIDTH, array_text, floating, integer, integers, place_text, signed
from reds_c_engine.exits_source import exits_bytes, exits_functions, exits_header
from reds_c_engine.kernel_records import Coding, Halves, Kernel, Segment, Settings
from reds_c_engine.records import Family, Member, PlacedStep, Quantization
from reds_c_engine.sizes import element_bytes, element_type, structure_bytes, structure_fields

_NAME_LENGTH = 24
"""The largest number of characters of the name of a layer in a comment."""
_DETAILS_BYTES = 24
"""The size of `reds_net_member`."""


class Pool:
    """An array in C that holds several arrays, equal ones once.

    Args:
        element: The type of its elements.
        name: Its name.
    """

    def __init__(self, element: str, name: str) -> None:
        self.element, self.name = element, name
        self.values: list[str] = []
        self._places: dict[tuple[str, ...], int] = {}

    def added(self, values: Iterable[str]) -> str:
        """Return an expression for the place of an array."""
        array = tuple(values)
        place = self._places.get(array)
        if place is None:
            place = self._places[array] = len(self.values)
            self.values += array
        return f"{self.name} + {place}"

    @property
    def text(self) -> str:
        """The definition of the array; empty if it has no elements."""
        return array_text(f"static const {self.element} {self.name}", self.values) if self.values else ""


class SettingsWriter:
    """Writes settings as structures, equal ones once, and the arrays that they refer to."""

    def __init__(self) -> None:
        names = {
            "int32_t": "net_numbers",
            "int8_t": "net_bytes",
            "int16_t": "net_short_numbers",
            "int64_t": "net_long_numbers",
            "reds_segment": "net_segments",
        }
        self._pools = {element: Pool(element, name) for element, name in names.items()}
        self._names: dict[str, str] = {}
        self._definitions: list[str] = []
        self._structures_bytes = 0

    @property
    def text(self) -> str:
        """The definitions of all arrays and structures."""
        pools = (pool.text for pool in self._pools.values())
        return "\n".join([*(text for text in pools if text), *self._definitions])

    @property
    def size_bytes(self) -> int:
        """The size of all arrays and structures on a 32-bit processor."""
        return self._structures_bytes + sum(
            len(pool.values) * element_bytes(pool.element) for pool in self._pools.values()
        )

    def added(self, settings: Settings) -> str:
        """Return the name of the structure that holds some settings."""
        return self._structure(settings.structure, self._fields(settings))

    def _structure(self, structure: str, values: Iterable[tuple[str, object]]) -> str:
        body = ", ".join(f".{name} = {value}" for name, value in values)
        text = "\n".join(textwrap.wrap(f"{{{body}}}", WIDTH - 2, break_long_words=False, break_on_hyphens=False))
        key = f"{structure} {text}"
        if key not in self._names:
            name = self._names[key] = f"net_settings_{len(self._names)}"
            self._structures_bytes += structure_bytes(structure)
            indented = text.replace("\n", "\n  ")
            self._definitions.append(f"static const {structure} {name} =\n  {indented};")
        return self._names[key]

    def _fields(self, settings: Settings) -> Iterable[tuple[str, str]]:
        for field in fields(settings):
            value = getattr(settings, field.name)
            if isinstance(value, Kernel):
                yield from self._weights(value, settings)
            elif isinstance(value, bytes):
                yield field.name, self._pools["int8_t"].added(signed(value))
            elif value is None:
                yield field.name, "0"
            elif isinstance(value, tuple):
                yield field.name, self._pools[element_type(settings.structure, field.name)].added(integers(value))
            else:
                yield field.name, integer(value)

    def _weights(self, kernel: Kernel, settings: Settings) -> Iterable[tuple[str, str]]:
        coding, halves = kernel.coding, kernel.halves
        if halves is not None:
            place = f"&{self._split(kernel, halves)}"
        elif coding is not None:
            place = f"&{self._coded(kernel, coding)}"
        else:
            place = f"net_weights + {kernel.offset_bytes}"
        yield "weights", place
        yield "row", str(kernel.row)
        has_bits = any(name == "weight_bits" for name, _ in structure_fields(settings.structure))
        if coding is None and halves is None and has_bits:
            yield "weight_bits", str(kernel.bits)
        if kernel.segments:
            yield "segments", self._pools["reds_segment"].added(_segment(segment) for segment in kernel.segments)
            yield "segment_count", str(len(kernel.segments))

    def _split(self, kernel: Kernel, halves: Halves) -> str:
        """Return the name of the structure that holds the weights of a kernel in two halves."""
        unsigned = "(const uint8_t *)net_weights"
        values = {"upper": f"{unsigned} + {kernel.offset_bytes}"}
        if halves.lower_bytes is not None:
            values["lower"] = f"{unsigned} + {halves.lower_bytes}"
        else:
            values["lower"] = "0"
        return self._structure("reds_split_weights", values.items())

    def _coded(self, kernel: Kernel, coding: Coding) -> str:
        """Return the name of the structure that holds the weights of a kernel with codebooks or a mask."""
        unsigned, packing = "(const uint8_t *)net_weights", coding.packing
        values = {"values": f"{unsigned} + {kernel.offset_bytes}", "bits": packing.bits, "clusters": packing.clusters}
        if packing.clusters:
            values["codebook"] = f"net_weights + {coding.codebook_bytes}"
        if packing.has_mask:
            values["mask"] = f"{unsigned} + {coding.mask_bytes}"
            values["starts"] = self._pools["int32_t"].added(integers(coding.starts))
        return self._structure("reds_coded_weights", values.items())


def constants_bytes(family: Family, writer: SettingsWriter) -> int:
    """Return the size of all constants of a family but its weights on a 32-bit processor.

    Args:
        family: The family.
        writer: What its source was written with.
    """
    layers = sum(len(member.steps) for member in family.members)
    names = sum(len(member.name) + 1 for member in family.members)
    details = structure_bytes("reds_member") + _DETAILS_BYTES
    of_exits = exits_bytes(family)
    return of_exits + writer.size_bytes + layers * structure_bytes("reds_layer") + len(family.members) * details + names


def _segment(segment: Segment) -> str:
    return f"{{{segment.input}, {segment.weight}, {segment.count}}}"


# --- the header ------------------------------------------------------------------------------------------------------

_HEADER = """\
/* A family of networks that share one array of weights. Generated by reds; see README.md. */
#ifndef REDS_NET_H
#define REDS_NET_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define REDS_NET_MEMBERS {count} /* smallest first, the full network last */
#define REDS_NET_INPUT_SIZE {input_size} /* {input_shape} */
#define REDS_NET_OUTPUT_SIZE {output_size} /* {output_shape} */
#define REDS_NET_ARENA_SIZE {arena} /* bytes for activations, the input included */

{element}

/* What a member is. An integer q of its input or output stands for the real number scale * (q - zero_point). */
typedef struct {{
  const char *name;
  float input_scale;
  int32_t input_zero_point;
  float output_scale;
  int32_t output_zero_point;
  uint32_t arena_size; /* how much of the arena it uses, in bytes */
}} reds_net_member;
extern const reds_net_member reds_net_members[REDS_NET_MEMBERS];

/* Select the member that the next runs compute: 0 for the smallest one. This stores one pointer and takes effect with
 * the next call of net_run, so an interrupt may call it. Returns 0, or -1 if there is no such member. Before the first
 * call, the largest network is selected. */
int net_select(unsigned member);

/* Run the selected member on REDS_NET_INPUT_SIZE integers, which lie at net_input() or anywhere outside of the arena;
 * they are not copied. Returns REDS_NET_OUTPUT_SIZE integers in the arena, which are valid until the next run, or until
 * an input is written to net_input(). */
const {value} *net_run(const {value} *input);

/* Return a place in the arena for the input of the selected member, which saves memory for it elsewhere. A run may
 * write over it, so fill it before each run{input_note}. */
{value} *net_input(void);

/* Return the member that computed the last output, whose scales it has. Before the first run, the largest one. */
unsigned net_member(void);
{exits}
#ifdef __cplusplus
}}
#endif
#endif
"""


_MIXED = """\
#define REDS_NET_MIXED {{{bits}}} /* the bits of an element of inputs and outputs, member by member */
typedef int16_t reds_net_value; /* large enough for an element of any member: int8_t for 8 bits, int16_t for 16 */"""


def header_text(family: Family) -> str:
    """Return the content of `reds_net.h`."""
    full = family.members[-1]
    same = len({member.input_place for member in family.members}) == 1
    return _HEADER.format(
        value=pointed_type(family),
        element=_element_text(family),
        count=len(family.members),
        input_size=math.prod(full.input_shape),
        output_size=math.prod(full.output_shape),
        input_shape=_shape(full.input_shape),
        output_shape=_shape(full.output_shape),
        arena=max(member.arena_bytes for member in family.members),
        input_note="" if same else ", after the member is selected",
        exits=exits_header(family, pointed_type(family)),
    )


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"


# --- the tables ------------------------------------------------------------------------------------------------------

_WEIGHTS = "/* The weights of the full network. Members read parts of its rows. */"
_FUNCTIONS = """\
static {element} net_arena[{arena_size}];

static const reds_member *volatile net_current = &net_programs[REDS_NET_MEMBERS - 1];
static unsigned net_last = REDS_NET_MEMBERS - 1;

int net_select(unsigned member) {{
  if (member >= REDS_NET_MEMBERS) return -1;
  net_current = &net_programs[member];
  return 0;
}}

const {value} *net_run(const {value} *input) {{
  const reds_member *member = net_current; /* read once: a run keeps its member when another one is selected */
  net_last = (unsigned)(member - net_programs);
  return {run};
}}

unsigned net_member(void) {{ return net_last; }}
"""


def source_text(family: Family, writer: SettingsWriter) -> str:
    """Return the content of `reds_net.c`.

    Args:
        family: The family.
        writer: An empty writer, from which the sizes of tables can be read afterwards.
    """
    layers = [_layers_text(index, member, writer) for index, member in enumerate(family.members) if member.steps]
    programs = ",\n".join(
        f"  {{{f'net_layers_{index}' if member.steps else 0}, {len(member.steps)}, {place_text(member.result)}}}"
        for index, member in enumerate(family.members)
    )
    about = ",\n".join(f"  {_about(member)}" for member in family.members)
    kernels = {placed.step.kernel for member in family.members for placed in member.steps}
    header = "reds_wide.h" if any(kernel.startswith("reds_wide_") for kernel in kernels) else "reds_engine.h"
    parts = [
        f'#include "reds_net.h"\n\n#include "{header}"\n',
        *_weights_text(family),
        writer.text + "\n",
        *layers,
        f"static const reds_member net_programs[REDS_NET_MEMBERS] = {{\n{programs}}};\n",
        f"const reds_net_member reds_net_members[REDS_NET_MEMBERS] = {{\n{about}}};\n",
        _functions_text(family),
        _input_text(family),
    ]
    return "\n".join(parts)


def _weights_text(family: Family) -> list[str]:
    array = "static const int8_t net_weights"
    return [_WEIGHTS, array_text(array, list(signed(family.store)))] if family.store else []


def _layers_text(index: int, member: Member, writer: SettingsWriter) -> str:
    rows = "\n".join(
        f"  {_layer(placed, writer)}{',' if place < len(member.steps) else '};'} /* {_comment(placed)} */"
        for place, placed in enumerate(member.steps, start=1)
    )
    return f"static const reds_layer net_layers_{index}[{len(member.steps)}] = {{\n{rows}\n"


def _layer(placed: PlacedStep, writer: SettingsWriter) -> str:
    places = [place_text(place) for place in placed.inputs]
    first, second = (*places, "REDS_NO_INPUT")[:2]
    name = writer.added(placed.step.settings)
    return f"{{{placed.step.kernel}, &{name}, {first}, {second}, {placed.output}}}"


def _comment(placed: PlacedStep) -> str:
    """Return the name of a layer as a comment can hold it."""
    return re.sub(r"[^\w./: -]|/$", "_", placed.step.layer, flags=re.ASCII)[-_NAME_LENGTH:]


def _about(member: Member) -> str:
    def numbers(quantization: Quantization) -> str:
        return f"{floating(quantization.scale)}, {quantization.zero_point}"

    name = "".join(c if c.isprintable() and c.isascii() and c not in '"\\' else "?" for c in member.name)
    return f'{{"{name}", {numbers(member.input)}, {numbers(member.output)}, {member.arena_bytes}}}'


def _functions_text(family: Family) -> str:
    value, element, is_wide = pointed_type(family), value_type(family), family.bits == 16
    arena_size = "REDS_NET_ARENA_SIZE / 2" if is_wide else "REDS_NET_ARENA_SIZE"
    runs_sections = family.most_exits > 1
    member, source = ("&part", "net_source") if runs_sections else ("member", "input")
    run = f"reds_run({member}, {source}, net_arena)"
    if is_wide:
        run = f"(const void *)reds_run({member}, (const int8_t *){source}, (int8_t *)net_arena)"
    if runs_sections:
        return exits_functions(family, value, element, arena_size, run)
    return _FUNCTIONS.format(value=value, element=element, arena_size=arena_size, run=run)


def value_type(family: Family) -> str:
    """Return the type in C of elements of inputs and outputs; the larger one if members have elements of two types."""
    return f"int{family.bits}_t"


def pointed_type(family: Family) -> str:
    """Return the type in C that pointers to inputs and outputs point to."""
    return "void" if family.is_mixed else value_type(family)


def _element_text(family: Family) -> str:
    if not family.is_mixed:
        return f"typedef {value_type(family)} reds_net_value; /* an element of an input or an output */"
    return _MIXED.format(bits=", ".join(str(member.bits) for member in family.members))


def _input_text(family: Family) -> str:
    value = pointed_type(family)
    arena, unit = ("(int8_t *)net_arena", 1) if family.is_mixed else ("net_arena", family.bits // 8)
    places = [str(member.input_place // unit) for member in family.members]
    if len(set(places)) == 1:
        place = "" if places[0] == "0" else f" + {places[0]}"
        return f"{value} *net_input(void) {{ return {arena}{place}; }}\n"
    return (
        f"static const uint32_t net_input_places[REDS_NET_MEMBERS] = {{{', '.join(places)}}};\n\n"
        f"{value} *net_input(void) {{ return {arena} + net_input_places[net_current - net_programs]; }}\n"
    )
