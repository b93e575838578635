"""Writes cases as a C program that runs the kernels and counts the outputs that differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from c_kernels import CODED, Case, Value, fields

MAIN = """
int main(void) {
  int bad = 0;
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct test *t = &cases[i];
    memset(output, 77, sizeof output);
    if (t->before) memcpy(output + 8, t->before, t->size);
    t->run(t->settings, t->first, t->second, output + 8);
    int wrong = memcmp(output + 8, t->expected, t->size) != 0;
    for (int k = 0; k < 8; k++) wrong |= output[k] != 77 || output[8 + t->size + k] != 77;
    if (wrong) printf("%s is wrong in case %u\\n", t->name, i);
    bad += wrong;
  }
  printf("%d of %u cases are wrong\\n", bad, (unsigned)(sizeof cases / sizeof *cases));
  return bad != 0;
}
"""


def program(cases: Sequence[Case]) -> str:
    """The text of a program that exits with 0 where every kernel writes what its case expects, and nothing else."""
    lines = ['#include "reds_engine.h"', "#include <stdio.h>", "#include <string.h>"]
    lines += ["struct test { reds_kernel *run; const char *name; const void *settings;"]
    lines += ["  const int8_t *first, *second, *expected, *before; uint32_t size; };"]
    rows = []
    for i, case in enumerate(cases):
        lines += _structure(f"c{i}", case.structure, case.settings)
        arrays = {"first": case.first, "second": case.second, "expected": case.expected, "before": case.before}
        for name, array in arrays.items():
            if array is not None:
                lines.append(_array(f"c{i}_{name}_", array))
        places = ", ".join("0" if array is None else f"c{i}_{name}_" for name, array in arrays.items())
        rows.append(f'  {{{case.kernel}, "{case.kernel}", &c{i}, {places}, {case.expected.size}}}')
    largest = max(case.expected.size for case in cases)
    lines.append(f"static int8_t output[{largest + 16}];")
    return "\n".join([*lines, "static const struct test cases[] = {", ",\n".join(rows), "};", MAIN])


def _structure(name: str, structure: str, given: dict[str, Value]) -> list[str]:
    """The definition of a structure, after those of the arrays and structures that it refers to."""
    lines, values = [], []
    for field, kind in fields(structure):
        value = given[field]
        if not kind.endswith("*"):
            values.append(f".{field} = {_number(int(value))}")
        elif isinstance(value, dict):
            lines += _structure(f"{name}_{field}", CODED, value)
            values.append(f".{field} = &{name}_{field}")
        elif value is not None:
            lines.append(_array(f"{name}_{field}", value))
            values.append(f".{field} = {name}_{field}")
    return [*lines, f"static const {structure} {name} = {{{', '.join(values)}}};"]


def _number(value: int) -> str:
    return f"({value + 1} - 1)" if value == -(1 << 31) else str(value)


def _array(name: str, value: object) -> str:
    if isinstance(value, list):
        return f"static const reds_segment {name}[] = {{{', '.join(f'{{{a}, {b}, {c}}}' for a, b, c in value)}}};"
    array = np.asarray(value)
    numbers = ", ".join(map(_number, array.ravel().tolist()))
    return f"static const {array.dtype.name}_t {name}[] = {{{numbers}}};"
