"""The interface of devices and runtimes, on which files are profiled and for which families are deployed."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from reds_core.cost.energy_models import Energy as Energy
from reds_core.errors import UnsupportedError
from reds_core.framework.deployment import Deployment
from reds_core.framework.exported import ExportedModel
from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.plugin import Plugin

if TYPE_CHECKING:
    from reds_core.framework.device_counter import DeviceCounter

FULL = "full"
"""The name of the full network among the members of a family."""


@dataclass(frozen=True)
class MemberFile:
    """The file of one network of a family.

    Attributes:
        name: The name of the subnetwork, such as "50"; "full" for the full network.
        path: The path of the file.
        exit: The name of the output at which the network ends, of a file whose outputs are those of early exits and,
            last, that of the network. None for the last output.
    """

    name: str
    path: Path
    exit: str | None = None


@dataclass(frozen=True)
class ExitFigures:
    """What it takes to run a network up to an exit, with the outputs of the exits before. None if it is not known.

    Attributes:
        exit: The name of the output.
        latency_ns: The time, in nanoseconds.
        instructions: The number of instructions.
    """

    exit: str
    latency_ns: float | None = None
    instructions: int | None = None


@dataclass(frozen=True)
class Profile:
    """What one inference of a file, at a batch size of 1, takes on a device. Figures that are not known are None.

    Attributes:
        latency_ns: The time of an inference, in nanoseconds.
        cycles: The number of processor cycles.
        instructions: The number of instructions.
        arena: The size of the memory that the runtime sets aside, in bytes.
        arena_head: The part of it that holds activations, in bytes.
        sram: The most on-chip memory that an accelerator has in use at once, in bytes.
        flash: What the file takes in flash, in bytes.
        flash_weights: The part of it that holds weights, in bytes.
        flash_metadata: The rest of it, in bytes.
        operators: The number of operators of each kind.
        cpu_operators: The number of those of each kind that an accelerator leaves to the processor.
        macs: The number of multiply-accumulates, counted on the graph of the file.
        energy: The energy of an inference.
        exits: What a network with early exits takes up to each of them, in their order; empty for other networks.
        notes: Sentences on figures that could not be determined, without a full stop, which are shown as warnings.
    """

    latency_ns: float | None = None
    cycles: int | None = None
    instructions: int | None = None
    arena: int | None = None
    arena_head: int | None = None
    sram: int | None = None
    flash: int | None = None
    flash_weights: int | None = None
    flash_metadata: int | None = None
    operators: Mapping[str, int] = field(default_factory=dict)
    cpu_operators: Mapping[str, int] = field(default_factory=dict)
    macs: int | None = None
    energy: Energy | None = None
    exits: tuple[ExitFigures, ...] = ()
    notes: tuple[str, ...] = ()


class Device(Plugin, ABC):
    """Base class of plugins for devices and runtimes, which need not write files of their own.

    A subclass overrides what it can do: `profile` files, `load` and run them on this machine, or `deploy` a family.
    `Target` extends this class for those that write a file of each network.

    Attributes:
        reads: The names of the kinds of files that the device reads, such as "onnx-int8". The first is the one that
            suits it best.
        configurations: The names of its configurations. The first is the default; empty if it has none. A device that
            has to ask for them overrides `known_configurations` instead.
        remark: What the figures of its profiles mean, as sentences that are shown with them.
        joins_runs: Whether a run also measures the first of `reads` on the device, if its libraries are installed.
        times_layers: Whether it is this machine with the runtime by which layers of models are timed.
    """

    kind = "target"
    reads: ClassVar[tuple[str, ...]] = ()
    configurations: ClassVar[tuple[str, ...]] = ()
    remark: ClassVar[str] = ""
    joins_runs: ClassVar[bool] = False
    times_layers: ClassVar[bool] = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of files that the device reads with its options, the preferred one first. By default `reads`."""
        return self.reads

    @property
    def deployed_kinds(self) -> tuple[tuple[str, ...], ...]:
        """The kinds of files that a deployment takes: of each of these groups the first that the run has.

        By default, there is one group, `kinds`. With several, `deploy` gets a file of each group for every member.
        """
        return (self.kinds,)

    def known_configurations(self) -> tuple[str, ...]:
        """Return the names of the configurations, the default first. By default they are `configurations`.

        It is called once for a profile, so that it may ask a service or a board.

        Raises:
            UnavailableError: If they cannot be asked for.
        """
        return self.configurations

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        """Return what one inference of a file takes. By default, the device does not profile.

        Args:
            path: The path of the file.
            configuration: One of `known_configurations`; None if the device has none.

        Raises:
            InputError: If the file is missing or damaged.
            UnsupportedError: If the device does not profile, or cannot run the file.
            UnavailableError: If what profiles cannot be used now, such as a service.
        """
        raise UnsupportedError(f"target '{self.name}' does not profile files", "name a target that does")

    def counted(self, path: Path, configuration: str | None = None) -> Profile:
        """Return what can be counted of a file without running it. By default nothing is.

        It completes the times that were measured on another machine.

        Args:
            path: The path of the file.
            configuration: One of `configurations`; None if the device has none.

        Raises:
            InputError: If the file is missing or damaged.
        """
        return Profile()

    def timing_script(self, files: Mapping[str, str]) -> str:
        """Return the text of a Python program that times files on another machine. By default it refuses.

        The program needs no reds. Called with a folder and `--out FILE`, it times those files in the folder, which it
        refuses if their content is another, and writes FILE in the format `reds-timings/1` after each of them. With
        `--stop-with-input` it ends when its standard input is closed. Lines of progress on standard error begin with
        `[`, a last line that begins with `error: ` says what failed, and exit status 0 means that all is written.

        Args:
            files: The hexadecimal SHA-256 digest of each file by its name.

        Raises:
            UnsupportedError: If the device times no files on other machines.
        """
        raise UnsupportedError(f"target '{self.name}' times no files on other machines", "name a target that does")

    def counter(
        self, framework: Framework, model: Any, network: Network, configuration: str | None = None
    ) -> DeviceCounter:
        """Return what counts the networks that a model can be pruned to. By default, the device counts none.

        Args:
            framework: The framework of the model.
            model: The model.
            network: Its description.
            configuration: One of `configurations`; None if the device has none.

        Raises:
            UnsupportedError: If the device does not count, or cannot run the model.
        """
        raise UnsupportedError(f"target '{self.name}' counts nothing for budgets", "name a target that does")

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        """Read a file, so that it can be run as the device runs it. By default, the device runs nothing here.

        Args:
            framework: The framework of the model that the file was exported from.
            path: The path of the file.

        Raises:
            InputError: If the file is missing or damaged.
            UnsupportedError: If such files cannot be run on this machine.
        """
        raise UnsupportedError(f"target '{self.name}' runs no files on this machine", "name a target that does")

    def deploy(self, files: Sequence[MemberFile], out: Path) -> Deployment:
        """Write what the device needs to hold a family and to switch between its members. By default it refuses.

        Args:
            files: The files of the members, smallest first, all of one of the kinds that the device `reads`. The last
                one is that of the full network.
            out: The folder to write to, which exists.

        Returns:
            What was written.

        Raises:
            InputError: If a file is missing or damaged, or the files are not of one family.
            UnsupportedError: If the device deploys no families, or cannot run one of the files.
        """
        raise UnsupportedError(f"target '{self.name}' deploys no families", "name a target that does")
