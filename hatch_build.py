"""Build hook: compiles the innermost loops of the solvers and of simulations, if there is a C compiler.

Without a compiler, with a compiler that fails, or with REDS_COMPILED=0, the wheel is pure Python, and the solvers use
NumPy instead. Run as a script, this compiles the libraries into the checkout, as an editable install does:

    python hatch_build.py
"""

from __future__ import annotations

import os
import runpy
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACES = {
    "reds_core/knapsack/compiled": "so solvers will use NumPy instead",
    "reds_core/runtime/compiled": "so simulations of governors will take longer",
}
"""The folders with C sources, and what follows if they are not compiled."""
# neither -ffast-math nor contraction, since the bounds on rounding errors assume that sums are computed as written;
# no -march=native, since a wheel must run on other machines
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-fwrapv", "-ffp-contract=off")
TIMEOUT_S = 300


def compile_library(root: Path, place: str, folder: Path) -> Path | None:
    """Compile the library of a folder of sources into `folder`.

    Args:
        root: the root of the checkout or of the unpacked source distribution.
        place: the folder of the sources, one of `PLACES`.
        folder: where to write the library.

    Returns:
        The library, or None if it cannot be compiled here.
    """
    if os.environ.get("REDS_COMPILED") == "0" or sys.platform == "win32":
        return None
    sources = runpy.run_path(str(root / place / "sources.py"))
    compiler = shlex.split(os.environ.get("CC", "cc"))
    library = folder / sources["library_name"]()
    unfinished = library.with_suffix(f".{os.getpid()}.tmp")
    files = [str(root / place / name) for name in sources["SOURCES"]]
    try:
        subprocess.run(
            [*compiler, *FLAGS, "-o", str(unfinished), *files, "-lm"],
            check=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        unfinished.replace(library)
    except (OSError, subprocess.SubprocessError) as error:
        unfinished.unlink(missing_ok=True)
        why = (getattr(error, "stderr", None) or f"'{shlex.join(compiler)}' failed: {type(error).__name__}").strip()
        sys.stderr.write(f"reds: the compiled library was not built, {PLACES[place]}: {why}\n")
        return None
    return library


def platform_tag() -> str:
    """The tag of a wheel for this platform that fits every Python."""
    return "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")


class CompileHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled library to a wheel, or compiles it in place for an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version == "editable":
            for place in PLACES:
                compile_library(root, place, root / place)
            return
        self._folder = tempfile.TemporaryDirectory()
        for place in PLACES:
            library = compile_library(root, place, Path(self._folder.name))
            if library is not None:
                build_data["force_include"][str(library)] = f"{place}/{library.name}"
                build_data["pure_python"] = False
                build_data["tag"] = platform_tag()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    every = [compile_library(here, place, here / place) for place in PLACES]
    for made in every:
        for other in () if made is None else made.parent.glob("kernels-*.so"):
            if other != made:
                other.unlink()
    sys.exit(None in every)
