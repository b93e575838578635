"""Records as JSON and back; null where a figure does not exist; what does not fit is refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reds_core.cost.latency_table import LatencySettings
from reds_core.errors import InputError
from reds_core.system.records import INLINE, LEFT_OUT, from_plain, parse_json, to_json, to_json_line


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    number: int
    text: str = "x"


@dataclass(frozen=True)
class Record:
    count: int
    share: float
    name: str
    flag: bool
    colour: Colour
    maybe: int | None
    sizes: tuple[int, ...]
    inner: Inner
    many: tuple[Inner, ...]
    table: Mapping[str, tuple[float, ...]]
    anything: Any = None


inners = st.builds(Inner, st.integers(), st.text())
finite = st.floats(allow_nan=False, allow_infinity=False)
records = st.builds(
    Record,
    st.integers(),
    finite,
    st.text(),
    st.booleans(),
    st.sampled_from(Colour),
    st.none() | st.integers(),
    st.lists(st.integers()).map(tuple),
    inners,
    st.lists(inners, max_size=3).map(tuple),
    st.dictionaries(st.text(), st.lists(finite, max_size=3).map(tuple), max_size=3),
    st.none() | st.lists(st.integers(), max_size=2),
)


@given(records)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert from_plain(Record, json.loads(to_json(record))) == record


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf")])
def test_numbers_that_are_not_finite_are_null_wherever_they_stand(number: float) -> None:
    content = {"a": number, "b": [number, 1.5], "c": {"d": (number,)}, "e": Inner(1, str(1))}
    assert json.loads(to_json(content)) == {
        "a": None,
        "b": [None, 1.5],
        "c": {"d": [None]},
        "e": {"number": 1, "text": "1"},
    }


@pytest.mark.parametrize(
    ("value", "text"), [(np.int64(3), "3"), (np.float32(0.5), "0.5"), (np.bool_(True), "true"), (np.str_("a"), '"a"')]
)
def test_numbers_of_numpy_are_numbers(value: Any, text: str) -> None:
    assert to_json(value) == text + "\n"


def test_whole_numbers_stand_for_real_ones_but_not_the_other_way_round() -> None:
    assert from_plain(float, 3) == 3
    with pytest.raises(TypeError):
        from_plain(int, 3.0)


GOOD: dict[str, Any] = {
    "count": 1,
    "share": 0.5,
    "name": "n",
    "flag": True,
    "colour": "red",
    "maybe": None,
    "sizes": [1],
    "inner": {"number": 1},
    "many": [{"number": 1}],
    "table": {"a": [1.0]},
}


def test_a_field_that_says_nothing_can_be_left_out() -> None:
    @dataclass(frozen=True)
    class Spare:
        figure: int
        remark: str | None = field(default=None, metadata={LEFT_OUT: True})

    assert json.loads(to_json([Spare(1), Spare(2, "two")])) == [{"figure": 1}, {"figure": 2, "remark": "two"}]


def test_defaults_fill_what_is_left_out() -> None:
    assert from_plain(Record, GOOD).inner == Inner(1, "x")


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        *(("count", wrong) for wrong in (None, "1", 1.5, True, [1])),
        *(("share", wrong) for wrong in (None, "1", False, [1])),
        *(("name", wrong) for wrong in (None, 1, ["n"])),
        *(("flag", wrong) for wrong in (None, 1, "true")),
        *(("colour", wrong) for wrong in (None, "green", 1)),
        ("maybe", "1"),
        *(("sizes", wrong) for wrong in (None, 1, ["1"], {"0": 1})),
        *(("inner", wrong) for wrong in (None, 1, {}, {"number": "1"}, {"number": 1, "more": 2}, [1])),
        *(("many", wrong) for wrong in (None, {}, [1])),
        *(("table", wrong) for wrong in (None, [], {"a": 1.0}, {"a": ["1"]})),
        ("unknown", 1),
    ],
)
def test_what_does_not_fit_is_refused(key: str, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)):
        from_plain(Record, GOOD | {key: wrong})


def test_what_is_missing_is_refused() -> None:
    for key in GOOD:
        with pytest.raises((TypeError, ValueError, KeyError)):
            from_plain(Record, {k: v for k, v in GOOD.items() if k != key})


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "{", "", b"\xff", "1" * 5000])
def test_whatever_is_no_json_is_one_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


@dataclass(frozen=True)
class _Open:
    """A record whose figures stand beside its name."""

    name: str
    figures: Mapping[str, int] = field(default_factory=dict, metadata={INLINE: True})
    note: str | None = None


def test_entries_of_an_inline_mapping_stand_beside_the_fields() -> None:
    record = _Open("a", {"x": 1, "y": 2}, "n")
    text = to_json(record)
    assert parse_json(text) == {"name": "a", "x": 1, "y": 2, "note": "n"}
    assert from_plain(_Open, parse_json(text)) == record
    assert from_plain(_Open, {"name": "a"}) == _Open("a")
    for wrong in ({"name": "a", "x": "1"}, {"name": "a", "figures": {"x": 1}}):
        with pytest.raises(TypeError):
            from_plain(_Open, wrong)


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": "1"}, "count: '1' is not a whole number"),
        ({"count": True}, "count: True is not a whole number"),
        ({"count": 3.0}, "count: 3.0 is not a whole number"),
        ({"share": math.nan}, "share: nan is not a finite number"),
        ({"share": math.inf}, "share: inf is not a finite number"),
        ({"flag": 1}, "flag: 1 is not true or false"),
        ({"colour": "green"}, "colour: 'green' is neither red nor blue"),
        ({"inner": {}}, "field 'inner.number' is missing"),
        ({"inner": {"number": 1, "more": 2}}, "inner: field 'more' is unknown"),
        ({"inner": [1]}, "inner: [1] is not an object"),
        ({"more": 2}, "field 'more' is unknown"),
        ({"many": [{"number": 1}, {"number": None}]}, "many[1].number: None is not a whole number"),
        ({"table": {"a/b": [1.0, "x"]}}, "table['a/b'][1]: 'x' is not a number"),
        ({"sizes": "12"}, "sizes: '12' is not a list"),
    ],
)
def test_errors_name_the_field_and_what_is_wrong_with_it(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as error:
        from_plain(Record, GOOD | changes)
    assert str(error.value) == message


def test_a_record_that_refuses_its_fields_says_so_itself() -> None:
    with pytest.raises(InputError, match="the number of repeats 5 is below 10; give 10 or more"):
        from_plain(Mapping[str, LatencySettings], {"a": {"repeats": 5}})


@pytest.mark.parametrize("text", ["NaN", '{"a": [Infinity]}', "-Infinity"])
def test_what_is_not_finite_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number in JSON"):
        parse_json(text)


def test_whole_numbers_stay_whole_where_real_ones_are_expected() -> None:
    """Else a file that is read and written again would change, and with it its digest."""
    table = from_plain(Mapping[str, float], {"a": 10**17 + 1, "b": 1.0})
    assert to_json_line(table) == '{"a": 100000000000000001, "b": 1.0}\n'


@dataclass(frozen=True)
class Pairs:
    pairs: tuple[tuple[str, int], ...]
    kind: Literal["sum", "peak"] = "sum"


def test_tuples_of_a_fixed_length() -> None:
    assert from_plain(Pairs, {"pairs": [["a", 1]]}) == Pairs((("a", 1),))
    for wrong, message in (
        ([["a"]], "pairs[0]: there are 1 items, not 2"),
        ([["a", "b"]], "pairs[0]: 'b' is not a whole number"),
        (["ab"], "pairs[0]: 'ab' is not a list"),
    ):
        with pytest.raises((TypeError, ValueError)) as error:
            from_plain(Pairs, {"pairs": wrong})
        assert str(error.value) == message
    with pytest.raises(TypeError, match="kind: 'max' is neither sum nor peak"):
        from_plain(Pairs, {"pairs": [], "kind": "max"})


def test_commands_that_read_no_files_do_not_import_the_library_that_reads_them() -> None:
    code = "import sys, reds_core.cli, reds_core.registry; print(sorted({'cattrs', 'attr', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
