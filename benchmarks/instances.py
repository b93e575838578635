"""Runs every solver on every problem of ../shared/instances and writes docs/results/instances.md.

    python benchmarks/instances.py

Times are seconds of wall time, the shorter of two consecutive solves in one process.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reds_core import Registry
from reds_core.errors import UnsupportedError
from reds_core.knapsack import Controls, Solution, Solver, Status, load_problem, solve

REPOSITORY = Path(__file__).resolve().parents[1]
INSTANCES = REPOSITORY.parent / "shared" / "instances"


def fault(solution: Solution, optimum: int | None) -> str | None:
    """What is wrong with a solution of a problem whose proven optimum is `optimum` (None: infeasible)."""
    if optimum is None:
        return None if solution.value is None else "a choice for an infeasible problem"
    if solution.status is Status.INFEASIBLE:
        return "infeasibility claimed of a feasible problem"
    if solution.value is not None and solution.value > optimum:
        return "a value above the optimum"
    if solution.bound is not None and solution.bound < optimum:
        return "a bound below the optimum"
    if solution.status is Status.OPTIMAL and solution.value != optimum:
        return "optimality claimed below the optimum"
    return None


def cell(solution: Solution, optimum: int | None) -> str:
    """The seconds if the solution is proved; otherwise value and bound against the optimum."""
    wrong = fault(solution, optimum)
    if wrong:
        return f"WRONG: {wrong}"
    seconds = f"{solution.wall_s:.3f} s"
    if solution.status in (Status.OPTIMAL, Status.INFEASIBLE):
        return f"**{seconds}**"
    if solution.value is None or optimum is None:
        return f"no choice, {seconds}"
    lost = 100 * (optimum - solution.value) / abs(optimum)
    bound = "no bound" if solution.bound is None else f"bound +{100 * (solution.bound - optimum) / abs(optimum):.2g} %"
    return f"-{lost:.2g} %, {bound}, {seconds}"


def asked(solver: Solver, path: Path, time_limit_s: float) -> Solution | None:
    """The faster of two solves, or None if the solver does not support the problem."""
    problem = load_problem(path)
    try:
        solutions = [solve(problem, solver, Controls(time_limit_s=time_limit_s)) for _ in range(2)]
    except UnsupportedError:
        return None
    return min(solutions, key=lambda s: s.wall_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=20.0, help="time limit of each solve in seconds")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "results" / "instances.md")
    arguments = parser.parse_args()
    registry = Registry()
    names = ["dp", "cpsat", "scipy-milp", "pulp", "lagrangian", "scipy-lp", "greedy"]
    optima = json.loads((INSTANCES / "optimal.json").read_text(encoding="utf-8"))
    lines = [f"| problem | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
    for problem, known in optima.items():
        cells = []
        for name in names:
            solution = asked(registry.create(Solver, name), INSTANCES / f"{problem}.npz", arguments.time_limit)
            cells.append("refused" if solution is None else cell(solution, known["value"]))
        lines.append(f"| {problem} | {' | '.join(cells)} |")
        sys.stdout.write(lines[-1] + "\n")
        sys.stdout.flush()
    text = (
        "# The test instances\n\nMade by `python benchmarks/instances.py`: every solver runs with its default options "
        f"and a time limit of {arguments.time_limit:g} s for each solve. Bold: seconds of wall time to the proof (the "
        "shorter of two solves). Otherwise: the value lost against the proven optimum, how far the bound is above it, "
        "and the seconds.\n\n"
    )
    arguments.out.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
