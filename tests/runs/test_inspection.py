"""What a network is said to hold."""

from __future__ import annotations

import dataclasses
import math

import pytest
from toy_framework import chain_model, describe

from reds_core.network.description import Network, WeightKind
from reds_core.runs.inspection import frozen_share, frozen_warning


def frozen(network: Network, *layers: str) -> Network:
    """`network` with the weights of `layers` frozen."""
    weights = tuple(dataclasses.replace(w, trainable=w.trainable and w.layer not in layers) for w in network.weights)
    return dataclasses.replace(network, weights=weights)


def test_frozen_parameters_are_told_by_their_share() -> None:
    network = describe(chain_model((5, 3)))
    first = network.weights[0].layer
    sizes = {
        w.name: [a.full(network.channels) for a in w.axes]
        for w in network.weights
        if w.kind is not WeightKind.STATISTIC
    }
    counts = {name: math.prod(size) for name, size in sizes.items()}
    share = sum(n for name, n in counts.items() if name.startswith(f"{first}/")) / sum(counts.values())
    part = frozen(network, first)
    assert frozen_share(part) == pytest.approx(share)
    warning = frozen_warning(part)
    assert warning is not None
    assert warning.startswith(f"{share:.0%} of the parameters are frozen")
    assert frozen_share(frozen(network, *(layer.name for layer in network.layers))) == 1


def test_statistics_are_not_frozen_parameters() -> None:
    network = describe(chain_model((5, 3)))
    assert frozen_warning(network) is None
    assert frozen_share(network) == 0
