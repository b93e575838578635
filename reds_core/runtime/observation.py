"""What governors observe, what they remember, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass

State = tuple[int, ...]
"""What a governor remembers from one step to the next."""
SLEEP = -1
"""The answer of a governor that runs no member during a step."""


@dataclass(frozen=True)
class Observation:
    """What a governor is told at the beginning of a step.

    Attributes:
        charge_nJ: The charge of the battery in nanojoules.
        harvest_uW: The power that is harvested, in microwatts.
        slack_us: The time until the deadline of the request that waits longest, less the time for which the device is
            still busy, in microseconds; -1 if none waits.
        waiting: The number of requests that wait.
        temperature_mC: The temperature in thousandths of a degree Celsius.
        arrived: The number of requests that arrived in this step.
    """

    charge_nJ: int
    harvest_uW: int
    slack_us: int
    waiting: int
    temperature_mC: int
    arrived: int = 0


@dataclass(frozen=True)
class Action:
    """The answer of a governor.

    Attributes:
        state: What it remembers for the next step.
        member: The member to run, by its index, or `SLEEP`.
    """

    state: State
    member: int
