"""Records of studies in the repository, and lines of records that a killed process may have left incomplete."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

from reds_core.system import RECORDS_FILE, RecordKind, make_folder, write_text

R = TypeVar("R")


def keep_records(kind: RecordKind[R], out: Path, kept: Path, key: Callable[[R], Hashable]) -> None:
    """Copy the records of a folder to another, where they replace those with the same key, and others stay.

    Args:
        kind: How the records are read.
        out: The folder of the runs, which need not have records.
        kept: The folder of the repository.
        key: What identifies a record.
    """
    make_folder(kept)
    found: dict[Hashable, str] = {}
    for folder in (kept, out):
        path = folder / RECORDS_FILE
        if path.exists():
            records = kind.read(folder)
            lines = path.read_text(encoding="utf-8").splitlines()[: len(records)]  # without an incomplete last one
            found |= {key(record): line for record, line in zip(records, lines, strict=True)}
    if found:
        write_text(kept / RECORDS_FILE, "".join(f"{line}\n" for line in found.values()))


def lines_to_resume(path: Path) -> list[str]:
    """Return the lines of a file of records; an incomplete last line, which a killed process leaves, is removed."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(path, whole)
    return whole.splitlines()
