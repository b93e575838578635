"""Options of plugins that take no part are refused by every command and call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import Reds, write_problem
from reds_dp import DpSolver
from reds_greedy import GreedySolver
from toy_framework import ToyFramework
from toy_plugins import FIRST_PARTY, PluginModule, ToyBits, toy_registry
from toy_runs import NO_TRAINING, Workplace

import reds_core
from reds_core.errors import InputError
from reds_core.knapsack.solver import Solver
from reds_core.runs.participants import FRAMEWORKS, check_options, solvers, unused_options
from reds_core.scoring.scorer import Scorer

IDLE = r"takes no part, so its options have no effect; leave them out"
REGISTRY = toy_registry(DpSolver, GreedySolver, ToyBits)


@pytest.fixture
def more(reds: Reds) -> Reds:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, DpSolver, GreedySolver)))
    return reds


@pytest.mark.parametrize(
    ("given", "idle"),
    [
        (("inspect", "{model}", "--option", "taylor.batch_size=4"), "scorer 'taylor'"),
        (("latency", "{model}", "--out", "{new}", "--option", "dp.label_limit=4"), "solver 'dp'"),
        (("formulate", "{model}", "--out", "{new}", "--option", "dp.label_limit=4"), "solver 'dp'"),
        (("formulate", "{model}", "--out", "{new}", "--option", "magnitude.norm=l1"), "scorer 'magnitude'"),
        (("solve", "{problem}", "--solver", "greedy", "--option", "dp.label_limit=4"), "solver 'dp'"),
        (("solve", "{problem}", "--option", "taylor.batch_size=4"), "scorer 'taylor'"),
        (("prune", "{model}", "--out", "{new}", "--option", "magnitude.norm=l1"), "scorer 'magnitude'"),
        (("prune", "{model}", "--out", "{new}", "--option", "layerwise.order=backward"), "pruner 'layerwise'"),
        (("prune", "{model}", "--out", "{new}", "--solver", "greedy", "--option", "dp.label_limit=4"), "solver 'dp'"),
        (
            ("bench", "{problem}", "--out", "{new}", "--solvers", "greedy", "--option", "dp.label_limit=4"),
            "solver 'dp'",
        ),
        (("bench", "{problem}", "--out", "{new}", "--option", "taylor.batch_size=4"), "scorer 'taylor'"),
    ],
)
def test_commands_refuse_options_without_effect(more: Reds, place: Workplace, given: Any, idle: str) -> None:
    problem, new = write_problem(place.folder / "p.npz", capacity=7), place.folder / "new"
    budget = ("--data", place.data, "--budget", "macs=0.5") if given[0] in ("formulate", "prune") else ()
    arguments = [a.format(model=place.model, problem=problem, new=new) for a in given]
    more(*arguments, *budget).check_error(2, f"{idle} {IDLE}")
    assert not new.exists() or list(new.iterdir()) == []


def test_using_the_plugin_is_advised_only_where_one_of_its_kind_can_be_chosen(more: Reds, place: Workplace) -> None:
    problem = write_problem(place.folder / "p.npz", capacity=7)
    more("solve", problem, "--option", "taylor.batch_size=4").check_error(2, "leave them out$")
    more("inspect", place.model, "--option", "taylor.batch_size=4").check_error(2, "leave them out$")
    more("solve", problem, "--solver", "greedy", "--option", "dp.label_limit=4").check_error(
        2, "leave them out, or use that solver$"
    )


def test_auto_may_use_any_solver(more: Reds, place: Workplace) -> None:
    problem = write_problem(place.folder / "p.npz", capacity=7)
    assert more("solve", problem, "--option", "dp.label_limit=1000").status == 0
    more("solve", problem, "--option", "dp.lable_limit=1").check_error(2, "solver 'dp' has no option 'lable_limit'")
    done = more("prune", place.model, "--data", place.data, "--out", place.out, "--option", "dp.label_limit=1000")
    assert done.status == 0


def test_plugins_that_a_participant_uses_take_part() -> None:
    options = {"taylor": {"batch_size": "4"}, "random": {}}
    assert unused_options(REGISTRY, options, [(Scorer, "sensitivity")]) == ("random",)


def test_options_of_libraries_that_another_machine_has_are_kept_for_auto() -> None:
    class Faraway(DpSolver):
        name = "faraway"
        requires = ("a_library_nobody_has",)

    registry = toy_registry(Faraway)
    options = {"faraway": {"label_limit": "4"}}
    assert unused_options(registry, options, [solvers("auto")]) == ()
    with pytest.raises(InputError, match=f"solver 'faraway' {IDLE}"):
        check_options(registry, options, [solvers("brute")])


def test_unknown_plugins_are_answered_with_a_guess() -> None:
    with pytest.raises(
        InputError, match=r"an option names 'taylr', which is not a plugin; did you mean 'taylor'\? see"
    ):
        check_options(REGISTRY, {"taylr": {}}, [FRAMEWORKS])


def test_calls_refuse_options_without_effect(place: Workplace) -> None:
    idle: dict[str, Any] = {"options": {"dp": {"label_limit": "4"}}, "registry": REGISTRY}
    problem = write_problem(place.folder / "p.npz", capacity=7)
    solver: Solver = GreedySolver()
    for call in (
        lambda: reds_core.inspect(place.model, **idle),
        lambda: reds_core.formulate_model(place.model, place.data, {"macs": 0.5}, **idle),
        lambda: reds_core.measure_latency(place.model, place.folder / "t.json", **idle),
        lambda: reds_core.sensitivity(place.model, place.data, "toy-bits", "new", **idle),
        lambda: reds_core.run_audit(place.out, place.data, "new", **idle),
        lambda: reds_core.solve(problem, "greedy", **idle),
        lambda: reds_core.solve(problem, solver, **idle),
        lambda: reds_core.prune(place.model, place.data, solver="brute", out=Path("new"), settings=NO_TRAINING, **idle),
    ):
        with pytest.raises(InputError, match=f"solver 'dp' {IDLE}"):
            call()
