"""`reds latency` as one Python call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reds_core.api import load_for_inspection
from reds_core.files import given_file
from reds_core.folder_lock import locked_file
from reds_core.latency.measurement import Told, measure_latency
from reds_core.latency.table import LatencySettings, LatencyTable
from reds_core.machine import this_machine
from reds_core.provenance import file_hash
from reds_core.registry import Registry


def latency(
    model: str | Path,
    out: str | Path,
    settings: LatencySettings | None = None,
    *,
    options: Mapping[str, Mapping[str, str]] | None = None,
    imports: str | Path | Sequence[str | Path] = (),
    registry: Registry | None = None,
    told: Told | None = None,
) -> LatencyTable:
    """Time a model file's segments on this machine, as exported; `out` is written after every round and gone on with.

    Args:
        options: of plugins, those of the framework among them: plugin name -> key -> text.
        imports: Python files and modules with layers of your own, imported before the model is read.
        told: hears how many samples are done, and of how many.

    Raises:
        InputError: if the model cannot be read, `out` holds a table of something else, or another call is writing to
            it.
        UnsupportedError: if the model, or a part of it, cannot be exported.
        UnavailableError: if a library that it needs is not installed.
    """
    registry = registry or Registry()
    registry.check_settings(options or {})
    path = given_file(out, "out")
    with locked_file(path, "a measurement"):
        machine = this_machine()
        framework, loaded, network = load_for_inspection(model, registry, options=options, imports=imports)
        digest = file_hash(Path(model))
        return measure_latency(
            framework,
            loaded,
            network,
            digest,
            settings or LatencySettings(),
            machine,
            path,
            told or (lambda done, of: None),
        )
