"""Named arrays in .npz files, written atomically and read without pickle, so that files need not be trusted."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.system.files import write_bytes


class ArchiveError(Exception):
    """A file is not a readable .npz archive.

    Attributes:
        reason: the reason in a few words.
        pickled: whether the reason is that it contains pickled objects, which are never loaded.
    """

    def __init__(self, reason: str, pickled: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.pickled = reason, pickled


def read_archive(path: Path, names: Iterable[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of an .npz archive.

    Args:
        path: path of the archive.
        names: names of the arrays to read; names that the archive does not contain are skipped. None reads all arrays.

    Raises:
        FileNotFoundError: if the file does not exist.
        ArchiveError: if the file cannot be read for any other reason.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ArchiveError("a single array")
        with archive:
            # look up members by their own names, because numpy confuses arrays named x.npy and x
            members = {member.removesuffix(".npy"): member for member in archive.zip.namelist()} if archive.zip else {}
            wanted = members if names is None else [name for name in names if name in members]
            arrays = {name: archive[members[name]] for name in wanted}
    except (FileNotFoundError, ArchiveError):
        raise
    except Exception as error:  # damaged files raise various exceptions in numpy, zipfile and tokenize
        pickled = "Object arrays" in str(error)
        raise ArchiveError("pickled objects" if pickled else type(error).__name__, pickled) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ArchiveError(f"'{name}' is not an array")
    return arrays


def write_archive(path: Path, arrays: Mapping[str, npt.NDArray[Any]], compressed: bool = False) -> None:
    """Write named arrays to an .npz archive, atomically.

    Raises:
        InputError: if the file cannot be written.
    """
    buffer = io.BytesIO()
    members: dict[str, Any] = dict(arrays)  # Any, because one keyword argument of savez is a bool
    (np.savez_compressed if compressed else np.savez)(buffer, **members)
    write_bytes(path, buffer.getvalue())
