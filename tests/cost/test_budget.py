"""Budgets: every unit, exact fractions, names, parallel lists, order, and what is refused."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reds_core.cost.budget import SubnetworkBudget, budgets_from, parse_amount, parse_budgets, smallest_first
from reds_core.cost.resources import RESOURCES
from reds_core.errors import InputError


def capacity(resource: str, text: str, full: int = 10**9) -> int:
    return parse_amount(resource, text).capacity(full)


@pytest.mark.parametrize(
    ("resource", "text", "expected"),
    [
        ("macs", "2", 2),
        ("macs", "1500000", 1_500_000),
        ("macs", "2k", 2_000),
        ("macs", "2.5M", 2_500_000),
        ("macs", "3G", 3 * 10**9),
        ("macs", "0.5k", 500),
        ("macs", "1e6", 10**6),
        ("macs", "1.5E+6", 1_500_000),
        ("macs", ".5M", 500_000),
        ("macs", "2.M", 2_000_000),
        ("params", "64KiB", 65_536),
        ("peak_ram", "1.5MiB", 1_572_864),
        ("peak_ram", "0.1KiB", 102),
        ("params", "2k", 2_000),
        ("latency", "250ns", 250),
        ("latency", "2.5us", 2_500),
        ("latency", "2ms", 2_000_000),
        ("latency", "0.25s", 250_000_000),
        ("latency", "700", 700),
        ("macs", "1", 10**9),
        ("macs", "1.0", 10**9),
        ("macs", "0.25", 250_000_000),
        ("latency", "0.5", 500_000_000),
        ("macs", " 0.5 ", 500_000_000),
        ("macs", "1.9", 1),
        ("macs", "2m", 2_000_000),
        ("macs", "2K", 2_000),
        ("macs", "0.5 M", 500_000),
        ("macs", "2.5 MMAC", 2_500_000),
        ("macs", "1T", 10**12),
        ("params", "64kib", 65_536),
        ("params", "64 KiB", 65_536),
        ("params", "64\u202fKiB", 65_536),
        ("peak_ram", "64KB", 64_000),
        ("peak_ram", "1mb", 1_000_000),
        ("peak_ram", "1Gb", 10**9),
        ("peak_ram", "1GIB", 2**30),
        ("peak_ram", "512B", 512),
        ("latency", "2MS", 2_000_000),
        ("latency", "2µs", 2_000),
        ("latency", "1S", 10**9),
        ("macs", "50%", 500_000_000),
        ("macs", "50 %", 500_000_000),
        ("macs", "100%", 10**9),
        ("macs", "0.5%", 5_000_000),
        ("latency", "12.5%", 125_000_000),
    ],
)
def test_units(resource: str, text: str, expected: int) -> None:
    assert capacity(resource, text) == expected


@pytest.mark.parametrize(
    ("text", "full", "expected"),
    [
        ("0.1", 30, 3),
        ("0.3", 10, 3),
        ("0.7", 10, 7),
        ("0.29", 100, 29),
        ("0.57", 100, 57),
        ("0.35", 20, 7),
        ("0.1", 10**18 + 9, 10**17),
        ("0.999999999999999999", 10**18, 10**18 - 1),
        ("0.9999999999999999999999", 10**18, 10**18 - 1),
        ("0.125", 7, 0),
        ("1", 2**62 - 1, 2**62 - 1),
    ],
)
def test_fractions_are_exact(text: str, full: int, expected: int) -> None:
    assert parse_amount("macs", text).capacity(full) == expected


@given(st.decimals(Decimal("0.000001"), 1, allow_nan=False, places=9), st.integers(1, 2**50))
def test_a_fraction_is_floored_as_a_rational_number(number: Decimal, full: int) -> None:
    assert parse_amount("macs", f"{number:f}").capacity(full) == math.floor(Fraction(number) * full)


@pytest.mark.parametrize(
    ("text", "name", "plain"),
    [
        ("0.5", "50", 0.5),
        ("0.50", "50", 0.5),
        ("1", "100", 1.0),
        ("0.125", "12.5", 0.125),
        ("0.1", "10", 0.1),
        ("5e-1", "50", 0.5),
        ("0.001", "0.1", 0.001),
        ("64KiB", "64KiB", 65536),
        ("2.5M", "2.5M", 2_500_000),
        ("1.9", "1.9", 1.9),
        ("50%", "50", 0.5),
        ("12.5 %", "12.5", 0.125),
        ("100%", "100", 1.0),
        ("64kib", "64kib", 65536),
        ("64 KiB", "64KiB", 65536),
    ],
)
def test_names_and_plain_numbers(text: str, name: str, plain: float) -> None:
    amount = parse_amount("params", text)
    assert amount.name == name
    assert amount.plain == plain
    assert type(amount.plain) is type(plain)


@pytest.mark.parametrize(
    ("resource", "text", "why"),
    [
        ("macs", "", "malformed"),
        ("macs", "half", "malformed"),
        ("macs", "-0.5", "malformed"),
        ("macs", "0.5.1", "malformed"),
        ("macs", "nan", "malformed"),
        ("macs", "inf", "malformed"),
        ("macs", "1_000", "malformed"),
        ("macs", "٣", "malformed"),
        ("macs", "../x", "malformed"),
        ("macs", "1e-999999", "malformed"),
        ("macs", "1e999999999999999999999", "malformed"),
        ("macs", "0." + "0" * 300 + "1", "malformed"),
        ("macs", "0", "not above 0"),
        ("macs", "0.0", "not above 0"),
        ("macs", "0k", "not above 0"),
        ("macs", "2GiB", "unit 'GiB'"),
        ("macs", "2ms", "unit 'ms'"),
        ("macs", "2KiB", "which is not one of macs"),
        ("macs", "2KB", "unit 'KB'"),
        ("macs", "150%", "above 100 % of the full network"),
        ("macs", "0%", "not above 0"),
        ("macs", "50%%", "malformed"),
        ("macs", "%", "malformed"),
        ("latency", "2m", "unit 'm'"),
        ("latency", "2k", "unit 'k'"),
        ("latency", "2KiB", "unit 'KiB'"),
        ("macs", "1e19", "above 2^62"),
        ("macs", "9999999999G", "above 2^62"),
    ],
)
def test_malformed_amounts(resource: str, text: str, why: str) -> None:
    with pytest.raises(InputError, match="budget") as caught:
        parse_amount(resource, text)
    assert why in caught.value.what


@given(st.text(max_size=12))
def test_any_text_is_an_amount_with_a_file_name_or_refused(text: str) -> None:
    try:
        amount = parse_amount("params", text)
    except InputError:
        return
    assert amount.number > 0
    assert amount.name.isascii()
    assert not set(amount.name) - set("0123456789.eE+-kKmMgGtTiIbB")
    assert len(amount.name) < 100


def names(*texts: str) -> list[str]:
    return [b.name for b in parse_budgets(texts)]


def test_lists_go_in_parallel_and_single_values_hold_for_all() -> None:
    budgets = parse_budgets(["macs=0.75,0.5", "peak_ram=64KiB", "params=1k,500"])
    assert [b.name for b in budgets] == ["75", "50"]
    assert [b.capacities({"macs": 1000, "peak_ram": 0, "params": 0}) for b in budgets] == [
        {"macs": 750, "peak_ram": 65536, "params": 1000},
        {"macs": 500, "peak_ram": 65536, "params": 500},
    ]


def test_a_subnetwork_is_named_by_the_first_budget() -> None:
    assert names("peak_ram=64KiB,32KiB", "macs=0.75,0.5") == ["64KiB", "32KiB"]
    assert names("peak_ram=64KiB") == ["64KiB"]
    assert names("macs=0.5", "peak_ram=64KiB") == ["50"]


def test_a_first_budget_that_tells_nothing_apart_leaves_the_naming_to_the_first_list() -> None:
    assert names("peak_ram=64KiB", "macs=0.75,0.5") == ["75", "50"]


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([], "no budget is given"),
        (["macs"], "'macs' is malformed"),
        (["macs="], "'macs=' is malformed"),
        (["=0.5"], "'=0.5' is malformed"),
        (["macs=0.5,"], "malformed"),
        (["macs=0.5,,0.25"], "malformed"),
        (["macs=0.5", "macs=0.25"], "two budgets"),
        (["macs=0.5,0.25", "params=0.5,0.4,0.3"], "different lengths"),
        (["macs=0.5,0.5"], "two budgets are named '50'"),
        (["macs=0.5,5e-1"], "two budgets are named '50'"),
        (["macs=0.5,50%"], "two budgets are named '50'"),
        (["peak_ram=64KiB,64kib"], "two budgets are named '64KiB'"),
        (["macs=0.5", "MACS=0.25"], "resource 'macs' has two budgets"),
    ],
)
def test_malformed_lists(texts: list[str], why: str) -> None:
    with pytest.raises(InputError, match="budget") as caught:
        parse_budgets(texts)
    assert why in caught.value.what


def test_names_of_resources_are_read_in_any_case() -> None:
    assert parse_budgets(["MACS=50%,25%", " Peak_RAM=64kb"]) == parse_budgets(["macs=50%,25%", "peak_ram=64kb"])
    assert budgets_from({"MACs": "50%"})[0].capacities({"macs": 1000}) == {"macs": 500}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ram", "peak_ram"),
        ("Memory", "peak_ram"),
        ("peak-ram", "peak_ram"),
        ("peakram", "peak_ram"),
        ("FLOPs", "macs"),
        ("mcas", "macs"),
        ("size", "params"),
        ("parameters", "params"),
        ("flash", "params"),
        ("time", "latency"),
        ("latancy", "latency"),
    ],
)
def test_unknown_resources_are_refused_with_what_may_be_meant(name: str, meant: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_budgets([f"{name}=64KiB"])
    assert caught.value.what == f"unknown resource '{name}'"
    assert caught.value.fix == f"did you mean '{meant}'? resources: {', '.join(RESOURCES)}"


def test_names_like_no_resource_are_refused_with_all_resources() -> None:
    with pytest.raises(
        InputError,
        match="unknown resource 'bananas'; resources: macs, params, peak_ram, arena, weight_bytes, bops, latency, ",
    ):
        parse_budgets(["bananas=2"])


def test_python_values_are_budgets() -> None:
    expected = parse_budgets(["macs=0.5,0.25", "peak_ram=64KiB", "params=100000"])
    assert budgets_from({"macs": [0.5, 0.25], "peak_ram": "64KiB", "params": 100_000}) == expected
    assert budgets_from({"macs": (0.5, "0.25"), "peak_ram": "64KiB", "params": np.int64(100_000)}) == expected
    assert (
        budgets_from({"macs": np.array([0.5, 0.25]), "peak_ram": "64KiB", "params": 1e5})[0].amounts["macs"].name
        == "50"
    )
    assert budgets_from({"macs": np.float32(0.5)})[0].name == "50"
    assert budgets_from({"macs": 1})[0].name == "100"


@pytest.mark.parametrize("bad", [None, [], [None], {}, True, [True], float("nan"), -1, 0, object(), [[0.5]]])
def test_other_python_values_are_refused(bad: Any) -> None:
    with pytest.raises(InputError, match="budget"):
        budgets_from({"macs": bad})


def ordered(full: dict[str, int], *texts: str) -> list[str]:
    return [b.name for b in smallest_first(parse_budgets(texts), full)]


def test_budgets_are_ordered_smallest_first_across_units() -> None:
    assert ordered({"macs": 1000}, "macs=0.75,0.25,500") == ["25", "500", "75"]


def test_budgets_that_are_not_ordered_alike_are_refused() -> None:
    with pytest.raises(InputError, match="'25' and '75' are not ordered alike: the smaller allows more params"):
        ordered({"macs": 1000, "params": 100}, "macs=0.75,0.25", "params=0.2,0.3")


def test_equal_entries_in_one_resource_are_no_disorder() -> None:
    assert ordered({"macs": 1000, "params": 100}, "macs=0.75,0.25", "params=0.3,0.3") == ["25", "75"]
    assert ordered({"macs": 10, "params": 100}, "macs=0.51,0.5", "params=0.2,0.3") == ["51", "50"], "both floor to 5"


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1, max_size=5, unique_by=lambda p: p[0]))
def test_smallest_first_returns_a_chain_or_refuses(points: list[tuple[int, int]]) -> None:
    columns = {"macs": [f"{a / 100}" for a, _ in points], "params": [f"{b / 100}" for _, b in points]}
    full = {"macs": 100, "params": 100}
    budgets = budgets_from(columns)
    is_chain = all((a < c) == (b < d) or b == d for a, b in points for c, d in points if a != c)
    if not is_chain:
        with pytest.raises(InputError, match="not ordered alike"):
            smallest_first(budgets, full)
        return
    capacities = [b.capacities(full) for b in smallest_first(budgets, full)]
    assert capacities == sorted(capacities, key=lambda c: (c["macs"], c["params"]))


def test_capacities_are_of_the_named_resources_only() -> None:
    budget = SubnetworkBudget("x", {"macs": parse_amount("macs", "0.5")})
    assert budget.capacities({"macs": 9, "params": 7}) == {"macs": 4}
