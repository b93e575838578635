"""Writes the instances of the suites to files, or recomputes their proven optima and bounds.

    python benchmarks/suites.py --out DIR          every instance as DIR/SUITE/NAME.npz (format reds-problem/1)
    python benchmarks/suites.py --write            reds_core/bench/suite_facts.json: proven optima and LP bounds
    python benchmarks/suites.py --suite tiny ...   of one suite; what is known of others stays

An optimum is what `dp` proves; `cpsat`, which shares no search with it, must agree where it comes to a proof in its
time. The LP bound is the Lagrangian dual's, which is the LP's value (Geoffrion, 1974) where the dual search gets to its
end, as it does on forests with one budget. Up to `LP_CELLS` joint choices `scipy-lp` without presolve solves the LP as
well; the smaller of the two is taken, and on such forests they must agree.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from reds_core import Registry
from reds_core.bench import FACTS, SUITES, Facts, read_facts, suite
from reds_core.errors import UnsupportedError
from reds_core.knapsack import Controls, KnapsackProblem, Solution, Solver, Status, problem_digest, save_problem, solve
from reds_core.knapsack.relaxation import Domain, Dual, DualSearch, rows_of
from reds_core.system import write_bytes

EXACT = ("dp", "cpsat")

LP_CELLS = 150_000
"""The most joint choices of pairs for which HiGHS solves the LP; beyond that it takes minutes."""


def asked(registry: Registry, name: str, problem: KnapsackProblem, limit_s: float, presolve: bool) -> Solution | None:
    """The solution of a solver, or None if it refuses the problem."""
    settings = {} if presolve else {name: {"presolve": "false"}}
    try:
        return solve(problem, registry.create(Solver, name, settings), Controls(time_limit_s=limit_s, seed=0))
    except UnsupportedError:
        return None


def lp_bound(problem: KnapsackProblem, registry: Registry, limit_s: float) -> int:
    """The value of the LP relaxation, rounded down; it does not depend on any incumbent.

    Raises:
        SystemExit: if two ways of computing it disagree.
    """
    rows = rows_of(problem)
    dual = Dual(problem, rows, Domain.of(problem))
    search = DualSearch(dual, np.zeros(len(rows)), None, None)
    search.run()
    bound = dual.certify(search.best.multipliers, search.best_shares).value_bound
    cells = sum(problem.groups[p.first].options * problem.groups[p.second].options for p in problem.pairs)
    relaxed = asked(registry, "scipy-lp", problem, limit_s, presolve=False) if cells <= LP_CELLS else None
    if relaxed is None or relaxed.limit is not None or relaxed.bound is None:
        return bound
    if not dual.chords and len(rows) == 1 and abs(relaxed.bound - bound) > 1:
        raise SystemExit(f"{problem.name}: the dual's bound is {bound}, the LP's {relaxed.bound}")
    return min(bound, relaxed.bound)


def facts_of(problem: KnapsackProblem, registry: Registry, limit_s: float) -> Facts:
    """Compute the proven facts of one problem.

    Raises:
        SystemExit: if two answers contradict each other.
    """
    exact = {name: asked(registry, name, problem, limit_s, presolve=True) for name in EXACT}
    proofs = {n: s for n, s in exact.items() if s is not None and s.status in (Status.OPTIMAL, Status.INFEASIBLE)}
    proven = {s.value for s in proofs.values()}
    optimum = next(iter(proven), None)
    relaxed = None if None in proven else lp_bound(problem, registry, limit_s)
    values = [s.value for s in exact.values() if s is not None and s.value is not None]
    bounds = [s.bound for s in exact.values() if s is not None and s.bound is not None]
    bounds += [] if relaxed is None else [relaxed]
    if len(proven) > 1 or (values and bounds and max(values) > min(bounds)) or (None in proven and values):
        raise SystemExit(f"{problem.name}: answers contradict each other: {exact}")
    return Facts(problem_digest(problem), optimum, None in proven, relaxed, tuple(sorted(proofs)))


def write_facts(names: Sequence[str], limit_s: float) -> None:
    """Compute the proven facts of every instance of some suites, and replace the file in the package."""
    registry, known = Registry(), read_facts()
    found = {i.problem.name: known[i.problem.name] for s in SUITES if s not in names for i in suite(s)}
    for name in names:
        for instance in suite(name):
            facts = found[instance.problem.name] = facts_of(instance.problem, registry, limit_s)
            proved = ", ".join(facts.proved_by) or "nobody"
            sys.stdout.write(f"{instance.problem.name}: {facts.optimum} by {proved}, LP {facts.lp_bound}\n")
            sys.stdout.flush()
    entries = ",\n".join(f"{json.dumps(name)}: {json.dumps(asdict(f))}" for name, f in found.items())
    write_bytes(FACTS, f"{{\n{entries}\n}}\n".encode())


def write_problems(names: Sequence[str], folder: Path) -> None:
    """Write every instance of some suites as a problem file."""
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for instance in suite(name):
            save_problem(instance.problem, folder / name / f"{instance.problem.name}.npz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=SUITES, action="append", help="repeatable; all by default")
    parser.add_argument("--out", type=Path, help="folder for problem files")
    parser.add_argument("--write", action="store_true", help="recompute proven optima and bounds")
    parser.add_argument(
        "--time-limit", type=float, default=60.0, help="time limit of each solve in seconds, for --write"
    )
    given = parser.parse_args()
    if given.out is None and not given.write:
        parser.error("nothing to do: give --out DIR, or --write")
    if given.out is not None:
        write_problems(given.suite or SUITES, given.out)
    if given.write:
        write_facts(given.suite or SUITES, given.time_limit)


if __name__ == "__main__":
    main()
