"""Output of single threads is discarded or sent elsewhere, while other threads and later output are heard."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from typing import Any

import pytest

from reds_core.system.output import silenced_output, silenced_warnings, stdout_on_stderr, stream_behind

CROSSWISE = """
import os, sys, threading
from reds_core.system.output import silenced_output

inside, outside, ended = threading.Event(), threading.Event(), threading.Event()

def first():
    with silenced_output():
        inside.set()
        print("silenced")
        os.write(1, b"silenced")
        outside.wait()
    print("first afterwards")
    ended.set()

def second():
    inside.wait()
    print("heard beside the first")
    print("heard on stderr", file=sys.stderr)
    with silenced_output():
        outside.set()
        ended.wait()
        print("silenced", file=sys.stderr)
    print("second afterwards")

before = sys.stdout, sys.stderr
threads = [threading.Thread(target=each) for each in (first, second)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert (sys.stdout, sys.stderr) == before
print("end")
os.write(2, b"end on stderr")
"""


def test_threads_that_overlap_do_not_silence_each_other() -> None:
    done = subprocess.run([sys.executable, "-c", CROSSWISE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["heard beside the first", "first afterwards", "second afterwards", "end"]
    assert done.stderr == "heard on stderr\nend on stderr"


def test_stdout_alone_is_silenced(capfd: pytest.CaptureFixture[str]) -> None:
    with silenced_output(stderr=False):
        print("silenced")
        os.write(1, b"silenced")
        print("heard", file=sys.stderr)
    print("after")
    assert capfd.readouterr() == ("after\n", "heard\n")


def test_blocks_are_nested(capfd: pytest.CaptureFixture[str]) -> None:
    with stdout_on_stderr():
        print("on stderr")
        with silenced_output():
            print("silenced")
        print("on stderr again")
    print("on stdout")
    assert capfd.readouterr() == ("on stdout\n", "on stderr\non stderr again\n")


def test_a_stream_that_was_taken_inside_works_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    original = sys.stdout
    with silenced_output():
        taken: Any = sys.stdout
        assert stream_behind(taken) is original
    taken.writelines(["late", "r\n"])
    taken.flush()
    assert taken.encoding == original.encoding
    assert sys.stdout is original
    assert stream_behind(original) is original
    assert capfd.readouterr().out == "later\n"


def test_a_stream_that_the_program_sets_inside_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    own: Any = object()
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    with silenced_output(stderr=False):
        sys.stdout = own
    assert sys.stdout is own


def test_the_block_ends_with_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), silenced_output():
        1 / 0  # noqa: B018
    print("after")
    assert capfd.readouterr().out == "after\n"


def test_warnings_are_ignored_until_the_last_block_ends() -> None:
    first_ends, second_began = threading.Event(), threading.Event()

    def second() -> None:
        with silenced_warnings():
            second_began.set()
            first_ends.wait()
            warnings.warn("ignored", stacklevel=1)

    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        thread = threading.Thread(target=second)
        with silenced_warnings():
            thread.start()
            second_began.wait()
        first_ends.set()
        thread.join()
        with pytest.raises(UserWarning, match="raised"):
            warnings.warn("raised", stacklevel=1)
    assert warnings.filters == before
