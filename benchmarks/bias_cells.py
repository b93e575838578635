"""The cells of benchmarks/bias.py: networks, ways to compress them, budgets, and the record of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from experiments import CIFAR10, FOR_RESNET8, RESNET8

from reds_core import RunSettings
from reds_core.formulation import WidthRules
from reds_core.framework import FinetuneSettings, Task, TaskKind
from reds_core.system import RecordKind

ENCODERS = Path("out/encoders").resolve()
"""The folder of the networks of benchmarks/encoders.py."""
BASE_EPOCHS = 5
"""How many epochs each seed trains the given network further, which makes the networks that are compressed."""
BASE = "base"
"""The name of the method of the networks that are not compressed."""


@dataclass(frozen=True)
class BiasNetwork:
    """A trained network and its data.

    Attributes:
        title: The name in the page.
        model, data: Paths.
        seeds: The seeds of its runs.
        percents: The percentages of the parameters that are kept without training.
        trained: Those that are kept with training.
        epochs: The epochs of that training.
        trained_seeds: The seeds of the runs with training.
        finetune: How it is trained.
        is_encoder: Whether its outputs are features. Each seed then trains a linear classifier on these, and the
            encoder below it is compressed without labels.
    """

    title: str
    model: str
    data: str
    seeds: tuple[int, ...]
    percents: tuple[int, ...]
    trained: tuple[int, ...] = ()
    epochs: int = 0
    trained_seeds: tuple[int, ...] = ()
    finetune: FinetuneSettings = FOR_RESNET8
    is_encoder: bool = False


@dataclass(frozen=True)
class Method:
    """A way to compress a network.

    Attributes:
        about: What it does, for the page.
        realise: How widths are realised.
        is_masking: Whether single weights are set to zero in place of channels.
    """

    about: str
    realise: str = "drop"
    is_masking: bool = False


NETWORKS = {
    "resnet8": BiasNetwork(
        "ResNet8 on CIFAR-10", RESNET8, CIFAR10, (0, 1, 2, 3, 4), (90, 75, 60, 50, 40, 25), (50, 25), 10, (0, 1, 2)
    ),
    "semi-supervised": BiasNetwork(
        "ResNet8 trained with a tenth of the labels of CIFAR-10 and its own answers for the other images",
        str(ENCODERS / "semi-supervised.keras"), str(ENCODERS / "semi-supervised-labelled.npz"),
        (0, 1, 2), (75, 50, 25),
    ),
    "simclr": BiasNetwork(
        "An encoder trained on CIFAR-10 without labels, by SimCLR, and linear classifiers on it",
        str(ENCODERS / "simclr.keras"), CIFAR10, (0, 1, 2), (75, 50, 25), is_encoder=True,
    ),
}  # fmt: skip
METHODS = {
    "drop": Method("the least important channels are removed, by scores of `taylor` and one knapsack over all widths"),
    "fold": Method("the same widths, but channels are merged by model folding", realise="fold"),
    "magnitude": Method(
        "single weights are set to zero, the smallest of all kernels first (Han et al., "
        "[1506.02626](https://arxiv.org/abs/1506.02626))",
        is_masking=True,
    ),
}


@dataclass(frozen=True)
class BiasCell:
    """One network that is compressed in one way, or one that is not compressed.

    Attributes:
        network: The short name of the network.
        method: The name of the method, or `BASE`.
        percent: The percentage of the parameters that is kept; 100 for `BASE`.
        seed: The seed.
        epochs: The epochs of training after compression.
    """

    network: str
    method: str
    percent: int
    seed: int
    epochs: int

    @property
    def name(self) -> str:
        """Its name, by which it can be chosen on the command line."""
        return f"{self.network}-{self.method}-{self.percent}-seed{self.seed}-epochs{self.epochs}"

    @property
    def settings(self) -> RunSettings:
        """The settings of its run.

        A mask keeps the given percentage of the weights of kernels, where widths keep that of all parameters.
        """
        method, network = METHODS[self.method], NETWORKS[self.network]
        task = Task(kind=TaskKind.EMBEDDING) if network.is_encoder else Task()
        finetune = dataclasses.replace(network.finetune, epochs=self.epochs)
        how = {"seed": self.seed, "finetune": finetune, "task": task}
        if not method.is_masking:
            return RunSettings(
                budgets=(f"params={self.percent}%",),
                pruner="oneshot",
                realise=method.realise,
                targets=("keras",),
                **how,
            )
        return RunSettings(
            budgets=("macs=100%",),
            pruner="oneshot",
            transforms=("sparsity",),
            options={"sparsity": {"sparsity": str(100 - self.percent), "scope": "global"}},
            targets=("c-engine",),
            widths=WidthRules(keep=("*",)),
            **how,
        )


@dataclass(frozen=True)
class BiasRecord:
    """What one cell found.

    Attributes:
        network, method, percent, seed, epochs: Which cell it is.
        started_at: When it began, in UTC.
        accuracy: Accuracy on the test set.
        ece: Expected calibration error, 15 bins of equal width.
        confidence: Mean probability of the class that it says.
        margin: Mean log-odds of the true class.
        parameters: The share of the parameters of the base that are not zero.
        widths: The channels of each group.
        removed: How many channels are removed or merged.
        lost, won: Test examples that only the base, or only this network, recognises.
        attribution_auc: How well the attribution of the removed channels tells which of the attributed examples are
            lost, as the area under the ROC curve; None if none is lost or nothing is removed.
        margin_auc: The same by the margin of the base alone.
        both_auc: The same by the sum of both.
        equal_margin_auc: That by the attribution among examples of about equal margin.
        correlation: The mean correlation of predicted and measured margins under ablations that the attribution did not
            see; only of a base.
        predictions: The file with the classes that it says.
        wall_s, cpu_s: Seconds of wall time and of processor time.
    """

    network: str
    method: str
    percent: int
    seed: int
    epochs: int
    started_at: str
    accuracy: float
    ece: float
    confidence: float
    margin: float
    parameters: float
    predictions: str
    wall_s: float
    cpu_s: float
    widths: Mapping[str, int] = field(default_factory=dict)
    removed: int = 0
    lost: int = 0
    won: int = 0
    attribution_auc: float | None = None
    margin_auc: float | None = None
    both_auc: float | None = None
    equal_margin_auc: float | None = None
    correlation: float | None = None

    @property
    def cell(self) -> BiasCell:
        """The cell that it is of."""
        return BiasCell(self.network, self.method, self.percent, self.seed, self.epochs)

    @property
    def name(self) -> str:
        """The name of the cell."""
        return self.cell.name

    def __str__(self) -> str:
        return f"{self.name}: {self.accuracy:.4f}, {self.wall_s:.0f} s, {self.cpu_s:.0f} s of processor time"


RECORDS = RecordKind(BiasRecord, "a cell", "python benchmarks/bias.py")


def cells() -> list[BiasCell]:
    """All cells in the order in which they run: bases first, then those without training, then the others."""
    found = []
    for name, network in NETWORKS.items():
        found += [BiasCell(name, BASE, 100, seed, BASE_EPOCHS) for seed in network.seeds]
        for epochs, percents, seeds in (
            (0, network.percents, network.seeds),
            (network.epochs, network.trained, network.trained_seeds),
        ):
            for seed in seeds:
                found += [BiasCell(name, method, p, seed, epochs) for p in percents for method in METHODS]
    return found
