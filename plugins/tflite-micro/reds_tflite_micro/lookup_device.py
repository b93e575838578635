"""Files of tflite-micro with lookup tables as a target, which imports what it needs in its methods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reds_core.framework import INT8_BYTES, ExportedModel, ExportSource, FileKind, Framework, Target
from reds_core.network import Network

if TYPE_CHECKING:
    from reds_tflite_micro.lookup_files import LookupFiles


class LookupTables(Target):
    """Int8 files whose kernels of few different weights are lookup tables, which only tflite-micro runs.

    A kernel takes the bits of an index for each weight, and a table for each output channel. While an operator runs,
    its kernel lies in the arena with 8 bits for each weight, so that the arena is larger than that of an int8 file.
    Kernels are not shared between members.
    """

    name = "tflite-micro-lut"
    made_from = "tensorflow"
    requires = ("tflite_micro", "ai_edge_litert", "flatbuffers")
    install = "pip install 'reds-core[edge]'"
    file = FileKind("tflite-micro-lut", "tflite-micro", "-lut.tflite", "lookup tables", INT8_BYTES)

    @property
    def _files(self) -> LookupFiles:
        from reds_tflite_micro.lookup_files import LookupFiles

        return LookupFiles()

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        return self._files.refusal(network, site, what, level)

    def export(self, source: ExportSource, path: Path) -> None:
        self._files.export(source, path)

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        from reds_tflite_micro.interpreter import MicroFile

        return MicroFile(framework, path)

    def usage(self, path: Path) -> Mapping[str, int]:
        return self._files.usage(path)

    def notes(self, framework: Framework, model: Any) -> tuple[str, ...]:
        return self._files.notes(framework, model)
