"""A budget out of reach is told with what stands in the way, by how much, and a mend that does mend it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from command_line import Reds
from hypothesis import assume, given
from hypothesis import strategies as st
from level_transforms import MockBits
from toy_framework import ToyFramework, chain_model, describe, residual_model
from toy_plugins import FIRST_PARTY, PluginModule
from toy_runs import Workplace

from reds_core.cost import resources
from reds_core.cost.budget import parse_budgets
from reds_core.errors import Caller, InfeasibleError, speaking_to
from reds_core.formulation.infeasibility import check_capacity, check_reachable, least_usage
from reds_core.formulation.space import decision_space
from reds_core.formulation.statement import Statement
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network

NETWORK = describe(chain_model((24, 40, 16), features=5, positions=3))
WIDE = describe(chain_model((24, 40, 16), features=50, positions=30))
LAYERS = [layer.name for layer in NETWORK.layers]


def refusal(network: Network, rules: WidthRules, capacity: int, resource: str = "macs", size: int = 1) -> str:
    statement = Statement(network, resources.CostModel(size), rules)
    with speaking_to(Caller.COMMAND_LINE), pytest.raises(InfeasibleError) as caught:
        check_capacity(statement, "50", resource, capacity)
    return str(caught.value)


def reached(rules: WidthRules, resource: str = "macs") -> int:
    return resources.CostModel().form(NETWORK, resource).at(rules.narrowest(NETWORK))


def mended(rules: WidthRules, mend: str) -> WidthRules:
    """The rules after what the message advises."""
    if found := re.match(r"give a --min-width of at most (\d+)", mend):
        return dataclasses.replace(rules, min_width=int(found[1]))
    if found := re.match(r"give --align (\d+)", mend):
        return dataclasses.replace(rules, align=int(found[1]))
    if mend.startswith("leave out --keep "):
        dropped = re.findall(r"--keep '?([^\s',]+)'?", mend)
        rules = dataclasses.replace(rules, keep=tuple(p for p in rules.keep if p not in dropped))
    if "leave out" in mend and "--min-width" in mend:
        rules = dataclasses.replace(rules, min_width=1)
    if "leave out" in mend and "--align" in mend:
        rules = dataclasses.replace(rules, align=1)
    return rules


@given(
    st.lists(st.sampled_from(LAYERS), max_size=2, unique=True),
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from(["macs", "params", "peak_ram"]),
    st.floats(0, 1),
)
def test_what_is_advised_helps(keep: list[str], align: int, least: int, resource: str, share: float) -> None:
    rules = WidthRules(tuple(keep), align, least)
    capacity = int(share * reached(rules, resource))
    assume(capacity < reached(rules, resource))
    message = refusal(NETWORK, rules, capacity, resource)
    what, _, mend = message.partition("; ")
    assert (
        f"{resource} is limited to {capacity}, but the least that can be reached is {reached(rules, resource)}" in what
    )
    raised = re.search(r"raise the budget to (\d+), or to ([\d.]+) of the network", mend)
    assert raised is not None
    assert int(raised[1]) == reached(rules, resource)
    if reached(WidthRules(), resource) > capacity:
        assert mend.startswith("raise the budget")
        assert "--" not in message
    else:
        assert not mend.startswith("raise")
        assert reached(mended(rules, mend), resource) <= capacity, message
        assert "since --" in what


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (WidthRules(min_width=100), r"since --min-width 100 leaves every layer whole \(without it \d+ can"),
        (WidthRules(align=100), r"since --align 100 leaves every layer whole .*; leave out --align, or raise"),
        (WidthRules(keep=("dense*",)), r"since --keep 'dense\*' leaves every layer whole .*; leave out --keep 'd"),
        (WidthRules(min_width=16), r"since --min-width 16 leaves no narrower widths .*; give a --min-width of at most"),
        (WidthRules(align=16), r"since --align 16 leaves no narrower widths .*; give --align \d, or raise"),
        (
            WidthRules(min_width=100, align=100),
            r"--align 100 and --min-width 100 leave every layer whole \(without them .*; leave out --align 100 and",
        ),
    ],
)
def test_the_rule_that_stands_in_the_way_is_named(rules: WidthRules, why: str) -> None:
    assert re.search(why, refusal(NETWORK, rules, reached(WidthRules()) + 50))


def test_a_rule_that_is_innocent_is_not_named() -> None:
    message = refusal(NETWORK, WidthRules(min_width=30, align=2), reached(WidthRules()) + 100)
    assert "--align" not in message
    assert "since --min-width 30" in message


def test_why_layers_stay_whole_is_repeated() -> None:
    why = "layer 'odd' of type Odd is not known to reds (4% of the parameters stay prunable)"
    network = dataclasses.replace(NETWORK, warnings=(why,))
    assert f"since some layers stay whole: {why}; raise the budget" in refusal(network, WidthRules(), 1)
    many = dataclasses.replace(NETWORK, warnings=("a", "b", "c", "d", "e"))
    assert "stay whole: a, b, c and 2 more; raise" in refusal(many, WidthRules(), 1)


@pytest.mark.parametrize("size", [1, 4])
def test_layers_that_no_width_changes_are_named_with_what_they_use(size: int) -> None:
    """The 50 biases of the last layer stay whatever the widths."""
    network = describe(chain_model((2,), features=1, classes=50))
    message = refusal(network, WidthRules(), 60 * size, "params", size)
    assert f"since {50 * size} of it depends on no width (layer 'head' {50 * size}); raise" in message
    # a small part of the limit is not what stands in the way
    assert "depends on no width" not in refusal(network, WidthRules(), 101 * size, "params", size)


def test_a_network_without_groups_says_so() -> None:
    network = dataclasses.replace(describe(chain_model(())), warnings=("layer 'odd' is not known",))
    message = refusal(network, WidthRules(), 5)
    assert (
        "macs is limited to 5, the network uses 12, and none of its channel groups can be pruned: layer 'odd'"
        in message
    )


# --- on the command line ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (("--min-width", "100"), "since --min-width 100 leaves every layer whole"),
        (("--align", "100"), "since --align 100 leaves every layer whole"),
        (("--keep", "*"), r"since --keep '\*' leaves every layer whole"),
    ],
)
def test_a_rule_that_leaves_every_layer_whole(reds: Reds, place: Workplace, option: Any, why: str) -> None:
    budget = ("--budget", "macs=0.5", "--finetune-epochs", "0")
    reds("prune", place.model, "--data", place.data, *budget, *option, "--out", place.out).check_error(3, why)
    assert not place.out.exists()


def test_warnings_of_a_run_that_ends_with_them_stand_in_its_error(reds: Reds, place: Workplace) -> None:
    class Odd(ToyFramework):
        def inspect(self, model: Any) -> Any:
            return dataclasses.replace(describe(residual_model()), warnings=("layer 'odd' is not known",))

    reds.install(PluginModule("toy", (*FIRST_PARTY, Odd)))
    reds("prune", place.model, "--data", place.data, "--budget", "macs=0.001", "--out", place.out).check_error(
        3, "stay whole: layer 'odd' is not known; raise the budget"
    )


@pytest.mark.parametrize(
    ("budget", "question"),
    [
        ("macs=50", "did you mean macs=50% or macs=50k? If not, "),
        ("macs=1.6", "did you mean macs=1.6k? If not, "),
        ("macs=2", "did you mean macs=2% or macs=2k? If not, "),
        ("macs=101", ""),
        ("macs=1.5%", ""),
        ("macs=0.001", ""),
        ("macs=50MAC", ""),
        ("params=50", "did you mean params=50%? If not, "),
        ("params=1.2", "did you mean params=1.2KiB? If not, "),
    ],
)
def test_an_amount_without_a_unit_that_cannot_be_reached_is_asked_about(budget: str, question: str) -> None:
    with pytest.raises(InfeasibleError) as caught:
        check_reachable(Statement(WIDE), parse_budgets([budget]))
    assert caught.value.fix.startswith(f"{question}raise the budget to ")


def test_small_amounts_that_can_be_reached_are_allowed() -> None:
    network = describe(chain_model((2,), features=1, classes=1))
    check_reachable(Statement(network), parse_budgets(["macs=2"]))


def joint_statement(levels: tuple[int, ...] = (4,)) -> Statement:
    costs = resources.CostModel(additional=("weight_bytes", "bops"))
    return Statement(NETWORK, costs, space=decision_space(NETWORK, [MockBits(levels)]))


@pytest.mark.parametrize("resource", ["params", "weight_bytes", "bops"])
def test_the_least_that_can_be_reached_counts_levels(resource: str) -> None:
    statement = joint_statement((2, 4))
    lowest = LevelSettings({name: {"weight_bits": 2} for name in ("dense0", "dense1", "dense2", "head")})
    least = statement.usage(statement.rules.narrowest(NETWORK), lowest)[resource]
    check_capacity(statement, "50", resource, least)
    with pytest.raises(InfeasibleError, match=f"the least that can be reached is {least}"):
        check_capacity(statement, "50", resource, least - 1)


@pytest.mark.parametrize("resource", ["params", "weight_bytes", "bops"])
def test_a_budget_that_only_fewer_bits_meet_is_refused_with_the_transform_that_offers_them(resource: str) -> None:
    widths_alone = Statement(NETWORK, resources.CostModel(additional=("weight_bytes", "bops")))
    narrowest = widths_alone.rules.narrowest(NETWORK)
    least = widths_alone.usage(narrowest)[resource]
    message = refusal(NETWORK, WidthRules(), least - 1, resource)
    with_bits = least_usage(joint_statement(), resource)
    assert with_bits < least
    assert message.endswith(
        f", or give --transform weight-bits: if all kernels can have 4 bits, {with_bits} can be reached"
    )
    assert "transform" not in refusal(NETWORK, WidthRules(), with_bits - 1, resource)
    check_capacity(joint_statement(), "50", resource, with_bits)


@pytest.mark.parametrize(("resource", "size"), [("macs", 1), ("peak_ram", 1), ("params", 4)])
def test_fewer_bits_are_advised_only_where_they_help(resource: str, size: int) -> None:
    assert "transform" not in refusal(NETWORK, WidthRules(), 1, resource, size)
    least = least_usage(Statement(NETWORK, resources.CostModel(size)), resource)
    assert "transform" not in refusal(NETWORK, WidthRules(), least - 1, resource, size)
