"""What was written to deploy a family on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Deployment:
    """What was written to deploy a family on a device. Figures that do not exist are None.

    Attributes:
        files: The paths of the files that were written.
        weights_bytes: What the weights of all members take together, in bytes.
        tables_bytes: What else the networks take in flash, such as biases and the lists of layers, in bytes.
        arena_bytes: The memory for activations of each member, in bytes, by its name.
        notes: What users should know of it, one clause each, such as that some weights are not shared.
    """

    files: tuple[Path, ...]
    weights_bytes: int | None = None
    tables_bytes: int | None = None
    arena_bytes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
