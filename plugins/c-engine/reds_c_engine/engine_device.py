"""The C engine as a target, which writes a file of each member, and for which families are deployed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reds_c_engine.layouts import LayoutName
from reds_core.errors import InputError
from reds_core.framework import (
    INT8_BYTES,
    Deployment,
    ExportedModel,
    ExportSource,
    FileKind,
    Framework,
    MemberFile,
    Profile,
    Target,
)
from reds_core.network import Network
from reds_core.system import POWERCAP

if TYPE_CHECKING:
    from reds_c_engine.packed_files import PackedFiles


FULL = "full"
"""The name of the full network."""
WIDE_SUFFIX = "-16x8.tflite"
"""How the names of files with activations of 16 bits end."""


@dataclass(frozen=True)
class EngineOptions:
    """Options of the C engine.

    Attributes:
        layout: how the files are laid out: plain for a Makefile and CMake, or as an Arduino library or a Zephyr module.
        examples: the number of random inputs of the self-test.
        full: whether the engine also runs the full network. Without it, the arena and the weights are those that the
            largest member needs.
        powercap: the folder in which Linux shows the energy counters of the processor, for profiles on this machine.
        activations: the number of bits of activations of the files that are taken from a run; any takes those of 8 bits
            if there are both. With both, each network is two members, which share their weights.
    """

    layout: LayoutName = "plain"
    examples: int = 8
    full: bool = True
    powercap: str = str(POWERCAP)
    activations: Literal["any", "8", "16", "both"] = "any"


class CEngine(Target):
    """An engine in C99 that holds the weights of a family once and switches between them by one pointer.

    Its files are int8 files that record which kernels the engine packs in 4 or 2 bits, so that any interpreter of
    LiteRT files runs them.
    """

    name = "c-engine"
    made_from = "tensorflow"
    requires = ("ai_edge_litert", "flatbuffers")
    install = "pip install 'reds-core[tensorflow]'"
    file = FileKind("c-engine", "C engine", "-c-engine.tflite", element_size_bytes=INT8_BYTES)
    reads = ("c-engine", "tflite-int8", "tflite-16x8")
    configurations = ("host", "cortex-m4", "cortex-m7", "cortex-m55")
    remark = (
        "Instructions are counted in an emulator that knows no cycles. Flash holds code and constants, without the C "
        "library. Latency, of the configuration host, is that of the machine that profiled."
    )
    Options = EngineOptions

    @property
    def kinds(self) -> tuple[str, ...]:
        chosen: EngineOptions = self.options
        return {"8": self.reads[:2], "16": self.reads[2:]}.get(chosen.activations, self.reads)

    @property
    def deployed_kinds(self) -> tuple[tuple[str, ...], ...]:
        chosen: EngineOptions = self.options
        return (self.reads[:2], self.reads[2:]) if chosen.activations == "both" else (self.kinds,)

    @property
    def _files(self) -> PackedFiles:
        from reds_c_engine.packed_files import PackedFiles

        return PackedFiles()

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        return self._files.refusal(network, site, what, level)

    def export(self, source: ExportSource, path: Path) -> None:
        self._files.export(source, path)

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        return self._files.load(framework, path)

    def usage(self, path: Path) -> Mapping[str, int]:
        return self._files.usage(path)

    def notes(self, framework: Framework, model: Any) -> tuple[str, ...]:
        return self._files.notes(framework, model)

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        from reds_litert.file_interface import output_names_of
        from reds_litert.graph import read_graph
        from reds_litert.mac_count import macs_of
        from reds_litert.schema import unpacked

        from reds_c_engine.deploy import generated
        from reds_c_engine.profiling import profiled

        content = _read(path)
        operators = Counter(operator.kind for operator in read_graph(content).operators)
        engine = generated([("full", content)], examples=1)
        macs = macs_of(unpacked(content))
        chosen, options = configuration or self.configurations[0], self.options
        outputs = output_names_of(content)
        return profiled(engine, dict(operators.most_common()), macs, outputs, chosen, options.powercap)

    def deploy(self, files: Sequence[MemberFile], out: Path) -> Deployment:
        from reds_c_engine.deploy import generated, written

        options: EngineOptions = self.options
        if options.examples < 1:
            raise InputError(f"c-engine.examples is {options.examples}", "give at least 1")
        members = [file for file in files if options.full or file.name != FULL]
        if not members:
            raise InputError(
                "no member is left for an engine without the full network", "name members, or give c-engine.full=true"
            )
        named = [(_member_name(file, options), file) for file in members]
        contents = [(name, _read(file.path)) for name, file in named]
        exits = {name: file.exit for name, file in named if file.exit is not None}
        engine = generated(contents, options.layout, options.examples, exits)
        return Deployment(
            files=written(engine, out),
            weights_bytes=engine.sizes.weights_bytes,
            tables_bytes=engine.sizes.tables_bytes,
            arena_bytes={member.name: member.arena_bytes for member in engine.family.members},
            notes=tuple(map(str, engine.family.own_kernels)),
        )


def _member_name(file: MemberFile, options: EngineOptions) -> str:
    """Return the name of a member of the engine, which tells activations of 16 bits from others if there are both."""
    is_wide = options.activations == "both" and file.path.name.endswith(WIDE_SUFFIX)
    return f"{file.name}-16" if is_wide else file.name


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
