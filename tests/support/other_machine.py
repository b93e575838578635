"""A stand-in for ssh and scp on PATH, whose other machine is a folder, and programs that make times up there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

MODES = ("fine", "unreachable", "no-python", "no-library", "killed", "slow", "full", "out-of-memory", "silent")
"""What the other machine is like: `killed` loses the connection after the first file, `slow` says nothing for long,
`full` has a disk that takes no files, `out-of-memory` kills the program after the first file, and on `silent` it fails
then without a word."""

_SSH = '''#!{python} -SE
"""Runs a command in the folder {home}, as ssh runs it on another machine."""
import json, os, shlex, signal, subprocess, sys

program, arguments, mode = os.path.basename(sys.argv[0]), sys.argv[1:], os.environ["OTHER_MACHINE"]
with open({log!r}, "a") as log:
    log.write(json.dumps([program, *arguments]) + "\\n")


def refuse(why, status=255):
    print(why, file=sys.stderr)
    sys.exit(status)


options, _, rest = " ".join(arguments).partition(" -- ")
if "-o BatchMode=yes" not in options or "-o ConnectTimeout=" not in options:
    refuse("the options would ask for a password or wait without end")
for option in ("RemoteCommand=none", "RequestTTY=no", "ClearAllForwardings=yes", "ControlMaster=no"):
    if f"-o {{option}}" not in options:
        refuse(f"a setting of the user stands in the way: {{option}} is missing")
if mode == "unreachable":
    refuse("ssh: connect to host pi port 22: \\x1b[31mNo route to host")
rest = arguments[arguments.index("--") + 1 :]
if program == "scp":
    *sources, to = rest
    if mode == "full" and to.startswith("pi:"):
        refuse("scp: write: No space left on device", 1)
    here = [os.path.join({home!r}, p[3:]) if p.startswith("pi:") else p for p in (*sources, to)]
    if sum(p.startswith("pi:") for p in rest) != 1 or not all(map(os.path.isabs, here)):
        refuse("it is not clear which path is on which machine")
    sys.exit(subprocess.run(["cp", "-r", "--", *here]).returncode)
name, command = rest
if name != "pi":
    refuse("ssh: Could not resolve hostname")
if mode == "killed" and "python" not in command and "mkdir" not in command:
    os.environ["OTHER_MACHINE"] = "fine"
environment = dict(os.environ, PATH={there!r}, HOME={home!r})
# many shells run their last command in their place, so that a signal ends what ssh waits for
ran = subprocess.Popen(["/bin/sh", "-c", "exec " + command], cwd={home!r}, env=environment, stderr=subprocess.PIPE,
                       start_new_session=True)
for line in ran.stderr:
    sys.stderr.buffer.write(line)
    sys.stderr.flush()
    if mode == "killed" and line.startswith(b"["):
        os.killpg(ran.pid, signal.SIGKILL)
        ran.wait()
        refuse("Connection to pi closed by remote host.")
status = ran.wait()
sys.exit(255 if status < 0 else status)
'''
_PYTHON = """#!/bin/sh
case "$OTHER_MACHINE" in
slow) sleep 60 ;;
no-library) exec {python} -SE "$@" ;;
esac
exec {python} "$@"
"""


class OtherMachine:
    """The machine `pi`, which is the folder `home`.

    Attributes:
        home: Its home folder.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: str = "fine") -> None:
        self.home, self._log, self._monkeypatch = folder / "home", folder / "log", monkeypatch
        here, there = folder / "here", folder / "there"
        for each in (self.home, here, there):
            each.mkdir(parents=True)
        text = _SSH.format(
            python=sys.executable, home=str(self.home), log=str(self._log), there=f"{there}:/usr/bin:/bin"
        )
        self._program(here / "ssh", text)
        self._program(here / "scp", text)
        self._python = there / "python3"
        self.become(mode)
        monkeypatch.setenv("PATH", f"{here}{os.pathsep}{os.environ['PATH']}")

    def become(self, mode: str) -> None:
        """Change what the machine is like to one of `MODES`."""
        assert mode in MODES
        self._monkeypatch.setenv("OTHER_MACHINE", mode)
        text = "#!/bin/sh\nexit 127\n" if mode == "no-python" else _PYTHON.format(python=sys.executable)
        self._program(self._python, text)

    @property
    def commands(self) -> list[list[str]]:
        """The command lines of ssh and scp so far."""
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []

    @property
    def left(self) -> list[str]:
        """What is left in its home folder."""
        return sorted(os.listdir(self.home))

    @staticmethod
    def _program(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)


_TOY_PROGRAM = '''"""Says that a file of n bytes takes n microseconds, or as many nanoseconds as stand in it."""
import argparse, hashlib, json, os, signal, sys, time

FILES = {files!r}
parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--out")
parser.add_argument("--stop-with-input", action="store_true")
given = parser.parse_args()
if os.environ.get("OTHER_MACHINE") == "no-library":
    print("error: toys is not installed; pip install toys", file=sys.stderr)
    sys.exit(3)
records = {records!r}
for number, (name, digest) in enumerate(FILES.items(), 1):
    content = open(os.path.join(given.folder, name), "rb").read()
    assert hashlib.sha256(content).hexdigest() == digest
    ns = float(content[3:]) if content[:3] == b"ns " else 1000.0 * len(content)
    times = dict(median_ns=ns, low_ns=ns, high_ns=ns + 2, runs=9)
    records["files"].append(dict(file=name, sha256=digest, refused=None, **times))
    with open(given.out, "w") as file:
        json.dump(records, file)
    print(f"[{{number}}/{{len(FILES)}}] {{name}}: done", file=sys.stderr, flush=True)
    if os.environ.get("OTHER_MACHINE") == "killed":
        time.sleep(60)
    if os.environ.get("OTHER_MACHINE") == "out-of-memory":
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("OTHER_MACHINE") == "silent":
        print("still timing", file=sys.stderr, flush=True)
        os._exit(1)
'''


def toy_records(on: str, files: Mapping[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    """Return the records of a program for some files, each of which takes 2000 ns."""
    machine = {"system": "Linux", "cpu": "Cortex-A72", "cores": 4, "memory_bytes": 2**32, "python": "3.11.2"}
    timed = [
        {"file": name, "sha256": digest, "median_ns": 2000.0, "low_ns": 1900, "high_ns": 2500.5, "runs": 9}
        for name, digest in (files or {}).items()
    ]
    return {
        "format": "reds-timings/1",
        "job": "0f",
        "on": on,
        "machine": {**machine, "name": "toy-pi"},
        "versions": {"toys": "1.2"},
        "threads": 1,
        "repeats": 9,
        "measured_at": "2026-01-02T03:04:05Z",
        "files": [{**each, "refused": None} for each in timed],
    } | changes


def toy_program(files: Mapping[str, str], on: str) -> str:
    """Return the text of a program that makes times up."""
    return _TOY_PROGRAM.format(files=dict(files), records=toy_records(on))
