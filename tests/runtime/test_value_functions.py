"""The bound on the accuracy of any schedule."""

from __future__ import annotations

import numpy as np
import pytest
from sample_families import MEMBERS, plant

from reds_core.runtime import LawController, Moment, Plant, PlantState, StaticLaw, highest_accuracy, simulate_in_python


def reached(at: Plant, charge_nJ: int) -> float:
    """The accuracy of the best member alone."""
    found: list[float] = []
    for index, member in enumerate(MEMBERS):
        controller = LawController(MEMBERS, StaticLaw(index))
        counts = simulate_in_python(at, controller, Moment(PlantState(charge_nJ), controller.start)).counts
        found.append(counts.answered[index] * member.accuracy_ppm / 1e6 / counts.requests)
    return max(found)


def test_requests_that_wait_may_use_later_harvests() -> None:
    """Without energy in the beginning, the request is answered two steps later."""
    at = plant([0.0, 1.0, 0.0], requests=[1, 0, 0], deadline_ms=2500.0)
    assert reached(at, 0) == 0.7
    assert highest_accuracy(at, 0) == pytest.approx(0.7)


def test_a_request_may_wait_until_a_full_battery_has_room() -> None:
    """Both requests together take more than the battery holds at once."""
    at = plant([0.0, 1.0, 0.0], requests=[2, 0, 0], deadline_ms=2500.0, capacity_mJ=1.0)
    assert reached(at, 1_000_000) == 0.7
    assert highest_accuracy(at, 1_000_000) == pytest.approx(0.7)


@pytest.mark.parametrize("seed", range(10))
def test_no_member_alone_is_above_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    requests = rng.poisson(1.0, 30).tolist()
    incomes = np.where(rng.random(30) < 0.5, rng.random(30) * 4, 0.0).tolist()
    at = plant(incomes, requests=requests, deadline_ms=4500.0, capacity_mJ=float(rng.integers(1, 20)))
    bound = highest_accuracy(at, 0)
    assert bound is not None
    assert reached(at, 0) <= bound


def test_requests_that_cannot_wait_cannot_use_later_harvests() -> None:
    at = plant([0.0, 1.0, 0.0], requests=[1, 0, 0], deadline_ms=900.0)
    assert highest_accuracy(at, 0) == 0.0
