"""The boundary to pruning strategies, which are sequences of steps that a run can be resumed after.

A strategy is the plan by which a network becomes a family of nested subnetworks: when channels are scored, when widths
are decided and when networks are cut and trained. It first lists its steps and then takes them one at a time. Each step
turns a `PruningState` into the next; a `Decision` in that state says how many channels one subnetwork keeps. The run
drives the steps, saves the state after each of them, resumes, and derives a seed for each step. A strategy does not
see any of that, but it may pass nothing from one step to the next except the state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from reds_core.cost.budget import SubnetworkBudget
from reds_core.formulation.formulation import Formulation
from reds_core.framework.family import Family, member_kept
from reds_core.knapsack.families.anchoring import FamilySolution
from reds_core.knapsack.families.joint_family import joint
from reds_core.knapsack.levels import UNTOUCHED, LevelSettings
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Solution
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plugin import Plugin
from reds_core.scoring.scorer import ScoreTable
from reds_core.search_records import FamilyRecord


@dataclass(frozen=True)
class Step:
    """One step of a strategy. A strategy may derive a frozen dataclass from it to describe its steps further.

    Attributes:
        name: what the step does, as users see it. It is unique in the run.
        epochs: how many epochs `Tools.finetune` trains in this step.
    """

    name: str
    epochs: int = 0


@dataclass(frozen=True)
class Decision:
    """What was decided for one subnetwork.

    Attributes:
        widths: how many channels each group keeps, by group name.
        solution: the solution of the problem that was solved, under the limits that nesting sets on widths; None if no
            solver was asked.
        bound_independent: a proven upper bound on the value that this subnetwork could have if it did not have to be
            nested with the others; None if there is none.
        settings: the levels of layers besides widths; a layer that is not named is left as it is.
        exit: the early exit at which the subnetwork ends, which executes none of the layers that only later exits need;
            `widths` then names only the groups that it executes. None if it has the last output of the network.
    """

    widths: Mapping[str, int]
    solution: Solution | None = None
    bound_independent: int | None = None
    settings: LevelSettings = UNTOUCHED
    exit: str | None = None

    @classmethod
    def of(cls, solution: Solution, bound_independent: int | None = None) -> Decision:
        """The decision for the widths and levels that a solution chooses.

        Raises:
            ValueError: if the solution has no choice.
        """
        if solution.widths is None:
            raise ValueError(f"solver '{solution.solver}' found no choice of widths")
        return cls(solution.widths, solution, bound_independent, solution.settings)


@dataclass(frozen=True)
class PruningState:
    """Everything that one step passes on to the next. The first step is given `PruningState.initial`.

    Attributes:
        scores: the scores of the channels of the input model, by their index in it. Until the strategy has scored, this
            is a table without groups.
        order: for each group the channels of the input model, the most important first. The channels of `family.full`
            are in this order as soon as the family has members. At first it is the order of the input model.
        choices: one decision for each budget, smallest first, or the widths of a network that is still being narrowed
            towards its budget. The tuple is shorter while the networks of some budgets are not begun.
        family: the models. At first it is the input model without members; members are in the order of `choices`.
        decided: the widths that the last step decided, by group name. It is empty when the next step begins.
        bounds: for each budget, smallest first, a proven upper bound on the value of any subnetwork by `scores`, or
            None; empty if the strategy has not asked for bounds.
        sequence: the groups in the order in which they are decided, if the strategy finds that out during the run.
        family_record: how the family was chosen and what is proven about it, if all budgets were decided together.
    """

    scores: ScoreTable
    order: Kept
    choices: tuple[Decision, ...]
    family: Family[Any]
    decided: Mapping[str, int] = field(default_factory=dict)
    bounds: tuple[int | None, ...] = ()
    sequence: tuple[str, ...] = ()
    family_record: FamilyRecord | None = None

    @classmethod
    def initial(cls, network: Network, model: Any) -> PruningState:
        """The state before the first step: nothing is scored or decided, and the family is the input model alone.

        Args:
            network: description of the input model.
            model: the input model.
        """
        order = {g.name: np.arange(g.channels, dtype=np.int64) for g in network.groups}
        return cls(ScoreTable({}), order, (), Family(model, (), ()))

    @property
    def is_scored(self) -> bool:
        """Whether the strategy has scored the channels of the input model."""
        return bool(self.scores.channels)

    def kept(self, member: int) -> Kept:
        """For each group the channels of the input model that a member keeps, the most important first.

        Args:
            member: the index of its decision in `choices`.
        """
        return {group: self.order[group][:width] for group, width in self.choices[member].widths.items()}


class Tools(ABC):
    """What a step may use. The run measures the time that the tools take, and reports what they do.

    Attributes:
        network: the description of the input model, which also describes `family.full`.
        model: the input model.
        budgets: the budgets of the subnetworks, smallest first.
        seed: the seed of this step, derived from the seed of the run.
        exits: the exits at which a subnetwork may end, by depth; None, the last output, comes last.
    """

    network: Network
    model: Any
    budgets: tuple[SubnetworkBudget, ...]
    seed: int
    exits: tuple[str | None, ...] = (None,)

    @abstractmethod
    def score(self, model: Any, kept: Kept | None = None) -> ScoreTable:
        """Score the channels of the input model by what they are worth in `model` now.

        Args:
            model: the input model, or a network cut from it.
            kept: for each group the channels of the input model that `model` has, in the order in which it has them;
                None means that it has all of them. Channels that it no longer has get the score 0.
        """

    @abstractmethod
    def loss(self, model: Any) -> float:
        """The mean loss of `model` on the validation data, or on all training data if none is held back.

        Raises:
            InputError: if the run has no data.
        """

    @abstractmethod
    def formulate(
        self, scores: ScoreTable, budget: SubnetworkBudget, order: Kept | None = None, exit: str | None = None
    ) -> Formulation:
        """Formulate the knapsack problem of one budget.

        Args:
            scores: The scores of the channels of the input model.
            budget: one of `budgets`.
            order: the order of the channels of each group; None orders them by descending score.
            exit: one of `exits`, at which the subnetwork ends. The problem has only the groups that it executes.
        """

    @abstractmethod
    def solve(self, problem: KnapsackProblem, exact: bool = False) -> Solution:
        """Solve a problem with the solver of the run. The solution always has a choice.

        Unless the run names a number of which widths are multiples, the choice has multiples of 4 where these cost at
        most 0.1 % of the value. Bound and gap refer to all widths of the problem in any case.

        Args:
            problem: the problem.
            exact: whether to return what the solver finds with all widths, such as for a proof about several problems.

        Raises:
            InfeasibleError: if no choice is feasible; it says how little of the resource can be reached.
            NoChoiceError: if the solver stopped before it found one.
        """

    def choose_family(self, problems: Sequence[KnapsackProblem]) -> FamilySolution:
        """Choose nested subnetworks for all budgets together, with the largest sum of values that can be found.

        The sum is never below that of the family that is anchored at the smallest budget. The search for a better one
        ends after a limited time, see `reds_core.runs.family_choice`; the family then says so in `limit` and `detail`.

        Args:
            problems: one problem for each budget, smallest first.

        Raises:
            InfeasibleError, NoChoiceError: as for `solve`.
        """
        return joint(problems, partial(self.solve, exact=True))

    @abstractmethod
    def extract(self, model: Any, kept: Kept) -> Any:
        """A copy of `model` that has only the channels in `kept`, in that order.

        Args:
            model: the input model, or a network cut from it.
            kept: the channels of each group, by their index in `model`. Groups that are not named stay whole.
        """

    def ending_at(self, model: Any, exit: str | None) -> Any:
        """The part of `model` that an exit needs, as a model of its own; `model` itself if it has no early exits.

        Args:
            model: the input model, or a network cut from it that has all exits.
            exit: one of `exits`.
        """
        return model

    def extract_family(self, state: PruningState) -> Family[Any]:
        """The input model with its channels in the order of `state`, and one member cut from it for each decision.

        A member ends at the exit of its decision. If the run merges channels, the members have merged ones, and share
        no weights with the full network.
        """
        full = self.extract(self.model, state.order)
        widths = tuple(choice.widths for choice in state.choices)
        settings = tuple(choice.settings for choice in state.choices)
        members = (self.extract(self.ending_at(full, c.exit), member_kept(c.widths)) for c in state.choices)
        return Family(full, tuple(members), widths, settings)

    @abstractmethod
    def finetune(self, family: Family[Any]) -> Family[Any]:
        """Train all networks of a family together for the epochs of this step, by the settings of the run.

        The networks are changed in place. If the family has no members, its full network is trained by itself.
        """

    @abstractmethod
    def recalibrate(self, model: Any) -> Any:
        """Measure the batch-norm statistics of `model` again, if the run has data and its settings ask for that.

        Use it for networks that were cut and are scored or measured before they are trained.
        """

    def trial_losses(self, state: PruningState, epochs: int, apart: bool = False) -> list[float]:
        """The mean losses on held-back data of networks of which only one is kept, after training on a trial basis.

        The networks are cut anew, so that these epochs do not count as those of a subnetwork. By default only their
        batch-norm statistics are measured.

        Args:
            state: the networks are those of its choices, which may be alternatives to each other.
            epochs: the epochs.
            apart: whether each network is trained by itself. Otherwise all share the weights of the full network, and
                are trained together with it.
        """
        return [self.loss(self.recalibrate(model)) for model in self.extract_family(state).members]

    @property
    def has_data(self) -> bool:
        """Whether the run has training data, without which losses cannot be measured."""
        return True

    @property
    @abstractmethod
    def finetune_epochs(self) -> int:
        """How many epochs of fine-tuning the settings of the run ask for in all steps together."""


class Pruner(Plugin, ABC):
    """Base class of plugins that bring a pruning strategy. An instance holds its options and nothing else.

    Attributes:
        skips_blocks: Whether subnetworks may have groups without channels, so that residual blocks are skipped. The
            strategy then treats a width of 0 as any other, and scores no network that was cut.
        takes_transforms: Whether the strategy also decides the levels of transforms. It then passes on the settings of
            each solution with its widths.
        needs_transforms: Whether the strategy has nothing to decide without transforms. Runs without any refuse it.
        takes_exits: Whether the strategy decides at which exit each subnetwork ends. Runs of models with early exits
            refuse the others.
    """

    kind = "pruner"
    skips_blocks: ClassVar[bool] = False
    takes_transforms: ClassVar[bool] = False
    needs_transforms: ClassVar[bool] = False
    takes_exits: ClassVar[bool] = False

    @abstractmethod
    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        """The steps of this strategy, all of which are known before the first is taken.

        Args:
            network: the description of the input model.
            budgets: the budgets of the subnetworks, smallest first.
            finetune_epochs: the epochs of the run. No subnetwork is trained for more epochs in all steps together.
        """

    def steps_where(
        self, free: Sequence[str], network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int
    ) -> Sequence[Step]:
        """The steps of a run in which only some groups have a choice of widths. By default they are those of `steps`.

        Strategies that decide group by group override this, so that no step is spent on a group that stays whole.

        Args:
            free: the names of the groups that have more than one width, in network order.
            network: As for `steps`.
            budgets: As for `steps`.
            finetune_epochs: As for `steps`.
        """
        return self.steps(network, budgets, finetune_epochs)

    def trains_apart(self, budgets: int) -> bool:
        """Whether each subnetwork is cut from the input model once, by `Tools.extract_family`, and trained by itself.

        Only then can its channels be merged, since subnetworks that share weights, or are narrowed again, can only drop
        channels. By default it is not known, so that runs which merge channels refuse the strategy.

        Args:
            budgets: how many budgets there are.
        """
        return False

    @abstractmethod
    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        """Take one step and return the state that it leads to.

        After the last step, `choices` and `family.members` have one entry for each budget.
        """
