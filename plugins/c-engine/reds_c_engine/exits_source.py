"""What `reds_net.h` and `reds_net.c` hold beside the rest if members have early exits."""

from __future__ import annotations

import math

from reds_c_engine.c_text import floating, place_text
from reds_c_engine.records import Exit, Family

EXIT_BYTES, EXIT_DETAILS_BYTES = 8, 8
"""The size of `net_exit` and of `reds_net_exit`."""
_COUNT_BYTES = 1

_HEADER = """\
#define REDS_NET_EXITS {most} /* the most exits of a member: outputs after which a run can end, its own the last one */

/* What an output is: an integer q of it stands for the real number scale * (q - zero_point). */
typedef struct {{
  float scale;
  int32_t zero_point;
}} reds_net_exit;
extern const reds_net_exit reds_net_exits[REDS_NET_MEMBERS][REDS_NET_EXITS];
extern const uint8_t reds_net_exit_counts[REDS_NET_MEMBERS]; /* the number of exits of each member */

/* Run the selected member up to its first exit. Returns REDS_NET_OUTPUT_SIZE integers in the arena, which are valid
 * until the next call. The input must stay as it is until the last exit, unless it lies at net_input(). */
const {value} *net_begin(const {value} *input);

/* Run on to the next exit of the member that began; nothing is computed again. Returns its output, or NULL if the last
 * output was that of the member itself, which is then still valid. net_run computes no output but the last one. */
const {value} *net_continue(void);

/* Return which exit computed the last output, 0 for the first one. */
unsigned net_exit(void);
"""

_FUNCTIONS = """\
typedef struct {{
  uint16_t trunk, head; /* layers from the exit before: those that the last exit needs as well, then the others */
  uint32_t result;      /* the place of the output in the arena in bytes */
}} net_section;

static const net_section net_sections[REDS_NET_MEMBERS][REDS_NET_EXITS] = {{
{sections}}};
const reds_net_exit reds_net_exits[REDS_NET_MEMBERS][REDS_NET_EXITS] = {{
{exits}}};
const uint8_t reds_net_exit_counts[REDS_NET_MEMBERS] = {{{counts}}};

static {element} net_arena[{arena_size}];

static const reds_member *volatile net_current = &net_programs[REDS_NET_MEMBERS - 1];
static unsigned net_last = REDS_NET_MEMBERS - 1, net_last_exit = REDS_NET_EXITS;
static const reds_layer *net_next; /* where net_continue goes on */
static const {value} *net_source;

int net_select(unsigned member) {{
  if (member >= REDS_NET_MEMBERS) return -1;
  net_current = &net_programs[member];
  return 0;
}}

static const {value} *net_part(unsigned count, uint32_t result) {{
  const reds_member part = {{net_next, (uint16_t)count, result}};
  return {run};
}}

static void net_start(const {value} *input) {{
  const reds_member *member = net_current; /* read once: a run keeps its member when another one is selected */
  net_last = (unsigned)(member - net_programs);
  net_last_exit = 0;
  net_next = member->layers;
  net_source = input;
}}

static const {value} *net_to_exit(void) {{
  const net_section *section = &net_sections[net_last][net_last_exit];
  const unsigned count = (unsigned)section->trunk + section->head;
  const {value} *output = net_part(count, section->result);
  net_next += count;
  return output;
}}

const {value} *net_begin(const {value} *input) {{
  net_start(input);
  return net_to_exit();
}}

const {value} *net_continue(void) {{
  if (net_last_exit + 1u >= reds_net_exit_counts[net_last]) return 0;
  net_last_exit++;
  return net_to_exit();
}}

const {value} *net_run(const {value} *input) {{
  net_start(input);
  for (;; net_last_exit++) {{
    const net_section *section = &net_sections[net_last][net_last_exit];
    const {value} *output = net_part(section->trunk, section->result);
    if (net_last_exit + 1u == reds_net_exit_counts[net_last]) return output;
    net_next += (unsigned)section->trunk + section->head;
  }}
}}

unsigned net_member(void) {{ return net_last; }}

unsigned net_exit(void) {{ return net_last_exit; }}
"""

_MARGIN_HEADER = """\

/* Return the difference between the two largest integers of an output. Times its scale, it is the margin between the
 * two most likely classes. */
int32_t net_margin(const {value} *output);
"""
_MARGIN = """\

int32_t net_margin(const {value} *output) {{
  int32_t first = INT32_MIN, second = INT32_MIN;
  for (uint32_t i = 0; i < REDS_NET_OUTPUT_SIZE; i++) {{
    if (output[i] > first) {{
      second = first;
      first = output[i];
    }} else if (output[i] > second) {{
      second = output[i];
    }}
  }}
  return first - second;
}}
"""
_MIXED_MARGIN = """\

int32_t net_margin(const void *output) {{
  static const uint8_t bits[] = REDS_NET_MIXED;
  int32_t first = INT32_MIN, second = INT32_MIN;
  for (uint32_t i = 0; i < REDS_NET_OUTPUT_SIZE; i++) {{
    const int32_t value = bits[net_last] == 8 ? ((const int8_t *)output)[i] : ((const int16_t *)output)[i];
    if (value > first) {{
      second = first;
      first = value;
    }} else if (value > second) {{
      second = value;
    }}
  }}
  return first - second;
}}
"""


def exits_header(family: Family, value: str) -> str:
    """Return what the header declares for early exits; empty if no member has any.

    Args:
        family: The family.
        value: The type in C that pointers to inputs and outputs point to.
    """
    if family.most_exits == 1:
        return ""
    text = _HEADER + (_MARGIN_HEADER if _has_margin(family) else "")
    return "\n" + text.format(most=family.most_exits, value=value)


def exits_functions(family: Family, value: str, element: str, arena_size: str, run: str) -> str:
    """Return the tables of exits and the functions that run members of which some have early exits.

    Args:
        family: The family.
        value: The type in C that pointers to inputs and outputs point to.
        element: The type in C of the elements of the arena.
        arena_size: The number of these in the arena.
        run: The expression that runs the layers of `part` on `net_source`.
    """
    members = family.members
    text = _FUNCTIONS + ("" if not _has_margin(family) else _MIXED_MARGIN if family.is_mixed else _MARGIN)
    return text.format(
        sections=_rows([[_section(each) for each in member.exits] for member in members]),
        exits=_rows([[_details(each) for each in member.exits] for member in members]),
        counts=", ".join(str(len(member.exits)) for member in members),
        value=value,
        element=element,
        arena_size=arena_size,
        run=run,
    )


def exits_bytes(family: Family) -> int:
    """Return the size of the tables of exits."""
    if family.most_exits == 1:
        return 0
    return len(family.members) * (family.most_exits * (EXIT_BYTES + EXIT_DETAILS_BYTES) + _COUNT_BYTES)


def _has_margin(family: Family) -> bool:
    return math.prod(family.members[-1].output_shape) > 1


def _rows(rows: list[list[str]]) -> str:
    return ",\n".join(f"  {{{', '.join(row)}}}" for row in rows)


def _section(exit_: Exit) -> str:
    return f"{{{exit_.section.trunk}, {exit_.section.head}, {place_text(exit_.result)}}}"


def _details(exit_: Exit) -> str:
    return f"{{{floating(exit_.output.scale)}, {exit_.output.zero_point}}}"
