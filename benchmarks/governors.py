"""Compares the governors on four traces with each member alone and with the oracle; writes docs/results/governors.md.

    python benchmarks/governors.py [--run DIR] [--days 7]

By default the family is the ResNet8 for CIFAR-10 whose plan is in benchmarks/records/governors, as `reds prune` wrote
it (budgets macs=0.75,0.5,0.25 and peak_ram=0.8, three epochs of fine-tuning); `--run` takes the folder of another run.
The page states how long a simulation of a month takes, in compiled code and in Python. No network is run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from page_sections import put

import reds_core
from reds_core.runtime import (
    GENERATED,
    Battery,
    Figures,
    Governor,
    LawController,
    Moment,
    PlantState,
    Situation,
    TraceSettings,
    generate_trace,
    plant_of,
    simulate_in_python,
    simulate_steps,
)

ROOT = Path(__file__).parents[1]
RUN = ROOT / "benchmarks" / "records" / "governors"
PAGE = ROOT / "docs" / "results" / "governors.md"
GOVERNORS = ("threshold", "pi", "pid", "mpc")
ERRORS = (-0.3, 0.3)
MONTH_S, DAY_S = 30 * 86_400, 86_400


def simulated(run: Path, trace: str, days: float, error: float = 0.0) -> reds_core.Simulation:
    with TemporaryDirectory() as folder:
        return reds_core.simulate(run, trace, GOVERNORS, folder, hours=24 * days, energy_error=error, verbose=0)


def row(found: reds_core.Simulation, name: str) -> str:
    each = found.results[name]
    shown = f"{100 * (each.accuracy or 0):.2f} | {each.missed:,} | {each.energy_mJ / 1000:.0f} | {each.switches:,}"
    return f"| {name} | {shown} |"


def trace_text(found: reds_core.Simulation) -> str:
    first = next(iter(found.results.values()))
    bound = 100 * (found.highest_accuracy or 0)
    head = (
        f"### {found.trace.name}\n\n{first.requests:,} requests, {first.available_mJ / 1000:.0f} J. No schedule is "
        f"above {bound:.2f} %.\n\n| governor | accuracy (%) | missed | energy (J) | switches |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
    )
    return head + "\n".join(row(found, name) for name in found.results)


def verdict_text(all_found: Sequence[reds_core.Simulation]) -> str:
    """The best governor of each trace beside the oracle and the most accurate single member."""
    lines = [
        "| trace | best governor | points below the oracle | missed | best member | points above it | its missed |",
        "| --- | --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for found in all_found:
        accuracy = {name: 100 * (each.accuracy or 0) for name, each in found.results.items()}
        best = max(found.governors, key=lambda name: accuracy[name])
        static = max(found.static, key=lambda name: accuracy[name])
        lines.append(
            f"| {found.trace.name} | {best} | {accuracy['oracle'] - accuracy[best]:.2f} | "
            f"{found.results[best].missed:,} | {static} | {accuracy[best] - accuracy[static]:.2f} | "
            f"{found.results[static].missed:,} |"
        )
    return "\n".join(lines)


def kept_text(run: Path, days: float) -> str:
    """The sun and bursts with thresholds close to a full battery."""
    options = {"threshold": {"lowest": "0.9999", "highest": "0.99999", "hysteresis": "0.00002"}}
    lines = ["| trace | governor | accuracy (%) | missed | energy (J) | switches |", "| --- | --- |" + " ---: |" * 4]
    for trace in ("solar", "bursts"):
        with TemporaryDirectory() as folder:
            found = reds_core.simulate(run, trace, "threshold", folder, hours=24 * days, options=options, verbose=0)
        best = max(found.static, key=lambda name: found.results[name].accuracy or 0)
        lines += [f"| {trace} {row(found, name)}" for name in ("threshold", "oracle", best)]
    return "\n".join(lines)


def error_text(run: Path, days: float, traces: Sequence[str]) -> str:
    lines = [f"| governor | {' | '.join(f'{t}, {e:+.0%}' for t in traces for e in (0.0, *ERRORS))} |"]
    lines.append("| --- |" + " ---: |" * (3 * len(traces)))
    found = [simulated(run, trace, days, error) for trace in traces for error in (0.0, *ERRORS)]
    for each in found:
        assert all(result.energy_mJ <= result.available_mJ for result in each.results.values())
    for name in (*GOVERNORS, "oracle"):
        lines.append(f"| {name} | {' | '.join(f'{100 * (f.results[name].accuracy or 0):.2f}' for f in found)} |")
    return "\n".join(lines)


def speed_text(found: reds_core.Simulation) -> str:
    """The time of a month of steps of one second, and its ratio to the loop in Python, measured on a day."""
    members = tuple(Figures.of(point) for point in found.points)
    month = generate_trace("solar", TraceSettings(10.0, 1000.0, MONTH_S))
    battery = Battery(found.battery.capacity_mJ)
    plant = plant_of(month, battery, members)
    day, begin = plant.part(0, DAY_S), PlantState(battery.initial_nJ)
    registry = reds_core.Registry()
    lines = ["| governor | a month (s) | the same in Python (s) | ratio |", "| --- | ---: | ---: | ---: |"]
    for name in ("threshold", "pi"):
        governor = registry.create(Governor, name)
        controller = governor.controller(Situation(members, plant.capacity_nJ, plant.step_us))
        assert isinstance(controller, LawController)
        start = Moment(begin, controller.start)
        took = []
        for run, steps in ((simulate_steps, plant), (simulate_in_python, day)):
            started = time.process_time()
            run(steps, controller, start)
            took.append(time.process_time() - started)
        slow = took[1] * MONTH_S / DAY_S
        lines.append(f"| {name} | {took[0]:.2f} | {slow:.1f} | {slow / took[0]:.0f} |")
    return "\n".join(lines)


def whole_command_text(run: Path) -> str:
    started = time.process_time()
    with TemporaryDirectory() as folder:
        reds_core.simulate(run, "solar", ("threshold", "pi"), folder, hours=MONTH_S / 3600, verbose=0)
    return (
        f"`reds simulate` with both, the oracle, every member alone, and the report takes "
        f"{time.process_time() - started:.1f} s of processor time for the month."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=RUN, help="the folder of a run, of which only plan.json is needed")
    parser.add_argument("--days", type=float, default=7)
    arguments = parser.parse_args()
    found = []
    for trace in GENERATED:
        found.append(simulated(arguments.run, trace, arguments.days))
        assert all(each.energy_mJ <= each.available_mJ for each in found[-1].results.values())
        print(trace_text(found[-1]), flush=True)
    put(PAGE, "verdict", verdict_text(found))
    put(PAGE, "kept", kept_text(arguments.run, arguments.days))
    put(PAGE, "traces", "\n\n".join(trace_text(each) for each in found))
    put(PAGE, "speed", f"{speed_text(found[0])}\n\n{whole_command_text(arguments.run)}")
    put(PAGE, "errors", error_text(arguments.run, min(arguments.days, 3), ("solar", "failures")))


if __name__ == "__main__":
    main()
