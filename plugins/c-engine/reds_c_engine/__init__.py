"""A C engine for microcontrollers as a target of reds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core import hookimpl

if TYPE_CHECKING:
    from reds_core.framework import Target


@hookimpl
def reds_targets() -> Sequence[type[Target]]:
    """Return the targets."""
    from reds_c_engine.engine_device import CEngine

    return (CEngine,)
