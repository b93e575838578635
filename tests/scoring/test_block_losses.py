"""What skipping a residual block is worth: minus the exchange rate x the rise of the loss, else what curves say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from residual_networks import ResidualNetwork

from reds_core.cost import macs
from reds_core.errors import InputError
from reds_core.formulation import WidthRules, formulate
from reds_core.formulation.skipping import with_skipping
from reds_core.network import residual_branches
from reds_core.runs.checkpoint import load_scores, save_scores
from reds_core.scoring.block_losses import skipping_losses, with_skipping_values
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.scoring.normalisation import normalise
from reds_core.scoring.scorer import ScoreTable
from reds_core.testing.sample_networks import random_weights

NETWORK, RULES = with_skipping(ResidualNetwork(1).build(), WidthRules(skip_blocks=True))
WEIGHTS = random_weights(NETWORK, 0)
SCORES = ScoreTable({g.name: np.arange(1.0, g.channels + 1) for g in NETWORK.groups})


class Measuring:
    """Notes the weights under which losses are asked for, and answers with given losses."""

    def __init__(self, *losses: float) -> None:
        self.framework = SimpleNamespace(weights=lambda model, network: WEIGHTS)
        self.model = None
        self.seen: list[list[Any]] = []
        self._losses = losses

    def losses(self, variants: Iterable[list[Any]]) -> Iterator[float]:
        for variant, loss in zip(variants, self._losses, strict=True):
            self.seen.append(variant)
            yield loss


def measuring(*losses: float) -> LossMeasurement:
    return cast("LossMeasurement", Measuring(*losses))


def test_each_block_is_skipped_by_zeros_where_its_channels_are_read() -> None:
    group = NETWORK.skippable[0]
    asked = measuring(0.5, *[0.7] * len(NETWORK.skippable))
    assert skipping_losses(asked, NETWORK)[group] == pytest.approx(0.2)
    whole, masked, *_ = cast("Any", asked).seen
    changed = {NETWORK.weights[i].name for i, (a, b) in enumerate(zip(whole, masked, strict=True)) if a is not b}
    reading = residual_branches(NETWORK).found[group].constant[0]
    assert changed == {f"{NETWORK.layers[reading].name}/kernel"}
    assert all(not b.any() for a, b in zip(whole, masked, strict=True) if a is not b)


def test_values_are_minus_the_rate_times_the_rise_and_at_most_0() -> None:
    losses = (1.0, *[3.0, 0.5][: len(NETWORK.skippable)])
    found = with_skipping_values(normalise(SCORES), measuring(*losses), NETWORK)
    assert dict(found.skipped) == dict(zip(NETWORK.skippable, [-1.0, 0.0], strict=False))  # 0.5 x 2, and a fall
    assert with_skipping_values(SCORES, measuring(*losses), NETWORK, 2.0).skipped[NETWORK.skippable[0]] == -4.0


def test_losses_are_not_exchanged_for_sums_of_scores_without_a_rate() -> None:
    assert with_skipping_values(SCORES, measuring(), NETWORK) is SCORES


def test_losses_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="the loss without the block of group"):
        skipping_losses(measuring(1.0, *[float("nan")] * len(NETWORK.skippable)), NETWORK)


def values_of(scores: ScoreTable) -> tuple[list[int], list[int]]:
    group = NETWORK.skippable[0]
    problem = formulate(NETWORK, scores, {"macs": macs(NETWORK)}, {"macs": 10**9}, "p", rules=RULES).problem
    found = problem.groups[problem.index[group]]
    return found.widths.tolist(), found.values.tolist()


def test_no_channels_are_worth_what_was_measured_or_what_the_scores_say() -> None:
    group, shares = NETWORK.skippable[0], normalise(SCORES)
    widths, values = values_of(SCORES)
    assert widths == list(range(NETWORK.channels[group] + 1))
    assert values[0] == 0
    _, values = values_of(shares)
    assert values[0] == pytest.approx(2 * values[1] - values[2], abs=2)
    _, values = values_of(ScoreTable(shares.channels, curves=shares.curves, skipped={group: 0.0}))
    assert values[0] == values[-1]


def test_values_come_back_from_files(tmp_path: Path) -> None:
    save_scores(tmp_path / "scores.npz", ScoreTable(SCORES.channels, skipped={"a/b": -0.25}))
    assert load_scores(tmp_path / "scores.npz").skipped == {"a/b": -0.25}
