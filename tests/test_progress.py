"""What calls show of their progress, and the records of the logger."""

from __future__ import annotations

import io
import logging
import re
import sys
from typing import Any

import pytest
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, Workplace

import reds_core
from reds_core.comparison.view import JobsView
from reds_core.errors import InputError
from reds_core.framework.finetuning import EpochProgress
from reds_core.progress import ConsoleWatcher, following, showing_count
from reds_core.watcher import LOGGER, Watcher

AWKWARD = "[bold]x[/nothing] [/] \\[y] {z} 100%"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def progress(batch: int = 10, accuracy: float = 0.875) -> EpochProgress:
    return EpochProgress(epoch=1, epochs=3, batch=batch, batches=10, loss=0.5, accuracy=accuracy)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """stderr as a terminal with 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    return _CONTROL.sub("", captured.err)


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_lines_are_shown_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str], verbose: Any) -> None:
    with ConsoleWatcher(verbose=verbose) as watcher:
        watcher.stage("reading")
        watcher.stage("step 1 of 1: finetune")
        watcher.epoch(progress(batch=5))
        watcher.epoch(progress())
        watcher.note(AWKWARD)
        watcher.warn(AWKWARD)
    assert shown(capsys).replace("\u202f", " ").replace("\xa0", " ").splitlines() == [
        "reading",
        "step 1 of 1: finetune",
        "  epoch 2/3, loss 0.500, accuracy 87.5 %",
        AWKWARD,
        f"warning: {AWKWARD}",
    ]


def test_two_means_lines_in_a_terminal_too(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleWatcher(verbose=2) as watcher:
        watcher.stage("reading")
        watcher.epoch(progress())
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_reader_that_has_left_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Left(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Left())
    with ConsoleWatcher() as watcher:
        watcher.stage("reading")
    monkeypatch.setattr(sys, "stderr", None)
    with ConsoleWatcher() as watcher:
        watcher.stage("reading")


# --- bars -------------------------------------------------------------------------------------------------------------


def test_bars_are_shown_in_a_terminal(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleWatcher() as watcher:
        watcher.stage("step 6 of 6: finetune")
        watcher.epoch(progress(batch=5))
        watcher.stage("exporting 12.5 (1 of 3)")
    text = shown(capsys)
    assert re.search(r"accuracy 87.5.% .*-?:--:--|accuracy 87.5.% .*\d:\d\d:\d\d", text), text
    assert "…" not in text


def test_training_without_a_stage_gets_one(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleWatcher() as watcher:
        watcher.epoch(progress())
    assert "training" in shown(capsys)


@pytest.mark.parametrize("verbose", [1, 2])
def test_another_metric_is_shown_by_its_name(terminal: None, capsys: pytest.CaptureFixture[str], verbose: Any) -> None:
    with ConsoleWatcher("mean_absolute_error", verbose) as watcher:
        watcher.epoch(progress(accuracy=12.3456))
    text = " ".join(shown(capsys).split())
    assert "mean_absolute_error 12.35" in text
    assert "accuracy" not in text
    assert "1234" not in text


def test_stages_and_warnings_are_texts_not_markup(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleWatcher() as watcher:
        watcher.stage(AWKWARD)
        watcher.warn(AWKWARD)
    text = shown(capsys)
    assert f"warning: {AWKWARD}\n" in text
    assert text.count("[bold]x[/nothing]") >= 2


def test_a_long_warning_is_one_line(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(["word"] * 60)
    with ConsoleWatcher() as watcher:
        watcher.warn(text)
    assert f"warning: {text}\n" in shown(capsys)


def test_the_bar_ends_when_the_work_fails(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with ConsoleWatcher() as watcher:
            watcher.stage("failing")
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    with ConsoleWatcher() as watcher:
        watcher.stage("again")
    assert "again" in shown(capsys)


def test_counts_are_shown(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with showing_count("auto", "timing") as told:
        told(2, 5)
    assert re.search(r"timing .*2/5", shown(capsys))
    with showing_count(2, "timing") as told:
        told(2, 5)
    assert shown(capsys) == "timing\n"
    with showing_count(0, "timing") as told:
        told(2, 5)
    assert shown(capsys) == ""


# --- calls ------------------------------------------------------------------------------------------------------------


def test_wrong_levels_and_watchers_are_refused() -> None:
    for verbose in (3, "loud", None, [1]):
        with pytest.raises(InputError, match=r"is not a level; give \"auto\", 0, 1 or 2"):
            ConsoleWatcher(verbose=verbose)  # type: ignore[arg-type]
    watcher: Any = print
    with pytest.raises(InputError, match="is not a watcher"), following("auto", watcher):
        pass


def pruned(place: Workplace, **given: Any) -> None:
    reds_core.prune(
        place.model,
        place.data,
        0.5,
        place.out,
        settings=NO_TRAINING,
        registry=toy_registry(),
        mode="overwrite",
        **given,
    )


def test_prune_shows_what_it_does_unless_it_is_told_otherwise(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    pruned(place)
    assert "reading\n" in capsys.readouterr().err
    pruned(place, verbose=0)
    assert capsys.readouterr().err == ""
    told: list[str] = []

    class Own(Watcher):
        def stage(self, text: str) -> None:
            told.append(text)

    pruned(place, watcher=Own())
    assert capsys.readouterr().err == ""
    assert told[0] == "reading"
    pruned(place, watcher=ConsoleWatcher(verbose=2))
    assert "reading\n" in capsys.readouterr().err


def test_stages_and_warnings_are_logged(place: Workplace, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "reds"):
        pruned(place, verbose=0)
    records = {(record.levelno, record.getMessage()) for record in caplog.records}
    assert (logging.INFO, "reading") in records
    assert any(level == logging.DEBUG and " by " in text for level, text in records)
    with caplog.at_level(logging.DEBUG, "reds"), following(0) as watcher:
        watcher.warn("a warning")
        watcher.note("a note")
        watcher.epoch(progress())
    found = {(record.levelname, record.getMessage()) for record in caplog.records}
    assert {("WARNING", "a warning"), ("INFO", "a note")} <= found
    assert any(level == "DEBUG" and "epoch 2/3" in text for level, text in found)


def test_nothing_is_printed_by_the_logger_unless_the_program_asks() -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in LOGGER.handlers)
    assert LOGGER is logging.getLogger("reds")


# --- comparisons ------------------------------------------------------------------------------------------------------


def test_comparisons_show_a_bar_lines_or_nothing(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def compared(verbose: Any) -> str:
        with (
            caplog.at_level(logging.DEBUG, "reds"),
            JobsView("runs", "runs", counts_down=False, verbose=verbose) as view,
        ):
            view.planned(3, 1)
            view.begin("a")
            view.finish("a")
            view.warn(AWKWARD)
        return shown(capsys)

    assert compared(0) == ""
    assert compared(2).splitlines() == ["1 of 3 runs are done already", "finished a", f"warning: {AWKWARD}"]
    assert re.search(r"runs .* 2/3", compared("auto"))
    records = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert records.count(("INFO", "finished a")) == records.count(("WARNING", AWKWARD)) == 3
    with pytest.raises(InputError, match="verbose 7 is not a level"):
        compared(7)
