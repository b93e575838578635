"""Where a network can have early exits."""

from __future__ import annotations

import pytest
from toy_exits import exits_model
from toy_framework import chain_model, describe, residual_model

from reds_core.errors import InputError, UnsupportedError
from reds_core.network.exits import are_exits, exit_names
from reds_core.runs.exit_points import ExitPoint, chosen_points, exit_points


def test_inside_a_residual_block_two_tensors_are_needed() -> None:
    """stem - [inside - out - add] - head: 3 positions x 24, 30 and 30 MACs, then 18."""
    network = describe(residual_model())
    total = 3 * (24 + 30 + 30) + 18
    assert exit_points(network) == (ExitPoint("relu", 72 / total),)


def test_of_several_layers_in_a_row_the_last_before_the_next_with_macs_counts() -> None:
    network = describe(chain_model((5, 6, 7)))
    total = 20 + 30 + 42 + 21
    assert exit_points(network) == (ExitPoint("relu0", 20 / total), ExitPoint("relu1", 50 / total))


def test_auto_takes_the_places_nearest_to_quarters_of_the_macs_once_each() -> None:
    network = describe(chain_model((4,) * 8, features=4, classes=4))
    assert [point.layer for point in chosen_points(network, "auto")] == ["relu1", "relu3", "relu6"]
    assert [point.layer for point in chosen_points(describe(residual_model()), "auto")] == ["relu"]


def test_layers_that_are_named_are_ordered_by_depth() -> None:
    network = describe(chain_model((5, 6, 7)))
    assert [point.layer for point in chosen_points(network, ["relu2", "relu0"])] == ["relu0", "relu2"]


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (["nowhere"], "has no layer 'nowhere'"),
        (["relu0", "relu0"], "layer 'relu0' is named twice"),
        (["head"], "no layer with MACs follows 'head'"),
    ],
)
def test_places_that_cannot_be_exits_are_refused(at: list[str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        chosen_points(describe(chain_model((5, 6))), at)


def test_a_network_of_one_layer_has_no_place() -> None:
    with pytest.raises(UnsupportedError, match="no block of network 'chain' ends before its last layers"):
        chosen_points(describe(chain_model((5,))), "auto")


def test_exits_are_recognised_by_the_names_of_their_layers() -> None:
    assert are_exits(("exit_1", "exit_2", "head"))
    assert not are_exits(("head",))
    assert not are_exits(("exit_2", "exit_1", "head"))
    assert not are_exits(("exit_1", "other", "head"))
    assert exit_names(describe(chain_model((5, 6)))) == ()
    assert len(exits_model().layers) == 12
