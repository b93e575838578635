"""The cells of benchmarks/mobilenetv2.py: pruners, budgets and the training that they have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mobilenetv2_base import DATA
from study import Cell, CellRecord

from reds_core import RunSettings
from reds_core.formulation import WidthRules
from reds_core.framework import FinetuneSettings

MODELS = Path("out/mobilenetv2").resolve()
NETWORK = "mobilenetv2"
SEEDS = (0, 1, 2)
FINETUNE = FinetuneSettings(epochs=10, batch_size=64, augment=("flip", "shift"))
BUDGETS = {"macs-50": 50, "macs-25": 25}
"""Percent of the MACs. Unstructured pruning keeps as many weights as `OURS` has at this budget instead."""
OURS, MEASURED, MASKED = "taylor-knapsack", "sensitivity-knapsack", "magnitude-unstructured"
ENGINE = "c-engine"


@dataclass(frozen=True)
class Arm:
    """A way to prune.

    Attributes:
        about: What it does, for the page.
        pruner, scorer, solver: The plugins.
        options: Options of plugins.
        model: The name of the network that is pruned.
        target: The kind of file that is measured.
        transforms: The transforms of the run.
        widths: Rules for widths.
        is_telling: Whether its runs come first among those of a seed, and with all seeds; others run with the first
            seed alone.
    """

    about: str
    pruner: str
    scorer: str = "magnitude"
    solver: str = "auto"
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    model: str = "base"
    target: str = "tflite-int8"
    transforms: tuple[str, ...] = ()
    widths: WidthRules = field(default_factory=WidthRules)
    is_telling: bool = False


L1 = {"magnitude": {"norm": "l1"}}
SUMS = {"bn-scale": {"normalise": "none"}}
ANY_WIDTH = WidthRules(align=1)
ARMS: Mapping[str, Arm] = {
    OURS: Arm(
        "`reds prune`: a knapsack over the widths of all groups, by scores of `taylor`",
        "oneshot",
        "taylor",
        is_telling=True,
    ),
    MEASURED: Arm(
        "`reds prune --scorer sensitivity --option sensitivity.floor=0.5`: a knapsack by the losses that were measured "
        "with each group narrowed alone",
        "oneshot",
        "sensitivity",
        options={"sensitivity": {"floor": "0.5"}},
        is_telling=True,
    ),
    "l1-uniform": Arm(
        "filters by their L1 norm (Li et al., [1608.08710](https://arxiv.org/abs/1608.08710)), the same share of every "
        "group",
        "uniform",
        options=L1,
        is_telling=True,
    ),
    "fpgm-uniform": Arm(
        "filters closest to the geometric median (He et al., [1811.00250](https://arxiv.org/abs/1811.00250)), the same "
        "share of every group",
        "uniform",
        "fpgm",
        is_telling=True,
    ),
    "slimming-threshold": Arm(
        "network slimming (Liu et al., [1708.06519](https://arxiv.org/abs/1708.06519)): one threshold for the "
        "batch-norm scales of all channels, in a network that was trained with an L1 penalty of these scales",
        "oneshot",
        "bn-scale",
        "global-threshold",
        SUMS,
        model="slimming",
        widths=ANY_WIDTH,
        is_telling=True,
    ),
    MASKED: Arm(
        "single weights by magnitude (Han et al., [1506.02626](https://arxiv.org/abs/1506.02626)), one threshold for "
        "all layers, as many weights as `taylor-knapsack` keeps, and masks that stay through fine-tuning",
        "oneshot",
        transforms=("sparsity",),
        target=ENGINE,
        widths=WidthRules(keep=("*",)),
        is_telling=True,
    ),
    "bn-scale-threshold": Arm(
        "as `slimming-threshold`, but in the same network as all others, which was trained without a penalty",
        "oneshot",
        "bn-scale",
        "global-threshold",
        SUMS,
        widths=ANY_WIDTH,
    ),
    "l1-knapsack": Arm("a knapsack by the scores of `l1-uniform`", "oneshot", options=L1),
    "slimming-knapsack": Arm(
        "a knapsack by the batch-norm scales of the network of `slimming-threshold`",
        "oneshot",
        "bn-scale",
        model="slimming",
    ),
    "taylor-uniform": Arm("the same share of every group, by scores of `taylor`", "uniform", "taylor"),
}


def cells(records: Sequence[CellRecord] = (), models: Path = MODELS) -> list[Cell]:
    """The cells of the first seed first, and of these those of the cited methods and of ours.

    Cells of `MASKED` exist once the record of `OURS` says how many weights they keep.

    Args:
        records: The records so far.
        models: The folder of the networks that benchmarks/mobilenetv2_base.py trains.
    """
    found = []
    for seed in SEEDS:
        for budget, percent in BUDGETS.items():
            for name, arm in ((name, arm) for name, arm in ARMS.items() if seed in seeds_of(arm)):
                amount = density_percent(records, budget, seed) if arm.transforms else percent
                if amount is not None:
                    model, settings = str(models / f"{arm.model}.keras"), settings_of(arm, amount, seed)
                    found.append(Cell(NETWORK, name, budget, seed, model, DATA, settings))
    return sorted(found, key=lambda cell: (cell.seed, not ARMS[cell.arm].is_telling))


def seeds_of(arm: Arm) -> tuple[int, ...]:
    """The seeds of the runs of an arm."""
    return SEEDS if arm.is_telling else SEEDS[:1]


def density_percent(records: Sequence[CellRecord], budget: str, seed: int) -> int | None:
    """The percentage of the weights of kernels that may stay; None as long as `OURS` is not recorded.

    As many weights are then not zero as in `OURS`, or up to one percent less. Only kernels have zeros.
    """
    for record in records:
        if (record.arm, record.budget, record.seed) == (OURS, budget, seed) and record.nonzero_weights is not None:
            assert record.full_nonzero_weights is not None
            assert record.full_vector_weights is not None
            kernels = record.full_nonzero_weights - record.full_vector_weights
            return (100 * (record.nonzero_weights - record.full_vector_weights)) // kernels
    return None


def settings_of(arm: Arm, percent: int, seed: int) -> RunSettings:
    """The settings of a run. All arms have the same training.

    Args:
        arm: The way to prune.
        percent: The percentage of the MACs that it keeps, or that of the weights for unstructured pruning.
        seed: The seed.
    """
    options = {name: dict(each) for name, each in arm.options.items()}
    if arm.transforms:
        options["sparsity"] = {"sparsity": str(100 - percent), "scope": "global"}
    return RunSettings(
        budgets=("macs=100%",) if arm.transforms else (f"macs={percent}%",),
        pruner=arm.pruner,
        scorer=arm.scorer,
        solver=arm.solver,
        options=options,
        transforms=arm.transforms,
        targets=(arm.target,),
        widths=arm.widths,
        finetune=FINETUNE,
        seed=seed,
    )
