"""What the files of the runs of a comparison take on devices, for runs that were profiled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from reds_core.compare.runner import RUNS_FOLDER
from reds_core.framework.profile_records import ProfileRecord, load_profiles


def profiles_of_runs(folder: Path, names: Iterable[str]) -> tuple[ProfileRecord, ...]:
    """Return the profiles of the runs of a comparison, whose files are named relative to its folder.

    Args:
        folder: the folder of the comparison.
        names: the names of the runs.

    Raises:
        InputError: if the profiles of a run are damaged.
    """
    return tuple(
        replace(record, file=f"{RUNS_FOLDER}/{name}/{record.file}")
        for name in dict.fromkeys(names)
        for record in load_profiles(folder / RUNS_FOLDER / name)
    )
