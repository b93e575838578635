"""Runs a governor on a plant, step by step."""

from __future__ import annotations

from reds_core.errors import ContractViolation
from reds_core.runtime.compiled import LARGEST_FAMILY, compiled_simulation, simulate_compiled
from reds_core.runtime.governor import Controller, LawController
from reds_core.runtime.observation import SLEEP, Action, Observation
from reds_core.runtime.plant import Course, Moment, Outcome, Plant, RunningPlant


def simulate_steps(plant: Plant, controller: Controller, begin: Moment) -> Outcome:
    """Run a governor during all steps of a plant, with compiled code where there is some.

    Args:
        plant: The device and what happens to it.
        controller: What decides.
        begin: The state before the first step.

    Raises:
        ContractViolation: If the governor chooses a member that does not exist.
    """
    library = compiled_simulation()
    is_countable = len(plant.members) <= LARGEST_FAMILY
    if library is None or not isinstance(controller, LawController) or not is_countable:
        return simulate_in_python(plant, controller, begin)
    return simulate_compiled(library, plant, controller.members, controller.law, begin)


def simulate_in_python(plant: Plant, controller: Controller, begin: Moment) -> Outcome:
    """Run a governor during all steps of a plant in Python, as the reference of compiled code.

    Args:
        plant: The device and what happens to it.
        controller: What decides.
        begin: The state before the first step.

    Raises:
        ContractViolation: If the governor chooses a member that does not exist.
    """
    running, remembered = RunningPlant(plant, begin.plant), begin.governor
    course = Course.empty(plant.steps)
    harvest, temperature, requests = (
        figures.tolist() for figures in (plant.harvest_uW, plant.temperature_mC, plant.requests)
    )
    for step in range(plant.steps):
        missed = running.arrive()
        charge = running.charge
        observed = Observation(
            charge, harvest[step], running.slack_us, len(running.waiting), temperature[step], requests[step]
        )
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
