"""Runs a governor on a plant, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.errors import ContractViolation
from reds_core.runtime.governor import SLEEP, Action, Controller, Observation, State
from reds_core.runtime.plant import Counts, Course, Plant, PlantState, RunningPlant


@dataclass(frozen=True)
class Moment:
    """All that the next steps depend on.

    Attributes:
        plant: The state of the device.
        governor: What the governor remembers.
    """

    plant: PlantState
    governor: State


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a simulation.

    Attributes:
        counts: What happened, added up.
        course: What happened, step by step.
        end: The state after the last step, from which other steps may continue.
    """

    counts: Counts
    course: Course
    end: Moment


def simulate_steps(plant: Plant, controller: Controller, begin: Moment) -> Outcome:
    """Run a governor during all steps of a plant.

    This is the reference, in Python. `simulate` uses compiled code where there is some.

    Args:
        plant: The device and what happens to it.
        controller: What decides.
        begin: The state before the first step.

    Raises:
        ContractViolation: If the governor chooses a member that does not exist.
    """
    running, remembered = RunningPlant(plant, begin.plant), begin.governor
    course = Course.empty(plant.steps)
    harvest, temperature = plant.harvest_uW.tolist(), plant.temperature_mC.tolist()
    for step in range(plant.steps):
        missed = running.arrive()
        charge = running.charge
        observed = Observation(charge, harvest[step], running.slack_us, len(running.waiting), temperature[step])
        action = controller.decide(remembered, observed)
        _check(action, len(plant.members))
        remembered = action.state
        answered, late = running.run(action.member)
        course.charge_nJ[step] = charge
        course.member[step] = action.member
        course.answered[step] = answered
        course.missed[step] = missed + late
    return Outcome(running.counts, course, Moment(running.state, remembered))


def _check(action: Action, members: int) -> None:
    if not SLEEP <= action.member < members:
        raise ContractViolation(f"the governor chose member {action.member}", f"choose -1, or 0 to {members - 1}")
