"""The report of a simulation as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping

from reds_core.report import units
from reds_core.report.comparison import Opening
from reds_core.report.page import render
from reds_core.report.table import Cell, Row, Table, figure, one_block, prose_table, share, whole
from reds_core.runtime.operating_points import OperatingPoint
from reds_core.scales import ENERGY, NANOSECONDS
from reds_core.simulation.record import GovernorResult, Simulation
from reds_core.simulation.time_lines import comparison_picture, time_line_pictures

KIND = "Simulation"
_PJ_PER_MJ = 10**9


def simulation_page(found: Simulation) -> str:
    """Render the report of a simulation, which depends on the argument alone.

    Raises:
        UnavailableError: If Jinja2 or Plotly is not installed.
    """
    frames = next(iter(found.frames.values()))
    return render(
        "simulation.html",
        "reds_core.simulation",
        opening=_opening(found),
        results=results_table(found),
        bound=None if found.highest_accuracy is None else units.percent(found.highest_accuracy),
        comparison=comparison_picture(found),
        frame=_span(frames[0].steps * found.trace.step_s),
        time_lines=time_line_pictures(found),
        members=_members(found),
        sources=prose_table("Where these figures come from", "Member", _sources(found)),
        about=f"{found.about[:1].upper()}{found.about[1:]}.",
        beaten=units.listed(found.beaten, limit=6) if found.beaten else "",
        settings=prose_table("How it was simulated", "Setting", _settings(found)),
    )


def energy_text(mJ: float) -> str:
    """Format an energy in millijoules with its unit."""
    return ENERGY.text(mJ * _PJ_PER_MJ)


def best_of(results: Mapping[str, GovernorResult]) -> str | None:
    """The name of the most accurate of some results; None if no request arrived."""
    known = {name: each.accuracy for name, each in results.items() if each.accuracy is not None}
    return max(known, key=lambda name: known[name]) if known else None


def _opening(found: Simulation) -> Opening:
    best, static = best_of(found.governors), best_of(found.static)
    names = units.listed(tuple(found.governors) or tuple(found.results)[:1], limit=6)
    battery, length = energy_text(found.battery.capacity_mJ), _span(found.trace.duration_s)
    headline = f"{names} on a battery of {battery}, over {length}."
    findings, beside = [], None
    if best is not None and static is not None:
        one, other = found.results[best], found.results[static]
        findings.append(
            f"{best} answers {units.percent(one.accuracy)} of the requests correctly in time and misses "
            f"{units.count(one.missed)} of {units.count(one.requests)}."
        )
        beside = (
            f"The best member that runs all the time, {static}, answers {units.percent(other.accuracy)} and misses "
            f"{units.count(other.missed)}."
        )
    yardstick = found.results.get(found.yardstick) if found.yardstick is not None else None
    if best is not None and yardstick is not None and yardstick.accuracy is not None:
        lost = 100 * (yardstick.accuracy - (found.results[best].accuracy or 0.0))
        findings.append(f"That is {lost:.1f} points below the {found.yardstick}, which knows the whole trace.")
    findings += [] if beside is None else [beside]
    warnings = () if found.is_measured else (f"{found.about[:1].upper()}{found.about[1:]}.",)
    return Opening(KIND, f"{names} on trace {found.trace.name}", headline, tuple(findings), warnings)


def results_table(found: Simulation, *, by_member: bool = True) -> Table:
    """The table of results: the governors, the yardstick, and the members that run all the time.

    Args:
        found: The results.
        by_member: Whether it shows how many requests each member answered.
    """

    shown = _by_energy(found) if by_member else []

    def row(name: str) -> Row:
        each = found.results[name]
        return Row(
            Cell(name),
            (
                share(each.accuracy),
                whole(each.missed),
                figure(each.energy_mJ, energy_text(each.energy_mJ)),
                figure(each.available_mJ, energy_text(each.available_mJ)),
                whole(each.switches),
                *(whole(each.answered[point.name]) for point in shown),
            ),
        )

    columns = ("Accuracy", "Missed", "Energy", "Available", "Switches")
    members = tuple(f"By {point.name}" for point in shown)
    return Table(
        "What came of each governor, and of each member that runs all the time",
        "Governor",
        (*columns, *members),
        one_block([row(name) for name in found.results]),
        is_sortable=True,
    )


def _by_energy(found: Simulation) -> list[OperatingPoint]:
    return sorted(found.points, key=lambda point: point.energy_nJ)


def _members(found: Simulation) -> Table:
    rows = [
        Row(
            Cell(point.name),
            (
                share(point.accuracy),
                figure(point.latency_ns, NANOSECONDS.text(point.latency_ns)),
                figure(point.energy_pJ, ENERGY.text(point.energy_pJ)),
            ),
        )
        for point in _by_energy(found)
    ]
    return Table("What the members are worth and take", "Member", ("Accuracy", "Latency", "Energy"), one_block(rows))


def _sources(found: Simulation) -> dict[str, str]:
    """Where the figures of each member come from, once if that is the same for all."""
    sources = {
        point.name: f"accuracy of {point.accuracy_source}; latency by {point.latency_source}; energy by "
        f"{point.energy_source}"
        for point in _by_energy(found)
    }
    shared = set(sources.values())
    return {"All members": shared.pop()} if len(shared) == 1 else sources


def _settings(found: Simulation) -> dict[str, str]:
    battery, trace = found.battery, found.trace
    return {
        "Trace": units.printable(f"{trace.name}, {trace.about}" if trace.about else trace.name),
        "Length": f"{_span(trace.duration_s)} in {units.count(trace.steps)} steps of {_span(trace.step_s)}",
        "Mean harvest": f"{float(trace.harvest_mW.mean()):.4g} mW",
        "Requests": units.count(int(trace.requests.sum())),
        "Deadlines": f"{float(trace.deadline_ms.min()):.6g} to {float(trace.deadline_ms.max()):.6g} ms",
        "Capacity of the battery": energy_text(battery.capacity_mJ),
        "First charge": units.percent(battery.initial, 0),
        "Efficiency of charging": units.percent(battery.efficiency, 0),
        "Leakage at 25 °C": f"{battery.leakage_mW:.4g} mW",
        "Requests that may wait": str(battery.queue),
        "Error in the energies that governors know": units.points(found.energy_error) + " %",
    }


def _span(duration_s: float) -> str:
    """A length of time in days, hours, minutes, seconds or milliseconds."""
    for size, unit in ((86_400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second")):
        if duration_s >= size:
            number = duration_s / size
            return f"{number:.4g} {unit}{'' if number == 1 else 's'}"
    return f"{1000 * duration_s:.4g} milliseconds"
