"""The part of a network with early exits that has the last output alone, for what takes networks of one output."""

from __future__ import annotations

from typing import Any

from reds_core.framework.framework import Framework
from reds_core.network.exits import exit_names


def to_the_end(framework: Framework, model: Any) -> Any:
    """Return the part of a model that its last exit needs; the model itself if it has no early exits."""
    return framework.ending_at(model, None) if exit_names(framework.inspect(model)) else model
