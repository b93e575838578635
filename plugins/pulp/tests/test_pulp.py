"""What is particular to the pulp plugin: CBC's faults, back ends by option, the shared instances."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from reds_pulp import PulpOptions, PulpSolver

from reds_core.errors import UnavailableError
from reds_core.knapsack import (
    Controls,
    Feature,
    Group,
    KnapsackProblem,
    Limit,
    Status,
    SumResource,
    load_problem,
    solve,
)
from reds_core.plugin import build_options
from reds_core.testing import problems
from reds_core.testing.oracle import brute_force

INSTANCES = Path(__file__).parents[4] / "shared" / "instances"
FACTS = json.loads((INSTANCES / "optimal.json").read_text()) if INSTANCES.exists() else {}
OPTIMA = {name: fact["value"] for name, fact in FACTS.items()}
SMALL = sorted(n for n in OPTIMA if n.startswith(("graph-", "hard-", "ds-cnn-s-")))
here = pytest.mark.skipif(not OPTIMA, reason="the shared instances are not here")
plain = PulpOptions(presolve=False)


@here
@pytest.mark.parametrize("name", SMALL)
def test_small_instances_are_proved(name: str) -> None:
    solution = solve(load_problem(INSTANCES / f"{name}.npz"), PulpSolver(), Controls(time_limit_s=20.0))
    if OPTIMA[name] is None:
        assert solution.status is Status.INFEASIBLE
    else:
        assert (solution.status, solution.value) == (Status.OPTIMAL, OPTIMA[name])


def problem_of(values: tuple[list[int], ...], *limits: tuple[int, tuple[list[int], ...]]) -> KnapsackProblem:
    groups = tuple(Group(f"g{g}", np.arange(1, len(v) + 1), np.array(v)) for g, v in enumerate(values))
    resources = tuple(
        SumResource(f"r{r}", capacity, 0, tuple(np.array(c) for c in costs))
        for r, (capacity, costs) in enumerate(limits)
    )
    return KnapsackProblem("p", groups, (), resources)


def test_cbc_does_not_miss_the_optimum() -> None:
    """With its preprocessing the CBC that ships with PuLP 3.3 calls 258 optimal here."""
    values = ([-6, 17], [98, -22, 82, -42], [31, 47, 69], [84, 92, 96])
    first = (63, ([3, 9], [10, 26, 35, 35], [29, 35, 36], [0, 0, 0]))
    second = (109, ([38, 38], [18, 25, 25, 33], [15, 15, 21], [18, 18, 33]))
    problem = problem_of(values, first, second)
    solution = solve(problem, PulpSolver(plain))
    assert (solution.status, solution.value) == (Status.OPTIMAL, brute_force(problem).value)
    assert solution.value == 276


@pytest.mark.parametrize(("threads", "told"), [(1, None), (2, 2)])
def test_cbc_is_not_told_to_use_one_thread(threads: int, told: int | None) -> None:
    """Told `-threads 1`, which is its default, it hung until its time limit in about one solve of a hundred."""
    # in a process of its own, for importing PuLP imports highspy where it is installed, beside which OR-Tools fails
    code = (
        "import numpy as np, pulp; from reds_pulp import worker\n"
        "request = {'backend': np.asarray('PULP_CBC_CMD'), 'cbc': np.asarray(True), 'options': np.zeros(0, np.str_),\n"
        f"           'deadline': np.asarray(0.0), 'gap': np.asarray(0.0), 'threads': np.asarray({threads})}}\n"
        "print(worker.back_end(pulp, request).optionsDict.get('threads'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(told)


def test_infeasible_models_that_crash_cbc_are_called_infeasible() -> None:
    """Without its preprocessing the same CBC ends with a segmentation fault here."""
    limits = (
        (5, ([7, 0, 5, 37], [0, 32])),
        (14, ([14, 0, 32, 19], [0, 0])),
        (17, ([0, 36, 17, 40], [4, 0])),
        (13, ([0, 13, 23, 26], [2, 0])),
    )
    problem = problem_of(([0, 3, 52, 54], [0, 69]), *limits)
    assert brute_force(problem).value is None
    assert solve(problem, PulpSolver(plain)).status is Status.INFEASIBLE


@pytest.mark.parametrize("seed", range(3))
def test_a_start_does_not_mislead_cbc(seed: int) -> None:
    """A start for a maximisation made CBC stop at once and call what it had optimal."""
    problem = problems.random_problem(seed, Feature.NONE)
    truth = brute_force(problem)
    for hint in (problem.floors, tuple(int(i) for i in truth.optima[0])):
        assert solve(problem, PulpSolver(plain), Controls(hint=hint)).value == truth.value


@pytest.mark.parametrize("backend", ["no-such-solver", "MOSEK"])
def test_a_back_end_that_is_not_there_is_named_with_those_that_are(backend: str) -> None:
    with pytest.raises(UnavailableError, match=rf"'{backend}' here; choose one of: .*PULP_CBC_CMD"):
        solve(problems.roomy(0, Feature.NONE), PulpSolver(PulpOptions(presolve=False, backend=backend)))


def test_options_are_read_from_text() -> None:
    assert build_options(PulpSolver, {"backend": "HiGHS", "presolve": "no"}) == PulpOptions(False, "HiGHS")


@here
def test_time_limits_leave_neither_files_nor_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    solution = solve(load_problem(INSTANCES / "ds-cnn-s-kws-50.npz"), PulpSolver(plain), Controls(time_limit_s=1.0))
    assert solution.wall_s < 4.0
    assert solution.limit is Limit.TIME
    assert solution.status in (Status.FEASIBLE, Status.NO_SOLUTION)
    assert list(tmp_path.iterdir()) == []
