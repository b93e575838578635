"""Handlers of layer types: one module for each kind of layer, and one table of all handlers."""

from reds_tensorflow.handlers.table import HANDLERS, private_handler

__all__ = ["HANDLERS", "private_handler"]
