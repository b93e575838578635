"""Strategies that choose widths and bits in another way than by one knapsack, against brute force on small networks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from level_transforms import MockBits
from reds_baselines import BitsThenPrunePruner, PruneThenBitsPruner, UniformBitsPruner
from reds_baselines.bits import with_bits
from reds_baselines.greedy_bits import greedy_bits
from reds_baselines.prune_then_bits import PruneThenBitsOptions
from reds_baselines.uniform_bits import UniformBitsOptions
from reds_baselines.widths_and_bits import WidthsAndBitsPruner
from remembering_tools import RememberingTools, drawn_scores, taken
from toy_framework import chain_model, describe
from toy_plugins import toy_registry
from toy_runs import make_workplace, settings, skip_report
from toy_transforms import ToyBits, ToyTarget

from reds_core.cost import parse_budgets
from reds_core.errors import InfeasibleError, InputError, UnsupportedError
from reds_core.formulation import Statement, decision_space
from reds_core.knapsack import Dimension, Group, KnapsackProblem, Nesting, Solution, Status, SumResource
from reds_core.network import Kept
from reds_core.pruning import Decision, Pruner
from reds_core.scoring import ScoreTable
from reds_core.testing import pruner_conformance
from reds_core.testing.oracle import all_choices, usages_of, values_of
from reds_core.transforms import Transform

WHAT = "weight_bits"
SITES = ("dense0", "dense1", "dense2", "head")
CHAIN = chain_model((3, 4, 3))


class EqualBits(MockBits):
    """Bits that all members of a family have in common."""

    nesting = Nesting.EQUAL


class LevelTools(RememberingTools):
    """Tools of a chain of four dense layers whose bits can be chosen. What bits are worth is drawn from a seed."""

    def __init__(self, *budgets: str, seed: int = 0, transform: Transform | None = None) -> None:
        super().__init__(["macs=1"], 0, CHAIN)
        space = decision_space(self.network, [transform or MockBits((2, 4))])
        self.statement = Statement(self.network, space=space)
        self.budgets = self.statement.smallest_first(parse_budgets(budgets))
        self.seed = seed

    def score(self, model: Any, kept: Kept | None = None) -> ScoreTable:
        assert self.statement.space is not None
        rng = np.random.default_rng(self.seed)
        values = {}
        for offer in self.statement.space.offers:
            lost = np.cumsum(rng.lognormal(-1, 1, len(offer.levels) - 1))[::-1]
            values[offer.site, offer.what] = np.append(-lost, 0.0)
        return ScoreTable(drawn_scores(self.network.channels, self.seed), level_values=values)

    def solve(self, problem: KnapsackProblem, exact: bool = False) -> Solution:
        found = super().solve(problem, exact)
        if found.choice is None:
            raise InfeasibleError("no subnetwork meets the budget", "raise it")
        return found


def uniform(level: int = 4, ends: int = 8) -> UniformBitsPruner:
    return UniformBitsPruner(UniformBitsOptions(level, ends))


def prune_first(bits: float = 4.0, assign: Any = "exact") -> PruneThenBitsPruner:
    return PruneThenBitsPruner(PruneThenBitsOptions(bits, assign))


EVERY = [uniform(), uniform(2, 4), uniform(8), prune_first(), prune_first(6, "greedy"), BitsThenPrunePruner()]


def named(pruner: Pruner) -> str:
    return f"{pruner.name}-{getattr(pruner, 'options', None)}"


def decided(pruner: WidthsAndBitsPruner, tools: LevelTools) -> tuple[Decision, ...]:
    _, states = taken(pruner, tools)
    return states[-1].choices


@dataclasses.dataclass(frozen=True)
class Choices:
    """All choices of the problem of one budget."""

    problem: KnapsackProblem
    rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, tools: LevelTools, budget: int = 0) -> Choices:
        problem = tools.formulate(tools.score(CHAIN), tools.budgets[budget]).problem
        return cls(problem, all_choices(problem))

    def where(self, holds: Callable[[Mapping[str, int], Mapping[str, int]], bool]) -> Choices:
        """Those whose widths and bits have a property."""
        kept = [
            holds(self.problem.widths(row), {s: c[WHAT] for s, c in self.problem.settings(row).levels.items()})
            for row in self.rows
        ]
        return Choices(self.problem, self.rows[np.array(kept, bool)])

    def within(self, capacities: Mapping[str, float] | None = None) -> Choices:
        """Those within capacities; None means those of the problem."""
        limits = {r.name: r.capacity for r in self.problem.resources} if capacities is None else capacities
        used = usages_of(self.problem, self.rows)
        fits = np.all([used[name] <= limit for name, limit in limits.items()], axis=0)
        return Choices(self.problem, self.rows[fits])

    @property
    def capacities(self) -> dict[str, int]:
        return {r.name: r.capacity for r in self.problem.resources}

    @property
    def value(self) -> int | None:
        """The largest value, or None if there are no choices."""
        return int(values_of(self.problem, self.rows).max()) if len(self.rows) else None


def bits_of(decision: Decision) -> dict[str, int]:
    return {site: chosen[WHAT] for site, chosen in decision.settings.levels.items()}


TIGHT = ("macs=0.6", "weight_bytes=0.5")
LOOSE = ("macs=0.7", "weight_bytes=0.6")


@pytest.mark.parametrize("pruner", EVERY, ids=named)
@pytest.mark.parametrize("seed", range(4))
def test_every_strategy_is_within_budget_and_worth_no_more_than_the_joint_choice(pruner: Any, seed: int) -> None:
    tools = LevelTools(*LOOSE, seed=seed)
    try:
        (decision,) = decided(pruner, tools)
    except InfeasibleError:
        assert pruner.name == "uniform-bits"
        assert pruner.options.level == 8
        return
    assert tools.statement.excesses(tools.budgets[0], decision.widths, decision.settings) == []
    joint = Choices.of(tools).within().value
    solution = decision.solution
    assert solution is not None
    assert solution.value is not None
    assert joint is not None
    assert solution.value <= joint
    assert solution.bound == decision.bound_independent == joint
    assert solution.gap == pytest.approx((joint - solution.value) / abs(solution.value))
    assert (solution.status is Status.OPTIMAL) == (solution.value == joint)
    problem = Choices.of(tools).problem
    assert solution.choice is not None
    assert problem.widths(solution.choice) == decision.widths
    assert problem.settings(solution.choice) == decision.settings
    assert problem.evaluate(solution.choice).value == solution.value


@pytest.mark.parametrize(("level", "ends"), [(4, 8), (2, 8), (4, 4), (8, 8)])
@pytest.mark.parametrize("seed", range(3))
def test_uniform_bits_are_the_best_widths_with_one_number_of_bits(level: int, ends: int, seed: int) -> None:
    tools = LevelTools("macs=0.9", "weight_bytes=0.7", seed=seed)
    (decision,) = decided(uniform(level, ends), tools)
    expected = {"dense0": ends, "dense1": level, "dense2": level, "head": ends}
    assert bits_of(decision) == expected
    assert decision.solution is not None
    assert decision.solution.value == Choices.of(tools).where(lambda _, bits: bits == expected).within().value


def assumed_usage(choices: Choices, rows: npt.NDArray[np.int64], bits: float) -> npt.NDArray[np.float64]:
    """The bytes of the widths of each of `rows`, whose layers have 8 bits, if all had `bits` bits."""
    fewest = choices.where(lambda _, own: set(own.values()) == {2})
    least = {tuple(fewest.problem.widths(row).values()): row for row in fewest.rows}
    low = np.array([least[tuple(choices.problem.widths(row).values())] for row in rows])
    high_used = usages_of(choices.problem, rows)["weight_bytes"]
    return high_used - (high_used - usages_of(choices.problem, low)["weight_bytes"]) * (8 - bits) / 6


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("assumed", [3.5, 5.0, 6.5])
def test_pruning_first_takes_the_best_widths_and_then_the_best_bits(seed: int, assumed: float) -> None:
    tools = LevelTools(*LOOSE, seed=seed)
    choices = Choices.of(tools)
    (decision,) = decided(prune_first(assumed), tools)
    untouched = choices.where(lambda _, bits: set(bits.values()) == {8}).within({"macs": choices.capacities["macs"]})
    used = assumed_usage(choices, untouched.rows, assumed)
    pruned = Choices(choices.problem, untouched.rows[used <= choices.capacities["weight_bytes"] + 1e-6])
    assert untouched.where(lambda widths, _: widths == decision.widths).value == pruned.value
    assert decision.solution is not None
    assert decision.solution.value == choices.where(lambda widths, _: widths == decision.widths).within().value


def test_the_sequence_is_sometimes_infeasible_where_the_joint_choice_is_not() -> None:
    tools = LevelTools("macs=0.9", "weight_bytes=0.4")
    assert Choices.of(tools).within().value is not None
    with pytest.raises(InfeasibleError, match=r"prune-then-bits is infeasible: the widths .* mean of 0.5 bits exceed"):
        decided(prune_first(0.5), tools)
    with pytest.raises(InfeasibleError, match=r"exceed the budget at any bits that are lowered greedily"):
        decided(prune_first(0.5, "greedy"), tools)
    with pytest.raises(InfeasibleError, match=r"uniform-bits' finds no widths .* with 8 bits"):
        decided(uniform(8), LevelTools("macs=0.9", "weight_bytes=0.36"))
    with pytest.raises(InfeasibleError, match="no widths meet the budget at an assumed mean of 64 bits"):
        decided(prune_first(64), tools)


def test_a_budget_that_nothing_meets_is_no_fault_of_the_sequence() -> None:
    with pytest.raises(InfeasibleError, match=r"^no subnetwork meets the budget"):
        decided(prune_first(), LevelTools("weight_bytes=0.01"))


@pytest.mark.parametrize("seed", range(4))
def test_greedy_bits_are_feasible_at_the_same_widths_and_worth_no_more_than_exact_ones(seed: int) -> None:
    tools = LevelTools(*LOOSE, seed=seed)
    (exact,), (greedy,) = decided(prune_first(4), tools), decided(prune_first(4, "greedy"), tools)
    assert greedy.widths == exact.widths
    assert greedy.solution is not None
    assert exact.solution is not None
    assert greedy.solution.value is not None
    assert exact.solution.value is not None
    assert greedy.solution.value <= exact.solution.value


def test_greedy_takes_the_layer_that_loses_least_for_each_byte() -> None:
    """Two layers of 8 and 4 bits. Layer a loses 10 for 40 bytes, and layer b 6 for 12: a goes first, and is enough."""

    def layer(name: str, lost: int) -> Group:
        dimension = (Dimension(name, WHAT),)
        return Group(name, np.zeros(2), np.array([-lost, 0]), dimension, np.array([[4], [8]]))

    costs = (np.array([40, 80]), np.array([12, 24]))

    def chosen(capacity: int) -> list[int]:
        resource = SumResource("weight_bytes", capacity, 0, costs)
        problem = KnapsackProblem("two", (layer("a", 10), layer("b", 6)), (), (resource,), nesting={WHAT: Nesting.FREE})
        return [int(np.flatnonzero(mask)[0]) for mask in greedy_bits(problem, [np.ones(2, bool)] * 2)]

    assert chosen(104) == [1, 1]
    assert chosen(92) == [0, 1]  # b alone would do, and lose less
    assert chosen(60) == [0, 0]
    assert chosen(10) == [0, 0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("budgets", [TIGHT, LOOSE, ("weight_bytes=0.4",)])
def test_bits_first_are_those_of_the_full_network_at_the_share_of_macs(seed: int, budgets: tuple[str, ...]) -> None:
    tools = LevelTools(*budgets, seed=seed)
    choices = Choices.of(tools)
    full = choices.where(lambda widths, _: widths == describe(CHAIN).channels)
    used = usages_of(full.problem, full.rows)
    share = choices.capacities["macs"] / used["macs"].max() if "macs" in choices.capacities else 1
    room = max(choices.capacities["weight_bytes"] / share, used["weight_bytes"].min())
    (decision,) = decided(BitsThenPrunePruner(), tools)
    bits = bits_of(decision)
    assert full.where(lambda _, own: own == bits).value == full.within({"weight_bytes": room}).value
    assert decision.solution is not None
    assert decision.solution.value == choices.where(lambda _, own: own == bits).within().value


@pytest.mark.parametrize("pruner", EVERY, ids=named)
@pytest.mark.parametrize("transform", [MockBits((2, 4)), EqualBits((2, 4))], ids=["free", "equal"])
def test_families_nest(pruner: Any, transform: Transform) -> None:
    tools = LevelTools("macs=0.9,0.6,0.5", "weight_bytes=0.9,0.8,0.75", transform=transform)
    members = decided(pruner, tools)
    for budget, member in zip(tools.budgets, members, strict=True):
        assert tools.statement.excesses(budget, member.widths, member.settings) == []
    for small, large in itertools.pairwise(members):
        assert all(small.widths[g] <= large.widths[g] for g in small.widths)
        assert transform.nesting is Nesting.FREE or bits_of(small) == bits_of(large)


def test_layers_without_the_bits_keep_theirs() -> None:
    tools = LevelTools("macs=0.9", "weight_bytes=0.9", transform=MockBits((4,), without=("dense1",)))
    (decision,) = decided(uniform(), tools)
    assert bits_of(decision) == {"dense0": 8, "dense2": 4, "head": 8}


def test_of_bits_offered_in_common_the_next_higher_ones_are_meant() -> None:
    dimensions = (Dimension("a", WHAT), Dimension("b", WHAT))
    group = Group("a", np.zeros(3), np.zeros(3), dimensions, np.array([[2, 2], [4, 4], [8, 8]]))
    assert with_bits(group, {"a": 8}, 4).tolist() == [False, False, True]
    assert with_bits(group, {"a": 4}, 2).tolist() == [False, True, False]
    assert with_bits(group, {}, 3).tolist() == [False, False, True]  # not offered, so both keep 8


@pytest.mark.parametrize(("options", "named"), [((3, 8), "level=3"), ((4, 6), "ends=6")])
def test_bits_that_no_layer_is_offered_are_refused(options: tuple[int, int], named: str) -> None:
    with pytest.raises(InputError, match=f"uniform-bits.{named}: no layer is offered . bits; give one of 2, 4, 8"):
        decided(uniform(*options), LevelTools(*LOOSE))


@pytest.mark.parametrize("bits", [0, -1, float("nan"), float("inf")])
def test_an_assumed_mean_is_above_0(bits: float) -> None:
    with pytest.raises(InputError, match=r"prune-then-bits.bits=.* is not a number above 0"):
        PruneThenBitsOptions(bits)


@pytest.mark.parametrize("pruner", [UniformBitsPruner(), PruneThenBitsPruner(), BitsThenPrunePruner()], ids=named)
def test_runs_without_bits_are_refused(pruner: Any, tmp_path: Path) -> None:
    place = make_workplace(tmp_path)
    with pytest.raises(UnsupportedError, match=f"pruner '{pruner.name}' decides what transforms offer, and there are"):
        place.prune(settings=settings(pruner=pruner.name), registry=toy_registry(type(pruner)))
    with pytest.raises(UnsupportedError, match="decides the bits of weights, of which no layer has a choice"):
        decided(pruner, LevelTools("macs=0.5", transform=Sparsity()))


class Sparsity(MockBits):
    what = "percent_kept"


@pytest.mark.parametrize("pruner", [UniformBitsPruner, PruneThenBitsPruner, BitsThenPrunePruner])
def test_runs_meet_both_budgets(
    pruner: type[WidthsAndBitsPruner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    asked = settings(pruner=pruner.name, transforms=("toy-bits",), targets=("toy-device",))
    place = make_workplace(tmp_path)
    registry = toy_registry(pruner, ToyBits, ToyTarget)
    budgets = {"macs": [0.8, 0.5], "weight_bytes": [0.6, 0.45]}
    plan = place.prune(settings=asked, registry=registry, budgets=budgets)
    for record, macs, weight_bytes in zip(plan.subnetworks, (0.5, 0.8), (0.45, 0.6), strict=True):
        assert record.usage["macs"] <= macs * plan.full.usage["macs"]
        assert record.usage["weight_bytes"] <= weight_bytes * plan.full.usage["weight_bytes"]
        assert record.settings
        assert record.gap is not None
        assert record.gap >= 0


@pruner_conformance(UniformBitsPruner)
def test_uniform_bits_conformance(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(PruneThenBitsPruner)
def test_prune_then_bits_conformance(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(lambda: prune_first(4, "greedy"))
def test_prune_then_greedy_bits_conformance(check: Callable[[], None]) -> None:
    check()


@pruner_conformance(BitsThenPrunePruner)
def test_bits_then_prune_conformance(check: Callable[[], None]) -> None:
    check()
