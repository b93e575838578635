"""Comparisons that audit their runs: what records and reports hold of it, and runs that finished without."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compare_tools import ComparePlace, Performer, result

from reds_core.audit.result import load_audit
from reds_core.compare.process import RunEnd, RunPaths
from reds_core.compare.reader import latest, results_frame
from reds_core.compare.record import RunOutcome, SubnetworkAudit
from reds_core.compare.report.findings import comparison_warnings
from reds_core.compare.report.results import compare_runs
from reds_core.compare.report.tables import audit_table


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of audits have tests of their own."""
    monkeypatch.setattr("reds_core.audit.writing.audit_page", lambda audit, folder: "page")


def test_runs_that_finished_without_an_audit_get_one_later(place: ComparePlace) -> None:
    perform = Performer()
    grid = {"pruners": "layerwise[order=backward]"}
    _, plain = place.run(perform=perform, **grid)
    assert [each.audit for each in plain] == [None, None]
    run, audited = place.run(perform=perform, audit=True, **grid)
    assert (run.kept, run.done, len(perform.made)) == (0, 1, 2)
    assert [dataclasses.replace(each, audit=None) for each in audited] == list(plain), "times are those of the run"
    found = load_audit(place.out / "runs" / audited[0].name / "audit")
    for record in audited:
        assert record.audit is not None
        assert record.subnetwork is not None
        own = next(each for each in found.members if each.name == record.subnetwork.name)
        changes = {each.name: each.after[own.name].change for each in found.classes}
        assert record.audit.worst_class_change == min(change for change in changes.values() if change is not None)
        assert changes[str(record.audit.worst_class)] == record.audit.worst_class_change
        assert record.audit.flips == own.flips.changed
        assert record.audit.ece_change == own.figures.ece - found.before.figures.ece
    again, _ = place.run(perform=perform, audit=True, **grid)
    assert (again.kept, again.done) == (1, 0)
    frame = results_frame(place.out)
    assert frame.flips.tolist() == [each.audit.flips for each in audited if each.audit]
    assert frame.worst_class.notna().all()


def test_an_audit_that_fails_leaves_the_results_of_the_run(place: ComparePlace) -> None:
    grid: dict[str, Any] = {"pruners": "uniform"}
    _, plain = place.run(**grid)

    def crash(paths: RunPaths, told: Callable[[str], None]) -> RunEnd:
        return RunEnd(RunOutcome.CRASHED, "its process ended by SIGKILL")

    run, records = place.run(perform=crash, audit=True, **grid)
    assert (run.kept, run.done) == (0, 1)
    assert [replace(each, audit_failure=None) for each in records] == list(plain)
    assert {each.audit_failure for each in records} == {"its process ended by SIGKILL"}
    perform = Performer()
    again, _ = place.run(perform=perform, audit=True, **grid)
    assert (again.kept, perform.made) == (1, []), "what failed is only repeated if that is asked for"
    retried, audited = place.run(perform=perform, audit=True, retry=True, **grid)
    assert (retried.kept, len(perform.made)) == (0, 1)
    assert all(each.audit is not None and each.audit_failure is None for each in audited)


def test_a_crash_of_the_first_audit_leaves_the_results_of_the_run(place: ComparePlace) -> None:
    def crash(paths: RunPaths, told: Callable[[str], None]) -> RunEnd:
        Performer()(replace(paths, audit=None), told)
        return RunEnd(RunOutcome.CRASHED, "its process ended by SIGKILL")

    _, records = place.run(perform=crash, audit=True, pruners="uniform")
    assert {(each.outcome, each.audit_failure) for each in records} == {
        (RunOutcome.FINISHED, "its process ended by SIGKILL")
    }
    assert all(each.subnetwork is not None for each in records)


def test_a_run_that_cannot_be_audited_is_tried_once_and_named(place: ComparePlace) -> None:
    grid: dict[str, Any] = {"pruners": "uniform"}
    place.run(**grid)
    with np.load(place.folder / "data.npz") as data:
        arrays = dict(data)
    np.savez(place.folder / "data.npz", **{**arrays, "x_test": arrays["x_test"] + 1})
    perform = Performer()
    _, records = place.run(perform=perform, audit=True, **grid)
    assert {each.outcome for each in records} == {RunOutcome.FINISHED}
    assert all("data" in str(each.audit_failure) for each in records)
    place.run(perform=perform, audit=True, **grid)
    assert len(perform.made) == 1
    warnings = comparison_warnings(compare_runs(records))
    assert any(each.startswith("1 run could not be audited, such as toy--uniform--") for each in warnings)


def test_failures_of_earlier_versions_do_not_hide_results(place: ComparePlace) -> None:
    """They were recorded when an audit failed after the run had finished."""
    _, records = place.run(pruners="uniform")
    late = replace(records[0], outcome=RunOutcome.CRASHED, reason="SIGKILL", subnetwork=None)
    assert latest([*records, late]) == tuple(records)
    assert latest([late, *records]) == tuple(records)
    assert latest([late, late]) == (late,)


def test_the_report_has_a_table_of_audits_if_there_are_any() -> None:
    audits = [SubnetworkAudit("cat", -0.2, 1, 30, 0.05), SubnetworkAudit("dog", -0.1, 0, 20, 0.03)]
    records = [result(seed=seed, audit=audit) for seed, audit in enumerate(audits)]
    (recipe,) = compare_runs(records).recipes
    table = audit_table(recipe)
    assert table is not None
    (block,) = table.blocks
    assert [cell.text for cell in block.rows[0].cells] == [
        *("−15.00 ± 7.07", "cat, dog", "0.5 ± 0.7", "25 ± 7", "+0.040 ± 0.014")
    ]
    assert audit_table(compare_runs([result()]).recipes[0]) is None
