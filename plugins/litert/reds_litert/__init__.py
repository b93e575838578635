"""LiteRT files (.tflite) as targets of reds, and LiteRT itself as a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core import hookimpl

if TYPE_CHECKING:
    from reds_core.framework import Device


@hookimpl
def reds_targets() -> Sequence[type[Device]]:
    """Return the targets. LiteRT itself is only imported when a method of one of them is called."""
    from reds_litert.profile import LiteRt
    from reds_litert.targets import TARGETS

    return [*TARGETS, LiteRt]
