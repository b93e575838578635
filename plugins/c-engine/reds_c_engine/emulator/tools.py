"""The programs that building and running take."""

from __future__ import annotations

import shutil

from reds_core.errors import UnavailableError

COMPILER = "arm-none-eabi-gcc"
SIZE = "arm-none-eabi-size"
EMULATOR = "qemu-system-arm"
PACKAGES = ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "qemu-system-arm")
"""The packages of Debian that contain the programs and the C library."""


def unavailable() -> str | None:
    """Return what is missing and how to install it, in a sentence; None if everything is there."""
    missing = [name for name in (COMPILER, SIZE, EMULATOR) if shutil.which(name) is None]
    if not missing:
        return None
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not found; install: {install_command()}"


def install_command() -> str:
    """Return the command that installs the programs on Debian and Ubuntu."""
    return f"apt-get install --no-install-recommends {' '.join(PACKAGES)}"


def check_available() -> None:
    """Raise an UnavailableError if a program is missing."""
    missing = unavailable()
    if missing is not None:
        what, _, how = missing.partition("; ")
        raise UnavailableError(what, how)
