"""What benchmarks/dynamic.py runs and records: families by depth, width and bits, and early exit by confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from reds_core.system import RecordKind

WIDTH, WIDTH_BITS, ALL = "width", "width-bits", "exit-width-bits"
ARMS = (WIDTH, WIDTH_BITS, ALL)
SEEDS = (0, 1, 2)
SHARES = (0.75, 0.5, 0.25)
"""The MACs of the members, as shares of those of the full network."""


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        name: Its short name.
        model, data: The names of files in the assets.
        augment: The augmentations with which it is trained, as `reds prune` takes them.
        byte_shares: The weight bytes of the members where bits are decided, as shares, largest first.
    """

    name: str
    model: str
    data: str
    augment: tuple[str, ...] = ()
    byte_shares: tuple[float, ...] = (0.6, 0.4, 0.2)


NETWORKS = (
    Network("ds-cnn-s", "arm_kws_ds_cnn_s.keras", "speech_commands.npz"),
    Network("resnet8", "mlperf_tiny_resnet8_cifar10.h5", "cifar10.npz", ("flip", "shift")),
)


@dataclass(frozen=True)
class Cell:
    """One family that is trained.

    Attributes:
        network: The short name of the network.
        arm: What is decided: widths alone, with bits, or with exits as well.
        seed: The seed.
        epochs: The epochs of fine-tuning.
    """

    network: str
    arm: str
    seed: int
    epochs: int

    @property
    def name(self) -> str:
        """Its name, by which it can be chosen on the command line."""
        return f"{self.network}-{self.arm}-seed{self.seed}-epochs{self.epochs}"


def cells(epochs: int) -> tuple[Cell, ...]:
    """Return all cells, those of the first seed first."""
    networks = [network.name for network in NETWORKS]
    return tuple(Cell(network, arm, seed, epochs) for seed, network, arm in product(SEEDS, networks, reversed(ARMS)))


@dataclass(frozen=True)
class MemberFigures:
    """One member of a family, or an exit of its full network that all examples take.

    Attributes:
        name: Its name.
        exit: The early exit at which it ends; None if it goes to the end.
        macs, weight_bytes: What it uses; the bytes are None for exits of the full network.
        accuracy: Its accuracy on test data, of the file for the C engine if there is one.
        fewer_bits: How many of its kernels have fewer than 8 bits.
        kernels: How many kernels it has.
    """

    name: str
    exit: str | None
    macs: float
    weight_bytes: int | None
    accuracy: float
    fewer_bits: int = 0
    kernels: int = 0


@dataclass(frozen=True)
class EarlyExit:
    """What thresholds on a confidence reach, which were chosen on held-back data.

    Attributes:
        measure: The confidence.
        macs_held_back: The mean MACs of a held-back example, by which thresholds are chosen.
        macs: The mean MACs of a test example.
        accuracy: The accuracy on test data.
    """

    measure: str
    macs_held_back: float
    macs: float
    accuracy: float


@dataclass(frozen=True)
class DynamicRecord:
    """What one cell found.

    Attributes:
        network, arm, seed, epochs: Which cell it is.
        before, after: The accuracy on test data of the given network, and of the full network of the family.
        full_macs: The MACs of the given network, without early exits.
        members: The members, smallest first.
        exits: The exits of the full network, each taken by all examples; empty without exits.
        early: Thresholds for rising mean costs; empty without exits.
        store_bytes: What the weights of all members take in the C engine, which stores them once.
        apart_bytes: The same if the full network and each member had a store of its own.
        cpu_s: Seconds of processor time since the cell was last started.
        versions: The versions of the software.
    """

    network: str
    arm: str
    seed: int
    epochs: int
    before: float
    after: float
    full_macs: float
    members: tuple[MemberFigures, ...]
    exits: tuple[MemberFigures, ...] = ()
    early: tuple[EarlyExit, ...] = ()
    store_bytes: int | None = None
    apart_bytes: int | None = None
    cpu_s: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the cell."""
        return Cell(self.network, self.arm, self.seed, self.epochs).name

    def __str__(self) -> str:
        accuracies = ", ".join(f"{member.accuracy:.3f}" for member in self.members)
        return f"{self.name}: {accuracies}, {self.cpu_s:.0f} s of processor time"


RECORDS = RecordKind(DynamicRecord, "a cell", "python benchmarks/dynamic.py")
