"""What can be decided besides widths: which levels are offered, where, and why others are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from level_transforms import ChangingLastLevel, FallingLevels, MockBits, MockSparsity
from toy_framework import chain_model, describe, residual_model
from toy_networks import concatenated

from reds_core.errors import ContractViolation
from reds_core.formulation.nodes import option_nodes
from reds_core.formulation.space import NotOffered, decision_space
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.levels import WIDTH, Dimension, Nesting
from reds_core.network.description import Network
from reds_core.transforms.transform import Offered, Stage

CHAIN = describe(chain_model((3, 4)))
"""dense0, dense1 and head: three kernels between two groups of channels."""


def test_layers_with_kernels_are_offered_levels_and_are_at_home_in_a_group_that_they_touch() -> None:
    space = decision_space(CHAIN, [MockBits((2, 4))])
    assert [(offer.site, offer.what, offer.levels.tolist()) for offer in space.offers] == [
        (layer, "weight_bits", [2, 4, 8]) for layer in ("dense0", "dense1", "head")
    ]
    assert space.homes["dense0"] == "dense0"
    assert space.homes["head"] == "dense1"
    assert space.homes["dense1"] in ("dense0", "dense1")
    assert space.warnings == ()
    assert space.nesting == {"weight_bits": Nesting.FREE}


def test_layers_without_levels_are_withheld_with_the_reason_of_the_transform() -> None:
    space = decision_space(CHAIN, [MockBits(without=("dense1",))])
    assert NotOffered("dense1", "weight_bits", None, "the test says so") in space.not_offered
    assert NotOffered("relu0", "weight_bits", None, "it has no kernel") in space.not_offered


class SingleLevel(MockBits):
    def offered(self, network: Network, site: str) -> Offered:
        offered = super().offered(network, site)
        return Offered(offered.levels[-1:], offered.reason)


def test_layers_with_a_single_level_are_named() -> None:
    space = decision_space(CHAIN, [SingleLevel((2, 4))])
    assert not space.offers
    assert NotOffered("dense0", "weight_bits", None, "8 is its only level") in space.not_offered


def test_levels_that_no_file_can_have_are_withheld_with_the_reason_of_the_target() -> None:
    asked = []

    def refusal(site: str, what: str, level: int) -> str | None:
        asked.append((site, what, level))
        return "files have no weights of 2 bits" if level == 2 or site == "head" else None

    space = decision_space(CHAIN, [MockBits((2, 4))], refusal)
    assert [(offer.site, offer.levels.tolist()) for offer in space.offers] == [("dense0", [4, 8]), ("dense1", [4, 8])]
    reason = "files have no weights of 2 bits"
    assert [w for w in space.not_offered if w.level is not None] == [
        NotOffered("dense0", "weight_bits", 2, reason),
        NotOffered("dense1", "weight_bits", 2, reason),
        NotOffered("head", "weight_bits", 2, reason),
        NotOffered("head", "weight_bits", 4, reason),
    ]
    assert all(level != 8 for _, _, level in asked)


def test_a_layer_behind_a_concatenation_is_at_home_in_the_group_that_it_makes() -> None:
    space = decision_space(concatenated(), [MockBits()])
    assert space.homes["after"] == "after"
    assert space.warnings == ()


def test_a_layer_without_a_group_common_to_its_costs_keeps_its_last_level_with_a_warning() -> None:
    space = decision_space(concatenated(after=None), [MockBits()])
    assert "head" not in space.homes
    (warning,) = space.warnings
    assert warning.startswith("the weight_bits of layer 'head' stays 8, because it depends on several groups")
    assert any(each.site == "head" and "several groups" in each.reason for each in space.not_offered)


def test_a_layer_that_touches_no_group_gets_options_of_its_own() -> None:
    network = describe(chain_model(()))
    space = decision_space(network, [MockBits((2, 4))])
    assert space.homes == {"head": None}
    (node,) = option_nodes(network, WidthRules(), space).nodes
    assert (node.name, node.widths.tolist()) == ("head", [0, 0, 0])
    assert node.dimensions == (Dimension("head", "weight_bits"),)
    assert node.levels is not None
    assert node.levels.tolist() == [[2], [4], [8]]


def test_layers_that_share_a_weight_keep_their_last_level() -> None:
    first, second = CHAIN.layers[0], CHAIN.layers[2]
    shared = replace(
        CHAIN, layers=(first, CHAIN.layers[1], replace(second, weights=(*second.weights, first.weights[0])))
    )
    space = decision_space(shared, [MockBits()])
    assert not space.offers
    assert NotOffered("dense0", "weight_bits", None, "it shares weights with layer 'dense1'") in space.not_offered
    assert NotOffered("dense1", "weight_bits", None, "it shares weights with layer 'dense0'") in space.not_offered


@pytest.mark.parametrize(
    ("transform", "why"),
    [
        (ChangingLastLevel(), "changed what layer 'dense0' costs at its last level 8"),
        (FallingLevels(), "offered the levels [8, 4] for layer 'dense0', which do not rise"),
    ],
)
def test_broken_transforms_are_refused_by_name(transform: MockBits, why: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        decision_space(CHAIN, [transform])
    assert str(caught.value).startswith(f"transform '{transform.name}' {why}")


def test_options_are_all_combinations_of_widths_and_levels_and_end_with_the_untouched_network() -> None:
    space = decision_space(CHAIN, [MockBits(), MockSparsity()])
    for node, group in zip(option_nodes(CHAIN, WidthRules(), space).nodes, CHAIN.groups, strict=True):
        sites = [site for site, home in space.homes.items() if home == group.name]
        assert node.dimensions[0] == Dimension(group.name, WIDTH)
        assert {d.site for d in node.dimensions[1:]} == set(sites)
        assert node.levels is not None
        rows = {tuple(row) for row in node.levels.tolist()}
        assert len(rows) == len(node.levels) == group.channels * 4 ** len(sites)
        assert node.levels[-1].tolist() == [group.channels, *[offer.levels[-1] for offer in node.offers]]


class MockCodes(MockBits):
    """Bits of the codes of kernels, which bits of kernels that are chosen as well would override."""

    name = "mock-codes"
    what = "code_bits"
    stage = Stage.CLUSTER


def test_combinations_that_cost_what_higher_levels_cost_are_no_options() -> None:
    """Codes of 2 bits are of no use where the layer then has 4 bits, as it has without codes."""
    space = decision_space(CHAIN, [MockBits((2, 4), without=("head",)), MockCodes((2,))])
    assert space.combinations == {
        "dense0": {(2, 8), (8, 2), (8, 4), (8, 8)},
        "dense1": {(2, 8), (8, 2), (8, 4), (8, 8)},
        "head": {(2,), (8,)},
    }
    for most in (None, 20, 1):
        for node in option_nodes(CHAIN, WidthRules(), space, most).nodes:
            for row in node.rows.tolist():
                lowered = [o.site for o, level in zip(node.offers, row, strict=True) if level < 8]
                assert len(lowered) == len({*lowered})
            assert {*node.rows[-1].tolist()} == {8}


def test_too_many_options_first_give_layers_one_level_and_then_fewer_widths_with_warnings() -> None:
    network = describe(chain_model((8, 8)))
    space = decision_space(network, [MockBits((2, 4))])
    crowded = next(g for g in space.homes.values() if list(space.homes.values()).count(g) > 1)

    def node(most: int) -> tuple[int, int, int]:
        limited = option_nodes(network, WidthRules(), space, most)
        found = next(node for node in limited.nodes if node.name == crowded)
        assert len(found.widths) <= most
        assert found.rows[-1].tolist() == [8, 8]
        assert found.sizes[-1] == 8
        return len(found.sizes), len(found.rows), len([w for w in limited.warnings if f"'{crowded}'" in w])

    assert node(72) == (8, 9, 0)
    assert node(71) == (8, 3, 1)
    assert node(24) == (8, 3, 1)
    assert node(12) == (4, 3, 2)


def test_layers_of_one_home_with_different_levels_get_the_next_higher_one() -> None:
    network = describe(residual_model())

    def refusal(site: str, what: str, level: int) -> str | None:
        return "no" if level == 2 and site == "out" else None

    space = decision_space(network, [MockBits((2, 4))], refusal)
    space = replace(space, homes=dict.fromkeys(space.homes, "stem"))
    (stem, _) = option_nodes(network, WidthRules(), space, most=20).nodes
    column = [offer.site for offer in stem.offers].index("out")
    assert stem.rows[:, column].tolist() == [4, 4, 8]
    assert np.delete(stem.rows, column, axis=1).tolist() == [[2] * 3, [4] * 3, [8] * 3]
