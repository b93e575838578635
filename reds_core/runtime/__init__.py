"""The boundary to governors, and what they control: a family of members, a battery and requests with deadlines."""

from __future__ import annotations

from reds_core.runtime.battery import Battery, plant_of
from reds_core.runtime.generated import GENERATED, TraceSettings, generate_trace
from reds_core.runtime.governor import SLEEP, Action, Controller, Governor, Observation, Situation, State, fitted
from reds_core.runtime.laws import Law, ProportionalIntegralLaw, ThresholdLaw, quotient
from reds_core.runtime.operating_points import PPM, Figures, OperatingPoint, efficient, useful
from reds_core.runtime.plant import Counts, Course, Plant, PlantState, RunningPlant
from reds_core.runtime.running import Moment, Outcome, simulate_steps
from reds_core.runtime.trace import Trace, read_trace

__all__ = [
    "GENERATED",
    "PPM",
    "SLEEP",
    "Action",
    "Battery",
    "Controller",
    "Counts",
    "Course",
    "Figures",
    "Governor",
    "Law",
    "Moment",
    "Observation",
    "OperatingPoint",
    "Outcome",
    "Plant",
    "PlantState",
    "ProportionalIntegralLaw",
    "RunningPlant",
    "Situation",
    "State",
    "ThresholdLaw",
    "Trace",
    "TraceSettings",
    "efficient",
    "fitted",
    "generate_trace",
    "plant_of",
    "quotient",
    "read_trace",
    "simulate_steps",
    "useful",
]
