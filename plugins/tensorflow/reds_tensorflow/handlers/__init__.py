"""How each type of layer is treated: one module for a kind of layers, one table of them all."""

from reds_tensorflow.handlers.table import HANDLERS, private_handler

__all__ = ["HANDLERS", "private_handler"]
