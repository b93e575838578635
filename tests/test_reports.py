"""Reports that are written again."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_records import found, proved
from command_line import Reds
from compare_tools import result
from toy_runs import NO_TRAINING, Workplace

import reds_core
from reds_core.bench.history import BenchHistory, write_history
from reds_core.errors import InputError
from reds_core.system.folder_lock import locked_folder
from reds_core.system.records import to_json_line


def test_a_run(reds: Reds, place: Workplace) -> None:
    place.prune(settings=NO_TRAINING)
    report = place.out / "report.html"
    before = {p: p.read_bytes() for p in place.out.rglob("*") if p.is_file() and p != report}
    report.unlink()
    assert reds_core.write_report(str(place.out)) == report
    content = report.read_text()
    assert "subnet-50.tflite" in content
    done = reds("report", place.out)
    assert (done.status, done.out) == (0, f"wrote {report}\n")
    assert report.read_text() == content
    assert {p: p.read_bytes() for p in place.out.rglob("*") if p.is_file() and p != report} == before


@pytest.mark.parametrize("has_history", [True, False])
@pytest.mark.parametrize("has_runs", [True, False])
def test_a_comparison_of_solvers(tmp_path: Path, has_history: bool, has_runs: bool) -> None:
    """Records are told by their fields, and not by what else is in the folder."""
    if has_runs:
        (tmp_path / "runs").mkdir()
    records = [proved("p", "dp", 0.1), found("p", "greedy", 900)]
    (tmp_path / "records.jsonl").write_text("".join(map(to_json_line, records)))
    if has_history:
        write_history(tmp_path, BenchHistory())
    assert reds_core.write_report(tmp_path) == tmp_path / "report.html"
    assert "greedy" in (tmp_path / "report.html").read_text()
    assert "greedy" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize("has_runs", [True, False])
def test_a_comparison_of_runs(tmp_path: Path, has_runs: bool) -> None:
    if has_runs:
        (tmp_path / "runs").mkdir()
    records = [result("nested"), result("uniform")]
    (tmp_path / "records.jsonl").write_text("".join(map(to_json_line, records)))
    assert reds_core.write_report(tmp_path) == tmp_path / "report.html"
    assert "uniform" in (tmp_path / "report.html").read_text()


def test_other_folders_are_refused_and_stay_as_they_are(reds: Reds, tmp_path: Path) -> None:
    reds("report", tmp_path).check_error(
        2, "holds no finished run, audit, choice of thresholds or comparison; give a folder that"
    )
    reds("report", tmp_path / "nowhere").check_error(2, "nowhere' does not exist; give a folder that")
    (tmp_path / "records.jsonl").write_text("nonsense\n")
    with pytest.raises(InputError):
        reds_core.write_report(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["records.jsonl"]


def test_a_folder_in_which_another_command_works(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text("")
    with locked_folder(tmp_path, "a comparison"), pytest.raises(InputError, match="try again when the other command"):
        reds_core.write_report(tmp_path)
