"""Policies of thresholds: what they do, and that the choice of thresholds is the best by trying every one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.early_exit.choice import ThresholdSearch, count_policies, levels_of
from reds_core.early_exit.policy import NEVER, ExitAnswers


@st.composite
def answers(draw: st.DrawFn, most_exits: int = 4, *, is_integer: bool = False) -> ExitAnswers:
    """Answers of a few exits to a few examples, with ties among confidences."""
    exits, examples = draw(st.integers(2, most_exits)), draw(st.integers(1, 7))
    right = draw(
        st.lists(st.lists(st.booleans(), min_size=examples, max_size=examples), min_size=exits, max_size=exits)
    )
    sure = st.integers(0, 255) if is_integer else st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
    confidences = draw(
        st.lists(st.lists(sure, min_size=examples, max_size=examples), min_size=exits - 1, max_size=exits - 1)
    )
    steps = draw(st.lists(st.integers(1, 9), min_size=exits, max_size=exits))
    return ExitAnswers(np.array(right), np.array(confidences, float), np.cumsum(steps).astype(float))


def walked(found: ExitAnswers, thresholds: tuple[float, ...]) -> tuple[int, float]:
    """The number of right answers and the mean cost, example by example."""
    right, cost = 0, 0.0
    for n in range(found.examples):
        exit_ = next((i for i, t in enumerate(thresholds) if found.confidences[i, n] >= t), found.exits - 1)
        right, cost = right + int(found.right[exit_, n]), cost + found.costs[exit_]
    return right, cost / found.examples


def every_policy(found: ExitAnswers, never: float = NEVER) -> list[tuple[int, float]]:
    """What every policy reaches: thresholds at each confidence that occurs, and one above all."""
    offered = [[*np.unique(own).tolist(), never] for own in found.confidences]
    return [walked(found, thresholds) for thresholds in itertools.product(*offered)]


@given(answers())
@settings(max_examples=60, deadline=None)
def test_counts_are_those_of_walking_through_the_exits(found: ExitAnswers) -> None:
    levels = [levels_of(own, 9) for own in found.confidences]
    counted = count_policies(found, levels)
    assert counted.is_complete
    for place in itertools.product(*(range(len(own)) for own in levels)):
        thresholds = tuple(float(own[i]) for own, i in zip(levels, place, strict=True))
        right, cost = walked(found, thresholds)
        assert (counted.right[place], counted.cost[place]) == (right, pytest.approx(cost))
        taken = found.taken(thresholds)
        assert found.right_at(taken).sum() == right
        assert found.costs[taken].mean() == pytest.approx(cost)


@given(answers(), st.floats(0.5, 40), st.integers(0, 7))
@settings(max_examples=80, deadline=None)
def test_the_choice_is_the_best_of_every_policy(found: ExitAnswers, limit: float, least: int) -> None:
    search, tried = ThresholdSearch(found), every_policy(found)
    chosen = search.most_accurate(limit)
    within = [(right, -cost) for right, cost in tried if cost <= limit * (1 + 1e-9)]
    assert (chosen is None) == (not within)
    if chosen is not None:
        assert chosen.is_optimal
        assert (chosen.right, chosen.cost) == (max(within)[0], pytest.approx(-max(within)[1]))
        assert walked(found, chosen.thresholds) == (chosen.right, pytest.approx(chosen.cost))
    cheapest = search.cheapest(least)
    enough = [cost for right, cost in tried if right >= least]
    assert (cheapest is None) == (not enough)
    if cheapest is not None:
        assert cheapest.right >= least
        assert cheapest.cost == pytest.approx(min(enough))


@given(answers(most_exits=3, is_integer=True), st.floats(0.5, 30))
@settings(max_examples=40, deadline=None)
def test_integer_thresholds_are_whole_and_as_good(found: ExitAnswers, limit: float) -> None:
    chosen = ThresholdSearch(found, is_integer=True, never=256.0).most_accurate(limit)
    within = [(right, -cost) for right, cost in every_policy(found, 256.0) if cost <= limit * (1 + 1e-9)]
    assert (chosen is None) == (not within)
    if chosen is not None:
        assert all(each == int(each) and 0 <= each <= 256 for each in chosen.thresholds)
        assert (chosen.right, -chosen.cost) == (max(within)[0], pytest.approx(max(within)[1]))


def many(exits: int, examples: int, seed: int = 0) -> ExitAnswers:
    """Answers of exits that are more often right the deeper they are, and the surer they are."""
    generator = np.random.default_rng(seed)
    ease = generator.random(examples)
    rights = [generator.random(examples) < 0.4 + 0.5 * ease + 0.05 * k for k in range(exits)]
    confidences = np.clip(ease + generator.normal(0, 0.1, (exits - 1, examples)), 0, 1)
    return ExitAnswers(np.array(rights), confidences, np.arange(1.0, exits + 1))


def test_the_ends_of_thresholds_are_the_first_and_the_last_exit() -> None:
    found = many(4, 100)
    assert set(found.taken((0.0, 0.0, 0.0)).tolist()) == {0}
    assert set(found.taken((NEVER, NEVER, NEVER)).tolist()) == {3}
    assert set(found.taken((NEVER, 0.0, 0.5)).tolist()) == {1}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_costs_rise_with_every_threshold(place: int) -> None:
    found, costs = many(4, 200), []
    for threshold in np.linspace(0, 1.1, 30):
        thresholds = [0.8, 0.8, 0.8]
        thresholds[place] = float(threshold)
        costs.append(found.costs[found.taken(thresholds)].mean())
    assert costs == sorted(costs)


def test_no_policy_of_the_front_is_beaten_and_each_is_what_it_says() -> None:
    found = many(3, 150)
    front = ThresholdSearch(found).front
    assert [each.cost for each in front] == sorted({each.cost for each in front})
    assert [each.right for each in front] == sorted({each.right for each in front})
    assert all(walked(found, each.thresholds) == (each.right, pytest.approx(each.cost)) for each in front)


def test_few_levels_are_improved_in_pairs_until_no_pair_is_better() -> None:
    """With too few policies at once for all levels, the choice is close to the best, and says that it may not be it."""
    found = many(4, 40)
    best, near = ThresholdSearch(found), ThresholdSearch(found, most_policies=41**2)
    for limit in (1.5, 2.0, 3.0):
        exact, chosen = best.most_accurate(limit), near.most_accurate(limit)
        assert exact is not None
        assert chosen is not None
        assert (exact.is_optimal, chosen.is_optimal) == (True, False)
        assert exact.right - 1 <= chosen.right <= exact.right
        assert chosen.cost <= limit
        for place in range(3):  # no single threshold is better
            for other in (*np.unique(found.confidences[place]).tolist(), NEVER):
                thresholds = list(chosen.thresholds)
                thresholds[place] = other
                right, cost = walked(found, tuple(thresholds))
                assert cost > limit or (right, -cost) <= (chosen.right, -chosen.cost + 1e-9)


def test_levels_are_quantiles_if_there_are_too_many() -> None:
    levels = levels_of(np.linspace(0, 1, 1001), 11)
    assert len(levels) == 11
    assert (levels[0], levels[-1]) == (0.0, NEVER)
    assert levels[1:-1] == pytest.approx(np.linspace(0, 1, 10)[:-1] + 1 / 18, abs=0.01)
