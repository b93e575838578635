"""A transform that rounds kernels, and a target that realises some of its levels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import UnsupportedError
from reds_core.framework.exported import ExportedModel
from reds_core.framework.file_kinds import FileKind
from reds_core.framework.framework import Framework
from reds_core.framework.target import ExportSource, Target
from reds_core.knapsack.levels import Nesting
from reds_core.network.description import Network, Weight, WeightKind
from reds_core.transforms.transform import LayerPart, Offered, Stage, Transform


@dataclass(frozen=True)
class RoundingOptions:
    """Settings of `rounding`.

    Attributes:
        most: the highest level that is offered besides the last, which is 8.
    """

    most: int = 2


class Rounding(Transform):
    """Rounds kernels of dense layers to multiples of 1 / level; the level 8 leaves them as they are."""

    name = "rounding"
    what = "steps"
    stage = Stage.ENCODE
    nesting = Nesting.EQUAL
    Options = RoundingOptions

    def offered(self, network: Network, site: str) -> Offered:
        weights = {i for layer in network.layers if layer.name == site for i in layer.weights}
        if not any(network.weights[i].kind is WeightKind.KERNEL for i in weights):
            return Offered.nothing("it has no kernel")
        return Offered(np.array([*range(1, self.options.most + 1), 8]))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        return part

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        return weight if of.kind is not WeightKind.KERNEL or level == 8 else np.rint(weight * level) / level


class EvenTarget(Target):
    """Realises even levels, and none of the layer named stem."""

    name = "even"
    made_from = "toy"
    file = FileKind("even", "Even", ".even")

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        if site == "stem":
            return "the stem is copied"
        return f"level {level} is odd" if level % 2 else None

    def export(self, source: ExportSource, path: Path) -> None:
        raise UnsupportedError("this target writes nothing", "use another")

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        raise UnsupportedError("this target reads nothing", "use another")
