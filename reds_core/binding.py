"""Loads libraries so that they can live in one process with TensorFlow."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def bound_deeply() -> Iterator[None]:
    """Import a library inside the block so that it keeps to the symbols of its own that TensorFlow has, too.

    TensorFlow and OR-Tools each carry libraries whose symbols have the same names. Where TensorFlow was loaded first,
    the other would bind to its copies, and crash on first use. Nothing is done where it was not, or on systems that
    cannot bind so.
    """
    deeply = getattr(os, "RTLD_DEEPBIND", 0) if "tensorflow" in sys.modules else 0
    flags = sys.getdlopenflags() if deeply else 0
    if deeply:
        sys.setdlopenflags(flags | deeply)
    try:
        yield
    finally:
        if deeply:
            sys.setdlopenflags(flags)
