"""The digest of a problem: the same for a copy, another for anything that it states otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from reds_core.knapsack.file import load_problem, problem_digest, save_problem
from reds_core.knapsack.levels import Dimension, Nesting
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, SumResource
from reds_core.testing.strategies import joint_problems, knapsack_problems


@given(problem=knapsack_problems() | joint_problems())
@settings(max_examples=40, deadline=None)
def test_a_copy_from_a_file_has_the_same_digest(
    problem: KnapsackProblem, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("digest") / "p.npz"
    save_problem(replace(problem, name="another name"), path)
    assert problem_digest(load_problem(path)) == problem_digest(problem)


def stated(**changes: Any) -> KnapsackProblem:
    """A problem in which each part the digest must see is a parameter."""
    facts: dict[str, Any] = {
        "group": "a",
        "widths": [1, 2],
        "value": 5,
        "pair": 3,
        "kernel": 1.0,
        "cost": 4,
        "capacity": 9,
    }
    facts |= {
        "base": 1,
        "bilinear": 2,
        "pair_cost": 1,
        "resource": "macs",
        "step": 2,
        "floor": 0,
        "ceiling": 1,
    } | changes
    groups = (
        Group(facts["group"], np.array(facts["widths"]), np.array([1, facts["value"]])),
        Group("b", np.array([1, 2]), np.array([0, 0])),
    )
    pair = Pair(0, 1, np.array([[0, 0], [0, facts["pair"]]]), np.full((facts["widths"][-1], 2), facts["kernel"]))
    macs = SumResource(
        facts["resource"],
        facts["capacity"],
        facts["base"],
        (np.array([0, facts["cost"]]), None),
        (facts["bilinear"],),
        (np.array([[0, 0], [0, facts["pair_cost"]]]),),
    )
    ram = PeakResource("ram", 7, (PeakStep(facts["step"], (0,), (np.array([1, 2]),)),))
    bounds = {"floors": (facts["floor"], 0), "ceilings": (facts["ceiling"], 1)}
    return KnapsackProblem("p", groups, (pair,), (macs, ram), **bounds)


def test_everything_a_problem_states_changes_its_digest() -> None:
    variants = [stated()]
    variants += [stated(**{key: 0}) for key in ("value", "pair", "cost", "capacity", "base", "bilinear", "pair_cost")]
    variants += [
        stated(step=3),
        stated(kernel=0.5),
        stated(group="c"),
        stated(resource="params"),
        stated(widths=[1, 3]),
    ]
    variants += [stated(floor=1), stated(ceiling=0)]
    assert len({problem_digest(p) for p in variants}) == len(variants)


def test_levels_and_nesting_change_the_digest() -> None:
    def leveled(site: str = "conv", what: str = "bits", level: int = 4, nesting: Nesting = Nesting.EQUAL) -> str:
        group = Group("a", np.array([2, 2]), np.array([1, 5]), (Dimension(site, what),), np.array([[level], [8]]))
        return problem_digest(KnapsackProblem("p", (group,), nesting={what: nesting}))

    plain = problem_digest(KnapsackProblem("p", (Group("a", np.array([1, 2]), np.array([1, 5])),)))
    variants = [plain, leveled(), leveled(site="dense"), leveled(what="rank"), leveled(level=2)]
    variants.append(leveled(nesting=Nesting.FREE))
    assert len(set(variants)) == len(variants)


def test_the_digest_stays_from_release_to_release() -> None:
    """Records of an earlier bench are found again only as long as this does not change."""
    assert problem_digest(stated()) == "048f1c7bc8b664eede54c3d1f2f932540ed26eaa7d96855e80369c7360536b90"
