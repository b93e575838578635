"""Comparisons of solvers as they may come out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from bench_records import MACHINE, comparison, failed, found, problem, proved, record

from reds_core.bench.history import BenchRun, Ending, LeftOut
from reds_core.bench.record import SolveOutcome, SolveRecord
from reds_core.knapsack.solution import Limit, Status

Records = Sequence[SolveRecord]
GLANCE, SPEED, LOSSES = (
    "All solvers, the best first",
    "Time to a proof, compared with dp",
    "Value lost against the proven optimum",
)


def nothing() -> Records:
    return ()


def usual() -> Records:
    return comparison()


def repeated() -> Records:
    return comparison(problems=5, repeats=3)


def one_solver() -> Records:
    return [proved(f"p{i}", "dp", 0.01 * (i + 1)) for i in range(4)]


def one_problem() -> Records:
    return [proved("p", "dp", 0.01), proved("p", "cpsat", 0.2), found("p", "greedy", 990)]


def one_solve() -> Records:
    return [found("p", "greedy", 990)]


def all_failed() -> Records:
    outcomes = [o for o in SolveOutcome if o is not SolveOutcome.ANSWERED]
    return [failed("p", f"solver {o.value}", o, f"it {o.value}", peak_memory_bytes=None) for o in outcomes]


def infeasible() -> Records:
    return [record("p", by, status=Status.INFEASIBLE, wall_s=0.1 * i) for i, by in enumerate(("dp", "cpsat"))]


def no_bounds() -> Records:
    return [found(p, by, value) for p in "pq" for by, value in (("greedy", 99), ("uniform-width", 80))]


def negative_values() -> Records:
    return [proved("p", "dp", 0.1, -1000), found("p", "greedy", -1100, bound=-900), found("p", "uniform", -5000)]


def zeros() -> Records:
    """Values of 0, times of 0, no size."""
    facts = problem("p", groups=0, options=0, pairs=0)
    return [proved(facts, "dp", 0.0, 0), found(facts, "greedy", -5, bound=7, wall_s=0.0), found(facts, "lucky", 0)]


def nothing_found() -> Records:
    return [record("p", by, limit=Limit.TIME) for by in ("cpsat", "scipy-milp")]


def conflicting() -> Records:
    return [
        proved(problem("p", optimum=900), "liar", 0.1, 900),
        found(problem("p", optimum=900), "honest", 1000, bound=1010),
        record("p", "denier", status=Status.INFEASIBLE),
    ]


ODD = (
    "<script>alert(1)</script>",
    "a|b*c_d`e",
    "$x^$ {0} {{ x }}",
    "quote\"'&amp;",
    "bell\x07\x1b[31m",
    "ns:é漢字",
    "long/" * 40,
    "line\nbreak",
)


def odd() -> Records:
    """Names and reasons that no one should trust."""
    answers = [proved(p, by, 0.5 + i) for p in ODD for i, by in enumerate(ODD)]
    failures = [failed(p, p, SolveOutcome.RAISED, p) for p in ODD]
    told = [dataclasses.replace(r, detail=ODD, versions={v: v for v in ODD}) for r in answers[:3]]
    named = dataclasses.replace(answers[0], machine=dataclasses.replace(MACHINE, cpu=ODD[0]), limit=Limit.NODES)
    return [*told, *answers[3:], named, *failures]


def mixed() -> Records:
    """Two machines, side by side, several limits, threads, seeds, versions."""
    other = dataclasses.replace(MACHINE, cpu="Another CPU")
    return [
        proved("p", "dp", 0.1),
        proved("p", "cpsat", 0.4, time_limit_s=10.0, threads=None, jobs=4),
        proved("p", "cpsat", 0.2, machine=other, seed=1, versions={"ortools": "9.11"}),
        proved("q", "cpsat", 0.2, memory_limit_bytes=None, versions={"ortools": "9.12"}),
    ]


def many() -> Records:
    """Hundreds of problems and 13 contenders."""
    labels = [f"solver-{i}[some_option=value-{i},presolve=false]" for i in range(13)]
    return [
        proved(f"family/problem-with-a-long-name-{p:03}", by, 0.01 * (1 + p) * (1 + i))
        if (p + i) % 7
        else found(f"family/problem-with-a-long-name-{p:03}", by, 1000 - i, bound=1001 + p, wall_s=60.0)
        for p in range(200)
        for i, by in enumerate(labels)
    ]


CASES: tuple[Callable[[], Records], ...] = (
    nothing, usual, repeated, one_solver, one_problem, one_solve, all_failed, infeasible, no_bounds, negative_values,
    zeros, nothing_found, conflicting, odd, mixed,
)  # fmt: skip
RUN = BenchRun(
    started_at="2026-01-02T03:04:05+00:00",
    ended_at="2026-01-02T04:04:05+00:00",
    ending=Ending.INTERRUPTED,
    problems=("p",),
    suites=("tiny",),
    contenders=("dp",),
    left_out=(LeftOut("gurobi", "unavailable", "pip install gurobipy"), LeftOut("dp", "broken", "was mended")),
    time_limit_s=60.0,
    memory_limit_bytes=None,
    threads=1,
    seed=0,
    repeat=1,
    jobs=2,
    backend="loky",
    solves=40,
    kept=10,
    done=20,
    warnings=(),
    machine=MACHINE,
    versions={},
)
