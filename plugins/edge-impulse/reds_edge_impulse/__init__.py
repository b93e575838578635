"""Edge Impulse as a device of reds: its estimates for files, and the archives that it builds of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core import hookimpl

if TYPE_CHECKING:
    from reds_core.framework import Device


@hookimpl
def reds_targets() -> Sequence[type[Device]]:
    """Return the device. The client of Edge Impulse is only imported when one of its methods is called."""
    from reds_edge_impulse.device import EdgeImpulse

    return [EdgeImpulse]
