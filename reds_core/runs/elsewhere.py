"""Timing on another machine: by a program that is written here and run there, by hand or by ssh."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from reds_core.errors import InputError, RedsError, UnavailableError, argument
from reds_core.framework.timings import Timings, hash_of, load_timings
from reds_core.system.files import given_file, given_path, temporary_folder
from reds_core.system.machine_faults import reason_of, shown
from reds_core.system.ssh import NOT_CONNECTED, SIGNALLED, Deadlines, Finished, SshHost, failed_there, quoted

PYTHON = "python3"
_PROGRAM, _FILES, _RECORDS = "time_files.py", "files", "records.json"
_NO_RUNTIME, _NO_COMMAND, _STOPPED = 3, (126, 127), 130
_PROGRESS, _SIGN_OF_LIFE = re.compile(r"\[\d+/\d+\] .*"), "still timing"


@dataclass(frozen=True)
class Elsewhere:
    """How another machine takes part in a call; nothing is given if only this machine does.

    Attributes:
        script: The program to write, to be run on the other machine; None to write none.
        records: The records that it wrote there, to be read; None to read none.
        host: The machine on which to run it; None to run it on none.
        name: The name of the machine; None for the one that it has for itself.
        host_python: The Python interpreter there.
    """

    script: Path | None = None
    records: Path | None = None
    host: SshHost | None = None
    name: str | None = None
    host_python: str = PYTHON

    @property
    def is_asked(self) -> bool:
        """Whether another machine takes part."""
        return self.script is not None or self.records is not None or self.host is not None


def given_elsewhere(
    script: str | PathLike[str] | None,
    records: str | PathLike[str] | None,
    host: str | None,
    name: str | None,
    host_python: str | None,
    deadlines: Deadlines | None = None,
) -> Elsewhere:
    """Return what a caller gives about another machine.

    Raises:
        InputError: If arguments exclude each other, or are no paths or names.
    """
    given = [word for word, value in {"script": script, "records": records, "host": host}.items() if value is not None]
    if len(given) > 1:
        names = " and ".join(map(argument, given[:2]))
        raise InputError(f"{names} exclude each other", f"leave out {argument(given[1])} or {argument(given[0])}")
    if name is not None and (not given or given == ["script"]):
        raise InputError(
            f"{argument('name')} is for times of another machine",
            f"leave it out, or give it with {argument('records')} or {argument('host')}",
        )
    if host_python is not None and given != ["host"]:
        raise InputError(
            f"{argument('host_python')} is for a machine that is reached by ssh", f"give it with {argument('host')}"
        )
    if host_python is not None and not _is_program(host_python):
        raise InputError(
            f"{argument('host_python')} {host_python!r} is not the path of a program",
            "give one such as ~/env/bin/python",
        )
    return Elsewhere(
        None if script is None else given_file(script, argument("script")),
        None if records is None else given_path(records, argument("records")),
        None if host is None else SshHost.parsed(host, deadlines),
        name,
        host_python or PYTHON,
    )


def _is_program(word: object) -> bool:
    return isinstance(word, str) and word.isprintable() and word.strip() != "" and not word.startswith("-")


def hashes_of(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by its name.

    Raises:
        InputError: If a file cannot be read.
    """
    found = {}
    for name, path in files.items():
        try:
            found[name] = hash_of(path.read_bytes())
        except OSError as error:
            raise InputError(
                f"{shown(path)} cannot be read ({reason_of(error)})", "put the file back, or make it again"
            ) from error
    return found


def check_unchanged(timings: Timings, hashes: Mapping[str, str], where: Path) -> None:
    """Check that times belong to the files that are here.

    Args:
        timings: The times.
        hashes: The SHA-256 of each file by its name.
        where: What the files belong to, for messages.

    Raises:
        InputError: If a file is not here, or has changed since it was timed.
    """
    for timed in timings.files:
        if timed.file not in hashes:
            raise InputError(
                f"the records hold times of '{fspath(timed.file)}', which is no file of {shown(where)}",
                "give the folder for which the program was written",
            )
        if hashes[timed.file] != timed.sha256:
            raise InputError(
                f"'{timed.file}' has changed since it was timed",
                f"write the program again by {argument('script')} and run it, or measure again by {argument('host')}",
            )


def timed_on_host(
    elsewhere: Elsewhere,
    script: str,
    files: Mapping[str, Path],
    told: Callable[[str], None],
    rescued: Callable[[Timings], None] | None = None,
) -> Timings:
    """Time files on a machine that ssh reaches. What was copied there is removed in any case.

    Args:
        elsewhere: The machine.
        script: The text of the program.
        files: The files by name.
        told: Called with one line for each file that was timed.
        rescued: Called with the times of the files that were timed before something failed; None to drop them.

    Raises:
        InputError: If the machine cannot be reached, or the program fails there.
        UnavailableError: If ssh is missing here, or Python or a library there.
    """
    host = elsewhere.host
    assert host is not None

    def line(text: str) -> None:
        if _PROGRESS.fullmatch(text):
            told(text)

    with temporary_folder() as folder, host.temporary_folder() as there:
        (folder / _FILES).mkdir()
        (folder / _PROGRAM).write_text(script, encoding="utf-8")
        for name, path in files.items():
            shutil.copyfile(path, folder / _FILES / name)
        try:
            host.send([folder / _PROGRAM, folder / _FILES], there)
            words = (f"{there}/{_PROGRAM}", f"{there}/{_FILES}", "--out", f"{there}/{_RECORDS}", "--stop-with-input")
            _check(host, elsewhere.host_python, host.run((elsewhere.host_python, *words), line))
            return _fetched(host, there, folder)
        except BaseException:
            if rescued is not None:
                with contextlib.suppress(RedsError):
                    rescued(_fetched(host, there, folder, host.deadlines.end))
            raise


def _fetched(host: SshHost, there: str, folder: Path, deadline_s: float | None = None) -> Timings:
    host.fetch(f"{there}/{_RECORDS}", folder / _RECORDS, deadline_s)
    return load_timings(folder / _RECORDS)


def _check(host: SshHost, python: str, finished: Finished) -> None:
    """Raise an error for a program that did not succeed."""
    if finished.status == 0:
        return
    complaint = _complaint(finished)
    if finished.status == NOT_CONNECTED:
        raise InputError(
            f"the connection to '{host.name}' was lost ({complaint or 'ssh does not say why'})",
            "run the same command again",
        )
    if finished.status in _NO_COMMAND:
        raise UnavailableError(
            f"'{host.name}' has no {python}", f"install Python 3.9 or later there, or give {argument('host_python')}"
        )
    if finished.status > SIGNALLED and finished.status != _STOPPED:
        raise InputError(
            f"the program on '{host.name}' was killed by signal {finished.status - SIGNALLED}",
            "check its memory, and that the library that runs the files there is for its processor",
        )
    what, _, fix = complaint.removeprefix("error: ").partition("; ")
    if finished.status == _NO_RUNTIME:
        words = f"{quoted(python)} -m {fix}" if fix.startswith("pip ") else fix
        raise UnavailableError(f"on '{host.name}', {what}", f"run `{words}` there")
    raise failed_there(
        f"the program on '{host.name}' ended with status {finished.status}{f' ({what})' if what else ''}",
        fix or "run the same command again",
    )


def _complaint(finished: Finished) -> str:
    """Return the last line of a program that is neither empty nor says how far it is; empty if there is none."""
    said = (line for line in reversed(finished.lines) if not _PROGRESS.fullmatch(line) and line != _SIGN_OF_LIFE)
    return next(filter(None, said), "")
