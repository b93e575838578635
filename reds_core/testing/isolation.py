"""Observes the side effects of a plugin: what it prints and which modules it imports."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

_BROUGHT = """
import importlib, json, sys
import numpy, pluggy, reds_core.registry
before = set(sys.modules)
module = sys.argv[1]
try:
    importlib.import_module(module)
except ModuleNotFoundError as error:
    if module == error.name or module.startswith(f"{error.name}."):
        print("null")
        raise SystemExit from None
    raise
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
_ALLOWED = {"numpy", "pluggy", "reds_core"}


def imports_of(module: str) -> set[str] | None:
    """The top-level modules that `module` imports in a new interpreter, without those that every plugin may import.

    The result is None if it cannot be imported by that name there, as a test module or `__main__`.

    Raises:
        AssertionError: if the import fails otherwise; the message ends with the error.
    """
    if module == "__main__":
        return None
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _BROUGHT, module], capture_output=True, text=True, env=environment, timeout=60
    )
    if done.returncode:
        raise AssertionError(f"importing {module} fails: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    brought = json.loads(done.stdout.strip().splitlines()[-1])
    if brought is None:
        return None
    own = module.partition(".")[0]
    return {name for name in brought if name not in sys.stdlib_module_names | _ALLOWED | {own}}


@dataclass
class Captured:
    """The text that was printed; complete after the `with` block."""

    text: str = ""


@contextlib.contextmanager
def captured_stdout() -> Iterator[Captured]:
    """Catch what is printed inside the block: by Python, by C libraries and by child processes."""
    captured = Captured()
    printed = io.StringIO()
    sys.stdout.flush()
    with tempfile.TemporaryFile() as file:
        saved = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            with contextlib.redirect_stdout(printed):
                yield captured
        finally:
            _flush_c_streams()
            os.dup2(saved, 1)
            os.close(saved)
            file.seek(0)
            captured.text = printed.getvalue() + file.read().decode(errors="replace")


def _flush_c_streams() -> None:
    """Flush the buffers of C libraries, which otherwise hold back what they print."""
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)
