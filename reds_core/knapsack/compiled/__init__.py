"""The innermost loops of the exact solvers in C: sweeps, label setting and dominance.

`pip install` compiles them with the C compiler of the machine, if there is one (`hatch_build.py`). Everything here has
an implementation in NumPy as well, which is used where the library is missing, and which the tests compare it with. The
environment variable REDS_COMPILED=0 switches the compiled code off.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.knapsack.compiled.labels import LabelLimits, LabelProblem, LabelRun, run_labels, undominated_labels
from reds_core.knapsack.compiled.library import VARIABLE, address, compiled_library, described
from reds_core.knapsack.compiled.program import Program, encode

__all__ = [
    "VARIABLE",
    "LabelLimits",
    "LabelProblem",
    "LabelRun",
    "Program",
    "address",
    "compiled_library",
    "described",
    "encode",
    "run_labels",
    "undominated_labels",
]
