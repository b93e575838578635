"""The cells of benchmarks/toolbox.py: networks, ways to make them smaller, and budgets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from experiments import CIFAR10, FOR_RESNET8, RESNET8, SPEECH, SPOTTER
from study import Cell, CellRecord

from reds_core import RunSettings
from reds_core.formulation import WidthRules
from reds_core.framework import FinetuneSettings

TARGET = "c-engine"
"""The store of the C engine realises all transforms, so that their bytes can be compared."""


@dataclass(frozen=True)
class ToolboxNetwork:
    """A trained network and its data.

    Attributes:
        title: The name in the page.
        model, data: Paths.
        seeds: The seeds of its runs.
        finetune: Settings of training.
    """

    title: str
    model: str
    data: str
    seeds: tuple[int, ...]
    finetune: FinetuneSettings


@dataclass(frozen=True)
class Arm:
    """One way to make a network smaller.

    Attributes:
        about: What it decides, for the page.
        budgets: The names of the budgets that it is tried at.
        transforms: The transforms that it uses.
        has_widths: Whether it also decides how many channels layers have.
        target: The kind of file that is written and measured.
        options: Options of its transforms other than `OPTIONS`.
    """

    about: str
    budgets: tuple[str, ...]
    transforms: tuple[str, ...] = ()
    has_widths: bool = False
    target: str = TARGET
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


NETWORKS = {
    "resnet8": ToolboxNetwork(
        "ResNet8 on CIFAR-10", RESNET8, CIFAR10, (0, 1, 2), dataclasses.replace(FOR_RESNET8, epochs=10)
    ),
    "ds-cnn-s": ToolboxNetwork("DS-CNN S on Speech Commands", SPOTTER, SPEECH, (0,), FinetuneSettings(epochs=10)),
}
BUDGETS = {
    "bytes-50": ("weight_bytes=50%",),
    "macs-50": ("macs=50%",),
    "bytes-25": ("weight_bytes=25%",),
}
"""The limits of each budget, as shares of those of the full network with weights of 8 bits."""
QUARTER = ("bytes-25",)
"""The budgets that only the first seed is tried at."""
ALL, BYTES = tuple(BUDGETS), ("bytes-50", *QUARTER)
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "weight-bits": {"levels": "8,4,2"},
    "low-rank": {"levels": "75,50,25"},
    "clustering": {"levels": "16,4"},
    "sparsity": {"sparsity": "50,75,90"},
}
"""The levels that each transform offers besides the last, which leaves a layer as it is."""
ARMS = {
    "widths": Arm("the channels of each group", ALL, has_widths=True),
    "weight-bits": Arm("8, 4 or 2 bits for the kernel of each layer", BYTES, ("weight-bits",)),
    "low-rank": Arm("the rank of each layer", ALL, ("low-rank",)),
    "clustering": Arm("16 or 4 values for each output channel of each kernel, or all", BYTES, ("clustering",)),
    "sparsity": Arm("0, 50, 75 or 90 % of the weights of each layer that are zero", BYTES, ("sparsity",)),
    "widths-and-ranks": Arm("channels and ranks together", ("macs-50",), ("low-rank",), has_widths=True),
    "widths-and-bits": Arm("channels and bits together", QUARTER, ("weight-bits",), has_widths=True),
    "joint": Arm(
        "channels, ranks, density, clusters and bits together",
        BYTES,
        ("low-rank", "sparsity", "clustering", "weight-bits"),
        has_widths=True,
    ),
    "joint-tflite": Arm(
        "channels, ranks and bits together in a file of `tflite-int8`, which stores 8 or 4 bits",
        BYTES,
        ("low-rank", "weight-bits"),
        has_widths=True,
        target="tflite-int8",
        options={"weight-bits": {"levels": "8,4"}},
    ),
}


def cells(records: Sequence[CellRecord] = ()) -> list[Cell]:
    """All cells, whatever is recorded: the budgets of `QUARTER` last, and the first seed of the others first."""
    found = []
    for name, network in NETWORKS.items():
        for budget in BUDGETS:
            for arm_name, arm in ARMS.items():
                if budget in arm.budgets:
                    found += [
                        Cell(
                            name,
                            arm_name,
                            budget,
                            seed,
                            network.model,
                            network.data,
                            _settings(network, arm, budget, seed),
                            on_engine=arm.target == TARGET,
                        )
                        for seed in seeds_at(network, budget)
                    ]
    return sorted(found, key=lambda cell: (cell.budget in QUARTER, cell.seed, list(BUDGETS).index(cell.budget)))


def seeds_at(network: ToolboxNetwork, budget: str) -> tuple[int, ...]:
    """The seeds of the runs of a network at a budget."""
    return network.seeds[:1] if budget in QUARTER else network.seeds


def _settings(network: ToolboxNetwork, arm: Arm, budget: str, seed: int) -> RunSettings:
    options = {name: arm.options.get(name, OPTIONS[name]) for name in arm.transforms}
    return RunSettings(
        budgets=BUDGETS[budget],
        pruner="oneshot",
        options=options,
        transforms=arm.transforms,
        targets=(arm.target,),
        widths=WidthRules() if arm.has_widths else WidthRules(keep=("*",)),
        finetune=network.finetune,
        seed=seed,
    )
