"""Output that is full, closed, read by nobody, or of an encoding with few characters: nothing fails for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import ERROR, write_problem
from hypothesis import given
from hypothesis import strategies as st

from reds_core.commands.standard_streams import plain_characters
from reds_core.report.units import THIN, on_terminal

REDS = [sys.executable, "-m", "reds_core"]
FULL = Path("/dev/full")
NARROW_ENCODINGS = ["ascii", "latin-1", "cp1252"]
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_problem(tmp_path_factory.mktemp("problem") / "слой.npz", capacity=7)


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A command line of the shell in which `reds` is this interpreter's."""
    function = f'reds() {{ "{sys.executable}" -m reds_core "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", function + command],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


# --- full, closed, unread --------------------------------------------------------------------------------------------


@needs_full
@pytest.mark.parametrize("arguments", ["plugins", "plugins --json", "solve {problem}", "solve {problem} --json"])
def test_a_full_output_is_told_with_status_2(problem: Path, arguments: str) -> None:
    done = shell(f"reds {arguments.format(problem=problem)} > /dev/full")
    assert done.returncode == 2
    last = done.stderr.decode().rstrip("\n").rpartition("\n")[2]
    assert last.startswith("error: the output cannot be written (No space left on device); ")
    assert ERROR.fullmatch(last)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@needs_full
def test_a_full_output_of_a_command_that_wrote_its_files_is_a_warning(problem: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench"
    done = shell(f"reds bench {problem} --solvers greedy --out {out} > /dev/full")
    assert done.returncode == 0, done.stderr.decode()
    assert b"warning: all files are written, but the output cannot be written (No space left" in done.stderr
    assert (out / "report.html").exists()


@needs_full
@pytest.mark.parametrize("to", ["2>/dev/full", "2>&-"])
def test_progress_and_warnings_that_cannot_be_written_stop_nothing(problem: Path, tmp_path: Path, to: str) -> None:
    out = tmp_path / "bench"
    done = shell(f"reds bench {problem} --solvers greedy --out {out} {to}")
    assert done.returncode == 0
    assert b"Records and report are in" in done.stdout
    assert shell(f"reds solve nowhere.npz {to}").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [
        *((arguments, "<&- >&- 2>&-") for arguments in ("plugins", "solve {problem} --json", "--help")),
        *(("solve {problem}", closed) for closed in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-")),
    ],
)
def test_closed_streams_are_as_good_as_dev_null(problem: Path, arguments: str, closed: str) -> None:
    done = shell(f"reds {arguments.format(problem=problem)} {closed}")
    assert (done.returncode, done.stderr) == (0, b"")


def test_files_do_not_take_the_numbers_of_closed_streams(problem: Path, tmp_path: Path) -> None:
    """What a file descriptor 1 is opened for later would hold what libraries print there."""
    program = (
        "import os\nfrom reds_core.commands.standard_streams import guard_standard_streams\n"
        f"guard_standard_streams()\nfile = open({str(tmp_path / 'file')!r}, 'w')\n"
        "os.write(1, b'printed')\nos.write(2, b'printed')\nassert file.fileno() > 2\n"
    )
    subprocess.run(["bash", "-c", f'"{sys.executable}" -c "$0" <&- >&- 2>&-', program], check=True, timeout=60)
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("arguments", ["plugins", "solve {problem}", "solve {problem} --json", "prune --help"])
def test_a_reader_that_left_is_no_failure(problem: Path, arguments: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [*REDS, *arguments.format(problem=problem).split()]
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=120, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


# --- encodings -------------------------------------------------------------------------------------------------------

COMMANDS = [
    *("", "plugins", "inspect", "formulate", "latency", "solve", "convert", "prune", "extract", "bench", "compare"),
    *("suite", "check"),
]


@pytest.mark.parametrize("encoding", NARROW_ENCODINGS)
def test_every_help_can_be_shown_in_any_encoding(encoding: str) -> None:
    program = (
        "import sys\nfrom reds_core.cli import run\n"
        "from reds_core.commands.standard_streams import guard_standard_streams\n"
        f"guard_standard_streams()\nsys.exit(max(run([*c.split(), '--help']) for c in {COMMANDS!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    assert text.count("Usage: reds") == len(COMMANDS)
    assert "?" not in text


@pytest.mark.parametrize("encoding", NARROW_ENCODINGS)
def test_results_and_errors_in_any_encoding(problem: Path, tmp_path: Path, encoding: str) -> None:
    environment = {"PYTHONIOENCODING": encoding}
    if encoding == "ascii":  # the narrowest; the libraries of reports take long to import
        out = tmp_path / "bench"
        done = shell(f"reds bench {problem} --solvers greedy --out {out}", **environment)
        assert done.returncode == 0, done.stderr
        done.stdout.decode(encoding)
        done.stderr.decode(encoding)
    done = shell(f"reds solve {problem} --json", **environment)
    assert json.loads(done.stdout.decode(encoding))["value"] == 12
    done = shell("reds solve слой-2.npz", **environment)
    assert done.returncode == 2
    assert "\\u0441\\u043b\\u043e\\u0439-2.npz' does not exist" in done.stderr.decode(encoding)


def test_a_name_that_is_not_even_utf_8(tmp_path: Path) -> None:
    for arguments in ("solve {}", "solve {} --json", "formulate {0} --budget macs=0.5 --out {0}"):
        done = shell(f"cd {tmp_path}; reds " + arguments.format(r"$'\xff.npz'"))
        assert done.returncode == 2
        assert ERROR.fullmatch(done.stderr.decode().rstrip("\n").rpartition("\n")[2])


def test_the_posix_locale_of_old(problem: Path) -> None:
    done = shell(f"reds solve {problem}", LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stderr) == (0, b"")


def test_marks_as_what_they_resemble() -> None:
    shown = plain_characters(f"57.0 → 94.1{THIN}% – “é” … │━ ⠋ слой")
    assert shown == '57.0 -> 94.1 % - "e" ... -- * \\u0441\\u043b\\u043e\\u0439'


@given(st.text(st.characters(), max_size=20))
def test_any_text_has_plain_characters(text: str) -> None:
    assert plain_characters(text).isascii()
    if text.isascii():
        assert plain_characters(text) == text


def test_terminals_get_plain_spaces() -> None:
    assert on_terminal(f"1{THIN}234") == "1 234"


def test_streams_that_are_no_files_are_left_alone(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from reds_core.commands import standard_streams

    out, err = sys.stdout, sys.stderr
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    standard_streams.guard_standard_streams()
    assert sys.stdout is out
    assert sys.stderr is err
