"""The settings of a pruning run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.cost.counting import DEFAULT_ELEMENT_SIZE_BYTES, check_element_size
from reds_core.cost.device_table import DeviceTable
from reds_core.cost.energy_costs import with_energy
from reds_core.cost.energy_models import energy_model
from reds_core.cost.resources import RESOURCES, CostModel, check_resources, resource_named
from reds_core.cost.tables import CostTable, load_table
from reds_core.errors import InputError, argument
from reds_core.formulation.width_rules import OfferedWidths, WidthRules
from reds_core.framework.fallback import FallbackNumbers
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.task import Task
from reds_core.knapsack.integers import counted
from reds_core.knapsack.solver import Controls
from reds_core.network.description import Network
from reds_core.plugin import PluginOptions
from reds_core.runs.calibration_setting import check_calibration_setting
from reds_core.runs.class_weights import parse_class_weight
from reds_core.scoring.scorer import ScoreLevel
from reds_core.system.files import given_path
from reds_core.system.memory import parse_bytes
from reds_core.transforms.realisation import DROP

Int8Files = Literal["shared", "separate", True, False]
"""Which int8 files are written: of subnetworks whose integer weights are slices of those of the full network, of
subnetworks that are each quantised by themselves, or none. True means "shared"."""
SHARED, SEPARATE = "shared", "separate"
BASELINE_EPOCHS = 20
DEFAULT_BUDGETS = ("macs=0.75,0.5,0.25",)
DEFAULT_OUT = "reds-out"
NESTED, APART = "nested", "oneshot"
"""The pruners of runs that name none: with weights that all subnetworks share, and with weights of their own."""
TRANSFORM_SETTINGS = ("transforms", "targets", "exchange_rate", "calibrate", "qat", "qat_activations")
"""The settings that plans of runs without transforms and targets do not state."""
OPTIONAL_SETTINGS = ("max_drop_target", "energy_model", "calibration", "int8_drop", "fallback")
"""The settings that plans do not state if they are None."""


def merged_options(first: PluginOptions, second: PluginOptions) -> dict[str, Mapping[str, str]]:
    """Merge options of plugins. Those of `second` take precedence."""
    return {name: {**first.get(name, {}), **second.get(name, {})} for name in (*first, *second)}


@dataclass(frozen=True)
class RunSettings:
    """Settings of a run. Two runs with equal settings, model and data make the same plan.

    Attributes:
        budgets: The limit of each resource, as R=V[,V...], such as macs=0.5,0.25. There is one subnetwork for each
            value. A value is a share of the full network, such as 0.5 or 50%, or a number with a unit such as k, M,
            KB, KiB, MiB, ms or uJ. With `max_drop`, these are further limits of the one subnetwork, with one value
            for each resource, and the default does not apply.
        max_drop: Find the smallest network that loses at most this many points of accuracy on held-back data. None
            means off.
        max_drop_resource: The resource by which `max_drop` compares the sizes of networks. None means macs, or
            weight_bytes with transforms.
        max_drop_epochs: The number of epochs for which `max_drop` trains each network that it tries. None means a third
            of all epochs.
        max_drop_target: The target on whose files `max_drop` measures what networks lose. None means the models
            themselves.
        pruner: The pruner plugin, which is the strategy of the run. None means nested, or oneshot where channels are
            merged.
        scorer: The scorer plugin, which says how important each channel is.
        score_level: What is scored: each channel, or each kernel that connects two channels.
        solver: The solver plugin, or auto for the best one that accepts the problem.
        options: The options of plugins as they are typed: plugin name -> key -> text.
        imports: A Python file or module that defines custom layers. It is run before the model is read.
        finetune: How the family is trained.
        task: How outputs are compared with labels.
        time_limit_s: The time limit of each solve. None means no limit.
        threads: The number of threads of each solve. None means the choice of the solver.
        memory_limit: The most memory that the tables of a solve may take, such as 2GiB. None means half of the
            available memory.
        gap: The proven relative gap at which each solve may stop, such as 0.0001 or 0.01%. None means a search for a
            proof of optimality.
        element_size_bytes: The size of a weight or an activation on the device: 1 for int8, or 4 for float32.
        latency_table: The table that `reds latency` wrote, for budgets of latency.
        energy_model: The model of a board by which energy is counted, such as board-model:nucleo-l4r5zi. It is a
            multiple of the MACs, or power times latency if the latency table was measured on that board.
        widths: The widths that groups may have.
        transforms: The transform plugins, which offer further choices for each layer besides its width, such as
            weight-bits. They are decided together with the widths.
        realise: How the width of a group is realised: drop removes the least important channels; fold, or another
            realisation plugin, merges similar channels; best takes for each group what raises the loss on training data
            least. Subnetworks with merged channels share no weights, so each is trained by itself.
        targets: The targets, which are the kinds of files to write for each subnetwork; levels of transforms are only
            offered if one of these files can store them. None means the usual files of the framework of the model.
        exchange_rate: How much a rise of the loss by 1 counts in units of the scores, by which the measured losses of
            levels are weighed against the importance of channels. None means 0.5 for scores on the logarithmic scale,
            and 1 for those that are losses.
        calibrate: Compute the exchange rate from this number of short trainings. None means off.
        qat: Train the subnetworks with their weights as transforms change them (quantisation-aware training), and with
            those of layers at 8 bits rounded as well, which makes training steps 2 to 15 % longer. None means only if a
            layer has fewer than 8 bits, and layers at 8 bits are then trained with float weights.
        qat_activations: Also round activations in quantisation-aware training, to 8 bits or to the bits of
            activation-bits, which makes training steps another 20 % longer.
        holdout: The share of the training data that is held back to choose the best epoch, from 0 to below 1.
        class_weight: How much the examples of each class count in training and on held-back data:
            CLASS=WEIGHT[,CLASS=WEIGHT...], or balanced, which gives all classes the same total weight. None means 1
            for all classes.
        stream: Read the images of a folder from disk in each pass, even if they fit into memory. Otherwise only images
            that would take more than a quarter of the available memory are read in this way.
        int8: Which int8 files are written of each network, if there is data to calibrate them: shared, in which the
            integer weights of each subnetwork are slices of those of the full network, or separate, in which each
            subnetwork is quantised by itself, as those with merged channels always are. False writes none.
        calibration: The examples on which the ranges of activations in integer files are measured: a number of training
            examples, or other data in any form that training data can have, with or without labels. None means 200
            training examples.
        int8_drop: The most points of accuracy that the int8 file of a subnetwork may lose against its model, measured
            on held-back data. A file that loses more is reported by a warning, or ends the run with `strict`. None
            means no limit.
        fallback: What layers have instead of 8 bits in int8 files that lose more than `int8_drop`: float, or 16x8 for
            activations of 16 bits. The most sensitive layers fall back, as few as are needed. None means 8 bits in all
            layers.
        strict: Fail, instead of warning, if a part of the model cannot be pruned or an int8 file loses more than
            `int8_drop`.
        seed: The seed of all random numbers.
    """

    budgets: tuple[str, ...] = DEFAULT_BUDGETS
    max_drop: float | None = None
    max_drop_resource: str | None = None
    max_drop_epochs: int | None = None
    max_drop_target: str | None = None
    pruner: str | None = None
    scorer: str = "taylor"
    score_level: ScoreLevel = ScoreLevel.CHANNEL
    solver: str = "auto"
    options: PluginOptions = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    finetune: FinetuneSettings = FinetuneSettings()
    task: Task = Task()
    time_limit_s: float | None = None
    threads: int | None = None
    memory_limit: str | None = None
    gap: float | None = None
    element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES
    latency_table: str | None = None
    energy_model: str | None = None
    widths: WidthRules = WidthRules()
    transforms: tuple[str, ...] = ()
    realise: str = DROP
    targets: tuple[str, ...] = ()
    exchange_rate: float | None = None
    calibrate: int | None = None
    qat: bool | None = None
    qat_activations: bool = False
    holdout: float = 0.1
    class_weight: str | None = None
    stream: bool = False
    int8: Int8Files = "shared"
    calibration: str | None = None
    int8_drop: float | None = None
    fallback: FallbackNumbers | None = None
    strict: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.int8 is True:
            object.__setattr__(self, "int8", SHARED)
        check_element_size(self.element_size_bytes)
        if self.latency_table is not None:
            given_path(self.latency_table, "latency_table")
        if self.energy_model is not None:
            object.__setattr__(self, "energy_model", energy_model(self.energy_model).name)
        if not 0 <= self.holdout < 1:
            raise InputError(f"holdout {self.holdout} is not a share from 0 to below 1", "give a share such as 0.1")
        if self.finetune.patience is not None and not self.holdout:
            raise InputError(
                "early stopping needs held-back data",
                f"give a {argument('holdout')} above 0, or no {argument('patience')}",
            )
        if self.class_weight is not None:
            parse_class_weight(self.class_weight)
        check_calibration_setting(self.calibration)
        self._check_int8_drop()
        self._check_transforms()
        if self.seed < 0:
            raise InputError(f"seed {self.seed} is below 0", "give a seed of 0 or more")
        if self.max_drop is not None and self.budgets == DEFAULT_BUDGETS:
            object.__setattr__(self, "budgets", ())  # they would otherwise count as limits that the user gave
        self.controls()

    @property
    def strategy(self) -> str:
        """The name of the pruner plugin of the run."""
        return self.pruner or (NESTED if self.realise == DROP else APART)

    @property
    def has_transforms(self) -> bool:
        """Whether more is decided than the widths of groups."""
        return bool(self.transforms)

    @property
    def names_targets(self) -> bool:
        """Whether the plan names transforms or targets, which needs the second version of its format."""
        return bool(self.transforms or self.targets)

    def _check_int8_drop(self) -> None:
        limit = self.int8_drop
        if limit is not None and not 0 <= limit < 100:
            raise InputError(
                f"{argument('int8_drop')} {limit} is not a number of points from 0 to below 100",
                "give points such as 1.0",
            )
        if limit is None and self.fallback is not None:
            raise InputError(
                f"{argument('fallback')} is given without {argument('int8_drop')}",
                f"give {argument('int8_drop', 1.0)} as well",
            )

    def _check_transforms(self) -> None:
        for name, given in (("transforms", self.transforms), ("targets", self.targets)):
            repeated = next((each for each in given if given.count(each) > 1), None)
            if repeated is not None:
                raise InputError(f"{argument(name)} names '{repeated}' twice", "name it once")
        rate = self.exchange_rate
        if rate is not None and not (math.isfinite(rate) and rate >= 0):
            raise InputError(f"the exchange rate {rate} is not 0 or more", "give a number such as 0.5")
        if self.calibrate is not None and self.calibrate < 2:
            raise InputError(
                f"the exchange rate cannot be computed from {counted(self.calibrate, 'training')}",
                f"give {argument('calibrate')} 2 or more",
            )

    def check_transforms(self, writes_files: bool = True) -> None:
        """Refuse settings that cannot be combined with transforms, or that have no effect without them.

        Args:
            writes_files: Whether the command writes files of the targets. Otherwise these only say which levels are
                offered, and have no effect without transforms either.

        Raises:
            InputError: If there is such a setting.
        """
        if not self.transforms:
            self._check_no_effect(writes_files)
            return
        if self.qat is False and self.qat_activations:
            name, other = argument("qat_activations"), argument("qat", False)
            raise InputError(
                f"{name} rounds activations in quantisation-aware training, which is turned off",
                f"leave out {other} or {name}",
            )
        if self.exchange_rate is not None and self.calibrate is not None:
            raise InputError(
                f"{argument('calibrate')} computes the exchange rate that {argument('exchange_rate')} gives",
                "leave out one of them",
            )
        if self.element_size_bytes != DEFAULT_ELEMENT_SIZE_BYTES:
            raise InputError(
                f"transforms change weights that take 1 byte each, not {self.element_size_bytes}",
                f"leave out {argument('element_size')} or {argument('transforms')}",
            )
        if self.latency_table is not None:
            raise InputError(
                "a latency table knows the widths of layers but not what transforms make of them",
                f"leave out {argument('latency_table')} or {argument('transforms')}",
            )

    def _check_no_effect(self, writes_files: bool) -> None:
        """Refuse settings that have no effect without transforms."""
        given = {
            "targets": bool(self.targets) and not writes_files,
            "exchange_rate": self.exchange_rate is not None and not self.widths.skip_blocks,
            "calibrate": self.calibrate is not None,
            "qat": self.qat is not None,
            "qat_activations": self.qat_activations,
        }
        name = next((name for name, is_given in given.items() if is_given), None)
        if name is not None:
            raise InputError(
                f"{argument(name)} has no effect without transforms",
                f"give {argument('transforms')}, or leave it out",
            )

    def controls(self) -> Controls:
        """The limits and the seed of each solve.

        Raises:
            InputError: If a limit is malformed or out of range.
        """
        memory = None if self.memory_limit is None else parse_bytes(self.memory_limit)
        return Controls(self.time_limit_s, self.seed, self.threads, memory_limit_bytes=memory, gap=self.gap)

    def read_latencies(self) -> CostTable | None:
        """Read the table of latencies, or of what a device counts; None if there is none.

        Raises:
            InputError: If it cannot be read.
        """
        return None if self.latency_table is None else load_table(Path(self.latency_table))

    def rules(self, latencies: CostTable | None) -> WidthRules:
        """The rules for widths, which offer those of a table alone if it states a few.

        Args:
            latencies: The table that `read_latencies` returned.
        """
        return self.widths if latencies is None else OfferedWidths.of(self.widths, latencies.offered)

    def costs(
        self, network: Network, latencies: CostTable | None, budgets: Sequence[SubnetworkBudget] = ()
    ) -> CostModel:
        """How the resources of `network` are counted.

        Args:
            network: The description of the network.
            latencies: The table that `read_latencies` returned.
            budgets: Budgets besides those of the settings, whose resources are counted too.

        Raises:
            InputError: If the table is of another network, or not of the board of the energy model.
        """
        measured = {} if latencies is None else latencies.forms_for(network, self.element_size_bytes)
        energy = latencies.energy_source if isinstance(latencies, DeviceTable) else None
        if self.energy_model is not None:
            machines = None if latencies is None else latencies.machines
            measured, energy = with_energy(measured, energy_model(self.energy_model), machines)
        return CostModel(self.element_size_bytes, measured, self._asked_resources(budgets), energy)

    def check_countable(self, budgets: Iterable[SubnetworkBudget]) -> None:
        """Refuse budgets of resources that cannot be counted without a table, or without an energy model.

        Raises:
            InputError: If there is one that the settings do not name.
        """
        names = (resource for budget in budgets for resource in budget.amounts)
        check_resources(names, self.latency_table is not None, self.energy_model is not None)

    def _asked_resources(self, more: Sequence[SubnetworkBudget]) -> tuple[str, ...]:
        """The resources that plans state because something asks for them: a budget, a transform or a target."""
        own = parse_budgets(self.budgets) if self.budgets else ()
        asked = {resource for budget in (*own, *more) for resource in budget.amounts}
        if self.max_drop_resource is not None:
            asked.add(resource_named(self.max_drop_resource))
        # levels of layers change sums alone
        return tuple(r.name for r in RESOURCES.values() if r.name in asked or (self.names_targets and r.terms))

    @property
    def baseline(self) -> FinetuneSettings:
        """How the baseline of a run without a model is trained."""
        return FinetuneSettings(BASELINE_EPOCHS, batch_size=64, learning_rate=3e-3)

    def step_seed(self, step: int) -> int:
        """The seed of a step, derived from that of the run, so that a resumed run draws the same numbers."""
        return (self.seed * 1_000_003 + step * 7919 + 1) % 2**31
