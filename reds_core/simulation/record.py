"""What a simulation found, as records and as files: `summary.json` and `frames.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.runtime.battery import NJ_PER_MJ, Battery
from reds_core.runtime.operating_points import PPM, OperatingPoint
from reds_core.runtime.plant import Counts, Outcome, Plant
from reds_core.runtime.trace import Trace

SUMMARY_FILE = "summary.json"
FRAMES_FILE = "frames.csv"
MOST_FRAMES = 500
"""The largest number of frames of one governor; a frame of a longer trace sums up several steps."""


@dataclass(frozen=True)
class GovernorResult:
    """What came of one governor, or of one member that ran all the time.

    Attributes:
        accuracy: The expected share of all requests that are answered correctly in time. A request that is answered by
            a member counts with the accuracy of that member, and a missed one as wrong.
        energy_mJ: The energy of all inferences, in millijoules.
        available_mJ: The energy that there was: the first charge of the battery, and what reached the battery from the
            harvester.
        missed: The number of requests that were not answered in time, those that still wait at the end included.
        switches: How often another member ran than the one before it.
        requests: The number of requests.
        answered: The number of requests that each member answered, by its name.
    """

    accuracy: float | None
    energy_mJ: float
    available_mJ: float
    missed: int
    switches: int
    requests: int
    answered: Mapping[str, int]


def result_of(outcome: Outcome, points: Sequence[OperatingPoint], initial_nJ: int) -> GovernorResult:
    """Sum up what came of a governor.

    Args:
        outcome: What came of it.
        points: The members, those first from which it chose.
        initial_nJ: The first charge of the battery, in nanojoules.
    """
    counts = outcome.counts
    answered = (*counts.answered, *[0] * (len(points) - len(counts.answered)))
    return GovernorResult(
        accuracy=expected_accuracy(counts, points),
        energy_mJ=counts.used_nJ / NJ_PER_MJ,
        available_mJ=(initial_nJ + counts.income_nJ) / NJ_PER_MJ,
        missed=counts.requests - sum(counts.answered),
        switches=counts.switches,
        requests=counts.requests,
        answered={point.name: number for point, number in zip(points, answered, strict=True)},
    )


def expected_accuracy(counts: Counts, points: Sequence[OperatingPoint]) -> float | None:
    """The expected share of right answers among all requests; None without requests."""
    if not counts.requests:
        return None
    right = sum(point.accuracy_ppm * number for point, number in zip(points, counts.answered, strict=False))
    return right / (PPM * counts.requests)


@dataclass(frozen=True)
class Frame:
    """Some steps in a row, summed up.

    Attributes:
        time_s: The time of the first of them, in seconds.
        steps: Their number.
        harvest_mW: The mean harvested power, in milliwatts.
        charge_mJ: The charge of the battery at their beginning, in millijoules.
        member: The name of the member that answered most requests; empty if none was answered.
        accuracy: The mean accuracy of the members that answered, each as often as it did; None if none was answered.
        answered: The number of requests that were answered in time.
        missed: The number of requests that were missed.
    """

    time_s: float
    steps: int
    harvest_mW: float
    charge_mJ: float
    member: str
    accuracy: float | None
    answered: int
    missed: int


def frames_of(outcome: Outcome, trace: Trace, plant: Plant, points: Sequence[OperatingPoint]) -> tuple[Frame, ...]:
    """Sum up what happened in at most `MOST_FRAMES` frames of equal length.

    Args:
        outcome: What came of a governor.
        trace: The trace.
        plant: The device.
        points: The members, by index.
    """
    length = -(-plant.steps // MOST_FRAMES)
    starts = np.arange(0, plant.steps, length)
    course = outcome.course
    answered, missed = (np.add.reduceat(each, starts) for each in (course.answered, course.missed))
    harvest = np.add.reduceat(trace.harvest_mW, starts)
    lengths = np.diff(np.append(starts, plant.steps))
    shares = np.stack(
        [np.add.reduceat(np.where(course.member == m, course.answered, 0), starts) for m in range(len(points))]
    )
    often, right = shares.argmax(axis=0), np.array([point.accuracy for point in points]) @ shares
    return tuple(
        Frame(
            time_s=round(trace.start_s + int(start) * trace.step_s, 6),
            steps=int(lengths[i]),
            harvest_mW=float(harvest[i] / lengths[i]),
            charge_mJ=int(course.charge_nJ[start]) / NJ_PER_MJ,
            member=points[int(often[i])].name if answered[i] else "",
            accuracy=float(right[i] / answered[i]) if answered[i] else None,
            answered=int(answered[i]),
            missed=int(missed[i]),
        )
        for i, start in enumerate(starts)
    )


def frames_text(frames: Mapping[str, Sequence[Frame]]) -> str:
    """Return frames as a CSV file, with the name of the governor in the first column."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(("governor", *Frame.__dataclass_fields__))
    for name, each in frames.items():
        for f in each:
            accuracy = "" if f.accuracy is None else f"{f.accuracy:.6g}"
            figures = (f"{f.time_s:.12g}", f.steps, f"{f.harvest_mW:.6g}", f"{f.charge_mJ:.6g}")
            rows.writerow((name, *figures, f.member, accuracy, f.answered, f.missed))
    return written.getvalue()


STATIC_PREFIX = "static-"


def static_name(name: str) -> str:
    """The name of a member that runs all the time, in summaries and reports."""
    return f"{STATIC_PREFIX}{name}"


@dataclass(frozen=True, eq=False)
class Simulation:
    """What a simulation found.

    Attributes:
        results: One result for each governor that was asked for, for the oracle, and for each member that runs all the
            time as "static-NAME".
        yardstick: The name of the governor that knows the whole trace; None if none is installed.
        highest_accuracy: No schedule answers a larger share of the requests correctly; None without requests.
        points: The members: those that governors choose from, those of the least energy first, and then the others.
        beaten: The names of these others, which another member beats or equals in energy, latency and accuracy.
        about: Where their latencies and energies come from.
        is_measured: Whether these were measured.
        battery: The battery.
        trace: The trace.
        energy_error: The share by which the true energies are above those that governors know.
        frames: What happened under each of them, in frames.
    """

    results: Mapping[str, GovernorResult]
    yardstick: str | None
    highest_accuracy: float | None
    points: tuple[OperatingPoint, ...]
    beaten: tuple[str, ...]
    about: str
    is_measured: bool
    battery: Battery
    trace: Trace
    energy_error: float
    frames: Mapping[str, tuple[Frame, ...]]

    @property
    def static(self) -> dict[str, GovernorResult]:
        """The results of the members that run all the time."""
        names = {static_name(point.name) for point in self.points}
        return {name: each for name, each in self.results.items() if name in names}

    @property
    def governors(self) -> dict[str, GovernorResult]:
        """The results of the governors that a device could run."""
        static = self.static
        return {name: each for name, each in self.results.items() if name not in static and name != self.yardstick}
