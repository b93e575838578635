"""Records read back as written, and as a table; claims that others refute are shown as such."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pandas
import pytest
from bench_tools import Place
from hypothesis import given, settings
from hypothesis import strategies as st

import reds_core
from reds_core.bench.reader import judged_records, read_records, records_frame
from reds_core.bench.record import Contender, ProblemFacts, SolveOutcome, SolveRecord
from reds_core.bench.record_file import opened
from reds_core.errors import InputError
from reds_core.knapsack.levels import LevelSettings
from reds_core.knapsack.solution import Limit, Status
from reds_core.system.machine import Machine

whole = st.integers(-(2**62), 2**62)
text = st.text(max_size=20)
seconds = st.floats(0, 1e6)


def records() -> st.SearchStrategy[SolveRecord]:
    return st.builds(
        SolveRecord,
        problem=st.builds(
            ProblemFacts,
            name=text,
            sha256=text,
            groups=whole,
            options=whole,
            pairs=whole,
            resources=st.lists(text, max_size=3).map(tuple),
            optimum=st.none() | whole,
            lp_bound=st.none() | whole,
        ),
        contender=st.builds(
            Contender, text, text, st.dictionaries(text, text, max_size=3), st.none() | st.booleans(), text, text
        ),
        repeat=st.integers(0, 9),
        outcome=st.sampled_from(SolveOutcome),
        reason=st.none() | text,
        status=st.none() | st.sampled_from(Status),
        limit=st.none() | st.sampled_from(Limit),
        value=st.none() | whole,
        bound=st.none() | whole,
        gap=st.none() | seconds,
        widths=st.none() | st.dictionaries(text, whole, max_size=3),
        wall_s=seconds,
        backend_s=st.none() | seconds,
        peak_memory_bytes=st.none() | whole,
        time_limit_s=seconds,
        memory_limit_bytes=st.none() | whole,
        threads=st.none() | whole,
        seed=st.none() | whole,
        jobs=st.integers(1, 9),
        started_at=st.datetimes(pandas.Timestamp(1990, 1, 1), pandas.Timestamp(2100, 1, 1)).map(
            lambda moment: f"{moment.isoformat(timespec='milliseconds')}+00:00"
        ),
        machine=st.builds(Machine, text, text, st.integers(1, 99), whole, text),
        versions=st.dictionaries(text, text, max_size=3),
        detail=st.lists(text, max_size=3).map(tuple),
        cpu_s=st.none() | seconds,
        load=st.none() | seconds,
        settings=st.builds(LevelSettings, st.dictionaries(text, st.dictionaries(text, whole, max_size=2), max_size=2)),
    )


def test_large_values_beside_none_stay_exact(place: Place) -> None:
    (record,) = place.solve("plain")
    with opened(place.out) as file:
        file.append(replace(record, repeat=1, value=2**53 + 1, bound=2**62 - 1))
        file.append(replace(record, repeat=2, value=None, bound=None))
    frame = records_frame(place.out, judged=False)
    assert frame["value"].tolist()[:2] == [record.value, 2**53 + 1]
    assert frame["bound"].iloc[1] == 2**62 - 1
    assert frame["bound"].isna().tolist() == [True, False, True]


def test_records_of_earlier_versions_have_no_processor_time(place: Place) -> None:
    (record,) = place.solve("plain")
    path = place.out / "records.jsonl"
    fields_written = json.loads(path.read_text())
    assert fields_written.pop("cpu_s") is not None
    fields_written.pop("load")
    path.write_text(json.dumps(fields_written) + "\n")
    assert read_records(place.out) == (replace(record, cpu_s=None, load=None),)


@given(st.lists(records(), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, written: list[SolveRecord]) -> None:
    folder = tmp_path_factory.mktemp("records")
    for record in written:
        with opened(folder) as file:
            file.append(record)
    assert read_records(folder) == read_records(folder / "records.jsonl") == tuple(written)
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    assert len(lines) == len(written)
    names = {f.name for f in fields(SolveRecord)}
    for line, record in zip(lines, written, strict=True):
        absent = {name for name in ("settings", "gap_asked") if not getattr(record, name)}
        assert set(json.loads(line)) == names - absent
    frame = records_frame(folder, judged=False)
    assert len(frame) == len(written)
    for row, record in zip(frame.itertuples(), written, strict=True):
        assert (row.problem, row.contender, row.outcome) == (
            record.problem.name,
            record.contender.label,
            record.outcome.value,
        )
        assert (None if pandas.isna(row.value) else row.value) == record.value  # exactly, above 2^53, too
        assert (None if pandas.isna(row.bound) else row.bound) == record.bound
        assert row.wall_s == record.wall_s


def test_a_table_of_a_comparison(place: Place) -> None:
    place.solve("dp", "raiser", "cpsat[presolve=false]", time_limit_s=60.0)  # busy machines load slowly
    frame = reds_core.records_frame(place.out)
    assert frame["contender"].tolist() == ["dp", "raiser", "cpsat[presolve=false]"]
    assert frame["outcome"].tolist() == ["answered", "raised", "answered"]
    assert frame["presolve"].isna().tolist() == [True, True, False]
    assert frame["value"].isna().tolist() == [False, True, False]
    assert frame["value"].iloc[0] == frame["value"].iloc[2] == frame["bound"].iloc[0]
    assert frame["solver_options"].iloc[2] == "presolve=false"
    assert frame["widths"].iloc[1] is None
    assert set(frame["widths"].iloc[0]) == {f"g{i}" for i in range(6)}
    assert frame["started_at"].is_monotonic_increasing
    assert (frame[frame["status"] == "optimal"]["wall_s"] > 0).all()
    docstring = records_frame.__doc__ or ""
    assert [c for c in frame.columns if c not in docstring] == []


def test_a_folder_without_records_makes_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_bytes(b"")
    frame = records_frame(tmp_path)
    assert len(frame) == 0
    assert str(frame["value"].dtype) == "Int64"


def test_a_claim_that_others_refute_loses_its_figures(place: Place) -> None:
    written = place.solve("boaster", "dp")
    assert [r.outcome for r in written] == [SolveOutcome.ANSWERED, SolveOutcome.ANSWERED]
    boaster, dp = judged_records(tuple(written))
    assert dp == written[1]
    assert boaster.outcome is SolveOutcome.BROKE_CONTRACT
    assert boaster.reason == f"claims that {written[0].value} is optimal, but dp reached {dp.value}"
    assert (boaster.status, boaster.value, boaster.bound, boaster.widths) == (None, None, None, None)
    assert records_frame(place.out)["outcome"].tolist() == ["broke_contract", "answered"]
    assert records_frame(place.out, judged=False)["outcome"].tolist() == ["answered", "answered"]


def test_the_optimum_known_from_elsewhere_refutes_too(place: Place) -> None:
    (boaster,) = place.solve("boaster")
    assert boaster.value is not None
    known = replace(boaster, problem=replace(boaster.problem, optimum=boaster.value + 1))
    assert [r.outcome for r in judged_records((known,))] == [SolveOutcome.BROKE_CONTRACT]
    assert [r.outcome for r in judged_records((boaster,))] == [SolveOutcome.ANSWERED]


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_records(tmp_path)
    path = tmp_path / "records.jsonl"
    for content in (b"nonsense\n", b"[]\n", b"{}\n", b'{"problem": {}}\n', b"\xff\n", b"\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"line 1 of .* is not a record of a solve"):
            read_records(path)
