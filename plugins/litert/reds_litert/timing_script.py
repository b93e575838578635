"""The program that times .tflite files on other machines, written for certain files."""

from __future__ import annotations

import pprint
import re
from collections.abc import Mapping
from pathlib import Path

PROGRAM = Path(__file__).with_name("timing_program.py")
_JOB = re.compile(r"(?<=# --- what to time ---\n).*(?=# --- end of what to time ---\n)", re.DOTALL)


def timing_script(
    files: Mapping[str, str], on: str, *, threads: int, repeats: int, time_limit_s: float | None = None
) -> str:
    """Return the text of a program that times files with LiteRT alone.

    Args:
        files: The SHA-256 of each file by its name, in the order in which they are timed.
        on: The name of the target in the records.
        threads: How many threads run an inference.
        repeats: How many inferences of each file are timed at most.
        time_limit_s: Seconds after which no more inferences of a file are started; None without a limit.
    """
    job = {"on": on, "threads": threads, "repeats": max(repeats, 1), "time_limit_s": time_limit_s, "files": dict(files)}
    text = f"JOB: dict[str, Any] = {pprint.pformat(job, width=119, sort_dicts=False)}\n"
    return _JOB.sub(lambda _: text, PROGRAM.read_text(encoding="utf-8"), count=1)
