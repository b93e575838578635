"""From the graphs of .tflite files to steps of the engine."""

from reds_c_engine.lowering.operator import layer_name
from reds_c_engine.lowering.program import LOWERINGS, lowered

__all__ = ["LOWERINGS", "layer_name", "lowered"]
