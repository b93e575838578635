"""Loads OR-Tools in a way that works together with TensorFlow."""

from __future__ import annotations

import os
import sys
from typing import Any


def load_cp_model() -> Any:
    """The module `ortools.sat.python.cp_model`.

    TensorFlow and OR-Tools bundle libraries whose symbols have the same names. If TensorFlow was loaded first, OR-Tools
    would bind to its copies, and CP-SAT would crash. RTLD_DEEPBIND makes OR-Tools use its own copies.
    """
    deeply = getattr(os, "RTLD_DEEPBIND", 0) if "tensorflow" in sys.modules else 0
    flags = sys.getdlopenflags() if deeply else 0
    if deeply:
        sys.setdlopenflags(flags | deeply)
    try:
        from ortools.sat.python import cp_model
    finally:
        if deeply:
            sys.setdlopenflags(flags)
    return cp_model
