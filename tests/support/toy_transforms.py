"""A transform and a target for tests: weights of dense layers of few bits, and files of the toy framework."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.framework.exported import ExportedModel
from reds_core.framework.file_kinds import INT8_BYTES, FileKind
from reds_core.framework.framework import Framework
from reds_core.framework.loaded_model import LoadedModel
from reds_core.framework.target import ExportSource, Target
from reds_core.knapsack.levels import LevelSettings, Nesting
from reds_core.network.axis import Fixed
from reds_core.network.description import MacsTerm, Network, Tensor, Weight, WeightKind
from reds_core.system.files import written_beside
from reds_core.transforms.factors import composed
from reds_core.transforms.start import Start
from reds_core.transforms.transform import LayerPart, Offered, Stage, Transform

WHAT = "weight_bits"
FULL_BITS = 8
"""The number of bits of a weight of which nothing is said."""


@dataclass(frozen=True)
class ToyBitsOptions:
    """`levels`: the bits that are offered, joined by commas, of which the largest leaves a layer as it is."""

    levels: str = "2,4,8"


def rounded(values: FloatArray, bits: int) -> FloatArray:
    """`values` as integers of `bits` bits times one scale, float64."""
    largest = 2 ** (bits - 1) - 1
    scale = float(np.abs(values).max(initial=0)) / largest
    return np.rint(values / scale) * scale if scale > 0 else np.zeros_like(values)


class ToyBits(Transform):
    """Kernels of few bits, one scale for the whole kernel."""

    name = "toy-bits"
    what = WHAT
    stage = Stage.ENCODE
    nesting = Nesting.FREE
    Options = ToyBitsOptions

    @property
    def levels(self) -> npt.NDArray[np.int64]:
        return np.array(sorted(int(text) for text in self.options.levels.split(",")), np.int64)

    def offered(self, network: Network, site: str) -> Offered:
        if not any(w.layer == site and w.kind is WeightKind.KERNEL for w in network.weights):
            return Offered.nothing(f"layer '{site}' has no kernel")
        return Offered(self.levels)

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == self.levels[-1]:
            return part
        kernels = (replace(w, bits=level) if w.kind is WeightKind.KERNEL else w for w in part.weights)
        return replace(part, weights=tuple(kernels))

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        untouched = level == self.levels[-1] or of.kind is not WeightKind.KERNEL
        return weight if untouched else rounded(weight, level)


class ToyRank(Transform):
    """Dense layers of rank 1 or 2 as two layers, by singular value decompositions in the metric of their inputs."""

    name = "toy-rank"
    what = "rank"
    stage = Stage.REWRITE
    nesting = Nesting.RISING
    reads_inputs = True
    whole = 100

    def offered(self, network: Network, site: str) -> Offered:
        calls = [layer for layer in network.layers if layer.name == site]
        weights = [network.weights[index] for layer in calls for index in layer.weights]
        if [len(weight.axes) for weight in weights] != [2, 1] or weights[1].kind is not WeightKind.BIAS:
            return Offered.nothing("it is not a dense layer with a bias")
        inner, outer = (axis.full(network.channels) for axis in weights[0].axes)
        saving = [rank for rank in (1, 2) if rank * (inner + outer) < inner * outer]
        return Offered(np.array([*saving, self.whole], np.int64)) if saving else Offered.nothing("it is too small")

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == self.whole:
            return part
        (layer,), (kernel, bias), (term,) = part.layers, part.weights, part.layers[0].macs
        (inner, outer), rank, between = kernel.axes, Fixed(level), len(part.tensors)
        name, last, positions = f"{layer.name}/first", f"{layer.name}/second", part.tensors[layer.inputs[0]].positions
        macs = tuple(MacsTerm(term.coefficient, factors) for factors in ((inner, rank), (rank, outer)))
        first = replace(layer, name=name, kind="linear", outputs=(between,), weights=(2,), macs=macs[:1])
        first = replace(first, output_shape=(positions, level))
        second = replace(layer, name=last, inputs=(between,), weights=(0, 1), macs=macs[1:])
        added = replace(kernel, name=f"{name}/kernel", layer=name, axes=(inner, rank))
        weights = (
            replace(kernel, name=f"{last}/kernel", layer=last, axes=(rank, outer)),
            replace(bias, name=f"{last}/bias", layer=last),
            added,
        )
        return LayerPart((first, second), (*part.tensors, Tensor(positions, rank, storage=1)), weights)

    def factors(
        self, of: Weight, level: int, inputs: FloatArray | None
    ) -> Callable[[FloatArray], tuple[FloatArray, ...]]:
        def factors(values: FloatArray) -> tuple[FloatArray, ...]:
            moments = np.eye(len(values)) if inputs is None else inputs
            root = np.linalg.cholesky(moments + 1e-9 * np.eye(len(values))).T
            left, singular, right = np.linalg.svd(root @ values, full_matrices=False)
            nearest = np.linalg.solve(root, left[:, :level] * singular[:level]) @ right[:level]
            left, singular, right = np.linalg.svd(nearest, full_matrices=False)
            signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
            chain = np.zeros((len(values), level)), np.zeros((level, values.shape[1]))
            rank = min(level, len(singular))
            chain[0][:, :rank] = (left * singular * signs)[:, :rank]
            chain[1][:rank] = (right * signs[:, None])[:rank]
            return chain

        return factors

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        if level == self.whole or of.kind is not WeightKind.KERNEL:
            return weight
        return composed(self.factors(of, level, None)(weight))


class ToyMask(Transform):
    """A percentage of the weights of a kernel, fixed at the start and nested; the others are zero."""

    name = "toy-mask"
    what = "density"
    stage = Stage.SPARSIFY
    nesting = Nesting.RISING
    whole = 100

    def offered(self, network: Network, site: str) -> Offered:
        if not any(w.layer == site and w.kind is WeightKind.KERNEL for w in network.weights):
            return Offered.nothing("it has no kernel")
        return Offered(np.array([25, 50, self.whole], np.int64))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        kernel = WeightKind.KERNEL
        weights = (replace(w, density_percent=level) if w.kind is kernel else w for w in part.weights)
        return replace(part, weights=tuple(weights))

    def _mask(self, values: FloatArray, level: int, within: FloatArray) -> FloatArray:
        magnitudes = np.abs(values) + within * (1 + np.abs(values).max(initial=0))
        mask = np.zeros(values.size)
        mask[np.argsort(-magnitudes, axis=None, kind="stable")[: values.size * level // 100]] = 1
        return mask.reshape(values.shape)

    def begun(self, start: Start, of: Weight, level: int) -> Callable[[FloatArray, float], FloatArray]:
        within = np.zeros(start.values.shape)
        for smaller in start.smaller:
            place = np.ix_(*smaller.positions)
            within[place] = self._mask(start.values[place], smaller.level, within[place])
        mask = self._mask(start.values, level, within)
        return lambda values, progress: values * mask

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        if level == self.whole or of.kind is not WeightKind.KERNEL:
            return weight
        return weight * self._mask(weight, level, np.zeros(weight.shape))


class ToyTarget(Target):
    """An .npz with the model and the number of bits of each weight. Dense layers may have weights of 2 or 4 bits."""

    name = "toy-device"
    made_from = "toy"
    file = FileKind("toy-device", "Toy", "-device.npz", "int8", INT8_BYTES)

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        if what != WHAT:
            return super().refusal(network, site, what, level)
        if any(call.name == site and call.kind != "dense" for call in network.layers):
            return "layers other than dense ones have weights of 8 bits"
        return None if level in (2, 4) else f"{level} bits is not 2, 4 or 8"

    def export(self, source: ExportSource, path: Path) -> None:
        if source.calibration is None:
            raise InputError(f"files of {self.name} need calibration data", "give --data")
        held = source.model.copy()
        bits = {weight.name: self._bits(weight, source.settings) for weight in source.network.weights}
        for name, values in held.weights.items():
            held.weights[name] = rounded(values.astype(np.float64), bits[name]).astype(np.float32)
        with TemporaryDirectory() as folder:
            saved = Path(folder) / "model"
            source.framework.save_model(held, saved)
            content = np.frombuffer(saved.read_bytes(), np.uint8)
        sizes = {name: [values.size, bits[name]] for name, values in held.weights.items()}
        with written_beside(path) as temporary, temporary.open("wb") as file:
            np.savez(file, model=content, sizes=np.array(json.dumps(sizes)))

    def _bits(self, weight: Weight, settings: LevelSettings) -> int:
        level = settings.at(weight.layer, WHAT) if weight.kind is WeightKind.KERNEL else None
        return FULL_BITS if level is None else level

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        content, _ = self._read(path)
        with TemporaryDirectory() as folder:
            saved = Path(folder) / "model"
            saved.write_bytes(content)
            return LoadedModel(framework, framework.load_model(saved))

    def usage(self, path: Path) -> Mapping[str, int]:
        _, sizes = self._read(path)
        return {"params": sum(math.ceil(size * bits / 8) for size, bits in sizes.values())}

    def _read(self, path: Path) -> tuple[bytes, dict[str, list[int]]]:
        try:
            with np.load(path, allow_pickle=False) as archive:
                return archive["model"].tobytes(), json.loads(str(archive["sizes"][()]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"'{path}' is not a file of {self.name}", "export it again") from error
