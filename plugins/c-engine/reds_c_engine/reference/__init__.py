"""Runs int8 graphs of .tflite files in NumPy, with integers only and bit for bit as tflite-micro does.

It is written from the specification of the operators and shares no code with the generator of the C engine or with its
kernels (except for the fixed-point arithmetic), so that each can be checked against the other.
"""

from reds_c_engine.reference.operators import OPERATORS
from reds_c_engine.reference.running import activations, outputs_of, run

__all__ = ["OPERATORS", "activations", "outputs_of", "run"]
