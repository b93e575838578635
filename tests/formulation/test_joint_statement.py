"""Problems of widths and levels: what they use and are worth is what the described network uses and is worth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from level_transforms import Factored, MockBits, MockSparsity
from toy_framework import ToyModel, chain_model, describe, residual_model
from toy_networks import concatenated, random_models

from reds_core.cost import resources
from reds_core.cost.budget import parse_budgets
from reds_core.cost.resources import CostModel
from reds_core.errors import UnsupportedError
from reds_core.formulation.space import DecisionSpace, decision_space
from reds_core.formulation.statement import Statement
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.levels import LevelSettings, Nesting
from reds_core.network.description import Network, WeightKind
from reds_core.scoring.scorer import ScoreTable
from reds_core.transforms.describing import described
from reds_core.transforms.transform import LayerPart, Offered

COSTS = CostModel(additional=("weight_bytes", "bops"))
BUDGETS = parse_budgets(["macs=0.5", "params=0.5", "peak_ram=0.9", "weight_bytes=0.5", "bops=0.5"])


def scores_of(network: Network, space: DecisionSpace, seed: int = 0) -> ScoreTable:
    rng = np.random.default_rng(seed)
    channels = {g.name: rng.lognormal(0, 1, g.channels) for g in network.groups}
    levels = {}
    for offer in space.offers:
        values = -rng.random(len(offer.levels))
        values[-1] = 0
        levels[offer.site, offer.what] = values
    pairs = {}
    for first, second in itertools.permutations(space.offers, 2):
        if first.site == second.site and first.what < second.what:
            pairs[first.site, first.what, second.what] = -rng.random((len(first.levels), len(second.levels)))
    return ScoreTable(channels, level_values=levels, level_pair_values=pairs)


def brute_force_weights(network: Network, widths: Mapping[str, int], levels: LevelSettings) -> int:
    """Bytes of all weights, counted weight by weight."""
    total = 0
    for weight in network.weights:
        level = levels.at(weight.layer, "weight_bits") if weight.kind is WeightKind.KERNEL else None
        elements = math.prod(axis.length().at(widths) for axis in weight.axes)
        total += math.ceil(elements * (8 if level is None else level) / 8)
    return total


@given(random_models(), st.data(), st.sampled_from([(4,), (2, 4), (3, 5)]))
@settings(max_examples=100, deadline=None)
def test_a_choice_uses_what_the_described_network_uses(
    model: ToyModel, data: st.DataObject, levels: tuple[int, ...]
) -> None:
    network = describe(model)
    space = decision_space(network, [MockBits(levels)])
    statement = Statement(network, COSTS, space=space)
    scores = scores_of(network, space)
    if not statement.nodes.nodes:
        return
    problem = statement.formulate(scores, BUDGETS[0]).problem
    for _ in range(5):
        choice = [data.draw(st.integers(0, group.options - 1)) for group in problem.groups]
        widths, chosen = problem.widths(choice), problem.settings(choice)
        counted = resources.usage(described(network, space.transforms, chosen), widths, COSTS)
        assert problem.evaluate(choice).usage == counted == statement.usage(widths, chosen)
        assert counted["params"] == brute_force_weights(network, widths, chosen)


@given(random_models(), st.data(), st.sampled_from([(50,), (10, 33, 75)]))
@settings(max_examples=60, deadline=None)
def test_densities_and_bits_together_count_as_described(
    model: ToyModel, data: st.DataObject, densities: tuple[int, ...]
) -> None:
    network = describe(model)
    space = decision_space(network, [MockBits((3, 4)), MockSparsity(densities)])
    statement = Statement(network, COSTS, space=space)
    if not statement.nodes.nodes:
        return
    problem = statement.formulate(scores_of(network, space), BUDGETS[0]).problem
    for _ in range(5):
        choice = [data.draw(st.integers(0, group.options - 1)) for group in problem.groups]
        widths, chosen = problem.widths(choice), problem.settings(choice)
        counted = resources.usage(described(network, space.transforms, chosen), widths, COSTS)
        assert problem.evaluate(choice).usage == counted == statement.usage(widths, chosen)


@given(random_models(), st.data())
@settings(max_examples=60, deadline=None)
def test_levels_that_add_layers_and_tensors_count_as_described(model: ToyModel, data: st.DataObject) -> None:
    network = describe(model)
    space = decision_space(network, [Factored()])
    statement = Statement(network, CostModel(additional=("bops",)), space=space)
    if not statement.nodes.nodes:
        return
    budget = parse_budgets(["macs=0.5", "params=0.5", "peak_ram=0.9", "bops=0.5"])[0]
    problem = statement.formulate(scores_of(network, space), budget).problem
    for _ in range(5):
        choice = [data.draw(st.integers(0, group.options - 1)) for group in problem.groups]
        counted = statement.usage(problem.widths(choice), problem.settings(choice))
        assert problem.evaluate(choice).usage == counted


def test_a_tensor_inside_a_layer_raises_the_peak_at_the_levels_that_have_it() -> None:
    network = describe(chain_model((2, 2), features=1, positions=50))
    space = decision_space(network, [Factored()])
    statement = Statement(network, space=space)
    problem = statement.formulate(scores_of(network, space), parse_budgets(["peak_ram=0.9"])[0]).problem
    peaks = set()
    for choice in itertools.product(*(range(g.options) for g in problem.groups)):
        counted = statement.usage(problem.widths(choice), problem.settings(choice))["peak_ram"]
        assert problem.evaluate(choice).usage["peak_ram"] == counted
        peaks.add(counted)
    assert len(peaks) > 1


def test_every_choice_of_a_small_network_uses_what_the_described_network_uses() -> None:
    network = describe(chain_model((2, 3)))
    space = decision_space(network, [MockBits(), MockSparsity()])
    statement = Statement(network, COSTS, space=space)
    problem = statement.formulate(scores_of(network, space), BUDGETS[0]).problem
    assert sum(len(g.dimensions) for g in problem.groups) == 2 + 2 * 3
    for choice in itertools.product(*(range(g.options) for g in problem.groups)):
        counted = statement.usage(problem.widths(choice), problem.settings(choice))
        assert problem.evaluate(choice).usage == counted


@given(st.integers(0, 2**16), st.data())
@settings(max_examples=60, deadline=None)
def test_the_value_of_an_option_is_that_of_its_width_and_those_of_its_levels(seed: int, data: st.DataObject) -> None:
    network = describe(residual_model())
    space = decision_space(network, [MockBits((2, 4)), MockSparsity()])
    scores = scores_of(network, space, seed)
    stated = Statement(network, COSTS, space=space).formulate(scores, BUDGETS[0])
    problem = stated.problem
    choice = [data.draw(st.integers(0, group.options - 1)) for group in problem.groups]
    widths, chosen = problem.widths(choice), problem.settings(choice)
    kept = math.fsum(float(scores.channels[g][c]) for g, w in widths.items() for c in stated.order[g][:w])
    levels = math.fsum(
        float(scores.level_values[o.site, o.what][o.levels.tolist().index(chosen.at(o.site, o.what))])
        for o in space.offers
    )
    place = {(o.site, o.what): o.levels.tolist().index(chosen.at(o.site, o.what)) for o in space.offers}
    together = math.fsum(
        float(table[place[site, first], place[site, second]])
        for (site, first, second), table in scores.level_pair_values.items()
    )
    assert scores.level_pair_values
    full = math.fsum(float(channels.sum()) for channels in scores.channels.values())
    expected = (kept + levels + together) / full * 2**31
    assert abs(problem.evaluate(choice).value - expected) <= 0.5 * len(problem.groups) + 1e-4
    last = math.fsum(float(table[-1, -1]) for table in scores.level_pair_values.values()) / full * 2**31
    assert abs(problem.evaluate([g.options - 1 for g in problem.groups]).value - 2**31 - last) <= len(problem.groups)


@given(random_models(), st.sampled_from([(4,), (2, 4)]))
@settings(max_examples=60, deadline=None)
def test_levels_join_no_groups_that_widths_do_not_join(model: ToyModel, levels: tuple[int, ...]) -> None:
    network = describe(model)
    space = decision_space(network, [MockBits(levels)])
    scores = scores_of(network, space)
    if not network.groups:
        return
    with_levels, widths_alone = (
        {frozenset((problem.groups[p.first].name, problem.groups[p.second].name)) for p in problem.pairs}
        for problem in (
            Statement(network, COSTS, space=each).formulate(scores, BUDGETS[0]).problem for each in (space, None)
        )
    )
    assert with_levels == widths_alone


def test_macs_stay_products_of_widths_where_levels_do_not_change_them() -> None:
    network = describe(chain_model((5, 6)))
    space = decision_space(network, [MockBits()])
    problem = Statement(network, COSTS, space=space).formulate(scores_of(network, space), BUDGETS[0]).problem
    macs, params = problem.sum_resources[:2]
    assert macs.bilinear == (1,)
    assert macs.pair_costs == (None,)
    assert params.pair_costs[0] is not None


def test_a_space_without_offers_states_the_problem_of_widths_alone() -> None:
    network = describe(residual_model())
    nothing = decision_space(network, [MockBits(without=tuple(layer.name for layer in network.layers))])
    scores = scores_of(network, nothing)
    problem, plain = (
        Statement(network, COSTS, space=space).formulate(scores, BUDGETS[0]).problem for space in (nothing, None)
    )
    assert not problem.has_levels
    for group, same in zip(problem.groups, plain.groups, strict=True):
        np.testing.assert_array_equal(group.widths, same.widths)
        np.testing.assert_array_equal(group.values, same.values)


def test_a_kernel_behind_a_concatenation_is_at_most_a_byte_a_part_above_the_described_network() -> None:
    network = concatenated((3, 2, 5), after=3)
    space = decision_space(network, [MockBits((3,))])
    problem = Statement(network, COSTS, space=space).formulate(scores_of(network, space), BUDGETS[0]).problem
    rng = np.random.default_rng(0)
    above = set()
    for _ in range(300):
        choice = [int(rng.integers(group.options)) for group in problem.groups]
        counted = resources.usage(
            described(network, space.transforms, problem.settings(choice)), problem.widths(choice), COSTS
        )
        stated = problem.evaluate(choice).usage
        assert all(stated[r] == counted[r] for r in ("macs", "peak_ram", "bops"))
        above.add(stated["params"] - counted["params"])
    assert min(above) == 0
    assert 0 < max(above) < 3  # the kernel behind the three branches, in three parts


def test_members_of_one_family_agree_as_the_transform_says() -> None:
    network = describe(chain_model((3,)))
    space = decision_space(network, [MockBits()])
    problem = Statement(network, COSTS, space=space).formulate(scores_of(network, space), BUDGETS[0]).problem
    assert problem.nesting == {"width": Nesting.RISING, "weight_bits": Nesting.FREE}


def test_options_follow_the_rules_for_widths() -> None:
    network = describe(chain_model((9, 8)))
    space = decision_space(network, [MockBits()])
    statement = Statement(network, COSTS, WidthRules(align=4), space)
    problem = statement.formulate(scores_of(network, space), BUDGETS[0]).problem
    assert [sorted(set(g.widths.tolist())) for g in problem.groups] == [[4, 8, 9], [4, 8]]


class Activations(MockBits):
    """Changes the bits of the tensors that a layer reads and writes."""

    name = "activations"
    what = "activation_bits"

    def offered(self, network: Network, site: str) -> Offered:
        return Offered(np.array(self.bits, np.int64))

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == self.bits[-1]:
            return part
        return replace(part, tensors=tuple(replace(tensor, bits=level) for tensor in part.tensors))


def test_levels_that_change_tensors_between_layers_are_refused_under_a_budget_of_peak_ram_only() -> None:
    network = describe(chain_model((3, 4), positions=4))
    space = decision_space(network, [Activations()])
    scores = scores_of(network, space)
    statement = Statement(network, COSTS, space=space)
    assert statement.formulate(scores, parse_budgets(["params=0.5"])[0]).problem.has_levels
    with pytest.raises(UnsupportedError, match="the levels of transform 'activations' change tensors between layers"):
        statement.formulate(scores, parse_budgets(["peak_ram=0.5"])[0])


class AllActivations(Activations):
    """Gives all tensors 16 bits, without anything to decide."""

    @property
    def network_level(self) -> int | None:
        return 16


def test_a_level_of_the_whole_network_counts_everywhere_and_is_no_dimension() -> None:
    network = describe(chain_model((3, 4)))
    plain = Statement(network, COSTS).usage(network.channels)
    space = decision_space(network, [AllActivations(), MockBits()])
    statement = Statement(network, COSTS, space=space)
    doubled = statement.usage(network.channels)
    assert doubled == {**plain, "peak_ram": 2 * plain["peak_ram"], "bops": 2 * plain["bops"]}
    lowest = LevelSettings({offer.site: {offer.what: 4} for offer in space.offers})
    assert statement.usage(network.channels, lowest)["bops"] == plain["bops"]
    complete = LevelSettings({site: {**levels, "activation_bits": 16} for site, levels in lowest.levels.items()})
    assert statement.usage(network.channels, complete) == statement.usage(network.channels, lowest)
    assert {offer.what for offer in space.offers} == {"weight_bits"}


def test_excesses_count_levels() -> None:
    network = describe(chain_model((8, 8)))
    space = decision_space(network, [MockBits()])
    statement = Statement(network, COSTS, space=space)
    (budget,) = parse_budgets(["weight_bytes=0.8"])
    lowest = LevelSettings({offer.site: {offer.what: 4} for offer in space.offers})
    (excess,) = statement.excesses(budget, network.channels)
    assert excess.used == statement.full_usage("weight_bytes")
    assert statement.excesses(budget, network.channels, lowest) == []


def test_the_number_of_options_can_be_left_unlimited() -> None:
    network = describe(chain_model((150, 200)))
    space = decision_space(network, [MockBits((2, 3, 4, 5, 6))])
    limited, unlimited = (Statement(network, COSTS, space=space, max_node_options=most) for most in (1024, None))
    assert all(len(node.widths) <= 1024 for node in limited.nodes.nodes)
    assert any(f"'{network.groups[1].name}'" in warning for warning in limited.warnings)
    crowded = max(unlimited.nodes.nodes, key=lambda node: len(node.rows))
    assert len(crowded.widths) == network.channels[crowded.name] * 36
    assert unlimited.warnings == ()
