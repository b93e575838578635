"""reds: shrinks trained neural networks to fit a device, and proves how good its choice is."""

from reds_core.hooks import hookimpl

__all__ = ["hookimpl"]
