"""The simulator in C against the reference in Python, for all laws."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_families import MEMBERS, plant

from reds_core.knapsack.compiled import VARIABLE
from reds_core.runtime import (
    LawController,
    Moment,
    Plant,
    PlantState,
    ProportionalIntegralLaw,
    StaticLaw,
    ThresholdLaw,
    TimedThresholdLaw,
    simulate_in_python,
    simulate_steps,
)
from reds_core.runtime.compiled import compiled_simulation
from reds_core.runtime.laws import Law

pytestmark = pytest.mark.skipif(
    compiled_simulation() is None and shutil.which("cc") is None, reason="no library, and no C compiler to make one"
)


@dataclass(frozen=True)
class Case:
    plant: Plant
    law: Law
    begin: PlantState


@st.composite
def laws(draw: st.DrawFn, capacity: int) -> Law:
    rungs = draw(st.sampled_from([(0, 1, 2), (0, 2), (1,), (2,)]))
    charges = sorted(draw(st.lists(st.integers(1, capacity), min_size=len(rungs) - 1, max_size=len(rungs) - 1)))
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return StaticLaw(draw(st.integers(-1, 2)))
    if kind == 1:
        margin = draw(st.integers(1, capacity))
        return ThresholdLaw(rungs, tuple(charges), tuple(max(charge - margin, 0) for charge in charges))
    if kind == 2:
        return ProportionalIntegralLaw(rungs, draw(st.integers(0, capacity)), draw(st.integers(0, 12)))
    blocks = draw(st.integers(1, 3))
    return TimedThresholdLaw(rungs, np.array([charges] * blocks, np.int64).reshape(blocks, -1), draw(st.integers(1, 5)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    capacity = draw(st.integers(1_000_000, 40_000_000))
    steps = draw(
        st.lists(st.tuples(st.integers(0, 9_000_000), st.integers(0, 6), st.integers(0, 800)), min_size=1, max_size=40)
    )
    made = plant(
        [income / 1e6 for income, *_ in steps],
        capacity_mJ=capacity / 1e6,
        requests=[count for _, count, _ in steps],
        deadline_ms=[float(deadline) for *_, deadline in steps],
        leakage_mJ=draw(st.integers(0, 500_000)) / 1e6,
        queue=draw(st.integers(1, 5)),
        step_us=draw(st.sampled_from([15_000, 50_000, 1_000_000])),
    )
    waiting = tuple(draw(st.lists(st.integers(0, 2_000_000), max_size=made.queue)))
    state = PlantState(draw(st.integers(0, capacity)), draw(st.integers(0, 60_000)), waiting, draw(st.integers(-1, 2)))
    return Case(made, draw(laws(capacity)), state)


@given(cases())
@settings(max_examples=100, deadline=None)
def test_both_simulators_agree_in_every_step(case: Case) -> None:
    assert compiled_simulation() is not None
    controller = LawController(MEMBERS, case.law)
    begin = Moment(case.begin, controller.start)
    fast, slow = simulate_steps(case.plant, controller, begin), simulate_in_python(case.plant, controller, begin)
    assert (fast.counts, fast.end) == (slow.counts, slow.end)
    for name in ("charge_nJ", "member", "answered", "missed"):
        np.testing.assert_array_equal(getattr(fast.course, name), getattr(slow.course, name), err_msg=name)


def test_the_environment_variable_switches_the_library_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    assert compiled_simulation() is None
    controller = LawController(MEMBERS, StaticLaw(0))
    assert simulate_steps(plant([1]), controller, Moment(PlantState(10**6), ())).counts.answered == (1, 0, 0)
