"""tflite-micro as a device of reds: the memory that files take on it, and the answers that it computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core import hookimpl

if TYPE_CHECKING:
    from reds_core.framework import Device


@hookimpl
def reds_targets() -> Sequence[type[Device]]:
    """Return the device and the target. tflite-micro itself is only imported when one of their methods is called."""
    from reds_tflite_micro.device import TfliteMicro
    from reds_tflite_micro.lookup_device import LookupTables

    return [TfliteMicro, LookupTables]
