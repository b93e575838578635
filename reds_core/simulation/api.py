"""Simulates a family on a battery, as one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from numbers import Integral, Real
from os import PathLike
from pathlib import Path

from reds_core.audit.records import AUDIT_FILE
from reds_core.errors import InputError, UnavailableError, argument, suggestion
from reds_core.plan import PLAN_FILE, load_plan, plan_folder
from reds_core.plugin import PluginOptions, guarded
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.report.facts import metric_of
from reds_core.report.run_report import REPORT_FILE
from reds_core.runs.folder import Mode
from reds_core.runs.forms import mode_of
from reds_core.runs.options import given_options
from reds_core.runs.participants import check_options, solvers
from reds_core.runtime.battery import LARGEST_CAPACITY_MJ, NJ_PER_MJ, Battery, plant_of
from reds_core.runtime.family import family_points
from reds_core.runtime.generated import GENERATED, TraceSettings, generate_trace
from reds_core.runtime.governor import Controller, Future, Governor, LawController, Situation
from reds_core.runtime.laws import StaticLaw
from reds_core.runtime.operating_points import Figures, OperatingPoint, efficient, useful
from reds_core.runtime.plant import Moment, Outcome, Plant, PlantState
from reds_core.runtime.running import simulate_steps
from reds_core.runtime.trace import Trace, read_trace
from reds_core.runtime.value_functions import highest_accuracy
from reds_core.simulation.c_constants import CONSTANTS_FILE, constants_text
from reds_core.simulation.page import simulation_page
from reds_core.simulation.record import (
    FRAMES_FILE,
    SUMMARY_FILE,
    Simulation,
    frames_of,
    frames_text,
    result_of,
    static_name,
)
from reds_core.system.files import given_path, make_folder, write_text
from reds_core.system.folder_lock import locked_folder
from reds_core.system.record_lines import RECORDS_FILE
from reds_core.system.records import to_json
from reds_core.watcher import Watcher

_ORACLE = "oracle"
_HALF_DAY_S = 43_200.0


@dataclass(frozen=True)
class TraceOptions:
    """What a generated trace is like; a trace of a file has all this itself.

    Attributes:
        harvest_mW: The mean harvested power. By default, half of what the requests need if the cheapest member answers
            all of them, and half of what they need if the most accurate one does.
        deadline_ms: The time that a request may take. By default, four times the latency of the slowest member.
        hours: The length of the trace. By default 24.
        step_s: The length of a step. By default one second.
    """

    harvest_mW: float | None = None
    deadline_ms: float | None = None
    hours: float | None = None
    step_s: float | None = None


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
    hours: float | None = None,
    step_s: float | None = None,
    energy_error: float = 0.0,
    seed: int | None = None,
    options: PluginOptions | None = None,
    mode: Mode | str = Mode.REFUSE,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> Simulation:
    """Simulate which member of a family a battery-powered device runs when, under one or several governors.

    This is what `reds simulate` does. Each governor is compared with each member that runs all the time, and with the
    governor `oracle`, which knows the whole trace. The results are written to `out` as summary.json, frames.csv and
    report.html, and the constants of governors that devices run as reds_governor_config.h.

    Args:
        run: The folder of a finished run.
        trace: A CSV file with the columns `time_s,harvest_mW,deadline_ms,temperature_C` and, if it is not one request
            in each step, `requests`; or "constant", "solar", "bursts" or "failures", for a trace that is generated.
        governors: The names of one or several governors.
        out: The folder of the results.
        on: The target of whose profile latencies and energies are taken. By default it is the first one in the run's
            profile.json that states both for all members. Without any, they are modelled.
        config: The configuration of that target.
        energy_model: The model of a board by which latencies and energies are modelled, in place of a profile.
        capacity_mJ: The energy that the battery holds, in millijoules. By default it suffices for half a day of the
            cheapest member, and for eight inferences of the most expensive one.
        initial: The share of the capacity that it holds in the beginning.
        efficiency: The share of harvested energy that reaches it.
        leakage_mW: The power that it loses by itself at 25 degrees Celsius, with that of the sleeping device. It
            doubles with every 10 degrees.
        queue: The largest number of requests that wait.
        harvest_mW: The mean harvested power of a generated trace. By default it is the mean of what the cheapest and
            the most accurate member on the hull of accuracy against energy need for one request in each step.
        deadline_ms: The time that requests of a generated trace may take. By default it is four times the latency of
            the slowest member.
        hours: The length of a generated trace. By default it is 24.
        step_s: The length of its steps in seconds. By default it is 1.
        energy_error: The share by which the true energies of inferences are above those that governors know, such as
            0.3, or below them, such as -0.3.
        seed: The seed of a generated trace. By default it is 0.
        options: Options of plugins, as `{plugin: {key: text}}`.
        mode: What to do if `out` already holds a simulation: `"refuse"` or `"overwrite"`.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of progress and warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"` or 1: a bar in a terminal or a
            notebook, lines elsewhere; 2: lines.

    Returns:
        A `Simulation` with the attributes `results`, `points`, `battery`, `trace` and `frames`.

    Raises:
        InputError: If the run, the trace or a governor does not exist or is malformed, the metric of the run is not an
            accuracy, an argument is out of its range, or `out` already holds a simulation or other results.
        InfeasibleError: If the battery never holds the energy of a single inference, or no member answers a request
            before its deadline.
        UnavailableError: If a library is not installed.

    Example:
        >>> found = reds_core.simulate("slim", "solar", ["threshold", "pi"], "sun")
        >>> found.results["pi"].accuracy, found.results["oracle"].accuracy
    """
    registry = given_registry(registry)
    folder, how, names = given_path(out, "out"), mode_of(mode), _names(governors)
    settings = given_options(options)
    if how is Mode.RESUME:
        raise InputError("a simulation cannot be resumed", f"give {argument('mode', 'overwrite')}")
    _check_type(Integral, "a whole number", {"queue": queue, "seed": seed})
    shares = {"initial": initial, "efficiency": efficiency, "energy_error": energy_error}
    powers = {"capacity_mJ": capacity_mJ, "leakage_mW": leakage_mW, "harvest_mW": harvest_mW}
    _check_type(Real, "a number", shares | powers | {"deadline_ms": deadline_ms, "hours": hours, "step_s": step_s})
    named = _with_oracle(names, registry)
    for name in names:
        registry.get(Governor, name)
    check_options(registry, settings, (*((Governor, name) for name in named), solvers("auto")))
    place = plan_folder(given_path(run, "run"))
    _check_metric(place)
    family = family_points(place, on, config, energy_model)
    points = useful(family.points)
    figures = tuple(Figures.of(point) for point in points)
    beaten = tuple(point for point in family.points if point not in points)
    wanted = TraceOptions(harvest_mW, deadline_ms, hours, step_s)
    battery = Battery(1.0 if capacity_mJ is None else capacity_mJ, initial, efficiency, leakage_mW, queue)
    given = _trace(trace, figures, wanted, seed, efficiency, leakage_mW)
    if capacity_mJ is None:
        battery = replace(battery, capacity_mJ=_usual_capacity(figures, given))
    plant = plant_of(given, battery, _with_error(figures, energy_error))
    _check_free(folder, how)
    make_folder(folder)
    with locked_folder(folder, "a simulation"), following(verbose, watcher) as followed:
        _check_free(folder, how)
        if not family.is_measured:
            followed.warn(f"{family.about}{f'; {family.note}' if family.note else ''}")
        run_all = _Runs(registry, settings, plant, battery, figures)
        controllers = run_all.controllers(named)
        networks = (*points, *beaten)
        true = _with_error([Figures.of(point) for point in networks], energy_error)
        results, frames = {}, {}
        # one after the other, because the courses of all would take more memory than a long trace itself
        for name, outcome in chain(run_all.outcomes(controllers, followed), run_all.alone(networks, true)):
            results[name] = result_of(outcome, networks, battery.initial_nJ)
            frames[name] = frames_of(outcome, given, plant, networks)
        found = Simulation(
            results=results,
            yardstick=next((name for name in named if registry.get(Governor, name).sees_future), None),
            highest_accuracy=highest_accuracy(plant, battery.initial_nJ),
            points=networks,
            beaten=tuple(point.name for point in beaten),
            about=family.about,
            is_measured=family.is_measured,
            battery=battery,
            trace=given,
            energy_error=energy_error,
            frames=frames,
        )
        laws = {name: made.law for name, made in controllers.items() if isinstance(made, LawController)}
        constants = constants_text(laws, [point.name for point in points], figures, _numbers(points, family.points))
        _write(found, constants, folder, followed)
    return found


def _check_type(wanted: type, kind: str, given: Mapping[str, object]) -> None:
    """Refuse arguments that are neither left out nor of a type."""
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
            raise InputError(f"{argument(name)} cannot be {value!r}", f"give {kind}")


def _check_metric(run: Path) -> None:
    """Refuse runs whose metric is no share, such as an error, of which less is better."""
    metric = metric_of(load_plan(run).options.get("task"))
    if not metric.is_share:
        raise InputError(
            f"governors weigh accuracies between 0 and 1, and the metric of '{run}' is '{metric.name}'",
            "name a run that measures accuracy",
        )


def _names(governors: str | Sequence[str]) -> tuple[str, ...]:
    texts = [governors] if isinstance(governors, str) else list(governors)
    if not texts:
        raise InputError("no governor is named", f"give {argument('governors')}, such as threshold")
    names = tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",")))
    if "" in names:
        raise InputError("a governor has no name", f"give {argument('governors')}, such as threshold")
    return names


def _numbers(points: Sequence[OperatingPoint], family: Sequence[OperatingPoint]) -> list[int]:
    """The place of each of some members in the whole family, by which the C engine numbers them."""
    names = [point.name for point in family]
    return [names.index(point.name) for point in points]


def _with_oracle(names: Sequence[str], registry: Registry) -> tuple[str, ...]:
    is_needed = _ORACLE in registry.available(Governor) and _ORACLE not in names
    return (*names, *((_ORACLE,) if is_needed else ()))


def _trace(
    trace: str | PathLike[str],
    members: Sequence[Figures],
    wanted: TraceOptions,
    seed: int | None,
    efficiency: float,
    leakage_mW: float,
) -> Trace:
    """Read or generate a trace.

    Raises:
        InputError: If it can be neither, or options of generated traces are given for a file.
    """
    if str(trace) not in GENERATED:
        path = given_path(trace, "trace")
        if not path.exists():
            raise InputError(
                f"trace '{path}' does not exist",
                f"{suggestion(str(path), GENERATED)}give a CSV file, or one of {', '.join(GENERATED)}",
            )
        given = [name for name in ("harvest_mW", "deadline_ms", "hours", "step_s") if getattr(wanted, name) is not None]
        given += ["seed"] * (seed is not None)
        if given:
            raise InputError(
                f"{argument(given[0])} is given together with the trace '{path}', which states it", "leave it out"
            )
        return read_trace(path)
    step = 1.0 if wanted.step_s is None else wanted.step_s
    hours = 24.0 if wanted.hours is None else wanted.hours
    demands = [members[index].energy_nJ / max(step * 1e6, 1e-9) for index in efficient(members)]
    mean = ((demands[0] + demands[-1]) / 2 + leakage_mW) / efficiency if efficiency > 0 else 0.0
    slowest_ms = max(member.latency_us for member in members) / 1000
    settings = TraceSettings(
        mean_mW=mean if wanted.harvest_mW is None else wanted.harvest_mW,
        deadline_ms=4 * slowest_ms if wanted.deadline_ms is None else wanted.deadline_ms,
        duration_s=hours * 3600,
        step_s=step,
        seed=seed or 0,
    )
    return generate_trace(str(trace), settings)


def _usual_capacity(members: Sequence[Figures], trace: Trace) -> float:
    """Half a day of the cheapest member, or eight inferences of the dearest one if that is more, in millijoules."""
    rate = float(trace.requests.mean()) / trace.step_s
    half_day = members[0].energy_nJ * rate * _HALF_DAY_S
    wanted = max(half_day, 8.0 * max(member.energy_nJ for member in members)) / NJ_PER_MJ
    return min(wanted, LARGEST_CAPACITY_MJ)


def _with_error(members: Sequence[Figures], error: float) -> tuple[Figures, ...]:
    """What members really take if governors know too little or too much by a share.

    Raises:
        InputError: If the share is out of its range.
    """
    if not -0.9 <= error <= 9:
        raise InputError(
            f"{argument('energy_error')} cannot be {error:g}", "give a share from -0.9 to 9, such as 0.3 for 30 %"
        )
    return tuple(replace(m, energy_nJ=max(round(m.energy_nJ * (1 + error)), 1)) for m in members)


@dataclass(frozen=True)
class _Runs:
    """Governors on a device.

    Attributes:
        registry: The plugins.
        options: Their options.
        plant: The device and what happens to it.
        battery: Its battery.
        believed: The figures of the members as governors know them.
    """

    registry: Registry
    options: PluginOptions
    plant: Plant
    battery: Battery
    believed: tuple[Figures, ...]

    @property
    def begin(self) -> PlantState:
        return PlantState(self.battery.initial_nJ)

    def controllers(self, names: Sequence[str]) -> dict[str, Controller]:
        """What decides, by the name of the governor."""
        made: dict[str, Controller] = {}
        for name in names:
            governor = self.registry.create(Governor, name, self.options)
            situation = Situation(
                self.believed,
                self.plant.capacity_nJ,
                self.plant.step_us,
                self.battery.efficiency,
                Future(self.plant, self.begin) if governor.sees_future else None,
            )
            with guarded(governor):
                made[name] = governor.controller(situation)
        return made

    def alone(self, points: Sequence[OperatingPoint], members: tuple[Figures, ...]) -> Iterator[tuple[str, Outcome]]:
        """Yield what comes of each member of the family if it runs all the time, those of the least energy first.

        Args:
            points: All members, also those that governors do not use because another one beats them.
            members: What an inference of each really takes.
        """
        plant = replace(self.plant, members=members)
        for index in sorted(range(len(points)), key=lambda index: members[index].energy_nJ):
            controller = LawController(members, StaticLaw(index))
            begin = Moment(self.begin, controller.start)
            yield static_name(points[index].name), simulate_steps(plant, controller, begin)

    def outcomes(self, controllers: dict[str, Controller], watcher: Watcher) -> Iterator[tuple[str, Outcome]]:
        """Yield what comes of each governor, by its name."""
        for name, controller in controllers.items():
            watcher.stage(f"simulating {name}")
            begin = Moment(self.begin, controller.start)
            if isinstance(controller, LawController):
                outcome = simulate_steps(self.plant, controller, begin)
            else:
                with guarded(self.registry.create(Governor, name, self.options)):
                    outcome = simulate_steps(self.plant, controller, begin)
            yield name, outcome


def _check_free(folder: Path, mode: Mode) -> None:
    for name in (PLAN_FILE, RECORDS_FILE, AUDIT_FILE):
        if (folder / name).exists():
            raise InputError(f"'{folder}' holds a run, a comparison or an audit", f"choose another {argument('out')}")
    if mode is Mode.REFUSE and (folder / SUMMARY_FILE).exists():
        raise InputError(
            f"'{folder}' holds a finished simulation",
            f"add {argument('mode', 'overwrite')} to replace it, or choose another {argument('out')}",
        )


def _write(found: Simulation, constants: str | None, folder: Path, watcher: Watcher) -> None:
    """Write all files, and last the summary, whose presence marks the simulation as finished."""
    for name in (SUMMARY_FILE, REPORT_FILE, CONSTANTS_FILE):
        (folder / name).unlink(missing_ok=True)
    write_text(folder / FRAMES_FILE, frames_text(found.frames))
    if constants is not None:
        write_text(folder / CONSTANTS_FILE, constants)
    try:
        write_text(folder / REPORT_FILE, simulation_page(found))
    except UnavailableError as error:
        watcher.warn(f"no report is written: {error}")
    write_text(folder / SUMMARY_FILE, to_json(found.results))
