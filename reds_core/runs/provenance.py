"""The provenance of a plan: hashes of its inputs, and versions of the software that made it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.registry import Registry


def file_hash(path: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights_hash(framework: Framework, model: Any, network: Network) -> str:
    """The hexadecimal SHA-256 of the layers and weights of a model that has no file."""
    digest = hashlib.sha256(repr([(layer.name, layer.kind) for layer in network.layers]).encode())
    for array in framework.weights(model, network):
        digest.update(array.tobytes())
    return digest.hexdigest()


def versions_of(registry: Registry, framework: Framework) -> dict[str, str]:
    """The versions of Python, of every distribution with plugins, and of the libraries that they need."""
    distributions = {r.distribution: r.version for r in registry.records if r.distribution and r.version}
    libraries = {name: importlib.metadata.version(name) for name in ("numpy", "pluggy")}
    required = {name.replace("_", "-") for r in registry.records if r.plugin is not None for name in r.plugin.requires}
    for name in sorted(required):
        with suppress(importlib.metadata.PackageNotFoundError):  # not installed, or installed under another name
            libraries[name] = importlib.metadata.version(name)
    return {"python": platform.python_version(), **distributions, **libraries, **framework.library_versions()}
