"""Figures as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_plans import (
    THIN,
)

from reds_core.report import units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (units.count(1234567), "1 234 567"),
        (units.count(None), "–"),
        (units.MACS.text(999), "999 MAC"),
        (units.MACS.text(999_400), "999 kMAC"),
        (units.MACS.text(999_600), "1.00 MMAC"),
        (units.MACS.text(999_999), "1.00 MMAC"),
        (units.MACS.text(2_656_768), "2.66 MMAC"),
        (units.BYTES.text(1023), "1 023 B"),
        (units.BYTES.text(1024), "1.00 KiB"),
        (units.BYTES.text(23_756), "23.2 KiB"),
        (units.BYTES.text(float("nan")), "–"),
        (units.percent(0.9437), "94.4 %"),
        (units.small_percent(0.0), "0 %"),
        (units.small_percent(0.0031), "0.31 %"),
        (units.small_percent(0.0095), "0.95 %"),
        (units.small_percent(0.00996), "1.0 %"),
        (units.small_percent(0.000034), "0.0034 %"),
        (units.small_percent(1e-9), "< 0.001 %"),
        (units.small_percent(0.123), "12.3 %"),
        (units.small_percent(9.9994), "999.9 %"),
        (units.small_percent(653.2714), "65 327 %"),
        (units.points(-0.0123), "−1.2"),
        (units.points(0.0), "±0.0"),
        (units.points(-0.0001), "±0.0"),
        (units.two_decimals(-0.001), "0.00"),
        (units.two_decimals(-1.204), "−1.20"),
        (units.seconds(0.0123), "12.3 ms"),
        (units.seconds(0.0), "0 s"),
        (units.seconds(59.6), "1 min"),
        (units.seconds(130), "2 min 10 s"),
        (units.seconds(3599.7), "1 h"),
        (units.seconds(3900), "1 h 5 min"),
        (units.seconds(None), "–"),
        (units.budget_text("macs", 0.125), "≤ 12.5 %"),
        (units.budget_text("latency", 2_000_000), "≤ 2.00 ms"),
        (units.shortened("a" * 30, 11), "aaaaa…aaaaa"),
        (units.listed(("a", "b", "c", "d", "e")), "a, b, c and 2 more"),
        (units.listed(("a", "b", "c", "d")), "a, b, c, d"),
        (units.setting([0.5, True, None, {"a": 1}]), "0.5, yes, –, a=1"),
    ],
)
def test_units(text: str, expected: str) -> None:
    assert text.replace(THIN, " ") == expected


@given(st.integers(1, 2**62), st.sampled_from([units.MACS, units.BYTES, units.NANOSECONDS]))
def test_a_scaled_amount_reads_back_to_half_a_percent(number: int, scale: units.Scale) -> None:
    *figure, unit = scale.text(number).split(THIN)
    shown = float("".join(figure))
    assert shown * scale.step ** scale.units.index(unit) == pytest.approx(number, rel=0.0051)
    assert shown < scale.step or unit == scale.units[-1]


@given(st.text(max_size=40), st.integers(3, 12))
def test_a_printable_text_can_be_written_and_shortened(text: str, limit: int) -> None:
    shown = units.printable(text)
    shown.encode("utf-8")
    assert not any(ord(c) < 32 for c in shown)
    assert len(units.shortened(text, limit)) <= limit
    if text.isprintable():
        assert shown == text


def test_names_cannot_command_a_terminal() -> None:
    """Names of layers come from files of others."""
    assert units.on_terminal(f"evil\x1b]0;owned\x07\nnext 5{THIN}%") == "evil\\x1b]0;owned\\x07\nnext 5 %"
