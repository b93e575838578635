"""Options of groups under rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reds_core.errors import InputError
from reds_core.formulation.width_rules import OfferedWidths, WidthRules
from reds_core.network.description import ChannelGroup, Layer, Network


def group(channels: int) -> ChannelGroup:
    return ChannelGroup("g", channels, ("block1_conv", "block1_add"))


@given(st.integers(1, 3000), st.integers(1, 40), st.integers(1, 80), st.integers(2, 600))
def test_options_rise_to_the_full_width_and_keep_the_rules(channels: int, align: int, least: int, most: int) -> None:
    widths = WidthRules(align=align, min_width=least, max_options=most).widths(group(channels))
    assert widths.dtype == np.int64
    assert widths[-1] == channels
    assert np.all(np.diff(widths) > 0)
    assert len(widths) <= most
    assert all(w % align == 0 and w >= least for w in widths[:-1].tolist())


@given(st.integers(2, 600), st.integers(1, 9000))
def test_thinning_keeps_the_ends_and_steps_grow(most: int, more: int) -> None:
    channels = most + more
    widths = WidthRules(max_options=most).widths(group(channels))
    assert (widths[0], widths[-1], len(widths)) == (1, channels, most)
    steps = np.diff(widths)
    # they never shrink but for rounding, and none is much longer than twice that of an even spread
    assert np.all(steps[1:] >= steps[:-1] - 1)
    assert steps.max() <= 2 * (channels - 1) / (most - 1) + 2


def test_the_narrow_end_is_dense() -> None:
    """An even spread over 4,096 channels has steps of 65."""
    widths = WidthRules(max_options=64).widths(group(4096))
    assert widths[:4].tolist() == [1, 2, 3, 4]
    assert np.count_nonzero(widths <= 205) > 20
    multiples = WidthRules(align=8, max_options=16).widths(group(4096))
    assert multiples[:2].tolist() == [8, 16]
    assert not np.any(multiples % 8)
    assert (multiples[-1], len(multiples)) == (4096, 16)


def test_without_rules_every_width_is_an_option() -> None:
    assert WidthRules().widths(group(5)).tolist() == [1, 2, 3, 4, 5]


def test_multiples_and_the_full_width() -> None:
    assert WidthRules(align=8).widths(group(20)).tolist() == [8, 16, 20]
    assert WidthRules(align=8, min_width=10).widths(group(24)).tolist() == [16, 24]
    assert WidthRules(align=8).widths(group(5)).tolist() == [5]


@pytest.mark.parametrize(("pattern", "kept"), [("block1_conv", True), ("*_add", True), ("block1", False), ("b*", True)])
def test_groups_with_a_layer_that_matches_stay_whole(pattern: str, kept: bool) -> None:
    assert (WidthRules(keep=(pattern,)).widths(group(5)).tolist() == [5]) is kept


def test_thinned_groups_are_told() -> None:
    network = Network("n", (ChannelGroup("a", 9, ()), ChannelGroup("b", 4, ())), (), (), (), (), ())
    assert WidthRules(max_options=4).thinned(network) == {"a": (4, 9)}
    assert WidthRules(align=4, max_options=4).thinned(network) == {}


def test_groups_with_a_choice_are_told() -> None:
    groups = (ChannelGroup("a", 9, ("x",)), ChannelGroup("b", 4, ()), ChannelGroup("c", 8, ("y",)))
    network = Network("n", groups, (), (), (), (), ())
    assert WidthRules().free(network) == ("a", "b", "c")
    assert WidthRules(keep=("x",), align=4).free(network) == ("c",)
    assert WidthRules(min_width=9).free(network) == ()


def test_patterns_that_match_no_layer_are_refused() -> None:
    network = Network("n", (), (Layer("conv", "Conv2D", (), (), (), (), ()),), (), (), (), ())
    WidthRules(keep=("c*",)).check(network)
    with pytest.raises(InputError, match="no layer of network 'n' matches keep=\"covn\""):
        WidthRules(keep=("conv", "covn")).check(network)


@pytest.mark.parametrize("rules", [{"align": 0}, {"min_width": 0}, {"max_options": 1}])
def test_figures_out_of_range_are_refused(rules: dict[str, int]) -> None:
    with pytest.raises(InputError, match="is below"):
        WidthRules(**rules)


@pytest.mark.parametrize("rules", [WidthRules(min_width=10**30), WidthRules(align=10**30), WidthRules((), 7, 10**30)])
def test_figures_beyond_64_bits_leave_layers_whole(rules: WidthRules) -> None:
    assert rules.widths(group(5)).tolist() == [5]


def test_a_table_offers_its_widths_alone() -> None:
    offered = {group(32).name: (8, 16, 24, 32)}
    assert OfferedWidths.of(WidthRules(align=3), {}) == WidthRules(align=3)
    assert OfferedWidths.of(WidthRules(), offered).widths(group(32)).tolist() == [8, 16, 24, 32]
    assert OfferedWidths.of(WidthRules(align=16), offered).widths(group(32)).tolist() == [16, 32]
    assert OfferedWidths.of(WidthRules(min_width=20), offered).widths(group(32)).tolist() == [24, 32]
    assert OfferedWidths.of(WidthRules(keep=("*",)), offered).widths(group(32)).tolist() == [32]
    assert OfferedWidths.of(WidthRules(), {"another": (1,)}).widths(group(32)).tolist() == [32]
