"""The experiments of benchmarks/end_to_end.py: models, data, budgets and what is compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reds_core import Recipe, RunSettings
from reds_core.framework import FinetuneSettings, MemberChoice, Teacher

ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets"
BASELINES = Path("out/ds-cnn").resolve()
ALL_PRUNERS = ("layerwise,progressive,nested,oneshot,uniform", "taylor")


@dataclass(frozen=True)
class Strategy:
    """A strategy of pruning and training in a comparison at equal time.

    Attributes:
        pruner, scorer, solver: names of plugins.
        options: options of plugins, as in `RunSettings`.
        finetune: settings of fine-tuning that differ from those of the experiment, by field of `FinetuneSettings`.
        trial_epochs: epochs of the trial that measures the time of an epoch. A strategy that trains between cuts needs
            enough of them to train networks of all sizes.
    """

    pruner: str
    scorer: str = "taylor"
    solver: str = "auto"
    options: Mapping[str, dict[str, str]] = field(default_factory=dict)
    finetune: Mapping[str, Any] = field(default_factory=dict)
    trial_epochs: int = 2


@dataclass(frozen=True)
class Experiment:
    """One section of the page: either grids with equal epochs, or strategies with equal time.

    Attributes:
        title: heading of the section.
        about: the question of the experiment in a sentence or two.
        model, data: paths; no model means that each run trains its own.
        budgets: budgets as on the command line.
        grids: pairs of lists of pruners and scorers, as for `reds compare`.
        epochs: total number of fine-tuning epochs of a run of the grids.
        strategies: strategies by name.
        plain_epochs: time of fine-tuning of each strategy, in epochs of the full network alone.
        seeds: seeds of the runs.
        finetune: settings of fine-tuning apart from the epochs.
        notes: remarks below the tables.
    """

    title: str
    about: str
    model: str | None
    data: str
    budgets: str
    grids: tuple[tuple[str, str], ...] = ()
    epochs: int = 0
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    plain_epochs: int = 0
    seeds: tuple[int, ...] = (0, 1, 2)
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)
    notes: str = ""

    @property
    def recipe(self) -> Recipe:
        """The recipe of the grids for `reds compare`."""
        finetune = dataclasses.replace(self.finetune, epochs=self.epochs)
        return Recipe(self.model, self.data, None, RunSettings(budgets=(self.budgets,), finetune=finetune))

    def recipe_of(self, name: str, epochs: int) -> Recipe:
        """The recipe of a strategy that trains for some epochs."""
        strategy = self.strategies[name]
        settings = dataclasses.replace(
            self.recipe.settings,
            pruner=strategy.pruner,
            scorer=strategy.scorer,
            solver=strategy.solver,
            options=strategy.options,
            finetune=dataclasses.replace(self.finetune, epochs=epochs, **strategy.finetune),
        )
        return dataclasses.replace(self.recipe, settings=settings)


LAYERWISE, PROGRESSIVE = Strategy("layerwise", trial_epochs=8), Strategy("progressive", trial_epochs=8)
SANDWICH = Strategy(
    "uniform",
    finetune={
        "member_choice": MemberChoice.SANDWICH,
        "distill": Teacher.FULL,
        "distill_weight": 1.0,
        "distill_temperature": 1.0,
    },
)
"""Slimmable networks: uniform widths, the sandwich rule, and in-place distillation (arXiv 1812.08928, 1903.05134)."""
DRESS_LIKE = Strategy(
    "nested", "magnitude", "global-threshold", finetune={"distill": Teacher.NONE, "distill_weight": 0.0}
)
"""DRESS (arXiv 2207.00670) with channels in place of single weights: members by magnitude, a weighted joint loss."""

FAMILY_STRATEGIES = {
    "nested": Strategy("nested"),
    "uniform": Strategy("uniform"),
    "layerwise": LAYERWISE,
    "progressive": PROGRESSIVE,
    "sandwich": SANDWICH,
    "dress-like": DRESS_LIKE,
}
FAMILY_NOTES = """\
What is compared:

- `nested`, `uniform`, `layerwise` and `progressive` are the pruners of that name with the default settings of training:
  all networks of the family are trained in each step, with the input network as the teacher.
- `sandwich` has the widths of `uniform` and is trained like universally slimmable networks (arXiv 1903.05134): a step
  trains the full network on the labels, and the smallest subnetwork and a random one of the others on the outputs of
  the full network alone. It differs from the paper in three ways: training starts from a trained network and is short;
  only the three subnetworks are trained, not all widths between the smallest and the largest; and the channels are
  ordered by their Taylor scores first.
- `dress-like` follows DRESS (arXiv 2207.00670) in that members are sampled by the magnitude of weights, larger members
  contain the smaller ones, all are trained together on the labels with weighted losses, and each has batch-norm
  statistics of its own. It differs from DRESS in what is sampled: DRESS keeps single weights, row by row, whereas here
  whole channels are kept, by one threshold for all layers, so that the networks need no support for sparse matrices.
  Members are sampled once, before the training, and weighted as in REDS. The result therefore says nothing about
  unstructured sparsity. Its values are those of magnitudes, and not comparable with the others."""

LAYERWISE_STRATEGIES = {
    "layerwise-forward": LAYERWISE,
    "layerwise-backward": dataclasses.replace(LAYERWISE, options={"layerwise": {"order": "backward"}}),
    "layerwise-by-sensitivity": dataclasses.replace(LAYERWISE, options={"layerwise": {"order": "sensitivity"}}),
    "oneshot": Strategy("oneshot"),
    "nested": Strategy("nested"),
}
RESNET8, CIFAR10 = str(ASSETS / "models" / "mlperf_tiny_resnet8_cifar10.h5"), str(ASSETS / "data" / "cifar10.npz")
SPOTTER, SPEECH = str(ASSETS / "models" / "arm_kws_ds_cnn_s.keras"), str(ASSETS / "data" / "speech_commands.npz")
FOR_RESNET8 = FinetuneSettings(batch_size=64, augment=("flip", "shift"))


def family_of_the_paper(
    data_name: str,
    about: str,
    baseline: str,
    grids: tuple[tuple[str, str], ...],
    epochs: int,
    augment: tuple[str, ...] = (),
) -> Experiment:
    """DS-CNN S at three budgets, as in the REDS paper. baseline: the folder that benchmarks/ds_cnn.py trained it in."""
    return Experiment(
        f"DS-CNN S on {data_name}: nested subnetworks against uniform ones",
        f"A family at 75, 50 and 25 % of the MACs, {about} against its full network.",
        str(BASELINES / baseline / "ds_cnn_s.keras"),
        str(BASELINES / baseline / "data.npz"),
        "macs=0.75,0.5,0.25",
        grids,
        epochs,
        finetune=FinetuneSettings(batch_size=64, learning_rate=6e-3, augment=augment),
    )


def layerwise_at(percent: int) -> Experiment:
    """Layer-wise pruning of ResNet8 to one budget, far below half of the MACs."""
    return Experiment(
        f"ResNet8 at {percent} % of the MACs: orders of layer-wise pruning at equal time",
        "One subnetwork, for which most of the network has to go: does it pay to decide layer by layer, and in which "
        "order? `oneshot` does not iterate; `nested` trains the full network as well.",
        RESNET8,
        CIFAR10,
        f"macs={percent / 100}",
        strategies=LAYERWISE_STRATEGIES,
        plain_epochs=16,
        seeds=(0, 1),
        finetune=FOR_RESNET8,
    )


FASHION = family_of_the_paper(
    "Fashion-MNIST",
    "all of Fashion-MNIST. The REDS paper (arXiv 2311.13349) loses 0.5, 1.1 and 3.2 points",
    "fashion-mnist",
    (("nested,uniform", "taylor"), ("nested", "taylor[normalise=none]")),
    epochs=3,
)
EXPERIMENTS = {
    "fashion": FASHION,
    "fashion-ten": dataclasses.replace(
        FASHION,
        title="DS-CNN S on Fashion-MNIST: a family of ten",
        about="Nine subnetworks at 10 to 90 % of the MACs and the full network, trained together.",
        budgets="macs=0.9,0.8,0.7,0.6,0.5,0.4,0.3,0.2,0.1",
        grids=(("nested", "taylor"),),
        seeds=(0,),
    ),
    "cifar10": family_of_the_paper(
        "CIFAR-10",
        "all 50,000 training images. The REDS paper (arXiv 2311.13349) loses 1.9, 5.3 and 18.4 points",
        "cifar10",
        (("nested,uniform", "taylor"),),
        epochs=15,
        augment=("flip", "shift"),
    ),
    "resnet8": Experiment(
        "ResNet8 on CIFAR-10: five strategies with the same epochs",
        "One subnetwork at 50 % of the MACs, every strategy with the same total of fine-tuning epochs.",
        RESNET8,
        CIFAR10,
        "macs=0.5",
        (ALL_PRUNERS, ("layerwise[rescore=false]", "taylor"), ("nested,layerwise", "taylor[normalise=none]")),
        epochs=6,
        finetune=FOR_RESNET8,
    ),
    "resnet8-family": Experiment(
        "ResNet8 on CIFAR-10: six strategies at equal time",
        "A family at 75, 50 and 25 % of the MACs, every strategy with the same processor time of fine-tuning.",
        RESNET8,
        CIFAR10,
        "macs=0.75,0.5,0.25",
        strategies=FAMILY_STRATEGIES,
        plain_epochs=36,
        finetune=FOR_RESNET8,
        notes=FAMILY_NOTES,
    ),
    "resnet8-25": layerwise_at(25),
    "resnet8-10": layerwise_at(10),
    "speech": Experiment(
        "DS-CNN S on Speech Commands: five strategies with the same epochs",
        "ARM's keyword spotter, one subnetwork at 50 % of the MACs, every strategy with the same total of fine-tuning "
        "epochs.",
        SPOTTER,
        SPEECH,
        "macs=0.5",
        (ALL_PRUNERS,),
        epochs=10,
    ),
    "speech-family": Experiment(
        "DS-CNN S on Speech Commands: six strategies at equal time",
        "ARM's keyword spotter, a family at 75, 50 and 25 % of the MACs, every strategy with the same processor time "
        "of fine-tuning. The strategies are those of the same comparison on ResNet8, described there.",
        SPOTTER,
        SPEECH,
        "macs=0.75,0.5,0.25",
        strategies=FAMILY_STRATEGIES,
        plain_epochs=48,
    ),
    "digits": Experiment(
        "A small DS-CNN on digits: nested subnetworks against uniform ones",
        "The 8 x 8 digits of scikit-learn, a network of some thousand weights that each run trains first: a check that "
        "the experiments run, in minutes.",
        None,
        "digits",
        "macs=0.5,0.25",
        (("nested,uniform", "taylor"),),
        epochs=1,
        seeds=(0, 1),
    ),
}
