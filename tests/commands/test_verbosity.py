"""-q/--quiet and -v/--verbose, before and after the name of the command."""

from __future__ import annotations

import logging
import re

import pytest
from command_line import Reds
from toy_runs import Workplace

from reds_core.watcher import LOGGER

PRUNE = ("--budget", "macs=0.5", "--scorer", "magnitude", "--finetune-epochs", 0, "--overwrite")


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
@pytest.mark.parametrize("is_first", [True, False])
def test_quiet_prints_results_and_errors_alone(reds: Reds, place: Workplace, flag: str, is_first: bool) -> None:
    before, after = ((flag,), ()) if is_first else ((), (flag,))
    usual = reds("prune", place.model, "--data", place.data, *PRUNE, "--out", place.out)
    assert "reading\n" in usual.err
    quiet = reds(*before, "prune", place.model, "--data", place.data, *PRUNE, "--out", place.out, *after)
    assert quiet.err == ""
    assert quiet.out.splitlines()[-1] == usual.out.splitlines()[-1]
    failed = reds(*before, "prune", place.folder / "none.keras", *after)
    assert re.fullmatch("error: .*; .*\n", failed.err)


@pytest.mark.parametrize("is_first", [True, False])
def test_verbose_prints_times_and_details(reds: Reds, place: Workplace, is_first: bool) -> None:
    before, after = (("-v",), ()) if is_first else ((), ("--verbose",))
    told = reds(*before, "prune", place.model, "--data", place.data, *PRUNE, "--out", place.out, *after).err
    assert re.search(r"^\d\d:\d\d:\d\d reading$", told, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d problem .* by \w+ in [\d.]+ s$", told, re.MULTILINE)
    usual = reds("prune", place.model, "--data", place.data, *PRUNE, "--out", place.out).err
    assert not re.search(r"^\d\d:\d\d:\d\d ", usual, re.MULTILINE)
    assert [type(handler).__name__ for handler in LOGGER.handlers].count("_TimedLines") == 0


def test_a_warning_is_printed_once_if_the_root_logger_prints_too(reds: Reds, place: Workplace) -> None:
    told: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    handler = Listening(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        asked = ("prune", place.model, "--data", place.data, "--out", place.out)
        err = reds(*asked, *PRUNE, "--budget", "params=100%").err
    finally:
        logging.getLogger().removeHandler(handler)
    assert "warning: " in err
    assert told == []
    assert LOGGER.propagate


def test_both_together_are_refused(reds: Reds) -> None:
    reds("-q", "plugins", "-v").check_error(2, "--quiet and --verbose cannot be combined; give one of them")


def test_quiet_hides_warnings_of_other_commands(reds: Reds, place: Workplace) -> None:
    assert reds("-q", "inspect", place.model).err == ""
