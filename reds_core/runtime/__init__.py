"""The boundary to governors, and what they control: a family of members, a battery and requests with deadlines."""

from __future__ import annotations

from reds_core.runtime.battery import Battery, plant_of
from reds_core.runtime.compiled import governor_sources
from reds_core.runtime.generated import GENERATED, TraceSettings, generate_trace
from reds_core.runtime.governor import Controller, Future, Governor, LawController, Situation
from reds_core.runtime.laws import (
    LARGEST_INTEGRAL,
    Law,
    ProportionalIntegralLaw,
    StaticLaw,
    ThresholdLaw,
    TimedThresholdLaw,
    alternated,
    fitted,
    quotient,
)
from reds_core.runtime.observation import SLEEP, Action, Observation, State
from reds_core.runtime.operating_points import PPM, Figures, OperatingPoint, efficient, useful
from reds_core.runtime.plant import Counts, Course, Moment, Outcome, Plant, PlantState, RunningPlant
from reds_core.runtime.running import simulate_in_python, simulate_steps
from reds_core.runtime.trace import Trace, read_trace
from reds_core.runtime.value_functions import ValueFunctions, highest_accuracy, value_functions

__all__ = [
    "GENERATED",
    "LARGEST_INTEGRAL",
    "PPM",
    "SLEEP",
    "Action",
    "Battery",
    "Controller",
    "Counts",
    "Course",
    "Figures",
    "Future",
    "Governor",
    "Law",
    "LawController",
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
    "StaticLaw",
    "ThresholdLaw",
    "TimedThresholdLaw",
    "Trace",
    "TraceSettings",
    "ValueFunctions",
    "alternated",
    "efficient",
    "fitted",
    "generate_trace",
    "governor_sources",
    "highest_accuracy",
    "plant_of",
    "quotient",
    "read_trace",
    "simulate_in_python",
    "simulate_steps",
    "useful",
    "value_functions",
]
