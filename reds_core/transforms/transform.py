"""The interface of transforms, which say what a layer can become and what its weights then are.

A transform knows neither solvers nor files. It offers levels for a layer, describes the layer at a level so that core
can count what it costs, and projects the weights of the layer onto what they can be at that level.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack.levels import Nesting
from reds_core.network.description import Layer, Network, Tensor, Weight, WeightKind
from reds_core.transforms.compression import Compression
from reds_core.transforms.quantiser import UniformQuantiser
from reds_core.transforms.start import Start


class Stage(IntEnum):
    """The order in which core applies transforms to the weights of a layer, whatever the order of the user.

    A transform of the first stage replaces a layer by a chain of layers. Those of later stages then act on each of
    these layers.
    """

    REWRITE = 1
    SPARSIFY = 2
    CLUSTER = 3
    ENCODE = 4


@dataclass(frozen=True)
class LayerPart:
    """One layer of a network as a transform sees it.

    Attributes:
        layers: All calls of the layer, in execution order. Their `inputs`, `outputs` and `weights` are indices into
            the `tensors` and `weights` of this part.
        tensors: The tensors that the calls read or write.
        weights: The weights that the calls use.
    """

    layers: tuple[Layer, ...]
    tensors: tuple[Tensor, ...]
    weights: tuple[Weight, ...]


@dataclass(frozen=True, eq=False)
class Offered:
    """The levels that a transform offers for one layer.

    Attributes:
        levels: Levels in rising order, int64 (levels,). The last leaves the layer as it is. Empty, or with that level
            alone, if there is nothing to decide.
        reason: If there is nothing to decide, or less than elsewhere: why, as a sentence without a full stop.
    """

    levels: IntArray
    reason: str = ""

    @classmethod
    def nothing(cls, reason: str) -> Offered:
        """Return no levels, and the reason."""
        return cls(np.zeros(0, np.int64), reason)


class Transform(Compression, ABC):
    """Base class of transform plugins.

    An instance holds its options and, if `prepared` returned it, what it knows of the weights of a network.

    Attributes:
        what: What it decides, in snake case, such as "weight_bits". Plans and problem files use this name.
        stage: When it is applied to the weights of a layer, relative to other transforms.
        nesting: How its levels must agree between the members of a family, unless `nests` says otherwise.
        projects_whole: Whether a member computes with its part of the projection of the weight of the full network, as
            one does that reads a part of what is stored of it. Otherwise, it computes with the projection of its part.
        reads_inputs: Whether it uses the second moments of what layers read, which are then measured if there is data.
    """

    setting = "transforms"
    declares = ("what", "stage", "nesting")
    what: ClassVar[str]
    stage: ClassVar[Stage]
    nesting: ClassVar[Nesting]
    projects_whole: ClassVar[bool] = False
    reads_inputs: ClassVar[bool] = False

    @property
    def nests(self) -> Nesting:
        """How its levels must agree between the members of a family, which may depend on its options."""
        return self.nesting

    def prepared(self, network: Network, weights: Sequence[npt.NDArray[Any]]) -> Transform:
        """Return the transform with what it needs to know of the weights of a network; by default the same one.

        It is called once, before levels are offered, and leaves this transform unchanged.

        Args:
            network: The description of the network.
            weights: Its weights, in the order of `network.weights`.
        """
        return self

    def restored(self, levels: Mapping[str, int]) -> Transform:
        """Return the transform as `prepared` returned it in a finished run; by default the same one.

        It is called after `prepared` for a member that is added to the family of that run, whose weights have changed
        since. Only a transform with a `network_level` is asked.

        Args:
            levels: The level that each layer had in that run, by the name of the layer.
        """
        return self

    @abstractmethod
    def offered(self, network: Network, site: str) -> Offered:
        """Return the levels that the layer named `site` may have.

        Args:
            network: The description of the network.
            site: The name of a layer of `network`.
        """

    @abstractmethod
    def described(self, part: LayerPart, level: int) -> LayerPart:
        """Return what the layer is at one of its levels, from which core counts what it costs.

        At the last level, the result costs what `part` costs. At other levels, a transform of the stage REWRITE returns
        a chain of layers with one kernel each, of which the last has the other weights of the layer. Each is named
        after the layer, such as "conv/first", and its weights after it.

        Args:
            part: The layer as it is, or as transforms of an earlier stage left it.
            level: One of the levels offered for it.
        """

    @abstractmethod
    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        """Return the values of a weight at one of the levels of its layer, of the same shape.

        The projection is idempotent: projecting its result again does not change it. Weights that the level leaves
        alone are returned unchanged.

        Args:
            weight: The values, float64, of any number of the channels of the weight.
            of: The description of the weight.
            level: One of the levels offered for its layer.
        """

    def begun(self, start: Start, of: Weight, level: int) -> Callable[[FloatArray, float], FloatArray]:
        """Return the projection that a network computes with from some start on, such as that of a training.

        A transform that decides something once, such as which weights are zero, decides it here. By default, it is
        `projected`, whatever the start.

        Args:
            start: The weight at the start. A training that is stopped and resumed has the same start again.
            of: The description of the weight.
            level: One of the levels offered for its layer.

        Returns:
            A function from the values of the weight and the progress of the training, the share of its steps that are
            done, 0 to 1, to the projected values. Where there is no training, the progress is 1.
        """
        return lambda values, progress: self.projected(values, of, level)

    @property
    def follows_progress(self) -> bool:
        """Whether the projections that `begun` returns change with the progress of a training."""
        return False

    def factors(
        self, of: Weight, level: int, inputs: FloatArray | None
    ) -> Callable[[FloatArray], tuple[FloatArray, ...]]:
        """Return the function from a kernel to those of the chain of layers that replaces its layer.

        Only transforms of the stage REWRITE have it. The kernels are those that `described` lists, in the channels of
        the kernel that is given. They compute the projection: `projected` returns `composed` of them.

        They must follow from what they compose, whatever kernel and inputs it comes from: a training keeps the composed
        kernel, from which the kernels of the file are made anew, and later transforms project each of them.

        Args:
            of: The description of the kernel.
            level: One of the levels offered for its layer, except for the last.
            inputs: As in `Start`.
        """
        raise NotImplementedError(f"transform '{self.name}' replaces no layers")

    def projects(self, of: Weight) -> bool:
        """Return whether `projected` can change a weight of a layer that has levels. By default, it changes kernels."""
        return of.kind is WeightKind.KERNEL

    def quantiser(self, of: Weight, level: int) -> UniformQuantiser | None:
        """Return the quantiser that `projected` applies, if it is one, so that frameworks can train through it.

        It is applied along the axes `Weight.scales_along`. Frameworks train through other projections, which is None,
        by calling `projected` in each step. For the last level, which leaves weights as they are, it may return the
        quantiser that files for devices apply at that level, so that a training can take it into account.
        """
        return None

    @property
    def network_level(self) -> int | None:
        """The level that all layers of the network have, for a transform that leaves nothing to decide.

        Its layers are described at this level wherever costs are counted, and the knapsack gets no dimension for it. By
        default it is None: the level of each layer is decided.
        """
        return None

    def level_of(self, site: str) -> int | None:
        """Return the level of the layer named `site` if there is a level of the network; None otherwise.

        By default, all layers have the level of the network. A transform that knows the weights of the network can give
        each layer a level of its own, still without leaving anything to decide.
        """
        return self.network_level
