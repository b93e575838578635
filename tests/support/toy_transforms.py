"""A transform and a target for tests: weights of dense layers of few bits, and files of the toy framework."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
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
from reds_core.network.description import Network, Weight, WeightKind
from reds_core.system.files import written_beside
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
