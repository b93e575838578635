"""Checks of pruning strategies.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.formulation.formulation import Formulation
from reds_core.formulation.space import decision_space
from reds_core.formulation.statement import Statement
from reds_core.framework.family import Family, member_kept
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer, Solution, Status
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver, solve
from reds_core.network.axis import Kept
from reds_core.pruning.pruner import Pruner, PruningState, Step, Tools
from reds_core.scoring.scorer import ScoreTable
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.oracle import brute_force
from reds_core.testing.plugin_checks import PluginSubject, check_declaration, imports_nothing_heavy
from reds_core.testing.report import Failure, Settings
from reds_core.testing.runner import Check
from reds_core.testing.tiny import TinyFramework, TinyModel, tiny_data, tiny_model
from reds_core.testing.tiny_bits import TinyBits

MODEL = 3, 6, 5
"""Seed and hidden widths of the input model."""

BUDGETS = (("macs=0.75,0.5,0.25",), ("macs=0.6",), ("macs=0.8,0.4", "params=0.9,0.5"))


class Exhaustive(Solver):
    """Tries every choice."""

    name = "exhaustive"
    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    controls = Control.NONE

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        truth = brute_force(problem)
        if truth.value is None:
            return Answer(Status.INFEASIBLE)
        return Answer(Status.OPTIMAL, tuple(int(k) for k in truth.optima[0]), bound=truth.value)


class CheckTools(Tools):
    """Tools on a tiny model: scores are sums of squares, and problems are solved by trying every choice.

    Args:
        model: The input model.
        budgets: The budgets, smallest first.
        epochs: The epochs of the run.
        seed: The seed of all steps.
        levels: Whether layers have a choice of bits, for strategies that need transforms.

    Attributes:
        step: the step that is being taken.
    """

    def __init__(
        self, model: TinyModel, budgets: tuple[SubnetworkBudget, ...], epochs: int, seed: int, levels: bool = False
    ) -> None:
        self.step = Step("none")
        self.framework = TinyFramework()
        self.model, self.budgets, self.seed = model, budgets, seed
        self.network = self.framework.inspect(model)
        self._trained: dict[int, int] = {}
        self._seen: list[TinyModel] = []  # so that no two models have one id
        self.statement = Statement(self.network, space=decision_space(self.network, [TinyBits()]) if levels else None)
        self._epochs = epochs

    @property
    def finetune_epochs(self) -> int:
        return self._epochs

    def score(self, model: TinyModel, kept: Kept | None = None) -> ScoreTable:
        kernels = model.weights[0 : 2 * len(self.network.groups) : 2]
        sums = [np.square(k.astype(np.float64)).sum(axis=0) for k in kernels]
        channels = {g.name: s for g, s in zip(self.network.groups, sums, strict=True)}
        offers = () if self.statement.space is None else self.statement.space.offers
        # fewer bits cost a little, and more in earlier layers
        values = {(o.site, o.what): (o.levels - o.levels[-1]) / (4.0 + i) for i, o in enumerate(offers)}
        table = ScoreTable(channels, level_values=values)
        return table if kept is None else table.spread(kept, self.network.channels)

    def loss(self, model: TinyModel) -> float:
        return self.framework.loss(model, tiny_data(0), Task())

    def formulate(
        self, scores: ScoreTable, budget: SubnetworkBudget, order: Kept | None = None, exit: str | None = None
    ) -> Formulation:
        return self.statement.formulate(scores, budget, order, budget.name)

    def solve(self, problem: KnapsackProblem, exact: bool = False) -> Solution:
        return solve(problem, Exhaustive())

    def extract(self, model: TinyModel, kept: Kept) -> TinyModel:
        small = self.framework.extract(model, self.framework.inspect(model), kept)
        self._remember(small, self.epochs_of(model))
        return small

    def finetune(self, family: Family[Any]) -> Family[Any]:
        settings = FinetuneSettings(epochs=self.step.epochs, learning_rate=0.1)
        self.framework.finetune(family, Training(tiny_data(0), settings, self.seed, lambda progress: None))
        for model in (family.full, *family.members):
            self._remember(model, self.epochs_of(model) + self.step.epochs)
        return family

    def recalibrate(self, model: TinyModel) -> TinyModel:
        return model

    def epochs_of(self, model: TinyModel) -> int:
        """The epochs that a network was trained for, including those of the networks that it was cut from."""
        return self._trained.get(id(model), 0)

    def _remember(self, model: TinyModel, epochs: int) -> None:
        self._seen.append(model)
        self._trained[id(model)] = epochs


@dataclass
class Case:
    """One run of a strategy.

    Attributes:
        states: before each step, and at the end.
    """

    tools: CheckTools
    steps: Sequence[Step]
    states: list[PruningState] = field(default_factory=list)

    @property
    def end(self) -> PruningState:
        """The state after the last step."""
        return self.states[-1]

    @property
    def full(self) -> TinyModel:
        """The full network of the family."""
        model: TinyModel = self.end.family.full
        return model

    def __str__(self) -> str:
        return f"budgets {[dict(b.amounts) for b in self.tools.budgets]}, {self.tools.finetune_epochs} epochs"


class PrunerSubject(PluginSubject[Pruner]):
    """A strategy under test."""

    def __init__(self, make: Callable[[], Pruner], settings: Settings) -> None:
        super().__init__(make, settings)
        self._cases: dict[int, list[Case]] = {}

    def cases(self, epochs: int = 0) -> list[Case]:
        """The strategy run on every list of budgets."""
        if epochs not in self._cases:
            self._cases[epochs] = [self.take(texts, epochs) for texts in BUDGETS]
        return self._cases[epochs]

    def take(self, texts: Sequence[str], epochs: int, renew: bool = False) -> Case:
        """Run the strategy, with a new object for each step if `renew`."""
        budgets = parse_budgets(texts)
        model = tiny_model(*MODEL)
        tools = CheckTools(model, budgets, epochs, seed=5, levels=self.plugin.needs_transforms)
        ordered = tools.budgets = tools.statement.smallest_first(budgets)
        every_group = tuple(tools.network.channels)
        case = Case(
            tools,
            self.plugin.steps_where(every_group, tools.network, ordered, epochs),
            [PruningState.initial(tools.network, model)],
        )
        for step in case.steps:
            pruner, tools.step = self.make() if renew else self.plugin, step
            case.states.append(pruner.take(step, dataclasses.replace(case.end, decided={}), tools))
        return case


def declares_what_it_is(subject: PrunerSubject) -> None:
    """Discovery relies on these declarations alone."""
    check_declaration(subject.plugin)


def names_its_steps(subject: PrunerSubject) -> None:
    """`--resume` finds the last finished step by its name, so the names of steps must be unique and stable."""
    for case in subject.cases():
        names = [step.name for step in case.steps]
        groups = {g for state in case.states for g in state.decided}
        if not names or not all(names) or len(set(names)) < len(names):
            raise Failure(f"the names of its steps are not unique: {names}")
        if groups - set(case.tools.network.channels):
            raise Failure(f"a step decides {sorted(groups)}, which are not all groups of the network")
        again = subject.make().steps(case.tools.network, case.tools.budgets, 0)
        if list(again) != list(case.steps):
            raise Failure("a new object returns other steps, or steps_where() does although every group has a choice")


def decides_every_budget(subject: PrunerSubject) -> None:
    """Every budget gets one entry of the plan and one model, so the strategy must decide all of them."""
    for case in subject.cases():
        wanted, family = len(case.tools.budgets), case.end.family
        if len(case.end.choices) != wanted or not case.end.order:
            raise Failure(f"decided {len(case.end.choices)} of {wanted} budgets, or no order of channels ({case})")
        if len(family.members) != wanted or len(family.widths) != wanted:
            raise Failure(f"made no family of {wanted} members ({case})")
        for group, kept in case.end.order.items():
            if sorted(kept) != list(range(case.tools.network.channels[group])):
                raise Failure(f"the order of {group} does not contain each channel once: {kept}")


def keeps_every_budget(subject: PrunerSubject) -> None:
    """A budget is a hard limit of the device, so no subnetwork may exceed it, whatever the strategy."""
    for case in subject.cases():
        for budget, choice in zip(case.tools.budgets, case.end.choices, strict=True):
            for over in case.tools.statement.excesses(budget, choice.widths, choice.settings):
                uses = f"{over.used} {over.resource} of {over.capacity}"
                raise Failure(f"subnetwork {budget.name} uses {uses} ({case})")


def nests(subject: PrunerSubject) -> None:
    """Subnetworks can share one set of weights only if each larger one keeps all channels of the smaller ones."""
    for case in subject.cases():
        for small, large in itertools.pairwise(case.end.choices):
            shrunk = [g for g in small.widths if small.widths[g] > large.widths[g]]
            if shrunk:
                raise Failure(f"{shrunk[0]} shrinks from {small.widths} to {large.widths} ({case})")


def makes_the_models_that_it_decided(subject: PrunerSubject) -> None:
    """Users get the models and not the plan: each member must hold the first channels of the permuted full network."""
    x, original = tiny_data(1).x, tiny_model(*MODEL)
    for case in subject.cases():
        tools, family, order = case.tools, case.end.family, case.end.order
        expected = tools.framework.predict(original, x)
        if not np.allclose(tools.framework.predict(family.full, x), expected, atol=1e-5):
            raise Failure(f"the full network of the family does not compute the same as the input model ({case})")
        if any(
            np.any(a != b) for a, b in zip(family.full.weights, tools.extract(original, order).weights, strict=True)
        ):
            raise Failure(f"the channels of the full network are not in the order that the state names ({case})")
        for member, widths, choice in zip(family.members, family.widths, case.end.choices, strict=True):
            if dict(widths) != dict(choice.widths):
                raise Failure(f"a member has widths {dict(widths)} where {dict(choice.widths)} were decided ({case})")
            cut = tools.extract(family.full, member_kept(widths))
            if not np.allclose(tools.framework.predict(member, x), tools.framework.predict(cut, x), atol=1e-5):
                raise Failure(f"a member is not the first channels of the full network ({case})")


def trains_as_asked(subject: PrunerSubject) -> None:
    """The user sets the number of epochs: no subnetwork may be trained for more in total, and none for 0 epochs."""
    for epochs in (0, 4):
        for case in subject.cases(epochs):
            trained = [case.tools.epochs_of(model) for model in (*case.end.family.members, case.end.family.full)]
            if max(trained) > epochs:
                raise Failure(
                    f"trained a network {max(trained)} epochs in total although {epochs} are asked for ({case})"
                )
            if epochs and not max(trained):
                raise Failure(f"trained nothing although {epochs} epochs are asked for ({case})")


def resumes_after_every_step(subject: PrunerSubject) -> None:
    """Only the state is saved between steps, so a run continued from it must end like one that was not interrupted."""
    for texts, whole in zip(BUDGETS, subject.cases(4), strict=True):
        if not alike(subject.take(texts, 4, renew=True), whole):
            raise Failure(f"a new object for each step leads to a different result ({whole})")


def repeats_itself(subject: PrunerSubject) -> None:
    """Published results must be reproducible, so the same seed must give the same plan, also with a used object."""
    for texts, first in zip(BUDGETS, subject.cases(4), strict=True):
        if not alike(subject.take(texts, 4), first):
            raise Failure(f"repeating a run gives a different result ({first})")


def alike(one: Case, other: Case) -> bool:
    """Whether two runs have the same result."""
    return [c.widths for c in one.end.choices] == [c.widths for c in other.end.choices] and all(
        np.array_equal(a, b) for a, b in zip(one.full.weights, other.full.weights, strict=True)
    )


def leaves_the_input_model_unchanged(subject: PrunerSubject) -> None:
    """Results are compared with the input model at the end, so a strategy must not change it."""
    original = [w.tobytes() for w in tiny_model(*MODEL).weights]
    for case in (*subject.cases(), *subject.cases(4)):
        if [w.tobytes() for w in case.tools.model.weights] != original:
            raise Failure(f"the weights of the input model changed ({case})")


def prints_nothing(subject: PrunerSubject) -> None:
    """With --json, stdout must contain nothing but JSON, so a plugin must not print."""
    with captured_stdout() as captured:
        subject.take(BUDGETS[0], 0)
    if captured.text:
        raise Failure(f"printed {captured.text[:80]!r}")


_GROUND = ("decides_every_budget",)
PRUNER_CHECKS: tuple[Check[PrunerSubject], ...] = (
    Check(declares_what_it_is),
    Check(imports_nothing_heavy),
    Check(names_its_steps, ("declares_what_it_is",)),
    Check(decides_every_budget, ("names_its_steps",)),
    *(
        Check(run, _GROUND)
        for run in (
            keeps_every_budget,
            nests,
            makes_the_models_that_it_decided,
            trains_as_asked,
            repeats_itself,
            leaves_the_input_model_unchanged,
            prints_nothing,
        )
    ),
    Check(resumes_after_every_step, (*_GROUND, "repeats_itself")),
)
"""Every check of a pruning strategy, in the order of the report."""
