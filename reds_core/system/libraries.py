"""The libraries behind what is measured and reported: whether they are there, and in which versions."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from reds_core.errors import UnavailableError

INSTALL_BENCH = "pip install 'reds-core[bench]'"
"""What brings all that comparisons and reports need."""


def require_libraries(what: str, import_names: Iterable[str]) -> None:
    """Refuse before anything starts what could not be finished.

    Args:
        what: needs them, such as "a comparison".

    Raises:
        UnavailableError: names those that are not installed.
    """
    missing = [name for name in import_names if importlib.util.find_spec(name) is None]
    if missing:
        raise UnavailableError(f"{what} needs {', '.join(missing)}", INSTALL_BENCH)


def library_versions(import_names: Iterable[str]) -> dict[str, str]:
    """Versions of reds-core, numpy and the distributions that bring `import_names`, as far as they are installed."""
    tops = [name.partition(".")[0] for name in import_names]
    wanted = {"reds-core", "numpy", *(d for top in tops for d in _distributions().get(top, [top]))}
    versions = {}
    for name in sorted(wanted):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


@functools.cache  # looks through everything that is installed
def _distributions() -> Mapping[str, Sequence[str]]:
    return importlib.metadata.packages_distributions()
