"""A C engine for microcontrollers as a target of reds."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.framework import Device


@hookimpl
def reds_targets() -> Sequence[type[Device]]:
    """Return the targets."""
    return ()
