"""Runs one trial of the fuzzer and checks what every command promises whatever its input.

A trial is a frozen dataclass, so that its repr is all that is needed to repeat it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from fuzz_commands import CommandLine
from fuzz_damage import DamagedInput
from fuzz_inputs import INPUTS, inside, spread

from reds_core import cli

ERROR = re.compile(r"error: \S.*; \S.*[^.\s]")
"""The last line on stderr of a command that failed."""

TRIAL_TIMEOUT_S = 120
"""A trial that takes longer counts as a hang."""


class Hang(BaseException):
    """A trial took longer than any trial should."""


@contextlib.contextmanager
def watchdog(seconds: float = TRIAL_TIMEOUT_S) -> Iterator[None]:
    """Raise `Hang` if the block takes too long; if C code never returns, print its traceback and exit.

    The traceback is printed after three times `seconds`.
    """
    import faulthandler

    def bark(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, bark)
    faulthandler.dump_traceback_later(3 * seconds, exit=True)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `folder`, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def try_command_line(tried: CommandLine, pristine: Path, work: Path) -> None:
    """Run a command line on fresh copies of the inputs and check what every command promises."""
    _fresh(pristine, work)
    run_and_check(tried.arguments, work)


def try_damaged_input(tried: DamagedInput, pristine: Path, work: Path) -> None:
    """Damage a fresh copy of an input, run a command that reads it, and check what every command promises."""
    _fresh(pristine, work)
    files = sorted(path for path in work.glob(tried.pattern) if path.is_file())
    tried.damage.do(files[tried.which % len(files)])
    run_and_check(tried.arguments, work)


def _fresh(pristine: Path, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    spread(pristine, work)


def run_and_check(arguments: tuple[str, ...], work: Path) -> None:
    """Run a command line in `work`.

    Raises:
        AssertionError: if the exit status is not one of those documented for bad input, if stderr does not end with
            one line of the usual form, or if the command leaves partial files or changes its inputs.
    """
    before = digests(work)
    out, err = io.StringIO(), io.StringIO()
    with inside(work), watchdog(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.run(list(arguments))
    shown = f"{' '.join(map(ascii, arguments))}\nstatus {status}\n{out.getvalue()[-2000:]}\n{err.getvalue()[-4000:]}"
    allowed = {0, 1, 2, 3, 4} if arguments[0] == "check" else {0, 2, 3, 4}
    assert status in allowed, shown
    assert "Traceback" not in out.getvalue() + err.getvalue(), shown
    assert "a bug in reds" not in err.getvalue(), shown
    if status:
        last = err.getvalue().rstrip("\n").rpartition("\n")[2]
        assert ERROR.fullmatch(last), shown
    elif "--json" in arguments and "--help" not in arguments:
        json.loads(out.getvalue(), parse_constant=_refuse_constant)
    assert not [p for p in work.rglob("*") if ".partial" in p.name], shown
    after = digests(work)
    written = _written(arguments)
    changed = [name for name, digest in before.items() if after.get(name) != digest]
    assert not [name for name in changed if Path(name).parts[0] not in written], f"{changed}\n{shown}"


def _refuse_constant(constant: str) -> None:
    raise AssertionError(f"{constant} in JSON")


def _written(arguments: tuple[str, ...]) -> set[str]:
    """Return the first components of the paths that a command line may write to."""
    places = {arguments[i + 1] for i, part in enumerate(arguments[:-1]) if part == "--out"}
    if arguments[0] in ("extract", "profile", "report"):
        places |= set(arguments[1:2])
    if "." in places:
        places |= set(INPUTS)
    return {Path(place).parts[0] for place in places if Path(place).parts}
