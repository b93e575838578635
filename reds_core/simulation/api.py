"""Simulates a family on a battery, as one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from reds_core.errors import InputError, argument, suggestion
from reds_core.plan import plan_folder
from reds_core.plugin import PluginOptions, guarded
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.runs.folder import Mode
from reds_core.runs.forms import mode_of
from reds_core.runs.options import given_options
from reds_core.runs.participants import check_options
from reds_core.runtime.battery import Battery, plant_of
from reds_core.runtime.family import family_points
from reds_core.runtime.generated import GENERATED, TraceSettings, generate_trace
from reds_core.runtime.governor import Future, Governor, LawController, Situation
from reds_core.runtime.laws import StaticLaw
from reds_core.runtime.operating_points import Figures, OperatingPoint, efficient, useful
from reds_core.runtime.plant import Moment, Outcome, Plant, PlantState
from reds_core.runtime.running import simulate_steps
from reds_core.runtime.trace import Trace, read_trace
from reds_core.simulation.record import (
    FRAMES_FILE,
    SUMMARY_FILE,
    Frame,
    GovernorResult,
    frames_of,
    frames_text,
    result_of,
)
from reds_core.system.files import given_path, make_folder, write_text
from reds_core.system.folder_lock import locked_folder
from reds_core.system.records import to_json
from reds_core.watcher import Watcher

ORACLE = "oracle"
HALF_DAY_S = 43_200.0


@dataclass(frozen=True, eq=False)
class Simulation:
    """What a simulation found.

    Attributes:
        results: One result for each governor, for the oracle, and for each member that runs all the time as
            "static-NAME".
        points: The members, those of the least energy first.
        about: Where latencies and energies come from.
        battery: The battery.
        trace: The trace.
        frames: What happened under each of them, in frames.
    """

    results: Mapping[str, GovernorResult]
    points: tuple[OperatingPoint, ...]
    about: str
    battery: Battery
    trace: Trace
    frames: Mapping[str, tuple[Frame, ...]]


def simulate(
    run: str | PathLike[str],
    trace: str | PathLike[str],
    governors: str | Sequence[str],
    out: str | PathLike[str],
    *,
    on: str | None = None,
    config: str | None = None,
    energy_model: str | None = None,
    capacity_mJ: float | None = None,
    initial: float = 0.5,
    efficiency: float = 0.85,
    leakage_mW: float = 0.005,
    queue: int = 16,
    harvest_mW: float | None = None,
    deadline_ms: float | None = None,
    hours: float = 24.0,
    step_s: float | None = None,
    energy_error: float = 0.0,
    seed: int = 0,
    options: PluginOptions | None = None,
    mode: Mode | str = Mode.REFUSE,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> Simulation:
    registry = given_registry(registry)
    folder, how, names = given_path(out, "out"), mode_of(mode), _names(governors)
    settings = given_options(options)
    if how is Mode.RESUME:
        raise InputError("a simulation cannot be resumed", f"give {argument('mode', 'overwrite')}")
    for name in names:
        registry.get(Governor, name)
    check_options(registry, settings, tuple((Governor, name) for name in _with_oracle(names, registry)))
    family = family_points(plan_folder(given_path(run, "run")), on, config, energy_model)
    points = useful(family.points)
    figures = tuple(Figures.of(point) for point in points)
    given = _trace(trace, figures, harvest_mW, deadline_ms, hours, step_s, seed, efficiency, leakage_mW)
    battery = Battery(
        _usual_capacity(figures, given) if capacity_mJ is None else capacity_mJ, initial, efficiency, leakage_mW, queue
    )
    plant = plant_of(given, battery, _with_error(figures, energy_error))
    _check_free(folder, how)
    make_folder(folder)
    with locked_folder(folder, "a simulation"), following(verbose, watcher) as followed:
        _check_free(folder, how)
        if family.note:
            followed.warn(f"{family.about}; {family.note}")
        outcomes = _outcomes(registry, settings, names, points, plant, battery, figures)
        found = Simulation(
            results={name: result_of(outcome, points, battery.initial_nJ) for name, outcome in outcomes.items()},
            points=points,
            about=family.about,
            battery=battery,
            trace=given,
            frames={
                name: frames_of(outcome, given, plant, [p.name for p in points]) for name, outcome in outcomes.items()
            },
        )
        _write(found, folder)
    return found


def _names(governors: str | Sequence[str]) -> tuple[str, ...]:
    texts = [governors] if isinstance(governors, str) else list(governors)
    names = tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",")))
    if not names or "" in names:
        raise InputError("a governor has no name", f"give {argument('governors')}, such as threshold")
    return names


def _with_oracle(names: Sequence[str], registry: Registry) -> tuple[str, ...]:
    known = registry.available(Governor)
    return (*names, *((ORACLE,) if ORACLE in known and ORACLE not in names else ()))


def _trace(
    trace: str | PathLike[str],
    members: Sequence[Figures],
    harvest_mW: float | None,
    deadline_ms: float | None,
    hours: float,
    step_s: float | None,
    seed: int,
    efficiency: float,
    leakage_mW: float,
) -> Trace:
    if str(trace) not in GENERATED:
        path = given_path(trace, "trace")
        if not path.exists():
            raise InputError(
                f"trace '{path}' does not exist",
                f"{suggestion(str(path), GENERATED)}give a CSV file, or one of {', '.join(GENERATED)}",
            )
        return read_trace(path)
    step = 1.0 if step_s is None else step_s
    slowest = max(member.latency_us for member in members)
    demands = [members[index].energy_nJ / (step * 1e6) for index in efficient(members)]
    mean = ((demands[0] + demands[-1]) / 2 + leakage_mW) / max(efficiency, 1e-9)
    return generate_trace(
        str(trace),
        TraceSettings(
            mean_mW=mean if harvest_mW is None else harvest_mW,
            deadline_ms=4 * slowest / 1000 if deadline_ms is None else deadline_ms,
            duration_s=hours * 3600,
            step_s=step,
            seed=seed,
        ),
    )


def _usual_capacity(members: Sequence[Figures], trace: Trace) -> float:
    """Half a day of the cheapest member, or eight inferences of the dearest one if that is more, in millijoules."""
    rate = float(trace.requests.mean()) / trace.step_s
    half_day = members[0].energy_nJ * rate * HALF_DAY_S
    return max(half_day, 8.0 * max(member.energy_nJ for member in members)) / 1e6


def _with_error(members: Sequence[Figures], error: float) -> tuple[Figures, ...]:
    if not -0.9 <= error <= 9:
        raise InputError(f"an error of {error:g} in energies is none", "give a share from -0.9 to 9")
    return tuple(replace(m, energy_nJ=max(round(m.energy_nJ * (1 + error)), 1)) for m in members)


def _outcomes(
    registry: Registry,
    options: PluginOptions,
    names: Sequence[str],
    points: Sequence[OperatingPoint],
    plant: Plant,
    battery: Battery,
    believed: tuple[Figures, ...],
) -> dict[str, Outcome]:
    begin = PlantState(battery.initial_nJ)
    found: dict[str, Outcome] = {}
    for name in _with_oracle(names, registry):
        governor = registry.create(Governor, name, options)
        situation = Situation(
            believed,
            plant.capacity_nJ,
            plant.step_us,
            battery.efficiency,
            Future(plant, begin) if governor.sees_future else None,
        )
        with guarded(governor):
            controller = governor.controller(situation)
            found[name] = simulate_steps(plant, controller, Moment(begin, controller.start))
    for index, point in enumerate(points):
        static = LawController(believed, StaticLaw(index))
        found[static_name(point.name)] = simulate_steps(plant, static, Moment(begin, static.start))
    return found


def static_name(name: str) -> str:
    """The name of a member that runs all the time, in summaries and reports."""
    return f"static-{name}"


def _check_free(folder: Path, mode: Mode) -> None:
    if mode is Mode.REFUSE and (folder / SUMMARY_FILE).exists():
        raise InputError(
            f"'{folder}' holds a finished simulation",
            f"add {argument('mode', 'overwrite')} to replace it, or choose another {argument('out')}",
        )


def _write(found: Simulation, folder: Path) -> None:
    """Write the frames, and then the summary, whose presence marks the simulation as finished."""
    (folder / SUMMARY_FILE).unlink(missing_ok=True)
    write_text(folder / FRAMES_FILE, frames_text(found.frames))
    write_text(folder / SUMMARY_FILE, to_json(found.results))
