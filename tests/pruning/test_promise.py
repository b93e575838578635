"""Budgets out of reach, and plugins that break their promises."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from toy_framework import ToyFramework, chain_model, describe, residual_model
from toy_plugins import FIRST_PARTY, BruteSolver, PluginModule, toy_registry
from toy_runs import BUDGETS, QUICK, Listener, Workplace, settings

from reds_core.cost import resources
from reds_core.cost.budget import SubnetworkBudget
from reds_core.errors import ContractViolation, InfeasibleError, InputError, PluginFailure, UnsupportedError
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.family import Family
from reds_core.knapsack.solution import Answer, Status
from reds_core.network.description import Network
from reds_core.pruning.pruner import Decision, Pruner, PruningState, Step, Tools
from reds_core.registry import Registry
from reds_core.scoring.scorer import Scorer, ScoreTable


def test_a_budget_below_one_channel_a_group(place: Workplace) -> None:
    network = describe(residual_model())
    least = resources.usage(network, dict.fromkeys(network.channels, 1))["macs"]
    with pytest.raises(
        InfeasibleError, match=f"the least that can be reached is {least}; raise the budget to {least}, or to 0"
    ):
        place.prune(budgets={"macs": [0.5, 0.01]})
    assert place.prune(budgets={"macs": str(least)}).subnetworks[0].usage["macs"] == least


def test_budgets_that_each_can_be_met_but_not_together(place: Workplace) -> None:
    class Never(BruteSolver):
        name = "never"
        auto_rank = 0

        def solve(self, problem: Any, controls: Any) -> Any:
            return Answer(Status.INFEASIBLE)

    with pytest.raises(InfeasibleError, match="each can be met alone, but not all together"):
        place.prune(
            registry=toy_registry(Never), budgets={"macs": 0.5, "params": 0.5}, settings=settings(solver="never")
        )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"scorer": "tailor"}, "unknown scorer 'tailor'; did you mean 'taylor'"),
        ({"pruner": "nestled"}, "unknown pruner 'nestled'; did you mean 'nested'"),
        ({"solver": "gurobi"}, "unknown solver 'gurobi'"),
        ({"options": {"taylor": {"criterium": "abs"}}}, "scorer 'taylor' has no option 'criterium'"),
        ({"options": {"nobody": {"x": "1"}}}, "an option names 'nobody', which is not a plugin"),
    ],
)
def test_unknown_plugins_and_options_are_refused_before_anything_is_read(
    place: Workplace, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        place.prune(model=place.folder / "misspelt.keras", settings=settings(**changes))
    assert not place.out.exists()


def test_an_unknown_resource_is_refused_before_anything_is_read(place: Workplace) -> None:
    with pytest.raises(InputError, match="unknown resource 'mcas'"):
        place.prune(model=place.folder / "misspelt.keras", budgets={"mcas": 0.5})


def test_without_a_framework_the_error_says_what_to_install(place: Workplace) -> None:
    with pytest.raises(InputError, match="unknown framework 'tensorflow'; installed: none"):
        place.prune(registry=Registry([]), settings=QUICK) if False else place.prune(registry=no_framework_registry())


def no_framework_registry() -> Registry:

    return Registry([PluginModule("toy", FIRST_PARTY)])


class BadPruner(Pruner):
    """Base of pruners that break one promise each."""

    name = "bad"

    def steps(self, network: Network, budgets: Sequence[SubnetworkBudget], finetune_epochs: int) -> Sequence[Step]:
        return [Step("everything")]

    def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
        widths = [dict.fromkeys(tools.network.channels, w) for w in range(1, len(tools.budgets) + 1)]
        order = {g: np.arange(n) for g, n in tools.network.channels.items()}
        models = tuple(tools.extract(tools.model, {g: order[g][:w] for g, w in some.items()}) for some in widths)
        choices = tuple(Decision(w) for w in widths)
        family = Family(tools.model, models, tuple(widths))
        return self.broken(PruningState(ScoreTable({}), order, choices, family, widths[-1]))

    def broken(self, state: PruningState) -> PruningState:
        return state


class TooFew(BadPruner):
    def broken(self, state: PruningState) -> PruningState:
        return dataclasses.replace(state, choices=state.choices[:-1])


class NoFamily(BadPruner):
    def broken(self, state: PruningState) -> PruningState:
        return dataclasses.replace(state, family=Family(state.family.full, (), ()))


class NoOrder(BadPruner):
    def broken(self, state: PruningState) -> PruningState:
        return dataclasses.replace(state, order={})


class DoubleOrder(BadPruner):
    def broken(self, state: PruningState) -> PruningState:
        return dataclasses.replace(state, order={g: np.zeros_like(o) for g, o in state.order.items()})


class NoWidth(BadPruner):
    def broken(self, state: PruningState) -> PruningState:
        return dataclasses.replace(state, choices=(Decision({"stem": 1}), *state.choices[1:]))


class ZeroWidth(BadPruner):
    def broken(self, state: PruningState) -> PruningState:
        return dataclasses.replace(state, choices=(Decision({"stem": 0, "inside": 1}), *state.choices[1:]))


class OverBudget(BadPruner):
    def broken(self, state: PruningState) -> PruningState:
        return dataclasses.replace(state, choices=(*state.choices[:-1], Decision({"stem": 6, "inside": 5})))


class NotNested(BadPruner):
    def broken(self, state: PruningState) -> PruningState:
        swapped = (Decision({"stem": 1, "inside": 2}), Decision({"stem": 2, "inside": 1}), *state.choices[2:])
        return dataclasses.replace(state, choices=swapped)


class WrongModels(BadPruner):
    def broken(self, state: PruningState) -> PruningState:
        family = dataclasses.replace(state.family, members=state.family.members[::-1])
        return dataclasses.replace(state, family=family)


@pytest.mark.parametrize(
    ("pruner", "why"),
    [
        (TooFew, "ended with 2 choices for 3 budgets"),
        (NoFamily, "ended without models"),
        (NoOrder, "without an order of channels"),
        (DoubleOrder, "did not give an order of the 6 channels of group 'stem'"),
        (NoWidth, "a width of at least 1 for every group"),
        (ZeroWidth, "a width of at least 1 for every group"),
        (OverBudget, "gave subnetwork '75' macs 270, which is above 202"),
        (NotNested, "gave subnetwork '25' channels that '50' does not have"),
        (WrongModels, "network '25' uses"),
    ],
)
def test_pruners_that_break_a_promise_are_found_out(place: Workplace, pruner: type[Pruner], why: str) -> None:
    with pytest.raises(ContractViolation, match=why) as caught:
        place.prune(registry=toy_registry(pruner), settings=settings(pruner="bad"))
    assert caught.value.exit_status == 1
    assert not (place.out / "plan.json").exists()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda state: None, "NoneType, not a PruningState, from step 'everything'"),
        (lambda state: dataclasses.replace(state, family=None), "a state whose family is NoneType from step"),
        (lambda state: dataclasses.replace(state, scores=None), "a state whose scores is NoneType from step"),
        (lambda state: dataclasses.replace(state, order=None), "a state whose order is NoneType from step"),
        (lambda state: dataclasses.replace(state, choices=[*state.choices]), "a state whose choices is list from"),
    ],
)
def test_what_is_no_whole_state_is_the_pruner_s_fault(place: Workplace, broken: Any, why: str) -> None:
    class NoState(BadPruner):
        def broken(self, state: PruningState) -> PruningState:
            changed: PruningState = broken(state)
            return changed

    with pytest.raises(ContractViolation, match=f"pruner 'bad' returned {why}"):
        place.prune(registry=toy_registry(NoState), settings=settings(pruner="bad"))
    assert not place.out.exists()


def test_widths_that_are_no_option_are_found_out(place: Workplace) -> None:
    asked = settings(pruner="bad", widths=WidthRules(align=2))
    with pytest.raises(
        ContractViolation, match="gave group 'stem' 1 channels in '25', which is not one of the widths that it may have"
    ):
        place.prune(registry=toy_registry(BadPruner), settings=asked)


def test_a_pruner_that_asks_no_solver_and_no_scorer_is_fine(place: Workplace) -> None:
    plan = place.prune(registry=toy_registry(BadPruner), settings=settings(pruner="bad"))
    assert [s.value for s in plan.subnetworks] == [None, None, None]
    assert [s.status for s in plan.subnetworks] == [None, None, None]
    assert plan.steps[0].widths == {"stem": 3, "inside": 3}
    assert not (place.out / "scores.npz").exists()


class BadScorer(Scorer):
    name = "bad"
    needs_data = False

    def score(self, framework: Any, model: Any, network: Network, data: Any, task: Any, seed: int) -> ScoreTable:
        channels = {g: np.ones(n) for g, n in network.channels.items()}
        return self.broken(channels)

    def broken(self, channels: dict[str, Any]) -> ScoreTable:
        return ScoreTable(channels)


class Nan(BadScorer):
    def broken(self, channels: dict[str, Any]) -> ScoreTable:
        return ScoreTable(channels | {"stem": np.full(6, np.nan)})


class Short(BadScorer):
    def broken(self, channels: dict[str, Any]) -> ScoreTable:
        return ScoreTable(channels | {"stem": np.ones(5)})


class Missing(BadScorer):
    def broken(self, channels: dict[str, Any]) -> ScoreTable:
        return ScoreTable({"stem": channels["stem"]})


class Unknown(BadScorer):
    def broken(self, channels: dict[str, Any]) -> ScoreTable:
        return ScoreTable(channels, {("stem", "nobody"): np.ones((6, 2))})


class Single(BadScorer):
    def broken(self, channels: dict[str, Any]) -> ScoreTable:
        return ScoreTable({g: s.astype(np.float32) for g, s in channels.items()})


class Kernel(BadScorer):
    def broken(self, channels: dict[str, Any]) -> ScoreTable:
        return ScoreTable(channels, {("stem", "inside"): np.ones((5, 6))})


class Nothing(BadScorer):
    def broken(self, channels: dict[str, Any]) -> ScoreTable:
        return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("scorer", "why"),
    [
        (Nan, "group 'stem' scores that are not finite"),
        (Short, "group 'stem' no float64 scores of shape"),
        (Missing, "group 'inside' no float64 scores"),
        (Unknown, "scores for 'nobody', which is not a group"),
        (Single, "group 'stem' no float64 scores"),
        (Kernel, "groups 'stem' and 'inside' no float64 scores"),
        (Nothing, "NoneType, not a ScoreTable"),
    ],
)
def test_scorers_that_break_their_contract_are_found_out(place: Workplace, scorer: type[Scorer], why: str) -> None:
    with pytest.raises(ContractViolation, match=f"scorer 'bad' gave {why}"):
        place.prune(registry=toy_registry(scorer), settings=settings(scorer="bad"))
    assert not place.out.exists()


def test_a_scorer_that_fails_is_named(place: Workplace) -> None:
    class Failing(BadScorer):
        def broken(self, channels: dict[str, Any]) -> ScoreTable:
            raise ZeroDivisionError("by nothing")

    with pytest.raises(PluginFailure, match="scorer 'bad' failed with ZeroDivisionError: by nothing"):
        place.prune(registry=toy_registry(Failing), settings=settings(scorer="bad"))


def test_a_pruner_that_fails_is_named_with_its_step(place: Workplace) -> None:
    class Failing(BadPruner):
        def broken(self, state: PruningState) -> PruningState:
            raise KeyError("gone")

    with pytest.raises(
        PluginFailure, match="pruner 'bad' failed at step 'everything' with KeyError: 'gone'; report it"
    ):
        place.prune(registry=toy_registry(Failing), settings=settings(pruner="bad"))


def test_a_want_of_memory_is_no_plugin_s_fault(place: Workplace) -> None:
    class Hungry(BadScorer):
        def broken(self, channels: dict[str, Any]) -> ScoreTable:
            raise MemoryError

    with pytest.raises(MemoryError):
        place.prune(registry=toy_registry(Hungry), settings=settings(scorer="bad"))


def test_a_model_that_holds_nan_is_not_the_scorer_s_fault(place: Workplace) -> None:
    model = residual_model()
    model.weights["inside/kernel"][0, 0] = np.nan
    with pytest.raises(InputError, match="weight 'inside/kernel' of the model holds NaN"):
        place.prune(model=model)


def test_a_network_without_groups(place: Workplace) -> None:
    with pytest.raises(UnsupportedError, match=r"no group of network .* can be pruned"):
        place.prune(model=chain_model((), positions=3), budgets={"macs": 1.0})


def test_warnings_of_the_network_reach_the_watcher(place: Workplace) -> None:
    class Warning_(ToyFramework):
        def inspect(self, model: Any) -> Network:
            return dataclasses.replace(super().inspect(model), warnings=("group x stays",))

    listener = Listener()
    place.prune(registry=toy_registry(framework=Warning_), watcher=listener)
    assert listener.warnings == ["group x stays"]


def test_budgets_may_be_texts(place: Workplace) -> None:
    assert place.prune(budgets=["macs=0.5"]).subnetworks[0].name == "50"
    assert BUDGETS["macs"] == [0.75, 0.5, 0.25]
