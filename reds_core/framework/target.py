"""The interface of targets that write files: they are devices whose files are also read, measured and counted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from reds_core.errors import UnsupportedError
from reds_core.framework.data import Arrays
from reds_core.framework.device import Device
from reds_core.framework.exported import ExportedModel, Numbers
from reds_core.framework.fallback import Fallback, FallbackNumbers
from reds_core.framework.file_kinds import FileKind
from reds_core.framework.framework import Framework
from reds_core.knapsack.levels import UNTOUCHED, LevelSettings
from reds_core.network.description import Network

if TYPE_CHECKING:
    from reds_core.cost.latency_table import LatencySettings
    from reds_core.framework.probe import LatencyProbe


class ConversionCache:
    """What a model was converted to so far, so that targets that need the same conversion make it once.

    It is for one model and one set of examples for calibration.
    """

    def __init__(self) -> None:
        self._made: dict[Numbers, bytes] = {}

    def get(self, numbers: Numbers, convert: Callable[[], bytes]) -> bytes:
        """Return the conversion to a type of weights and activations, which `convert` makes if there is none yet."""
        if numbers not in self._made:
            self._made[numbers] = convert()
        return self._made[numbers]


def _ignored(_: str) -> None:
    """Warnings that nobody asked for."""


@dataclass(frozen=True, eq=False)
class ExportSource:
    """What a file is exported from.

    Attributes:
        framework: The framework of the model.
        model: The model, whose weights are already projected onto what `settings` allow.
        network: The description of the model.
        settings: The levels of its layers besides widths.
        calibration: Examples that determine the ranges of activations; None without data.
        full: The full network whose integer weights the file shares as far as it can; None for a file with weights of
            its own. Targets may ignore it.
        conversions: What the model was converted to so far.
        warn: Called with warnings about the file, each as the rest of a sentence that begins with its name.
    """

    framework: Framework
    model: Any
    network: Network
    settings: LevelSettings = UNTOUCHED
    calibration: Arrays | None = None
    full: FullExport | None = None
    conversions: ConversionCache = field(default_factory=ConversionCache)
    warn: Callable[[str], None] = _ignored


@dataclass(frozen=True, eq=False)
class FullExport:
    """The full network of a family and its file, whose integer weights other members can share.

    Attributes:
        source: What the file was exported from.
        path: The file, which the same target has written.
    """

    source: ExportSource
    path: Path


class Target(Device):
    """Base class of targets that write a file of each network. An instance holds its options and nothing else.

    Attributes:
        made_from: The name of the framework whose models it exports.
        file: The kind of file that it writes. Its name is the name of the target.
        fallbacks: What single layers of its files can have instead of integers of 8 bits.
    """

    declares = ("made_from", "file")
    made_from: ClassVar[str]
    file: ClassVar[FileKind]
    fallbacks: ClassVar[tuple[FallbackNumbers, ...]] = ()

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        """Return why files of this target cannot have a layer at a level, or None if they can.

        By default, no level of any transform can be realised. The last level of a transform is never asked about.

        Args:
            network: The description of the network.
            site: The name of a layer of `network`.
            what: What a transform decides, such as "weight_bits".
            level: One of the levels that the transform offers for the layer.

        Returns:
            A clause such as "depthwise convolutions have weights of 8 bits".
        """
        return f"files of {self.name} express no {what}"

    @abstractmethod
    def export(self, source: ExportSource, path: Path) -> None:
        """Write the file of a model atomically to `path`.

        Args:
            source: The model, the levels of its layers, and examples for calibration.
            path: The path of the file.

        Raises:
            InputError: If the file needs calibration and there are no examples, or it cannot be written.
            UnsupportedError: If the file cannot express the model; a run then omits the file.
        """

    def fallback(self, source: ExportSource, numbers: FallbackNumbers) -> Fallback:
        """Return what writes the file of a model with some layers in more exact numbers.

        Args:
            source: What `export` wrote the file from.
            numbers: What these layers have, which is one of `fallbacks`.

        Raises:
            UnsupportedError: If the layers of its files all have the same numbers, the default, or those of this model.
        """
        raise UnsupportedError(f"all layers of files of {self.name} have the same numbers", "leave out the fallback")

    @abstractmethod
    def load(self, framework: Framework, path: Path) -> ExportedModel:
        """Read a file of this target, so that it can be run without the model that it was exported from.

        Raises:
            InputError: If the file is missing or damaged.
            UnsupportedError: If such files cannot be run on this machine.
        """

    def usage(self, path: Path) -> Mapping[str, int]:
        """Count what a file uses, by the name of the resource, from the file alone. By default nothing is counted.

        Raises:
            InputError: If the file is missing or damaged.
        """
        return {}

    def notes(self, framework: Framework, model: Any) -> tuple[str, ...]:
        """Return notes on the file of `model` that users should read before training, one sentence each.

        For example, some layers may make the file large and slow to write. Empty by default.
        """
        return ()

    def probe(self, framework: Framework, settings: LatencySettings) -> LatencyProbe | None:
        """Return a probe that measures latencies of files of this target on this machine, or None without one."""
        return None
