"""Formulation: tables are rounded prefix sums in the order of the channels, and costs are those of the network."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_framework import chain_model, describe, residual_model

from reds_core.cost import resources
from reds_core.errors import UnsupportedError
from reds_core.formulation.formulation import FULL_VALUE, channel_order, formulate
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.family import member_kept
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.network.axis import Fixed, Kept
from reds_core.network.builder import NetworkBuilder
from reds_core.network.description import Network
from reds_core.network.grouping import concat
from reds_core.scoring.scorer import ScoreTable


def random_scores(network: Network, seed: int, pairs: int = 0, size: float = 1.0, signed: bool = False) -> ScoreTable:
    """Scores of any sign if `signed`; kernels between `pairs` random pairs of groups, the same group included."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> npt.NDArray[np.float64]:
        return size * (rng.normal(0.3, 1, shape) if signed else rng.lognormal(0, 2, shape))

    possible = list(itertools.product(network.channels, repeat=2))
    chosen = [possible[i] for i in rng.permutation(len(possible))[:pairs]]
    kernels = {(a, b): draw(network.channels[a], network.channels[b]) for a, b in chosen}
    return ScoreTable({g: draw(n) for g, n in network.channels.items()}, kernels)


def stated(network: Network, scores: ScoreTable, **capacities: int) -> KnapsackProblem:
    capacities = capacities or {"macs": 100}
    return formulate(network, scores, resources.resource_forms(network, capacities), capacities, "p").problem


def true_value(network: Network, scores: ScoreTable, order: Kept, widths: dict[str, int]) -> float:
    """Score of what is kept, summed channel by channel and kernel by kernel."""
    kept = {g: [int(c) for c in order[g][: widths[g]]] for g in network.channels}
    terms = [float(scores.channels[g][c]) for g in kept for c in kept[g]]
    terms += [float(k[i, j]) for (a, b), k in scores.pairs.items() for i in kept[a] for j in kept[b]]
    return math.fsum(terms)


@given(st.integers(0, 2**16), st.integers(0, 4), st.booleans(), st.sampled_from([1e-30, 1.0, 1e30]), st.data())
@settings(max_examples=100, deadline=None)
def test_values_are_the_scores_of_what_is_kept(
    seed: int, pairs: int, signed: bool, size: float, data: st.DataObject
) -> None:
    network = describe(residual_model())
    scores = random_scores(network, seed, pairs, size, signed)
    widths = {g: data.draw(st.integers(1, n)) for g, n in network.channels.items()}
    problem = stated(network, scores)
    choice = [widths[g.name] - 1 for g in problem.groups]
    magnitude = math.fsum(float(np.abs(t).sum()) for t in [*scores.channels.values(), *scores.pairs.values()])
    full = true_value(network, scores, channel_order(scores), dict(network.channels))
    unit = full if full > magnitude / 1024 else magnitude
    expected = true_value(network, scores, channel_order(scores), widths) / unit * FULL_VALUE
    entries = len(problem.groups) + len(problem.pairs)
    # half a unit for each entry rounded, and the error of float sums, which is a share of the magnitudes
    assert abs(problem.evaluate(choice).value - expected) <= 0.5 * entries + 1e-4 * magnitude / unit


@given(st.integers(0, 2**16), st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_the_full_network_is_worth_about_2_to_31(seed: int, pairs: int) -> None:
    network = describe(residual_model())
    problem = stated(network, random_scores(network, seed, pairs))
    full = problem.evaluate([g.options - 1 for g in problem.groups]).value
    assert abs(full - 2**31) <= len(problem.groups) + len(problem.pairs)


@given(st.integers(0, 2**16), st.integers(0, 4), st.sampled_from([1, 4]))
@settings(max_examples=50, deadline=None)
def test_costs_are_those_of_the_network_at_every_choice(seed: int, pairs: int, element_size: int) -> None:
    network = describe(residual_model(4, 3))
    costs = resources.CostModel(element_size, additional=("arena",))
    forms = resources.resource_forms(network, costs.resources, costs)
    capacities = dict.fromkeys(forms, 50)
    problem = formulate(network, random_scores(network, seed, pairs), forms, capacities, "p").problem
    for choice in itertools.product(*(range(g.options) for g in problem.groups)):
        result = problem.evaluate(choice)
        assert result.usage == resources.usage(network, problem.widths(choice), costs)
        assert result.feasible == all(used <= 50 for used in result.usage.values())


@pytest.mark.parametrize(("positions", "align", "most"), [(5, 1, 15), (4, 1, 12), (4, 4, 0), (6, 4, 8)])
def test_arenas_of_concatenations_are_never_stated_too_small(positions: int, align: int, most: int) -> None:
    """The rounded size of a concatenation of two groups is not a sum of tables, so that a bound takes its place."""
    builder = NetworkBuilder()
    x = builder.input((positions, 1))
    a, b = (builder.fresh(8) for _ in range(2))
    (first,) = builder.call("a", "Any", [x], [(x.dims[0], a)])
    (second,) = builder.call("b", "Any", [x], [(x.dims[0], b)])
    (joined,) = builder.call("join", "Any", [first, second], [(x.dims[0], concat((a, b)))])
    (last,) = builder.call("last", "Any", [joined], [(Fixed(1), Fixed(1))])
    network = builder.finish("concatenation", [last])
    forms = resources.resource_forms(network, ["arena"], resources.CostModel(additional=("arena",)))
    scores = ScoreTable({g: np.ones(n) for g, n in network.channels.items()})
    problem = formulate(network, scores, forms, {"arena": 50}, "p", rules=WidthRules(align=align)).problem
    excesses = []
    for choice in itertools.product(*(range(g.options) for g in problem.groups)):
        exact = forms["arena"].at(problem.widths(choice))
        excesses.append(problem.evaluate(choice).usage["arena"] - exact)
    assert min(excesses) >= 0
    assert max(excesses) <= most


def test_options_are_every_width_and_groups_are_the_network_s() -> None:
    network = describe(chain_model((5, 3, 4)))
    problem = stated(network, random_scores(network, 0))
    assert [g.name for g in problem.groups] == [g.name for g in network.groups]
    assert [g.widths.tolist() for g in problem.groups] == [list(range(1, n + 1)) for n in (5, 3, 4)]
    assert [(p.first, p.second) for p in problem.pairs] == [(0, 1), (1, 2)]


def test_a_pair_of_scores_given_backwards_is_turned_round_and_added() -> None:
    network = describe(chain_model((2, 3)))
    forward, backward = np.arange(6.0).reshape(2, 3), np.arange(10.0, 16.0).reshape(3, 2)
    channels = {"dense0": np.array([2.0, 1.0]), "dense1": np.array([3.0, 2.0, 1.0])}
    both = ScoreTable(channels, {("dense0", "dense1"): forward, ("dense1", "dense0"): backward})
    one = ScoreTable(channels, {("dense0", "dense1"): forward + backward.T})
    first, second = stated(network, both), stated(network, one)
    assert first.pairs[0].values is not None
    np.testing.assert_array_equal(first.pairs[0].values, second.pairs[0].values)
    np.testing.assert_array_equal(first.pairs[0].kernel, second.pairs[0].kernel)


def test_a_kernel_of_a_group_with_itself_is_folded_into_its_value() -> None:
    network = describe(chain_model((2,)))
    kernel = np.array([[1.0, 2.0], [4.0, 9.0]])
    problem = stated(network, ScoreTable({"dense0": np.array([0.0, 0.0])}, {("dense0", "dense0"): kernel}))
    assert problem.pairs == ()
    # channel 1 has the larger total and stands first
    assert problem.groups[0].values.tolist() == [round(9 / 16 * 2**31), 2**31]


def test_the_kernel_stands_in_the_order_of_the_channels() -> None:
    network = describe(chain_model((2, 2)))
    kernel = np.array([[1.0, 2.0], [10.0, 20.0]])
    channels = {"dense0": np.zeros(2), "dense1": np.zeros(2)}
    problem = stated(network, ScoreTable(channels, {("dense0", "dense1"): kernel}))
    np.testing.assert_array_equal(problem.pairs[0].kernel, [[20.0, 10.0], [2.0, 1.0]])


def test_order_is_by_descending_total_and_ties_keep_the_lower_index_first() -> None:
    scores = ScoreTable({"a": np.array([1.0, 3.0, 1.0, 2.0]), "b": np.array([5.0, 5.0])})
    assert {g: o.tolist() for g, o in channel_order(scores).items()} == {"a": [1, 3, 0, 2], "b": [0, 1]}
    joined = ScoreTable(scores.channels, {("a", "b"): np.array([[9.0, 0], [0, 0], [0, 0], [0, 0.5]])})
    assert {g: o.tolist() for g, o in channel_order(joined).items()} == {"a": [0, 1, 3, 2], "b": [0, 1]}


def test_channels_already_kept_stand_first() -> None:
    scores = ScoreTable({"a": np.array([1.0, 3.0, 0.0, 2.0]), "b": np.array([1.0, 2.0])})
    order = channel_order(scores, {"a": np.array([2, 0])})
    assert order["a"].tolist() == [0, 2, 1, 3]
    assert order["b"].tolist() == [1, 0]


@given(st.integers(0, 2**16), st.sets(st.integers(0, 5)))
def test_order_is_a_permutation_with_the_kept_first(seed: int, kept: set[int]) -> None:
    network = describe(residual_model(6, 5))
    scores = random_scores(network, seed, 2)
    order = channel_order(scores, {"stem": np.array(sorted(kept), np.int64)})["stem"]
    assert sorted(order.tolist()) == list(range(6))
    assert set(order[: len(kept)].tolist()) == kept
    totals = scores.totals()["stem"]
    for part in (order[: len(kept)], order[len(kept) :]):
        assert np.all(np.diff(totals[part]) <= 0)


def test_permuting_channels_does_not_change_the_problem() -> None:
    """`reds extract` states problems for the permuted network: values must compare with those of the run."""
    network = describe(chain_model((40, 30)))
    scores = random_scores(network, 3, 4)
    order = channel_order(scores)
    first = stated(network, scores)
    identity = member_kept(network.channels)
    forms = resources.resource_forms(network, ["macs"])
    second = formulate(network, scores.ordered(order), forms, {"macs": 100}, "p", identity).problem
    for a, b in zip(first.groups, second.groups, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
    for p, q in zip(first.pairs, second.pairs, strict=True):
        assert p.values is not None
        assert q.values is not None
        np.testing.assert_array_equal(p.values, q.values)


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e300])
def test_scores_of_any_finite_size_become_integers(size: float) -> None:
    network = describe(chain_model((3,)))
    problem = stated(network, ScoreTable({"dense0": np.array([size, 2 * size, size])}))
    assert problem.groups[0].values.tolist() == [2**30, 2**30 + 2**29, 2**31]


def test_scores_that_are_all_zero_state_a_problem_of_value_zero() -> None:
    network = describe(chain_model((3,)))
    problem = stated(network, ScoreTable({"dense0": np.zeros(3)}))
    assert problem.groups[0].values.tolist() == [0, 0, 0]


def test_a_network_without_groups_is_refused() -> None:
    network = describe(chain_model(()))
    with pytest.raises(UnsupportedError, match="no group of network 'chain' can be pruned; choose another"):
        stated(network, ScoreTable({}))


def test_a_curve_is_the_value_of_its_group_whatever_the_order() -> None:
    network = describe(chain_model((3, 2)))
    channels = {"dense0": np.array([1.0, 5.0, 3.0]), "dense1": np.array([1.0, 1.0])}
    table = ScoreTable(channels, curves={"dense0": np.array([0.0, 7.0, 6.0])})
    problem = stated(network, table)
    # the full network is worth the curve's last entry and the scores of the group that has none
    assert problem.groups[0].values.tolist() == [0, round(7 / 8 * 2**31), round(6 / 8 * 2**31)]
    assert problem.groups[1].values.tolist() == [round(1 / 8 * 2**31), round(2 / 8 * 2**31)]
    assert channel_order(table)["dense0"].tolist() == [1, 2, 0]


CURVED = describe(chain_model((4, 3, 5)))


@given(
    st.lists(st.integers(0, 1000), min_size=12, max_size=12),
    st.sets(st.sampled_from(sorted(CURVED.channels)), min_size=1),
    st.booleans(),
    st.sampled_from([0, 10**9, -3, -(10**12)]),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_a_value_is_a_share_of_the_full_network_s_whatever_its_curves_start_from(
    drawn: list[int], curved: set[str], falling: bool, offset: int, data: st.DataObject
) -> None:
    """Only differences of a curve count, so its zero is where one channel is left."""
    figures = iter(drawn)
    channels = {g: np.array([float(next(figures)) for _ in range(n)]) for g, n in CURVED.channels.items()}
    curves = {g: np.cumsum(channels[g]) - channels[g][0] for g in sorted(curved)}
    if falling:  # as measured ones may, where the loss rises with a channel
        curves = {g: np.append(c[:-1], c[-1] // 2) for g, c in curves.items()}
    kernel = {("dense0", "dense1"): np.outer(channels["dense0"], channels["dense1"]) % 7}
    plain = ScoreTable(channels, kernel, curves)
    moved = ScoreTable(channels, kernel, {g: c + offset for g, c in curves.items()})
    problem = stated(CURVED, moved)
    for a, b in zip(stated(CURVED, plain).groups, problem.groups, strict=True):
        np.testing.assert_array_equal(a.values, b.values)

    order = channel_order(plain)

    def worth(widths: dict[str, int]) -> float:
        own = sum(curves[g][w - 1] if g in curves else channels[g][order[g][:w]].sum() for g, w in widths.items())
        kept = np.ix_(*(order[g][: widths[g]] for g in ("dense0", "dense1")))
        return float(own + kernel["dense0", "dense1"][kept].sum())

    full, tolerance = worth(dict(CURVED.channels)), len(problem.groups) + len(problem.pairs)
    peaks = sum(float(np.abs(c).max()) for c in curves.values())
    if full > 0 and peaks < 100 * full:
        assert abs(problem.evaluate(problem.ceilings).value - 2**31) <= tolerance
        widths = {g: data.draw(st.integers(1, n)) for g, n in CURVED.channels.items()}
        value = problem.evaluate([widths[g.name] - 1 for g in problem.groups]).value
        assert value == pytest.approx(worth(widths) / full * 2**31, abs=tolerance)


@pytest.mark.parametrize("last", [0.0, 1e-9, -5.0])
def test_curves_whose_full_width_is_worth_next_to_nothing_stay_small(last: float) -> None:
    network = describe(chain_model((3,)))
    table = ScoreTable({"dense0": np.zeros(3)}, curves={"dense0": np.array([0.0, 1.0, last])})
    values = stated(network, table).groups[0].values
    assert values[1] > 2**28
    assert np.abs(values).max() <= 2**31


def test_a_curve_of_a_group_joined_to_itself_keeps_its_kernels() -> None:
    network = describe(chain_model((2,)))
    kernel = np.array([[1.0, 2.0], [4.0, 9.0]])
    table = ScoreTable({"dense0": np.zeros(2)}, {("dense0", "dense0"): kernel}, {"dense0": np.array([0.0, 4.0])})
    assert stated(network, table).groups[0].values.tolist() == [round(9 / 20 * 2**31), 2**31]
