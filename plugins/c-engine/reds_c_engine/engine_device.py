"""The C engine as a device, for which families are deployed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reds_c_engine.layouts import LayoutName
from reds_core.errors import InputError
from reds_core.framework import Deployment, Device, MemberFile


@dataclass(frozen=True)
class EngineOptions:
    """Options of the C engine.

    Attributes:
        layout: how the files are laid out: plain for a Makefile and CMake, or as an Arduino library or a Zephyr module.
        examples: the number of random inputs of the self-test.
    """

    layout: LayoutName = "plain"
    examples: int = 8


class CEngine(Device):
    """An engine in C99 that holds the weights of a family once and switches between its members by one store."""

    name = "c-engine"
    reads = ("tflite-int8",)
    requires = ("ai_edge_litert", "flatbuffers")
    install = "pip install 'reds-core[tensorflow]'"
    Options = EngineOptions

    def deploy(self, files: Sequence[MemberFile], out: Path) -> Deployment:
        from reds_c_engine.deploy import generated, written

        options: EngineOptions = self.options
        if options.examples < 1:
            raise InputError(f"c-engine.examples is {options.examples}", "give at least 1")
        engine = generated([(file.name, _read(file.path)) for file in files], options.layout, options.examples)
        return Deployment(
            files=written(engine, out),
            weights_bytes=engine.sizes.weights_bytes,
            tables_bytes=engine.sizes.tables_bytes,
            arena_bytes={member.name: member.arena_bytes for member in engine.family.members},
            notes=tuple(f"the weights of {text} are not shared" for text in engine.family.own_kernels),
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror})", "export the family again") from error
