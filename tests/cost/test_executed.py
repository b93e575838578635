"""Costs of networks without residual blocks: what forms say, what tables of options say, and what is counted again."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from residual_networks import ResidualNetwork

from reds_core.cost import CostModel, usage
from reds_core.formulation import formulate
from reds_core.formulation.skipping import with_skipping
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack import SumResource
from reds_core.network import Network, without_branches, without_channels
from reds_core.scoring import ScoreTable
from reds_core.testing.oracle import brute_force, usages_of

RESOURCES = ("macs", "params", "peak_ram", "arena", "weight_bytes", "bops")
COSTS = CostModel(additional=RESOURCES[3:])


def skippable(seed: int) -> tuple[Network, WidthRules]:
    return with_skipping(ResidualNetwork(seed).build(), WidthRules(skip_blocks=True))


def recounted(network: Network, widths: Mapping[str, int]) -> dict[str, int]:
    return usage(without_branches(network, without_channels(widths)).network, widths, COSTS)


@pytest.mark.parametrize("seed", range(6))
def test_forms_say_what_is_counted_without_the_blocks(seed: int) -> None:
    network, _ = skippable(seed)
    forms = {resource: COSTS.form(network, resource) for resource in RESOURCES}
    rng = np.random.default_rng(seed)
    for gone in itertools.product((False, True), repeat=len(network.skippable)):
        widths = {group.name: int(rng.integers(1, group.channels + 1)) for group in network.groups}
        widths |= {group: 0 for group, is_gone in zip(network.skippable, gone, strict=True) if is_gone}
        expected = recounted(replace(network, skippable=()), widths)
        assert {resource: form.at(widths) for resource, form in forms.items()} == expected


@pytest.mark.parametrize("seed", range(6))
def test_tables_of_options_say_what_is_counted_without_the_blocks(seed: int) -> None:
    network, rules = skippable(seed)
    rng = np.random.default_rng(seed)
    scores = ScoreTable({group.name: rng.uniform(size=group.channels) for group in network.groups})
    forms = {resource: COSTS.form(network, resource) for resource in RESOURCES}
    capacities = dict.fromkeys(RESOURCES, 10**9)
    problem = formulate(network, scores, forms, capacities, "problem", rules=rules).problem
    choices = np.stack([rng.integers(group.options, size=40) for group in problem.groups], axis=1)
    used = usages_of(problem, choices)
    assert {type(r) is SumResource for r in problem.resources} == {True, False}
    for row, choice in enumerate(choices.tolist()):
        widths = {group.name: int(group.widths[option]) for group, option in zip(problem.groups, choice, strict=True)}
        assert {name: int(each[row]) for name, each in used.items()} == recounted(network, widths)
        assert problem.evaluate(choice).usage == recounted(network, widths)


def test_without_the_option_tables_are_those_of_the_whole_network() -> None:
    network, _ = skippable(1)
    scores = ScoreTable({group.name: np.ones(group.channels) for group in network.groups})
    whole = replace(network, skippable=())
    problems = [
        formulate(
            each, scores, {r: COSTS.form(each, r) for r in RESOURCES}, dict.fromkeys(RESOURCES, 10**6), "p"
        ).problem
        for each in (network, whole)
    ]
    rng = np.random.default_rng(0)
    choices = np.stack([rng.integers(group.options, size=40) for group in problems[0].groups], axis=1)
    used = [usages_of(problem, choices) for problem in problems]
    assert all(np.array_equal(used[0][resource], used[1][resource]) for resource in RESOURCES)


def test_a_block_is_skipped_where_that_leaves_most_value() -> None:
    network, rules = skippable(1)
    scores = ScoreTable({group.name: np.ones(group.channels) for group in network.groups})
    worst = network.skippable[0]
    scores.channels[worst][:] = 1e-3
    form = COSTS.form(network, "macs")
    capacity = form.at({**network.channels, worst: 0})
    problem = formulate(network, scores, {"macs": form}, {"macs": capacity}, "p", rules=rules).problem
    optima = brute_force(problem).optima
    chosen = [group.widths[optima[:, place]].tolist() for place, group in enumerate(problem.groups)]
    expected = {**network.channels, worst: 0}
    assert chosen == [[expected[group.name]] for group in problem.groups]
