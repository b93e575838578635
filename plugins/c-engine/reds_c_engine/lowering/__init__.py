"""From the graphs of .tflite files to steps of the engine."""

from reds_c_engine.lowering.operator import layer_name
from reds_c_engine.lowering.program import LOWERINGS, check_kinds, lowered

__all__ = ["LOWERINGS", "check_kinds", "layer_name", "lowered"]
