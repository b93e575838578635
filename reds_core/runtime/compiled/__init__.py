"""The simulator and the governors `threshold` and `pi` in C.

`pip install` compiles them where there is a C compiler. The same steps are implemented in Python, which is used where
the library is missing, and which the tests compare it with. The environment variable REDS_COMPILED=0 switches the
compiled code off. `reds_governor.c` and `reds_governor.h` are also what devices run.
"""

from __future__ import annotations

from reds_core.runtime.compiled.library import LARGEST_FAMILY, compiled_simulation, simulate_compiled
from reds_core.runtime.compiled.sources import governor_sources

__all__ = ["LARGEST_FAMILY", "compiled_simulation", "governor_sources", "simulate_compiled"]
