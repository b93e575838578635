"""Problems of widths and levels: what they use and are worth is what the described network uses and is worth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from level_transforms import MockBits, MockSparsity
from toy_framework import ToyModel, chain_model, describe
from toy_networks import random_models

from reds_core.cost import resources
from reds_core.cost.budget import parse_budgets
from reds_core.cost.resources import CostModel
from reds_core.formulation.space import DecisionSpace, decision_space
from reds_core.formulation.statement import Statement
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network, WeightKind
from reds_core.scoring.scorer import ScoreTable
from reds_core.transforms.describing import described

COSTS = CostModel(also=("weight_bytes", "bops"))
BUDGETS = parse_budgets(["macs=0.5", "params=0.5", "peak_ram=0.9", "weight_bytes=0.5", "bops=0.5"])


def scores_of(network: Network, space: DecisionSpace, seed: int = 0) -> ScoreTable:
    rng = np.random.default_rng(seed)
    channels = {g.name: rng.lognormal(0, 1, g.channels) for g in network.groups}
    levels = {}
    for offer in space.offers:
        values = -rng.random(len(offer.levels))
        values[-1] = 0
        levels[offer.site, offer.what] = values
    return ScoreTable(channels, level_values=levels)


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


def test_every_choice_of_a_small_network_uses_what_the_described_network_uses() -> None:
    network = describe(chain_model((2, 3)))
    space = decision_space(network, [MockBits(), MockSparsity()])
    statement = Statement(network, COSTS, space=space)
    problem = statement.formulate(scores_of(network, space), BUDGETS[0]).problem
    assert sum(len(g.dimensions) for g in problem.groups) == 2 + 2 * 3
    for choice in itertools.product(*(range(g.options) for g in problem.groups)):
        counted = statement.usage(problem.widths(choice), problem.settings(choice))
        assert problem.evaluate(choice).usage == counted
