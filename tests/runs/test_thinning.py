"""What thinned options cost: told before a run, priced after it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from toy_plugins import BruteSolver, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Listener, Workplace

from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer
from reds_core.knapsack.solver import Controls
from reds_core.plan import load_plan
from reds_core.registry import Registry
from reds_core.runs.thinning import ThinningPrice, thinning_price

THIN = dataclasses.replace(NO_TRAINING, widths=WidthRules(max_options=2))


def test_the_price_is_what_all_widths_would_add(place: Workplace) -> None:
    """The toy registry's solver is exact, so the bound is the optimum."""
    heard = Listener()
    thin = place.prune(settings=THIN, budgets={"macs": [0.5]}, watcher=heard).subnetworks[0]
    whole = place.prune(settings=NO_TRAINING, budgets={"macs": [0.5]}, out=place.folder / "whole").subnetworks[0]
    assert thin.value is not None
    assert whole.value is not None
    assert thin.value < whole.value
    assert thin.thinning_price == pytest.approx((whole.value - thin.value) / thin.value)
    assert thin.thinning_value == whole.value - thin.value
    assert load_plan(place.out).subnetworks[0].thinning_price == thin.thinning_price
    told = [w for w in heard.warnings if "thinned" in w or "all widths" in w]
    assert len(told) == 2
    assert told[0].endswith("max_options=6 offers all")
    assert told[1].startswith("with all widths on offer '50' could be worth at most ")


def test_where_nothing_is_thinned_nothing_is_said(place: Workplace) -> None:
    heard = Listener()
    place.prune(settings=NO_TRAINING, registry=toy_registry(), watcher=heard)
    assert not any("widths" in w for w in heard.warnings)
    assert "thinning_price" not in json.loads((place.out / "plan.json").read_text())["subnetworks"][0]


@pytest.fixture
def asked(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a run with thinned widths asks the price of."""
    seen: dict[str, Any] = {}

    def listen(*arguments: Any) -> None:
        names = ("statement", "scores", "order", "budget", "value", "registry", "controls")
        seen.update(zip(names, arguments, strict=True))

    monkeypatch.setattr("reds_core.runs.finish.thinning_price", listen)
    place.prune(settings=THIN, budgets={"macs": [0.5]})
    return seen


def test_the_price_is_told_at_any_value(asked: dict[str, Any]) -> None:
    optimum = _price(asked).value
    assert optimum is not None
    optimum += asked["value"]
    at_zero = _price(asked | {"value": 0})
    assert (at_zero.value, at_zero.share) == (optimum, None)
    assert (
        at_zero.sentence == f"with all widths on offer '50' could be worth at most {optimum:,} more than its value of 0"
    )
    below = _price(asked | {"value": -optimum})
    assert (below.value, below.share) == (2 * optimum, pytest.approx(2.0))
    assert below.sentence.endswith("200.00% more than its negative value")
    best = _price(asked | {"value": optimum})
    assert (best.value, best.share) == (0, 0.0)


def test_what_is_not_known_is_told_too(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reds_core.runs.thinning.TABLE_ENTRIES_LIMIT", 1)
    price = _price(asked)
    assert (price.value, price.share) == (None, None)
    assert price.sentence.startswith(
        "how much more '50' could be worth with all widths is not known: their tables would have "
    )


def test_the_price_keeps_the_limits_of_the_run(asked: dict[str, Any]) -> None:
    assert asked["controls"] == THIN.controls()
    seen: list[Controls] = []

    class Listening(BruteSolver):
        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            seen.append(controls)
            return super().solve(problem, controls)

    registry = Registry([PluginModule("toy", (Listening,))])
    for controls in (Controls(seed=1, memory_limit_bytes=2**20), Controls(5.0), Controls(500.0)):
        _price(asked | {"registry": registry, "controls": controls})
    assert seen == [Controls(60.0, 1, memory_limit_bytes=2**20), Controls(5.0), Controls(60.0)]


def test_a_solver_that_fails_leaves_the_price_unknown(asked: dict[str, Any]) -> None:
    class Failing(BruteSolver):
        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            raise KeyError("x")

    price = _price(asked | {"registry": Registry([PluginModule("toy", (Failing,))])})
    assert (price.value, price.share) == (None, None)
    assert "is not known: solver 'brute' failed on problem 'all-widths' with KeyError" in price.sentence


def _price(asked: dict[str, Any]) -> ThinningPrice:
    price = thinning_price(**asked)
    assert price is not None
    return price
