"""The setting that says what files of integers are calibrated on: a number of training examples, or other data."""

from __future__ import annotations

from reds_core.errors import InputError
from reds_core.system.files import given_path

DEFAULT_EXAMPLES = 200
"""How many training examples files are calibrated on unless the settings say something else."""


def check_calibration_setting(setting: str | None) -> None:
    """Refuse a setting that is neither a number of at least one example nor the name of data.

    Raises:
        InputError: If it is one.
    """
    if setting is None:
        return
    try:
        count = int(setting)
    except ValueError:
        given_path(setting, "calibration")
        return
    if count < 1:
        raise InputError(f"files cannot be calibrated on {setting} examples", "give a number of 1 or more, or data")


def examples_wanted(setting: str | None) -> int | None:
    """The number of training examples that files are calibrated on; None if they are calibrated on other data."""
    if setting is None:
        return DEFAULT_EXAMPLES
    try:
        return int(setting)
    except ValueError:
        return None
