"""Solvers that crash, hang, hoard, lie or leave things behind become records with reasons; all else is complete."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest
from bench_tools import Place, eventually

from reds_core.bench.record import SolveOutcome, SolveRecord
from reds_core.bench.supervision import grace_s
from reds_core.knapsack.solution import Limit, Status

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups")
pytestmark = posix

LIMIT_S = 1.0
LIMIT_BYTES = 120 * 2**20
FIGURES = ("status", "limit", "value", "bound", "gap", "widths", "backend_s")


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def by_label(records: list[SolveRecord]) -> dict[str, SolveRecord]:
    found = {r.contender.label: r for r in records}
    assert len(found) == len(records)
    return found


COMMON = {
    "segfault": (SolveOutcome.CRASHED, "ended by SIGSEGV"),
    "sleeper": (SolveOutcome.TIMED_OUT, r"did not answer within \d+\.\d s at a limit of 1 s"),
    "glutton": (SolveOutcome.OUT_OF_MEMORY, r"held [\d,]+ MiB, above the limit of 120 MiB"),
    "over-budget": (SolveOutcome.BROKE_CONTRACT, "over budget"),
    "liar": (SolveOutcome.BROKE_CONTRACT, r"over budget.*\{'macs': 84\}"),
    "raiser": (SolveOutcome.RAISED, "ZeroDivisionError: no reason"),
    "quitter": (SolveOutcome.CRASHED, "ended with status 3 and no answer"),
}
RARE = {
    "sleeper[first=true]": (SolveOutcome.TIMED_OUT, "a first problem of three groups"),
    "hidden-glutton": (SolveOutcome.OUT_OF_MEMORY, r"held [\d,]+ MiB, above the limit of 120 MiB"),
    "insatiable": (SolveOutcome.OUT_OF_MEMORY, "out of memory"),
    "forger": (SolveOutcome.BROKE_CONTRACT, "malformed reply"),
    "leaver": (SolveOutcome.RAISED, "SystemExit: enough"),
    "parent": (SolveOutcome.TIMED_OUT, "did not answer within"),
}


@pytest.mark.parametrize(
    ("expected", "well"),
    [(COMMON, {"greedy", "plain"}), pytest.param(RARE, {"lingerer", "stopped"}, marks=pytest.mark.slow)],
    ids=["common", "rare"],
)
def test_every_way_to_fail_is_a_record_with_its_reason(
    place: Place, scratch: Path, expected: dict[str, tuple[SolveOutcome, str]], well: set[str]
) -> None:
    records = by_label(place.solve(*expected, *well, time_limit_s=LIMIT_S, memory_limit_bytes=LIMIT_BYTES, jobs=2))
    assert records.keys() == expected.keys() | well
    for label, (outcome, reason) in expected.items():
        record = records[label]
        assert record.outcome is outcome, (label, record.reason)
        assert record.reason is not None
        assert re.search(reason, record.reason), (label, record.reason)
        assert all(getattr(record, figure) is None for figure in FIGURES), label
        if outcome is SolveOutcome.TIMED_OUT:
            assert LIMIT_S + grace_s(LIMIT_S) <= record.wall_s < LIMIT_S + grace_s(LIMIT_S) + 5
        if outcome is SolveOutcome.OUT_OF_MEMORY and label != "insatiable":
            assert record.peak_memory_bytes is not None
            assert record.peak_memory_bytes > LIMIT_BYTES
    for label in well:
        record = records[label]
        assert (record.outcome, record.reason, record.status) == (SolveOutcome.ANSWERED, None, Status.FEASIBLE), label
        assert record.value is not None
        assert 0 <= record.wall_s < LIMIT_S + grace_s(LIMIT_S)
        assert 10 * 2**20 < (record.peak_memory_bytes or 0) < LIMIT_BYTES
    if expected is COMMON:
        assert records["greedy"].value > records["plain"].value  # type: ignore[operator]
        assert any("Segmentation fault" in line for line in records["segfault"].detail)
        assert "I am off" in records["quitter"].detail
    else:
        assert records["stopped"].limit is Limit.MEMORY
    assert eventually(lambda: place.processes() == []), place.processes()
    assert eventually(lambda: list(scratch.glob("reds-*")) == [])
