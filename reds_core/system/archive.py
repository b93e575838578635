"""Named arrays in .npz files: written whole or not at all, read without pickle from files that are not trusted."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.system.files import write_bytes


class ArchiveError(Exception):
    """A file is no readable .npz.

    Attributes:
        reason: of a few words.
        pickled: whether it is because it holds pickled objects, which are never loaded.
    """

    def __init__(self, reason: str, pickled: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.pickled = reason, pickled


def read_archive(path: Path, names: Iterable[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an .npz: all of them, or those of `names` that it holds.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if it cannot be read, whatever it is that it holds.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ArchiveError("a single array")
        with archive:
            # by the members' own names: numpy confuses the arrays x.npy and x
            members = {member.removesuffix(".npy"): member for member in archive.zip.namelist()} if archive.zip else {}
            wanted = members if names is None else [name for name in names if name in members]
            arrays = {name: archive[members[name]] for name in wanted}
    except (FileNotFoundError, ArchiveError):
        raise
    except Exception as error:  # damaged bytes fail in whatever part of numpy, zipfile or tokenize they reach
        pickled = "Object arrays" in str(error)
        raise ArchiveError("pickled objects" if pickled else type(error).__name__, pickled) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ArchiveError(f"'{name}' is no array")
    return arrays


def write_archive(path: Path, arrays: Mapping[str, npt.NDArray[Any]], compressed: bool = False) -> None:
    """Write named arrays as .npz, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    buffer = io.BytesIO()
    members: dict[str, Any] = dict(arrays)  # a dict may hold the name of one of numpy's own arguments
    (np.savez_compressed if compressed else np.savez)(buffer, **members)
    write_bytes(path, buffer.getvalue())
