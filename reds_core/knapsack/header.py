"""The JSON header of a problem file, `reds-problem/1` or `reds-problem/2`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from reds_core.knapsack.levels import Dimension, Nesting
from reds_core.system.records import LEFT_OUT, JsonSource, from_plain

FORMAT = "reds-problem/1"
"""The format of problems whose options are widths alone."""
FORMAT_WITH_LEVELS = "reds-problem/2"
"""The format of problems whose options are rows of levels."""


@dataclass(frozen=True)
class StepHeader:
    """One step of a peak resource. Its costs are the arrays `peak/R/S/G`.

    Attributes:
        base: what the step uses whatever the choice.
        groups: names of the groups that take part.
    """

    base: int = field(default=0, kw_only=True)
    groups: tuple[str, ...]


@dataclass(frozen=True)
class ResourceHeader:
    """One resource. Its costs are the arrays `cost/R/G`, `pair_cost/R/K` and `peak/R/S/G`.

    Attributes:
        name: name of the resource.
        kind: `sum` adds what all groups and pairs use; `peak` takes the most over its steps.
        capacity: the most that a choice may use.
        base: of a sum: what is used whatever the choice.
        steps: the steps of a peak, which uses what the greatest of them uses.
    """

    name: str
    kind: Literal["sum", "peak"]
    capacity: int
    base: int | None = field(default=None, metadata={LEFT_OUT: True})
    steps: tuple[StepHeader, ...] | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class ProblemHeader:
    """The header of a problem file.

    Attributes:
        name: name of the problem.
        groups: names, in the order of a choice.
        pairs: the two groups of each pair, by name.
        resources: the resources, each with its capacity.
        bilinear: one entry a pair: coefficients of the product of both widths, by sum resource.
        floors: the least option index of each group that has such a bound, inclusive.
        ceilings: the greatest option index of each group that has such a bound, inclusive.
    """

    format: str = field(default=FORMAT, kw_only=True)
    name: str
    groups: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    resources: tuple[ResourceHeader, ...]
    bilinear: tuple[Mapping[str, int], ...] | None = None
    floors: Mapping[str, int] | None = field(default=None, metadata={LEFT_OUT: True})
    ceilings: Mapping[str, int] | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class LevelsHeader(ProblemHeader):
    """The header of a problem file of version 2, which has groups whose options are rows of levels.

    Attributes:
        levels: what the columns of the array `level/G` decide, by group. The options of groups that are not named are
            widths alone.
        nesting: which levels the members of a family may have, for each kind of dimension. Widths are `rising` unless
            stated otherwise.
    """

    format: str = field(default=FORMAT_WITH_LEVELS, kw_only=True)
    levels: Mapping[str, tuple[Dimension, ...]] = field(default_factory=dict)
    nesting: Mapping[str, Nesting] = field(default_factory=dict)


HEADERS: Mapping[str, type[ProblemHeader]] = {FORMAT: ProblemHeader, FORMAT_WITH_LEVELS: LevelsHeader}
"""The header of each version of the format."""

_MAY_BE_EMPTY = ("bilinear", "floors", "ceilings")


class _HeaderSource(JsonSource):
    """JSON in which whole numbers may be written as 3.0, and in which unknown keys are ignored."""

    def fields(self, value: Any, wanted: type) -> Mapping[str, Any]:
        known = {each.name for each in fields(wanted)}
        return {key: each for key, each in super().fields(value, wanted).items() if key in known}

    def scalar(self, value: Any, wanted: type) -> Any:
        is_whole_float = wanted is int and isinstance(value, float) and value.is_integer()
        return int(value) if is_whole_float else super().scalar(value, wanted)


def read_header(content: Mapping[str, Any]) -> ProblemHeader:
    """Read a header from a JSON object, which names one of the known formats.

    As other programs write it loosely, a name may be of any type, and the optional parts may be empty in any form.

    Raises:
        TypeError, ValueError: if a field is missing or invalid; the message names it.
    """
    given = {key: part for key, part in content.items() if part or key not in _MAY_BE_EMPTY}
    if "name" in given:
        given["name"] = str(given["name"])
    header: ProblemHeader = from_plain(HEADERS[content["format"]], given, _HeaderSource)
    return header
