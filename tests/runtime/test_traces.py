"""Traces: what is read, what is refused, and what is generated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reds_core.errors import InputError
from reds_core.runtime import GENERATED, TraceSettings, generate_trace, read_trace
from reds_core.runtime.generated import clear_sky

HEADER = "time_s,harvest_mW,deadline_ms,temperature_C"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "t.csv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def test_columns_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "x,20,1.5,7,10,2",
        "y,21,2.5,8,12,0",
        header="note,temperature_C,harvest_mW, deadline_ms,time_s,requests",
    )
    trace = read_trace(path)
    assert (trace.step_s, trace.start_s, trace.steps, trace.duration_s) == (2.0, 10.0, 2, 4.0)
    assert trace.harvest_mW.tolist() == [1.5, 2.5]
    assert trace.deadline_ms.tolist() == [7, 8]
    assert trace.temperature_C.tolist() == [20, 21]
    assert trace.requests.tolist() == [2, 0]


def test_one_request_arrives_in_each_step_unless_the_trace_says_otherwise(tmp_path: Path) -> None:
    assert read_trace(written(tmp_path, "0,1,2,3", "1,1,2,3", "2,1,2,3")).requests.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((), "has no row; give at least 2"),
        (("0,1,2,3",), "has one row only; give at least 2"),
        (("0,1,2,3", "1,nan,2,3"), "has nan as harvest_mW in row 3; give a number from 0"),
        (("0,1,2,3", "1,inf,2,3"), "has inf as harvest_mW in row 3"),
        (("0,1,2,3", "1,-1,2,3"), "has -1 as harvest_mW in row 3"),
        (("0,1,2,3", "1,1,2,-300"), "has -300 as temperature_C in row 3"),
        (("0,1,2,3", "1,,2,3"), "has nothing as harvest_mW in row 3; give a number in every row"),
        (("0,1,2,3", "1,1,2"), "has nothing as temperature_C in row 3"),
        (("0,1,2,3", "1,much,2,3"), "has 'much' as harvest_mW in row 3"),
        (("0,1,2,3", "1,1,2,3", "1,1,2,3"), "goes from 1 s to 1 s in row 4; give rows in the order"),
        (("0,1,2,3", "5,1,2,3", "2,1,2,3"), "goes from 5 s to 2 s in row 4"),
        (("0,1,2,3", "1,1,2,3", "2,1,2,3", "9,1,2,3"), "has a gap of 7 s before row 5, where other steps take 1 s"),
        (("0,1,2,3", "1,1,2,3", "3,1,2,3"), "has a gap of 2 s before row 4, where other steps take 1 s"),
        (("0,1,2,3", "2,1,2,3", "4,1,2,3", "5,1,2,3"), "has a shorter step of 1 s before row 5"),
    ],
)
def test_bad_traces_are_refused_in_a_sentence(tmp_path: Path, rows: tuple[str, ...], reason: str) -> None:
    with pytest.raises(InputError) as caught:
        read_trace(written(tmp_path, *rows))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_times_may_count_from_1970_and_fields_may_be_quoted(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "1764424800,1,2,3", "1764424860,1,2,3"))
    assert (trace.start_s, trace.step_s) == (1764424800.0, 60.0)
    assert read_trace(written(tmp_path, '"0","1","2","3"', '"1","1","2","3"', "")).steps == 2


def test_empty_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    """So that messages name lines as an editor does."""
    assert read_trace(written(tmp_path, "0,1,2,3", "", "1,1,2,3", header=f"\n\n{HEADER}")).steps == 2
    for rows, reason in (
        (("", "0,1,2,3", "", "1,-1,2,3"), "has -1 as harvest_mW in row 5"),
        (("0,1,2,3", "", "1,much,2,3"), "has 'much' as harvest_mW in row 4"),
        (("0,1,2,3", "", "1,1,2,3", "", "1,1,2,3"), "goes from 1 s to 1 s in row 6"),
    ):
        with pytest.raises(InputError, match=reason):
            read_trace(written(tmp_path, *rows))


def test_files_without_the_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no column deadline_ms and no column temperature_C; give a CSV file with"):
        read_trace(written(tmp_path, "0,1", header="time_s,harvest_mW"))
    with pytest.raises(InputError, match="has two columns time_s"):
        read_trace(written(tmp_path, "0,1,2,3,4", header=f"{HEADER},time_s"))
    with pytest.raises(InputError, match=r"has 1.5 requests in row 2"):
        read_trace(written(tmp_path, "0,1,2,3,1.5", "1,1,2,3,1", header=f"{HEADER},requests"))
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(InputError, match="is empty"):
        read_trace(empty)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="cannot be read"):
        read_trace(binary)
    with pytest.raises(InputError, match="cannot be read"):
        read_trace(tmp_path)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_traces_have_the_mean_power_and_the_load_that_is_asked_for(name: str) -> None:
    settings = TraceSettings(5.0, 400.0, duration_s=86_400.0, step_s=10.0, seed=3)
    trace = generate_trace(name, settings)
    assert trace.steps == 8640
    assert trace.harvest_mW.min() >= 0
    assert trace.harvest_mW.mean() == pytest.approx(5.0)
    assert trace.requests.mean() == pytest.approx(1.0, rel=0.1)
    assert trace.deadline_ms.min() == 400.0
    again = generate_trace(name, settings)
    assert all(
        np.array_equal(getattr(trace, c), getattr(again, c))
        for c in ("harvest_mW", "deadline_ms", "temperature_C", "requests")
    )
    other = generate_trace(name, TraceSettings(5.0, 400.0, 86_400.0, 10.0, seed=4))
    assert (name == "constant") == bool(
        np.array_equal(trace.harvest_mW, other.harvest_mW) and np.array_equal(trace.requests, other.requests)
    )


@pytest.mark.parametrize("seed", range(4))
def test_bursts_come_and_go_until_the_end_of_a_trace(seed: int) -> None:
    """Their lengths are drawn until they cover the trace, also if many of them are short."""
    trace = generate_trace("bursts", TraceSettings(5.0, 400.0, 90 * 86_400.0, 10.0, seed))
    last_hour = trace.requests[-360:]
    assert (last_hour > 0).any()
    assert (last_hour == 0).any()


def test_the_sun_shines_by_day_and_highest_at_noon() -> None:
    hours = np.arange(24.0)
    irradiance = clear_sky(hours * 3600)
    assert irradiance.argmax() == 12
    assert (irradiance[:6] == 0).all()
    assert (irradiance[19:] == 0).all()
    assert irradiance[12] == pytest.approx(1098 * 0.678 * np.exp(-0.057 / 0.678), rel=0.02)
    np.testing.assert_allclose(irradiance[7:12], irradiance[17:12:-1], rtol=0.01)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"step_s": 0.0}, "a step cannot take 0 s"),
        ({"duration_s": 1.0}, "a trace of 1 s cannot be made of steps of 1 s"),
        ({"duration_s": float("inf")}, "steps"),
        ({"duration_s": float("nan")}, "steps"),
        ({"step_s": float("nan")}, "a step cannot take nan s"),
        ({"mean_mW": -1.0}, "-1 mW cannot be harvested"),
        ({"deadline_ms": 0.0}, "a deadline cannot be 0 ms"),
        ({"seed": -1}, "seed -1 is below 0"),
    ],
)
def test_settings_of_generated_traces_are_checked(changes: dict[str, float], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        TraceSettings(**{"mean_mW": 1.0, "deadline_ms": 1.0} | changes)
