"""Arm Ethos-U NPUs as a device of reds: cycles, memory and operators as Arm's compiler Vela counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reds_core import hookimpl

if TYPE_CHECKING:
    from reds_core.framework import Device


@hookimpl
def reds_targets() -> Sequence[type[Device]]:
    """Return the device. Vela is only imported in a process of its own."""
    from reds_ethos_u.device import EthosU

    return [EthosU]
