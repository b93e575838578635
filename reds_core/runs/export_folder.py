"""The folder of an export: what it holds, and how an earlier export in it is replaced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reds_core.errors import InputError, argument
from reds_core.framework.deployment import Deployment
from reds_core.plan import PLAN_FILE
from reds_core.runs.folder import Mode
from reds_core.system.files import cannot_write, make_folder, write_text
from reds_core.system.records import from_plain, parse_json, to_json

EXPORT_FILE = "reds-export.json"
"""The file that marks the folder of an export and lists its files."""


@dataclass(frozen=True)
class FamilyExport:
    """What was written of a family for a device. Figures that are not known are None.

    Attributes:
        target: The name of the target.
        members: The names of the networks, smallest first; the last one is "full".
        files: The files that were written, relative to the folder.
        size_bytes: The size of all files.
        weights_bytes: What the weights of all members take together on the device, in bytes.
        tables_bytes: What else the networks take in flash, in bytes.
        arena_bytes: The memory for activations of each member, in bytes, by its name.
        notes: What users should know, one clause each, such as that some weights are not shared.
    """

    target: str
    members: tuple[str, ...]
    files: tuple[str, ...]
    size_bytes: int
    weights_bytes: int | None = None
    tables_bytes: int | None = None
    arena_bytes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def check_free(folder: Path, mode: Mode) -> None:
    """Refuse a folder that holds other files than an earlier export, unless it may be overwritten.

    Raises:
        InputError: If it is refused. The folder of a run always is.
    """
    if (folder / PLAN_FILE).exists():
        raise InputError(f"'{folder}' holds a run", f"choose another {argument('out')}")
    if mode is Mode.OVERWRITE or not folder.is_dir() or (folder / EXPORT_FILE).exists():
        return
    if any(not path.name.startswith(".") for path in folder.iterdir()):
        raise InputError(
            f"'{folder}' is not empty and holds no earlier export",
            f"choose another {argument('out')}, or add {argument('mode', 'overwrite')}",
        )


def replace_export(
    folder: Path, target: str, members: tuple[str, ...], write: Callable[[Path], Deployment]
) -> FamilyExport:
    """Write an export to a temporary folder, and move it to its place once it is complete.

    The files of an earlier export that are not written again are removed. Other files stay.

    Args:
        folder: The folder of the export, which is created if it does not exist.
        target: The name of the target.
        members: The names of the networks.
        write: Writes the files to a folder.

    Raises:
        InputError: If the folder cannot be written, or the list of an earlier export is damaged.
    """
    make_folder(folder)
    work = folder / f".{os.getpid()}.partial"
    earlier = _earlier_files(folder)
    try:
        work.mkdir()
        made = write(work)
        names = tuple(sorted(path.relative_to(work).as_posix() for path in made.files))
        size = sum((work / name).stat().st_size for name in names)
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).replace(folder / name)
        for name in set(earlier) - set(names):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    record = FamilyExport(
        target, members, names, size, made.weights_bytes, made.tables_bytes, made.arena_bytes, made.notes
    )
    write_text(folder / EXPORT_FILE, to_json(record))
    return record


def _earlier_files(folder: Path) -> tuple[str, ...]:
    """Return the files of an earlier export, as its list states them.

    Raises:
        InputError: If the list cannot be read or names files outside of the folder.
    """
    path = folder / EXPORT_FILE
    try:
        record: FamilyExport = from_plain(FamilyExport, parse_json(path.read_text(encoding="utf-8")))
        for name in map(PurePosixPath, record.files):
            if name.is_absolute() or ".." in name.parts:
                raise ValueError(f"it names '{name}'")
    except FileNotFoundError:
        return ()
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"'{path}' cannot be read ({error})", "remove it, or choose another folder") from error
    return record.files
