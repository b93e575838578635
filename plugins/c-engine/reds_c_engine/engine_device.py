"""The C engine as a device, for which families are deployed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reds_c_engine.layouts import LayoutName
from reds_core.errors import InputError
from reds_core.framework import Deployment, Device, MemberFile, Profile


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
    configurations = ("host", "cortex-m4", "cortex-m7", "cortex-m55")
    remark = (
        "Instructions are counted in an emulator that knows no cycles. Flash holds code and constants, without the C "
        "library. Latency is that of the machine that profiled."
    )
    Options = EngineOptions

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        from reds_litert.graph import read_graph

        from reds_c_engine.deploy import generated
        from reds_c_engine.profiling import profiled

        content = _read(path)
        operators = Counter(operator.kind for operator in read_graph(content).operators)
        engine = generated([("full", content)], examples=1)
        return profiled(engine, dict(operators.most_common()), configuration or self.configurations[0])

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
            notes=tuple(map(str, engine.family.own_kernels)),
        )


def _read(path: Path) -> bytes:
    """Return the content of a file, which can be read as a LiteRT model.

    Raises:
        InputError: If the file is missing, damaged or of another kind.
        UnsupportedError: If it has several graphs.
    """
    from reds_litert.graph import read_graph

    try:
        content = path.read_bytes()
        read_graph(content)
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror})", "export the family again") from error
    except InputError as error:
        raise InputError(f"'{path}' cannot be read as a LiteRT model", "give an int8 .tflite file") from error
    return content
