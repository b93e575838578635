"""The targets. LiteRT is imported in the methods that need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from reds_core.cost import LatencySettings
from reds_core.errors import InputError
from reds_core.framework import (
    FLOAT32_BYTES,
    INT8_BYTES,
    ExportedModel,
    ExportSource,
    Fallback,
    FallbackNumbers,
    FileKind,
    Framework,
    LatencyProbe,
    Numbers,
    Target,
)
from reds_core.network import Layer, Network, WeightKind
from reds_core.system import written_beside

WEIGHT_BITS, ACTIVATION_BITS = "weight_bits", "activation_bits"
"""What transforms decide about the numbers of bits of layers."""
INT8_BITS, INT4_BITS = 8, 4
"""Numbers of bits of weights in files that only use integers."""
DENSE, DEPTHWISE = "Dense", "DepthwiseConv2D"
INT4_LAYERS = ("Conv1D", "Conv2D", DEPTHWISE, DENSE)
"""The kinds of layers that become one operator, whose weights may have fewer than 8 bits."""
FLATTENING = ("Flatten", "Reshape")


class LiteRtTarget(Target):
    """Base class of the targets that write .tflite files.

    Attributes:
        numbers: The types of weights and activations of its files.
    """

    made_from = "tensorflow"
    requires = ("ai_edge_litert", "flatbuffers")
    install = "pip install 'reds-core[tensorflow]'"
    numbers: ClassVar[Numbers]

    def export(self, source: ExportSource, path: Path) -> None:
        content = self.converted(source)
        with written_beside(path) as temporary:
            temporary.write_bytes(content)

    def converted(self, source: ExportSource) -> bytes:
        """Return the content of the file that `export` writes. Errors are those of `export`."""
        from reds_litert import conversion

        asked = (source.framework, source.model, self.numbers, source.calibration)
        return source.conversions.get(self.numbers, lambda: conversion.converted(*asked))

    def plain(self, source: ExportSource) -> bytes:
        """Return the conversion without what a target adds for the interpreter, such as a memory plan."""
        return self.converted(source)

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        if what == ACTIVATION_BITS:
            return super().refusal(network, site, what, level)
        if what != WEIGHT_BITS:
            return f"files of {self.name} store each weight in full, whatever its value, so nothing is saved"
        return f"files of {self.name} store weights in {self.file.numbers}, so fewer bits save nothing"

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        from reds_litert import device_files

        return device_files.LiteRtFile(framework, path)

    def notes(self, framework: Framework, model: Any) -> tuple[str, ...]:
        return framework.conversion_notes(model, self.numbers)

    def probe(self, framework: Framework, settings: LatencySettings) -> LatencyProbe | None:
        from reds_litert import latency

        return latency.LiteRtProbe(framework, self.numbers, settings)


class FloatTarget(LiteRtTarget):
    """LiteRT files in float32."""

    name = "tflite"
    file = FileKind("tflite", "LiteRT", ".tflite", "float32", FLOAT32_BYTES)
    numbers = "float32"


@dataclass(frozen=True)
class IntegerOptions:
    """Options of targets whose files only use integers.

    Attributes:
        micro: whether files must run in tflite-micro as well as in LiteRT. tflite-micro runs no Dense layer with
            weights of 4 bits and a scale for each output channel, so with this option such layers keep 8 bits.
    """

    micro: bool = True


class IntegerTarget(LiteRtTarget):
    """Base class of targets whose files only use integers, with weights of 8 bits, or of 4 bits in chosen layers.

    Attributes:
        activation_bits: The number of bits of activations.
        packs: Whether files hold weights of fewer than 8 bits as they are packed. Otherwise they hold them in 8 bits,
            and record how many bits they need.
    """

    Options = IntegerOptions
    activation_bits: ClassVar[int]
    packs: ClassVar[bool] = True

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        if what == ACTIVATION_BITS:
            return None if level == self.activation_bits else f"activations have {self.activation_bits} bits"
        if what != WEIGHT_BITS:
            return super().refusal(network, site, what, level)
        if level == INT8_BITS:
            return None
        if level != INT4_BITS:
            return f"LiteRT cannot run {level}-bit weights"
        kinds = [layer.kind for layer in network.layers if layer.name == site]
        if DEPTHWISE in kinds and self.activation_bits > INT8_BITS:
            kind = f"{self.activation_bits}-bit activations and 4-bit weights"
            return f"LiteRT cannot run depthwise convolutions with {kind}"
        if DENSE in kinds and self.options.micro:
            return f"tflite-micro cannot run {DENSE} layers with 4-bit weights; {self.name}.micro=false is for LiteRT"
        return low_bits_refusal(network, site)

    def converted(self, source: ExportSource) -> bytes:
        from reds_litert import memory_metadata

        return memory_metadata.with_memory_plan(self._shared(source))

    def fallback(self, source: ExportSource, numbers: FallbackNumbers) -> Fallback:
        from reds_litert import fallback, mixed_file

        other = {"float": FloatTarget, "16x8": Int16x8Target}[numbers]()
        files = mixed_file.MixedFile(self._shared(source), other.plain(source))
        if source.calibration is None:
            raise InputError("the sensitivity of layers is measured on calibration examples", "give data")
        return fallback.LiteRtFallback(files, source.network, source.calibration)

    def plain(self, source: ExportSource) -> bytes:
        return self._quantised(source)

    def _shared(self, source: ExportSource) -> bytes:
        """Return the content of the file without a memory plan."""
        from reds_litert import sharing

        content = self._quantised(source)
        return content if source.full is None else sharing.shared(source, source.full, content)

    def _quantised(self, source: ExportSource) -> bytes:
        from reds_litert import int4

        content, bits = super().converted(source), self._low_bits(source)
        if not bits:
            return content
        weights = source.framework.weights(source.model, source.network)
        kernels = int4.kernels_of(source.network, weights, bits)
        return int4.with_int4(content, kernels, tuple(bits), keep_int8=not self.packs)

    def _low_bits(self, source: ExportSource) -> dict[str, int]:
        """Return the number of bits of each layer that has fewer than 8 in the file.

        Another target may realise levels that these files cannot have: they hold such weights in 8 bits.
        """
        levels = {site: level.get(WEIGHT_BITS, INT8_BITS) for site, level in source.settings.levels.items()}
        return {
            site: bits
            for site, bits in levels.items()
            if bits < INT8_BITS and self.refusal(source.network, site, WEIGHT_BITS, bits) is None
        }


def low_bits_refusal(network: Network, site: str) -> str | None:
    """Return why the weights of a layer cannot be rewritten to fewer than 8 bits in a file, or None if they can."""
    kinds = [layer.kind for layer in network.layers if layer.name == site]
    other = next((kind for kind in kinds if kind not in INT4_LAYERS), None)
    if other is not None:
        return f"weights of {other} layers have {INT8_BITS} bits in LiteRT files"
    norm = next((norm for kind, norm in zip(kinds, _norms_before(network, site), strict=True) if kind == DENSE), "")
    if norm:
        return f"the converter multiplies its weights by the factors of the batch norm '{norm}' before it"
    return None


def _norms_before(network: Network, site: str) -> list[str]:
    """Return the name of the batch norm whose output each call of a layer reads, or "" where there is none.

    Layers in between that change no numbers are skipped.
    """
    maker = {tensor: layer for layer in network.layers for tensor in layer.outputs}

    def before(layer: Layer) -> str:
        source = maker.get(layer.inputs[0])
        while source is not None and _keeps_numbers(network, source):
            source = maker.get(source.inputs[0])
        is_norm = source is not None and any(network.weights[w].kind is WeightKind.STATISTIC for w in source.weights)
        return source.name if source is not None and is_norm else ""

    return [before(layer) for layer in network.layers if layer.name == site]


def _keeps_numbers(network: Network, layer: Layer) -> bool:
    """Whether a layer does nothing, or flattens a tensor of a single position."""
    is_flat = layer.kind in FLATTENING and network.tensors[layer.inputs[0]].positions == 1
    return layer.is_identity or is_flat


class Int8Target(IntegerTarget):
    """LiteRT files that only use integers: activations of 8 bits, weights of 8 bits or of 4 bits in chosen layers."""

    name = "tflite-int8"
    file = FileKind("tflite-int8", "LiteRT", "-int8.tflite", "int8", INT8_BYTES)
    numbers = "int8"
    activation_bits = 8
    fallbacks = ("float", "16x8")

    def usage(self, path: Path) -> Mapping[str, int]:
        from reds_litert import usage

        return usage.usage_of(path)


class Int16x8Target(IntegerTarget):
    """LiteRT files with activations of 16 bits, and weights of 8 bits or of 4 bits in chosen layers.

    Their biases have 64 bits, unlike those that descriptions of networks count, so `usage` counts nothing.
    """

    activation_bits = 16
    name = "tflite-16x8"
    file = FileKind("tflite-16x8", "LiteRT", "-16x8.tflite", "16x8", None, is_calibrated=True)
    numbers = "16x8"


class Float16Target(LiteRtTarget):
    """LiteRT files with weights in float16, which compute in float32."""

    name = "tflite-float16"
    file = FileKind("tflite-float16", "LiteRT", "-float16.tflite", "float16", None)
    numbers = "float16"


class DynamicTarget(LiteRtTarget):
    """LiteRT files with weights of 8 bits, which quantise activations while they run."""

    name = "tflite-dynamic"
    file = FileKind("tflite-dynamic", "LiteRT", "-dynamic.tflite", "dynamic", None)
    numbers = "dynamic"


TARGETS: tuple[type[LiteRtTarget], ...] = (FloatTarget, Int8Target, Int16x8Target, Float16Target, DynamicTarget)
