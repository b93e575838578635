"""Required libraries: whether they are installed, and in which versions."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from reds_core.errors import UnavailableError

INSTALL_BENCH = "pip install 'reds-core[bench]'"
"""The command that installs all libraries that comparisons and reports need."""


def require_libraries(what: str, import_names: Iterable[str]) -> None:
    """Check that libraries are installed, before any work that needs them begins.

    Args:
        what: what needs the libraries, for the message, such as "a comparison".
        import_names: import names of the libraries.

    Raises:
        UnavailableError: if some are not installed; the message names them.
    """
    missing = [name for name in import_names if importlib.util.find_spec(name) is None]
    if missing:
        raise UnavailableError(f"{what} needs {', '.join(missing)}", INSTALL_BENCH)


def library_versions(import_names: Iterable[str]) -> dict[str, str]:
    """Return the installed versions of reds-core, numpy and the distributions that provide `import_names`."""
    tops = [name.partition(".")[0] for name in import_names]
    wanted = {"reds-core", "numpy", *(d for top in tops for d in _distributions().get(top, [top]))}
    versions = {}
    for name in sorted(wanted):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


@functools.cache  # slow, because it scans all installed distributions
def _distributions() -> Mapping[str, Sequence[str]]:
    return importlib.metadata.packages_distributions()
