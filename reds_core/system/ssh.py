"""Another machine, reached by the ssh and scp of this one: files are copied there, a program is run, a file comes back.

Nobody is asked for a password. Every step has a deadline of its own. The folder on the other machine has a name that is
made up here and holds no character that a shell reads, so that nothing which a user named has to pass two shells.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import secrets
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reds_core.errors import InputError, NoSpaceError, UnavailableError, argument
from reds_core.system.machine_faults import is_out_of_space

PREFIX = "ssh:"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_OPTIONS = (
    *("-o", "BatchMode=yes", "-o", "ConnectTimeout=15"),
    *("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"),
    # what ~/.ssh/config may set for sessions of a user, and would stand in the way of commands
    *("-o", "RemoteCommand=none", "-o", "RequestTTY=no"),
    *("-o", "ClearAllForwardings=yes", "-o", "ControlMaster=no"),
)
NOT_CONNECTED = 255
"""The exit status of ssh itself, and of scp, if there is no connection."""
SIGNALLED = 128
"""What a shell adds to the number of the signal that killed a program."""
KEPT_LINES = 20


@dataclass(frozen=True)
class Deadlines:
    """How long steps may take, in seconds.

    Attributes:
        answer: a connection and a short command.
        copy: the copying of files in one direction.
        silence: a program that says nothing.
        end: the removal of the folder.
    """

    answer: float = 60.0
    copy: float = 900.0
    silence: float = 600.0
    end: float = 30.0


@dataclass(frozen=True)
class Finished:
    """A program that has ended.

    Attributes:
        status: its exit status.
        lines: the last lines of its standard error.
    """

    status: int
    lines: tuple[str, ...]

    @property
    def complaint(self) -> str:
        """The last line that is not empty; empty if there is none."""
        return next((line for line in reversed(self.lines) if line), "")


@dataclass(frozen=True)
class SshHost:
    """A machine that ssh reaches without a password.

    Attributes:
        name: its name for ssh: a host name, USER@HOST, or an alias of ~/.ssh/config.
        deadlines: how long steps may take.
    """

    name: str
    deadlines: Deadlines = field(default_factory=Deadlines)

    @staticmethod
    def parsed(text: str, deadlines: Deadlines | None = None) -> SshHost:
        """Return the machine that a user names as `ssh:NAME`.

        Raises:
            InputError: if that is no such name. A name that begins with a hyphen would be an option of ssh.
        """
        name = text.removeprefix(PREFIX) if isinstance(text, str) and text.startswith(PREFIX) else ""
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{argument('host')} {text!r} is not of the form ssh:NAME",
                "give a host name, USER@HOST or an alias of ~/.ssh/config, such as ssh:pi@raspberrypi.local",
            )
        return SshHost(name, deadlines or Deadlines())

    @contextmanager
    def temporary_folder(self) -> Iterator[str]:
        """Make a folder in the home folder there, yield its path relative to that, and remove it after the block.

        Raises:
            InputError: if the machine cannot be reached, or the folder cannot be made.
            UnavailableError: if ssh is not installed.
        """
        folder = f".reds-{secrets.token_hex(8)}"
        try:
            self._checked(self._ssh(f"umask 077 && mkdir {folder}"), self.deadlines.answer, "makes no folder")
            yield folder
        finally:
            # also where the connection was lost: it may be there again, and the folder may have been made
            with contextlib.suppress(InputError, UnavailableError):
                self._followed(self._ssh(f"rm -rf {folder}"), self.deadlines.end)

    def send(self, paths: Sequence[Path], folder: str) -> None:
        """Copy files and folders into a folder there, under their names.

        Args:
            paths: paths that are absolute, so that no colon in them names a machine.
            folder: a folder that `temporary_folder` made.

        Raises:
            InputError: if that fails.
        """
        self._checked(self._scp([*map(str, paths)], f"{self.name}:{folder}/"), self.deadlines.copy, "takes no files")

    def fetch(self, file: str, path: Path, deadline_s: float | None = None) -> None:
        """Copy a file from there.

        Args:
            file: its path there, relative to the home folder.
            path: where to write it, absolute.
            deadline_s: seconds that it may take; by default those of any copying.

        Raises:
            InputError: if that fails.
        """
        self._checked(
            self._scp([f"{self.name}:{file}"], str(path)), deadline_s or self.deadlines.copy, f"has no file {file}"
        )

    def run(self, words: Sequence[str], told: Callable[[str], None]) -> Finished:
        """Run a program in the home folder there, until it ends.

        Its standard input stays open until then, and is closed if this process ends or gives up.

        Args:
            words: the program and its arguments. A leading `~/` stands for the home folder there.
            told: called with each line of its standard error.

        Returns:
            How it ended. If a signal killed it, the status is `SIGNALLED` and the number of the signal.

        Raises:
            InputError: if it says nothing for too long.
        """
        # ssh tells a shell that a signal ended like a lost connection; a shell that goes on says 128 and the signal
        return self._followed(self._ssh(f"{' '.join(map(quoted, words))}; exit $?"), None, told)

    def _ssh(self, command: str) -> list[str]:
        # the shell of the user there may be any, but all of them understand a quoted word
        return ["ssh", *_OPTIONS, "--", self.name, f"sh -c {shlex.quote(command)}"]

    def _scp(self, sources: Sequence[str], to: str) -> list[str]:
        return ["scp", "-q", "-r", *_OPTIONS, "--", *sources, to]

    def _checked(self, command: Sequence[str], deadline_s: float, what: str) -> None:
        finished = self._followed(command, deadline_s)
        if finished.status == NOT_CONNECTED:
            raise self.unreachable(finished)
        if finished.status:
            raise failed_there(
                f"'{self.name}' {what} ({_told_by(finished)})", "check the disk and the permissions there"
            )

    def unreachable(self, finished: Finished) -> InputError:
        """Return the error for a connection that could not be made."""
        return InputError(
            f"'{self.name}' cannot be reached by ssh ({_told_by(finished)})",
            f"check that `ssh -o BatchMode=yes {self.name} true` succeeds",
        )

    def _followed(
        self, command: Sequence[str], deadline_s: float | None, told: Callable[[str], None] = lambda _: None
    ) -> Finished:
        """Run a command here until it ends, its deadline has passed, or it has been silent for too long.

        Raises:
            InputError: if it was ended for its time.
            UnavailableError: if its program is not installed.
        """
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for this process alone, which then removes the folder there
            )
        except FileNotFoundError:
            raise UnavailableError(f"{command[0]} is not installed", "install the OpenSSH client") from None
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        last, end = deque[str](maxlen=KEPT_LINES), time.monotonic() + (deadline_s or 0.0)
        try:
            threading.Thread(target=_read_lines, args=(process, lines), daemon=True).start()
            while True:
                left = self.deadlines.silence if deadline_s is None else max(end - time.monotonic(), 0.0)
                line = lines.get(timeout=left)
                if line is None:
                    break
                last.append(line)
                told(line)
            process.wait(self.deadlines.end)
        except (queue.Empty, subprocess.TimeoutExpired):
            limit = self.deadlines.silence if deadline_s is None else deadline_s
            raise InputError(
                f"'{self.name}' did not answer within {limit:g} s", "check the connection and what else runs there"
            ) from None
        finally:
            _end(process)
        return Finished(process.returncode, tuple(last))


def failed_there(what: str, fix: str) -> InputError:
    """Return the error for something that failed on another machine, whose full disk is not one of this machine."""
    found = InputError(what, fix)
    return NoSpaceError(what, fix) if is_out_of_space(found) else found


def quoted(word: str) -> str:
    """Quote a word for the shell there, but for a leading `~/`."""
    return f"~/{shlex.quote(word[2:])}" if word.startswith("~/") else shlex.quote(word)


def _told_by(finished: Finished) -> str:
    return finished.complaint or f"exit status {finished.status}"


def _read_lines(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    """Pass on the lines of standard error, without characters that a terminal would obey; None at the end."""
    assert process.stderr is not None
    with contextlib.suppress(ValueError, OSError):  # it is closed when the process is ended
        for line in iter(lambda: process.stderr.readline(2000), b""):  # type: ignore[union-attr]
            text = line.decode(errors="replace")
            lines.put("".join(each if each.isprintable() else " " for each in text).strip()[:300])
    lines.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with what it has started, if it still runs."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    process.wait()
