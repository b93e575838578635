"""The pruner boundary. Completed with run.py."""

from __future__ import annotations

from abc import ABC

from reds_core.plugin import Plugin


class Pruner(Plugin, ABC):
    """Base class of pruner plugins."""

    kind = "pruner"
