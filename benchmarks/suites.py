"""The suites of problems: as files, and what is known of them made anew.

    python benchmarks/suites.py --out DIR          every instance as DIR/SUITE/NAME.npz (format reds-problem/1)
    python benchmarks/suites.py --write            reds_core/bench/suite_facts.json: proven optima and LP bounds

An optimum is what `dp` proves; `cpsat`, which shares no search with it, must agree where it comes to a proof in its
time. The LP bound is that of `scipy-lp` without presolve: no incumbent has a part in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from reds_core.bench.suites import FACTS, SUITES, Facts, suite
from reds_core.errors import UnsupportedError
from reds_core.files import write_bytes
from reds_core.problem import KnapsackProblem
from reds_core.problem_file import problem_digest, save_problem
from reds_core.registry import Registry
from reds_core.solution import Solution, Status
from reds_core.solver import Controls, Solver, solve

EXACT = ("dp", "cpsat")


def asked(registry: Registry, name: str, problem: KnapsackProblem, limit_s: float, presolve: bool) -> Solution | None:
    """What a solver says; None where it refuses the problem."""
    settings = {} if presolve else {name: {"presolve": "false"}}
    try:
        return solve(problem, registry.create(Solver, name, settings), Controls(time_limit_s=limit_s, seed=0))
    except UnsupportedError:
        return None


def facts_of(problem: KnapsackProblem, registry: Registry, limit_s: float) -> Facts:
    """Prove what can be proved of one problem.

    Raises:
        SystemExit: if two answers contradict each other.
    """
    relaxed = asked(registry, "scipy-lp", problem, limit_s, presolve=False)
    exact = {name: asked(registry, name, problem, limit_s, presolve=True) for name in EXACT}
    answers = [s for s in (relaxed, *exact.values()) if s is not None]
    proofs = {n: s for n, s in exact.items() if s is not None and s.status in (Status.OPTIMAL, Status.INFEASIBLE)}
    proven = {s.value for s in proofs.values()}
    values = [s.value for s in answers if s.value is not None]
    bounds = [s.bound for s in answers if s.bound is not None]
    if len(proven) > 1 or (values and max(values) > min(bounds, default=max(values))) or (None in proven and values):
        raise SystemExit(f"{problem.name}: answers contradict each other: {answers}")
    optimum = next(iter(proven), None)
    stopped = relaxed is None or relaxed.limit is not None
    return Facts(
        problem_digest(problem),
        optimum,
        infeasible=None in proven,
        lp_bound=None if relaxed is None or stopped else relaxed.bound,
        proved_by=tuple(sorted(proofs)),
    )


def write_facts(limit_s: float) -> None:
    """Prove what can be proved of every instance, and replace the file that is shipped."""
    registry = Registry()
    found: dict[str, Facts] = {}
    for name in SUITES:
        for instance in suite(name):
            facts = found[instance.problem.name] = facts_of(instance.problem, registry, limit_s)
            proved = ", ".join(facts.proved_by) or "nobody"
            sys.stdout.write(f"{instance.problem.name}: {facts.optimum} by {proved}, LP {facts.lp_bound}\n")
            sys.stdout.flush()
    entries = ",\n".join(f"{json.dumps(name)}: {json.dumps(asdict(f))}" for name, f in found.items())
    write_bytes(FACTS, f"{{\n{entries}\n}}\n".encode())


def write_problems(folder: Path) -> None:
    """Write every instance as a problem file."""
    for name in SUITES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for instance in suite(name):
            save_problem(instance.problem, folder / name / f"{instance.problem.name}.npz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for problem files")
    parser.add_argument("--write", action="store_true", help="prove optima and bounds anew")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds a solve, for --write")
    given = parser.parse_args()
    if given.out is None and not given.write:
        parser.error("nothing to do: give --out DIR, or --write")
    if given.out is not None:
        write_problems(given.out)
    if given.write:
        write_facts(given.time_limit)


if __name__ == "__main__":
    main()
