"""The constants of governors for devices: `reds_governor_config.h`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reds_core.runtime.compiled import LARGEST_FAMILY
from reds_core.runtime.laws import Law, ProportionalIntegralLaw, ThresholdLaw
from reds_core.runtime.operating_points import Figures

CONSTANTS_FILE = "reds_governor_config.h"


def constants_text(
    laws: Mapping[str, Law], names: Sequence[str], members: Sequence[Figures], numbers: Sequence[int]
) -> str | None:
    """Return the constants of the governors that `reds_governor.c` implements.

    None if there are none, or more members than it can number.

    Args:
        laws: The laws of governors by their names.
        names: The names of the members.
        members: Their figures.
        numbers: Their numbers in an export of the whole family for the C engine.
    """
    parts = [_law(law) for law in laws.values() if isinstance(law, ThresholdLaw | ProportionalIntegralLaw)]
    if not parts or len(members) > LARGEST_FAMILY:
        return None
    costs = "\n".join(
        f"  {{INT64_C({member.energy_nJ}), INT64_C({member.latency_us})}}, /* {place}: {_comment(name)} */"
        for place, (name, member) in enumerate(zip(names, members, strict=True))
    )
    rungs = next(law.rungs for law in laws.values() if isinstance(law, ThresholdLaw | ProportionalIntegralLaw))
    choices = "{reds_member_costs, reds_rungs, " + f"{len(members)}, {len(rungs)}" + "}"
    return (
        "/* Constants of governors for a family and a battery, written by `reds simulate`. */\n"
        "#ifndef REDS_GOVERNOR_CONFIG_H\n#define REDS_GOVERNOR_CONFIG_H\n"
        '#include "reds_governor.h"\n\n'
        "/* energy in nJ and latency in us of each member */\n"
        f"static const reds_member_cost reds_member_costs[] = {{\n{costs}\n}};\n"
        "/* the number of each member for net_select, in an export of the whole family for the C engine */\n"
        f"static const unsigned reds_networks[] = {{{', '.join(map(str, numbers))}}};\n"
        f"static const uint8_t reds_rungs[] = {{{', '.join(map(str, rungs))}}};\n"
        f"#define REDS_CHOICES {choices}\n\n" + "\n".join(parts) + "\n#endif\n"
    )


def _law(law: ThresholdLaw | ProportionalIntegralLaw) -> str:
    if isinstance(law, ProportionalIntegralLaw):
        target = f"INT64_C({law.target_nJ})"
        return f"static const reds_pi reds_pi_law = {{REDS_CHOICES, {target}, {law.shift}}};\n"
    # an array of C has at least one entry
    rising, falling = (
        ", ".join(f"INT64_C({charge})" for charge in charges or (0,)) for charges in (law.rising_nJ, law.falling_nJ)
    )
    return (
        f"static const int64_t reds_rising_nJ[] = {{{rising}}};\n"
        f"static const int64_t reds_falling_nJ[] = {{{falling}}};\n"
        "static const reds_threshold reds_threshold_law = {REDS_CHOICES, reds_rising_nJ, reds_falling_nJ};\n"
    )


def _comment(name: str) -> str:
    return name.replace("*/", "* /")
