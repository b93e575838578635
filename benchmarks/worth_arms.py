"""The arms of benchmarks/worth_of_joint.py: networks, budgets, and the strategies that are compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from experiments import CIFAR10, FOR_RESNET8, RESNET8, SPEECH, SPOTTER

from reds_core import RunSettings
from reds_core.framework import FinetuneSettings

TARGET = "tflite-int8"
MACS = "0.5"
BUDGETS = (10, 15, 20, 25)
"""Percent of the weight bytes of the full network with weights of 8 bits."""
TELLING_BUDGETS = (20, 15)
SEEDS = (0, 1, 2)
JOINT = "joint"


@dataclass(frozen=True)
class StudiedNetwork:
    """A trained network and its data.

    Attributes:
        title: The name in the page.
        model, data: Paths.
        epochs: The epochs of training of each run.
        finetune: Settings of training apart from the epochs.
    """

    title: str
    model: str
    data: str
    epochs: int
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)


@dataclass(frozen=True)
class Arm:
    """One way to choose widths and bits.

    Attributes:
        pruner: The name of the pruner.
        about: What it does, for the page.
        options: Options of the pruner.
        is_telling: Whether its runs come first.
    """

    pruner: str
    about: str
    options: Mapping[str, str] = field(default_factory=dict)
    is_telling: bool = False


NETWORKS = {
    "resnet8": StudiedNetwork("ResNet8 on CIFAR-10", RESNET8, CIFAR10, 5, FOR_RESNET8),
    "ds-cnn-s": StudiedNetwork("DS-CNN S on Speech Commands", SPOTTER, SPEECH, 10),
}
ARMS = {
    JOINT: Arm("nested", "one knapsack over the widths of all groups and the bits of all layers", is_telling=True),
    "uniform-4": Arm(
        "uniform-bits",
        "4 bits in all layers, 8 in the first and the last, and the best widths under both budgets",
        {"level": "4", "ends": "8"},
        is_telling=True,
    ),
    "prune-at-5-then-bits": Arm(
        "prune-then-bits",
        "the best widths at an assumed mean of 5 bits, then the best bits at these widths",
        {"bits": "5"},
        is_telling=True,
    ),
    "prune-at-4-then-bits": Arm("prune-then-bits", "the same at an assumed mean of 4 bits", {"bits": "4"}),
    "prune-at-6-then-bits": Arm("prune-then-bits", "the same at an assumed mean of 6 bits", {"bits": "6"}),
    "prune-at-5-then-greedy-bits": Arm(
        "prune-then-bits",
        "the best widths at an assumed mean of 5 bits, then fewer bits for the layer that loses least for each byte",
        {"bits": "5", "assign": "greedy"},
    ),
    "prune-to-macs-then-bits": Arm(
        "prune-then-bits",
        "the best widths under the budget of MACs almost alone (an assumed mean of 1 bit), then the best bits",
        {"bits": "1"},
    ),
    "bits-then-prune": Arm("bits-then-prune", "the best bits of the full network, then the best widths with them"),
    "uniform-4-everywhere": Arm(
        "uniform-bits",
        "4 bits in all layers that can have them, and the best widths under both budgets",
        {"level": "4", "ends": "4"},
    ),
    "8-bits": Arm("uniform-bits", "8 bits in all layers, and the best widths under both budgets", {"level": "8"}),
}


@dataclass(frozen=True)
class PlannedRun:
    """One run of the experiment."""

    network: str
    arm: str
    percent: int
    seed: int
    epochs: int

    @property
    def key(self) -> tuple[str, str, int, int, int]:
        """What distinguishes it from other runs."""
        return self.network, self.arm, self.percent, self.seed, self.epochs

    @property
    def settings(self) -> RunSettings:
        """The settings of the run. All arms are trained with the weights that their bits leave."""
        arm, network = ARMS[self.arm], NETWORKS[self.network]
        return RunSettings(
            budgets=(f"macs={MACS}", f"weight_bytes={self.percent}%"),
            pruner=arm.pruner,
            options={arm.pruner: dict(arm.options), "weight-bits": {"levels": "8,4"}},
            transforms=("weight-bits",),
            targets=(TARGET,),
            finetune=dataclasses.replace(network.finetune, epochs=self.epochs),
            qat=True,
            seed=self.seed,
        )

    def __str__(self) -> str:
        return f"{self.network} at {self.percent} % by {self.arm}, seed {self.seed}, {self.epochs} epochs"


def planned(
    networks: Sequence[str], arms: Sequence[str], budgets: Sequence[int], seeds: Sequence[int], epochs: int | None
) -> list[PlannedRun]:
    """The runs, the most telling ones first: those of the closest rivals where bytes bind, for all seeds."""
    runs = [
        PlannedRun(network, arm, percent, seed, NETWORKS[network].epochs if epochs is None else epochs)
        for seed in seeds
        for percent in sorted(budgets, key=lambda each: (each not in TELLING_BUDGETS, -each))
        for network in networks
        for arm in arms
    ]
    return sorted(runs, key=lambda run: not (ARMS[run.arm].is_telling and run.percent in TELLING_BUDGETS))
