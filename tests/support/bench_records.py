"""Records of solver comparisons that never ran."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from reds_core.bench.record import Contender, ProblemFacts, SolveOutcome, SolveRecord
from reds_core.knapsack.solution import Limit, Status, relative_gap
from reds_core.system.machine import Machine

MACHINE = Machine("Linux 6.1", "Example CPU @ 2.5 GHz", 2, 8 * 2**30, "3.11.9")


def problem(name: str, **changes: Any) -> ProblemFacts:
    """A problem whose hash follows from its name, but for `changes`."""
    facts = ProblemFacts(
        name, hashlib.sha256(name.encode()).hexdigest(), groups=5, options=60, pairs=4, resources=("macs",)
    )
    return dataclasses.replace(facts, **changes)


def contender(label: str, **changes: Any) -> Contender:
    """A contender without options, but for `changes`."""
    solver = label.partition("[")[0]
    return dataclasses.replace(Contender(label, solver, {}, None, "reds-core", "0.1.0"), **changes)


def record(of: ProblemFacts | str, by: Contender | str, **changes: Any) -> SolveRecord:
    """An answer without a value, which took a second, but for `changes`; the gap follows from value and bound."""
    base = SolveRecord(
        problem=problem(of) if isinstance(of, str) else of,
        contender=contender(by) if isinstance(by, str) else by,
        repeat=0,
        outcome=SolveOutcome.ANSWERED,
        reason=None,
        status=Status.NO_SOLUTION,
        limit=None,
        value=None,
        bound=None,
        gap=None,
        widths=None,
        wall_s=1.0,
        backend_s=None,
        peak_memory_bytes=90 * 2**20,
        time_limit_s=60.0,
        memory_limit_bytes=4 * 2**30,
        threads=1,
        seed=0,
        jobs=1,
        started_at="2026-01-02T03:04:05Z",
        machine=MACHINE,
        versions={"reds-core": "0.1.0", "numpy": "2.4.6"},
    )
    changed = dataclasses.replace(base, **changes)
    return changed if "gap" in changes else dataclasses.replace(changed, gap=relative_gap(changed.value, changed.bound))


def proved(
    of: ProblemFacts | str, by: Contender | str, wall_s: float, value: int = 1000, **changes: Any
) -> SolveRecord:
    """A proven optimum."""
    settings = {"status": Status.OPTIMAL, "value": value, "bound": value, "wall_s": wall_s}
    return record(of, by, **{**settings, **changes})


def found(
    of: ProblemFacts | str, by: Contender | str, value: int, bound: int | None = None, **changes: Any
) -> SolveRecord:
    """A choice without proof."""
    return record(of, by, **{"status": Status.FEASIBLE, "value": value, "bound": bound, **changes})


def failed(
    of: ProblemFacts | str, by: Contender | str, outcome: SolveOutcome, reason: str, **changes: Any
) -> SolveRecord:
    """A solve that gave no answer."""
    return record(of, by, **{"outcome": outcome, "reason": reason, "status": None, **changes})


def comparison(problems: int = 24, seed: int = 0, repeats: int = 1) -> tuple[SolveRecord, ...]:
    """A comparison as it may come out: exact solvers of several speeds, bounds, heuristics, failures, a refusal."""
    rng = np.random.default_rng(seed)
    names = [f"{shape}-{share}" for shape in ("ds-cnn-s", "ds-cnn-m", "cnn-l", "vit") for share in (10, 25, 50, 75)]
    names += [f"graph-{4 + i}x{8 + i}+{i % 3}-lognormal" for i in range(max(0, problems - len(names)))]
    exact = {"dp": 0.01, "cpsat": 0.1, "cpsat[presolve=false]": 0.9, "scipy-milp": 0.4, "pulp": 0.8}
    records: list[SolveRecord] = []
    for index, name in enumerate(names[:problems]):
        facts = problem(name, groups=4 + index, options=40 * (1 + index), optimum=None if index % 3 else 2**31 - index)
        optimum, hardness = 2**31 - index, float(np.exp(0.35 * index * rng.uniform(0.4, 1.3)))
        for repeat in range(repeats):
            for label, speed in exact.items():
                of = contender(label, presolve=None if label in ("dp",) else "false" not in label)
                wall_s = speed * hardness * float(np.exp(rng.normal(0, 0.4)))
                memory = int(2**20 * (80 + 20 * math.log1p(1000 * wall_s)))
                common: dict[str, Any] = {"repeat": repeat, "peak_memory_bytes": memory, "backend_s": 0.8 * wall_s}
                if wall_s <= 60:
                    records.append(proved(facts, of, wall_s, optimum, **common))
                else:
                    loss, excess = (int(optimum * rng.exponential(s)) for s in (2e-4, 3e-3))
                    records.append(
                        found(
                            facts, of, optimum - loss, optimum + excess, **{**common, "wall_s": 60.1}, limit=Limit.TIME
                        )
                    )
            for label, scale in (("lagrangian", 1e-4), ("greedy", 1e-3), ("uniform-width", 3e-2)):
                value = optimum - (int(optimum * rng.exponential(scale)) if rng.random() < 0.8 else 0)
                bound = optimum + int(optimum * rng.exponential(1e-3)) if label == "lagrangian" else None
                wall_s = 0.004 * (1 + index) * float(np.exp(rng.normal(0, 0.2)))
                records.append(found(facts, label, value, bound, wall_s=wall_s, repeat=repeat))
    records += [
        failed(names[0], "crasher", SolveOutcome.CRASHED, "the process ended by signal 11 (SIGSEGV)", wall_s=0.2)
    ]
    records += [failed(names[1], "crasher", SolveOutcome.TIMED_OUT, "ended 10 s past its limit of 60 s", wall_s=70.0)]
    refusal = "kernel arrays are missing"
    records += [failed(name, "reds-kernel", SolveOutcome.REFUSED, refusal, wall_s=0.0) for name in names[:problems]]
    return tuple(records)


def shuffled(records: Iterable[SolveRecord], seed: int) -> Sequence[SolveRecord]:
    """The same records in another order."""
    items = list(records)
    return [items[i] for i in np.random.default_rng(seed).permutation(len(items))]
