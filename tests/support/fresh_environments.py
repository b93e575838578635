"""Virtual environments into which the tests install what users would install, and commands that run in them."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def fresh_environment(folder: Path) -> Path:
    """A virtual environment that sees what is installed beside this test; returns its interpreter."""
    venv.create(folder, symlinks=True, with_pip=False)
    inside = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}, scheme="venv"))
    seen = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    (inside / "seen.pth").write_text(
        "".join(f"import site; site.addsitedir({path!r})\n" for path in dict.fromkeys(seen))
    )
    return folder / "bin" / "python"


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; the test fails if the command does."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(python: Path, *packages: str | Path, cwd: Path) -> None:
    """Install packages into the environment of `python`, without their dependencies and without a network."""
    options = ("install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, *options, *packages, cwd=cwd)


def built(target: str, folder: Path) -> Path:
    """The wheel or the source distribution of this repository, built in `folder`."""
    run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder, cwd=ROOT)
    return next(folder.iterdir())
