"""Loads the compiled simulator, and calls it."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack.compiled import VARIABLE, address
from reds_core.runtime.compiled.sources import FOLDER, library_name
from reds_core.runtime.laws import Law, ProportionalIntegralLaw, StaticLaw, ThresholdLaw, TimedThresholdLaw
from reds_core.runtime.observation import State
from reds_core.runtime.operating_points import Figures
from reds_core.runtime.plant import Counts, Course, Moment, Outcome, Plant, PlantState

LARGEST_FAMILY = 255
"""The largest number of members that the structures of `reds_governor.h` can number."""
_KINDS: dict[type[Law], int] = {StaticLaw: 0, ThresholdLaw: 1, ProportionalIntegralLaw: 2, TimedThresholdLaw: 3}


class _Choices(ctypes.Structure):
    """Mirrors `reds_choices` in reds_governor.h."""

    _fields_ = [
        ("costs", ctypes.c_void_p),
        ("rungs", ctypes.c_void_p),
        ("count", ctypes.c_uint8),
        ("rung_count", ctypes.c_uint8),
    ]


class _Threshold(ctypes.Structure):
    """Mirrors `reds_threshold` in reds_governor.h."""

    _fields_ = [("choices", _Choices), ("rising_nJ", ctypes.c_void_p), ("falling_nJ", ctypes.c_void_p)]


class _ProportionalIntegral(ctypes.Structure):
    """Mirrors `reds_pi` in reds_governor.h."""

    _fields_ = [("choices", _Choices), ("target_nJ", ctypes.c_int64), ("shift", ctypes.c_uint8)]


class _Governor(ctypes.Structure):
    """Mirrors `governor` in simulation.c."""

    _fields_ = [
        ("kind", ctypes.c_int64),
        ("member", ctypes.c_int64),
        ("threshold", _Threshold),
        ("pi", _ProportionalIntegral),
        ("choices", _Choices),
        ("length", ctypes.c_int64),
        ("blocks", ctypes.c_int64),
        ("timed_nJ", ctypes.c_void_p),
    ]


class _Plant(ctypes.Structure):
    """Mirrors `plant` in simulation.c."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("steps", "step_us", "capacity_nJ", "places", "fastest_us")),
        *((name, ctypes.c_void_p) for name in ("income_nJ", "leakage_nJ", "requests", "deadline_us", "costs")),
    ]


class _Moment(ctypes.Structure):
    """Mirrors `moment` in simulation.c."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("charge_nJ", "busy_us", "member", "first", "waiting")),
        ("ring", ctypes.c_void_p),
        ("rung", ctypes.c_int32),
        ("integral", ctypes.c_int64),
        ("residue", ctypes.c_int64),
        ("step", ctypes.c_int64),
    ]


class _Tally(ctypes.Structure):
    """Mirrors `tally` in simulation.c."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("missed", "used_nJ", "spilled_nJ", "leaked_nJ", "switches")),
        *((name, ctypes.c_void_p) for name in ("answered", "charge", "member", "answered_course", "missed_course")),
    ]


@functools.cache
def _loaded() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(FOLDER / library_name()))
    except OSError:  # not compiled when this was installed, or for another kind of machine
        return None
    library.reds_simulate.argtypes = [ctypes.c_void_p] * 4
    library.reds_simulate.restype = None
    return library


def compiled_simulation() -> ctypes.CDLL | None:
    """The compiled library, or None if it was not built or is switched off by the environment variable."""
    return None if os.environ.get(VARIABLE) == "0" else _loaded()


def simulate_compiled(
    library: ctypes.CDLL, plant: Plant, members: tuple[Figures, ...], law: Law, begin: Moment
) -> Outcome:
    """Run a law during all steps of a plant, in compiled code.

    Args:
        library: The library.
        plant: The device and what happens to it.
        members: The figures of the members as the law believes them to be.
        law: What decides.
        begin: The state before the first step.
    """
    held: list[Any] = []

    def place(values: Any, kind: Any = np.int64) -> int:
        held.append(np.ascontiguousarray(values, dtype=kind))
        return address(held[-1])

    course, answered = Course.empty(plant.steps), np.zeros(len(plant.members), np.int64)
    device = _Plant(
        plant.steps,
        plant.step_us,
        plant.capacity_nJ,
        plant.queue,
        min(member.latency_us for member in plant.members),
        *(place(each) for each in (plant.income_nJ, plant.leakage_nJ, plant.requests, plant.deadline_us)),
        place([(member.energy_nJ, member.latency_us) for member in plant.members]),
    )
    ring: IntArray = np.zeros(plant.queue, np.int64)
    ring[: len(begin.plant.waiting)] = begin.plant.waiting
    now = _Moment(
        begin.plant.charge_nJ,
        begin.plant.busy_us,
        begin.plant.member,
        0,
        len(begin.plant.waiting),
        address(ring),
        *_remembered(law, begin.governor),
    )
    tally = _Tally(
        *(0, 0, 0, 0, 0, address(answered)),
        *(address(each) for each in (course.charge_nJ, course.member, course.answered, course.missed)),
    )
    governor = _governor(law, members, place)
    library.reds_simulate(*(ctypes.addressof(each) for each in (device, governor, now, tally)))
    end = plant.steps * plant.step_us
    waiting = tuple(int(ring[(now.first + i) % plant.queue]) - end for i in range(now.waiting))
    counts = Counts(
        requests=int(plant.requests.sum()),
        answered=tuple(answered.tolist()),
        missed=tally.missed,
        used_nJ=tally.used_nJ,
        income_nJ=int(plant.income_nJ.sum()),
        spilled_nJ=tally.spilled_nJ,
        leaked_nJ=tally.leaked_nJ,
        switches=tally.switches,
    )
    state = PlantState(now.charge_nJ, now.busy_us, waiting, now.member)
    return Outcome(counts, course, Moment(state, _state(law, now)))


def _governor(law: Law, members: tuple[Figures, ...], place: Any) -> _Governor:
    made = _Governor(kind=_KINDS[type(law)])
    if isinstance(law, StaticLaw):
        made.member = law.member
        return made
    costs = place([(member.energy_nJ, member.latency_us) for member in members])
    choices = _Choices(costs, place(law.rungs, np.uint8), len(members), len(law.rungs))
    if isinstance(law, ThresholdLaw):
        made.threshold = _Threshold(choices, place(law.rising_nJ), place(law.falling_nJ))
    elif isinstance(law, TimedThresholdLaw):
        made.choices, made.length, made.blocks = choices, law.length, len(law.rising_nJ)
        made.timed_nJ = place(law.rising_nJ)
    else:
        made.pi = _ProportionalIntegral(choices, law.target_nJ, law.shift)
    return made


def _remembered(law: Law, state: State) -> tuple[int, int, int, int]:
    """What a law remembers, as the rung, the integral, the residue and the step."""
    if isinstance(law, ThresholdLaw):
        return state[0], 0, 0, 0
    if isinstance(law, TimedThresholdLaw):
        return 0, 0, 0, state[0]
    return (0, state[0], state[1], 0) if isinstance(law, ProportionalIntegralLaw) else (0, 0, 0, 0)


def _state(law: Law, now: _Moment) -> State:
    if isinstance(law, ThresholdLaw):
        return (now.rung,)
    if isinstance(law, TimedThresholdLaw):
        return (now.step,)
    return (now.integral, now.residue) if isinstance(law, ProportionalIntegralLaw) else ()
