"""Measures what bottom-up and top-down families lose against the optimal one, on test instances and hard networks.

    python benchmarks/families.py            writes docs/results/families.md

Budgets are 25, 50 and 75 % of the use of the widest choice. If 25 % of it cannot be met, they are at these percentages
of the way from the smallest possible use to that of the widest choice. All three members have the same weight.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from reds_core import Registry, Search
from reds_core.bench import NETWORKS, knapsack
from reds_core.errors import InfeasibleError
from reds_core.knapsack import Controls, KnapsackProblem, least_usage, load_problem
from reds_core.knapsack.families import FamilySolution, Solve, bottom_up, joint, top_down
from reds_core.system import this_machine

ROOT = Path(__file__).parents[1]
INSTANCES = ROOT.parent / "shared" / "instances"
OUT = ROOT / "docs" / "results" / "families.md"
FRACTIONS = (0.25, 0.5, 0.75)
Made = TypeVar("Made")
GENERATED = [
    (network, kind, step)
    for kind in ("lognormal", "near-equal", "convex")
    for network, step in (("ds-cnn-s", 1), ("mobilenet-v1", 8), ("resnet-50", 8))
]


@dataclass(frozen=True)
class Timed:
    """A family and the processor seconds that it took."""

    family: FamilySolution
    seconds: float


@dataclass(frozen=True)
class Case:
    """One network at three budgets.

    Attributes:
        budgets: "full" or "span": what the budgets are fractions of.
        alone_s: processor seconds of solving the three budgets without regard to each other.
    """

    name: str
    budgets: str
    alone_s: float
    up: Timed
    down: Timed
    best: Timed

    def lost(self, timed: Timed) -> float:
        """Value lost by a family against the joint one, as a fraction of the joint one's."""
        value = self.best.family.weighted_value
        return (value - timed.family.weighted_value) / abs(value)

    @property
    def price(self) -> float:
        """Value lost by nesting: the joint family against the three budgets solved independently."""
        bound = sum(m.bound_independent or 0 for m in self.best.family.members)
        return (bound - self.best.family.weighted_value) / abs(bound)


def budgets_of(problem: KnapsackProblem) -> tuple[str, list[KnapsackProblem]]:
    """The problem at rising budgets, and the kind of the budgets."""
    full, least = problem.evaluate(problem.ceilings).usage, least_usage(problem)
    plain = {r: int(FRACTIONS[0] * use) for r, use in full.items()}
    within = all(least[r] <= capacity for r, capacity in plain.items())
    start = dict.fromkeys(full, 0) if within else least
    rising = [{r: start[r] + int(f * (use - start[r])) for r, use in full.items()} for f in FRACTIONS]
    return "full" if within else "span", [problem.with_capacities(c) for c in rising]


def timed(repeats: int, make: Callable[[], Made]) -> tuple[Made, float]:
    """The result of `make` and its minimum time in processor seconds."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        made = make()
        seconds.append(time.process_time() - started)
    return made, min(seconds)


def measure(name: str, problem: KnapsackProblem, solve: Solve, repeats: int) -> Case:
    """All families of one network."""
    budgets, problems = budgets_of(problem)
    _, alone_s = timed(repeats, lambda: [solve(p) for p in problems])
    kinds = [Timed(*timed(repeats, lambda kind=kind: kind(problems, solve))) for kind in (bottom_up, top_down, joint)]
    return Case(name, budgets, alone_s, *kinds)


def instances() -> Iterator[tuple[str, KnapsackProblem]]:
    """Each network of the test instances once, whatever its budgets there."""
    seen = set()
    for path in sorted(INSTANCES.glob("*.npz")):
        name = re.sub(r"-(25|50|75)$", "", path.stem)
        if name not in seen:
            seen.add(name)
            yield name, load_problem(path)


def generated() -> Iterator[tuple[str, KnapsackProblem]]:
    """Real shapes with synthetic scores, among them the kinds that are hard for knapsacks."""
    for network, kind, step in GENERATED:
        yield f"{network}, {kind}, steps of {step}", knapsack(NETWORKS[network](), kind, step)


# --- the page -----------------------------------------------------------------------------------------------------


def percent(share: float) -> str:
    return "0" if share == 0 else f"{100 * share:.4f}" if share < 1e-4 else f"{100 * share:.3f}"


def row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(c) for c in cells) + " |"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return "\n".join([row(head), row(["---", *["---:"] * (len(head) - 1)]), *map(row, rows)])


def losses(cases: Sequence[Case]) -> str:
    head = ["network", "budgets", "bottom-up loses %", "top-down loses %", "nesting costs %", "proved", "by"]
    return table(
        head,
        [
            [
                case.name,
                case.budgets,
                percent(case.lost(case.up)),
                percent(case.lost(case.down)),
                percent(case.price),
                "yes" if case.best.family.optimal else f"within {percent(open_gap(case))} %",
                proof(case.best.family),
            ]
            for case in cases
        ],
    )


def proof(family: FamilySolution) -> str:
    """The method of the joint family's proof."""
    if family.solves:
        return f"{family.solves} solves in branching"
    return " + ".join(map(str, family.enumerated)) + " choices" if family.enumerated else "free solves"


def open_gap(case: Case) -> float:
    family = case.best.family
    return ((family.bound or 0) - family.weighted_value) / abs(family.weighted_value)


def values(cases: Sequence[Case]) -> str:
    head = ["network", "family", "25 %", "50 %", "75 %", "sum", "seconds", "x three solves"]
    rows = []
    for case in cases:
        for name, one in (("bottom-up", case.up), ("top-down", case.down), ("joint", case.best)):
            members = [f"{m.value:,}" for m in one.family.members]
            ratio = one.seconds / case.alone_s
            total = f"{one.family.weighted_value:,}"
            rows.append([case.name, name, *members, total, f"{one.seconds:.3f}", f"{ratio:.1f}"])
    return table(head, rows)


def summary(cases: Sequence[Case]) -> str:
    best = sum(case.lost(case.up) == 0 for case in cases), sum(case.lost(case.down) == 0 for case in cases)
    worst = max(case.lost(case.up) for case in cases), max(case.lost(case.down) for case in cases)
    proved = sum(case.best.family.optimal for case in cases)
    neither = sum(case.lost(case.up) > 0 and case.lost(case.down) > 0 for case in cases)
    return (
        f"The joint family is proved optimal on {proved} of {len(cases)} networks. Bottom-up reaches its value on "
        f"{best[0]} and loses at most {percent(worst[0])} %; top-down reaches it on {best[1]} and loses at most "
        f"{percent(worst[1])} %; neither reaches it on {neither}."
    )


def page(solver: str, repeats: int, given: Sequence[Case], hard: Sequence[Case], refused: Sequence[str]) -> str:
    parts = [
        "# Families: bottom-up, top-down, joint",
        "**In short: keep the default family, `auto`, which is never worse than `bottom-up` and searches for a better "
        "one.** What bottom-up and top-down families lose is stated at the head of each table.",
        f"Made by `python benchmarks/families.py --repeats {repeats}` on {this_machine().cpu}. "
        f"Each budget is solved by `{solver}`; all three have the same weight. "
        "Budgets are 25, 50 and 75 % of the use of the widest choice (full). If no choice meets a quarter of it, they "
        "are at 25, 50 and 75 % of the way from the smallest possible use to that of the widest choice (span).",
        "Loses: value of the joint family minus that of this family, in percent of the joint one. Nesting costs: value "
        "of the three budgets solved independently minus that of the joint family. By: the method of the proof. It is "
        '"free solves" if an anchored family has the same value as the budgets solved independently; otherwise the '
        "numbers of near-optimal choices that were enumerated for each budget (0 if a budget has none that are good "
        "enough, or needs none because another has none); or, if these are too many, branching.",
        "By default, `reds prune` begins with the bottom-up family and searches for the joint one for 10 seconds, or "
        "for five times as long as the first took if that is longer "
        "([pruners.md](../guide/pruners.md#several-budgets)).",
        "## Test instances",
        summary(given),
        losses(given),
        *([f"Left out, since 25 % cannot be met: {', '.join(refused)}."] if refused else []),
        "## Networks with synthetic scores",
        "Lognormal scores resemble trained networks; near-equal and convex ones are hard for solvers.",
        summary(hard),
        losses(hard),
        "## Values and times",
        f"Seconds are processor seconds, the minimum of {repeats} runs. The last column is the time as a "
        "multiple of solving the three budgets independently.",
        values([*given, *hard]),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", default="dp")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    search = Search(Registry(), asked.solver, controls=Controls(time_limit_s=60))
    refused, groups = [], []
    for source in (instances(), generated()):
        cases = []
        for name, problem in source:
            try:
                cases.append(measure(name, problem, search.answer, asked.repeats))
            except InfeasibleError:
                refused.append(name)
        groups.append(cases)
    asked.out.write_text(page(asked.solver, asked.repeats, *groups, refused), encoding="utf-8")


if __name__ == "__main__":
    main()
