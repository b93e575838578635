"""The command line: usage, plugins, inspect, formulate, solve, and the one line that ends stderr."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds, write_problem
from reds_scorers import MagnitudeScorer
from toy_framework import ToyFramework, describe, residual_model
from toy_plugins import FIRST_PARTY, BruteSolver, HalfwaySolver, IdleSolver, PluginModule, ToyBits, ToyTarget
from toy_runs import Workplace

from reds_core.cost import resources
from reds_core.knapsack.file import load_problem
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer
from reds_core.knapsack.solver import Controls
from reds_core.plan import load_plan
from reds_core.plugin import Plugin
from reds_core.pruning.pruner import Pruner
from reds_core.scoring.scorer import Scorer

COMMANDS = ["plugins", "inspect", "latency", "formulate", "solve", "convert", "prune", "extract", "suite"]


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    return write_problem(tmp_path / "p.npz", capacity=7)


# --- usage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], *([c] for c in COMMANDS)])
def test_help(reds: Reds, command: list[str]) -> None:
    outcome = reds(*command, "--help")
    assert outcome.status == 0
    assert "Usage: reds" in outcome.out
    assert outcome.err == ""


def test_without_a_command_help_is_shown_and_it_is_an_error(reds: Reds) -> None:
    outcome = reds()
    outcome.check_error(2, "no command is given; see `reds --help`")
    assert all(c in outcome.out + outcome.err for c in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["sovle"], "No such command 'sovle'; did you mean 'solve'\\? see `reds --help`"),
        (["--nonsense"], "No such option: --nonsense"),
        (["solve"], "Missing argument .*; see `reds solve --help`"),
        (["solve", "a.npz", "b.npz"], "unexpected extra argument"),
        (["solve", "a.npz", "--solvr", "dp"], "No such option: --solvr"),
        (["solve", "a.npz", "--solver"], "requires an argument"),
        (["solve", "a.npz", "--time-limit", "soon"], "--time-limit"),
        (["solve", "a.npz", "--time-limit", "0"], "time limit 0 is not above 0"),
        (["solve", "a.npz", "--time-limit", "nan"], "--time-limit is nan, not a number"),
        (["solve", "a.npz", "--seed", "-1"], "--seed"),
        (["solve", "a.npz", "--threads", "0"], "threads 0 is below 1"),
        (["solve", "a.npz", "--option", "dp"], "option 'dp' is malformed; write NAME.KEY=VALUE"),
        (["solve", "a.npz", "--option", "brute.x"], "option 'brute.x' is malformed"),
        (
            ["solve", "a.npz", "--option", "brute.x=1"],
            "solver 'brute' has no option 'x'; leave it out, as it has no options",
        ),
        (["solve", "a.npz", "--option", "nobody.x=1"], "names 'nobody', which is not a plugin"),
        (["inspect"], "Missing argument"),
        (["formulate", "m.keras"], "Missing option '--out'"),
        (["formulate", "m.keras", "--out", "p.npz"], "Missing option '--budget'; see `reds formulate --help`"),
        (["prune", "--resume", "--overwrite"], "--resume and --overwrite cannot be combined"),
        (["prune", "--finetune-epochs", "-1"], "--finetune-epochs"),
        (["prune", "--batch-size", "0"], "--batch-size"),
        (["prune", "--learning-rate", "0"], "learning rate 0.0 is not above 0"),
        (["prune", "--holdout", "1"], "holdout 1.0 is not a share"),
        (["prune", "--element-size", "3"], "element size 3 is neither 1 nor 4"),
        (["extract"], "Missing argument"),
        (["extract", "out"], "Missing option '--budget'; see `reds extract --help`"),
        (["export", "out", "--out", "d"], "Missing option '--target'; see `reds export --help`"),
        (["export", "out", "--target", "c-engine"], "Missing option '--out'; see `reds export --help`"),
    ],
)
def test_usage_errors(reds: Reds, arguments: list[str], why: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    reds(*arguments).check_error(2, why)
    assert list(tmp_path.iterdir()) == []


# --- plugins --------------------------------------------------------------------------------------------------------


def names(kind: type[Plugin]) -> set[str]:
    return {p.name for p in FIRST_PARTY if issubclass(p, kind)}


def test_plugins_are_listed(reds: Reds) -> None:
    class Faraway(BruteSolver):
        name = "faraway"
        requires = ("a_library_nobody_has",)
        install = "pip install nobody"

    reds.install(
        PluginModule("toy", FIRST_PARTY), PluginModule("far", (Faraway,)), PluginModule("bad", (), OSError("x"))
    )
    found = {entry["name"]: entry for entry in reds("plugins", "--json").json}
    kinds = [("solver", {"brute", "faraway"}), ("scorer", names(Scorer)), ("pruner", names(Pruner)), (None, {"bad"})]
    assert [(kind, {n for n, f in found.items() if f["kind"] == kind}) for kind, _ in kinds] == kinds
    assert set(found["brute"]) == {"name", "kind", "status", "detail", "distribution", "version"}
    assert (found["brute"]["kind"], found["brute"]["status"], found["brute"]["detail"]) == ("solver", "ok", "")
    assert found["brute"]["version"] is None
    assert found["faraway"]["status"] == "unavailable"
    assert found["faraway"]["detail"] == "needs a_library_nobody_has: pip install nobody"
    assert (found["bad"]["kind"], found["bad"]["status"]) == (None, "broken")
    assert "OSError: x" in found["bad"]["detail"]
    table = reds("plugins")
    assert table.status == 0
    assert "pip install nobody" in table.out
    assert "None" not in table.out


# --- inspect --------------------------------------------------------------------------------------------------------


def test_inspect(reds: Reds, place: Workplace) -> None:
    network = describe(residual_model())
    content = reds("inspect", place.model, "--json").json
    assert {k: content[k] for k in ("macs", "params", "peak_ram")} == resources.usage(network, network.channels)
    assert content["groups"][1] == {"name": "inside", "channels": 5, "layers": ["inside", "inside_relu"]}
    assert sum(layer["macs"] for layer in content["layers"]) == content["macs"]
    assert sum(layer["params"] for layer in content["layers"]) == content["params"]
    assert reds("inspect", place.model, "--json", "--element-size", 4).json["params"] == 4 * content["params"]
    text = reds("inspect", place.model)
    assert text.status == 0
    for word in ("stem", "inside_relu", "270 MACs", "bytes peak RAM"):
        assert word in text.out


def test_inspect_lists_levels_homes_and_reasons(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, ToyBits, ToyTarget)))
    given = ("--transform", "toy-bits", "--target", "toy-device", "--option", "toy-bits.levels=3,4,8")
    levels = {each["layer"]: each for each in reds("inspect", place.model, *given, "--json").json["levels"]}
    assert levels["inside"]["levels"] == [4, 8]
    assert levels["inside"]["what"] == "weight_bits"
    assert levels["inside"]["home"] in ("stem", "inside")
    assert levels["inside"]["not_offered"] == [{"level": 3, "reason": "target 'toy-device': 3 bits is not 2, 4 or 8"}]
    assert levels["norm"]["levels"] == []
    assert levels["norm"]["home"] is None
    assert levels["norm"]["not_offered"] == [{"level": None, "reason": "layer 'norm' has no kernel"}]
    text = " ".join(reds("inspect", place.model, *given).out.split())
    assert re.search("inside weight bits 4, 8 (stem|inside) not 3: target 'toy-device': 3 bits is not 2, 4 or 8", text)
    assert "without levels: norm, relu" in text
    assert "(the layer has no kernel)" in text


def test_inspect_says_why_no_level_is_offered_at_all(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, ToyBits, ToyTarget)))
    given = ("--transform", "toy-bits", "--target", "toy-device", "--option", "toy-bits.levels=3,8")
    levels = reds("inspect", place.model, *given, "--json").json["levels"]
    assert all(each["levels"] == [] for each in levels)
    reds("inspect", place.model, *given, "--element-size", 4).check_error(
        2, "1 byte each, not 4; leave out --element-size"
    )
    reds("inspect", place.model, "--transform", "toy").check_error(2, "toy")
    assert "levels" not in reds("inspect", place.model, "--json").json


class Odd(ToyFramework):
    """Says of every model that something in it cannot be pruned."""

    def inspect(self, model: Any) -> Any:
        return dataclasses.replace(super().inspect(model), warnings=("group x stays", "group y stays"))


def test_inspect_shows_warnings_beside_its_json(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (Odd,)))
    outcome = reds("inspect", place.model, "--json")
    assert outcome.json["groups"]
    assert outcome.err == "warning: group x stays\nwarning: group y stays\n"


def test_formulate_shows_warnings(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (Odd, MagnitudeScorer)))
    budget = ("--scorer", "magnitude", "--budget", "macs=0.5")
    outcome = reds("formulate", place.model, *budget, "--out", place.folder / "p.npz")
    assert (outcome.status, outcome.err) == (0, "warning: group x stays\nwarning: group y stays\n")


@pytest.mark.parametrize("command", ["inspect", "formulate", "prune"])
def test_strict_makes_warnings_errors(reds: Reds, place: Workplace, command: str) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, Odd)))
    options = (
        () if command == "inspect" else ("--scorer", "magnitude", "--budget", "macs=0.5", "--out", place.folder / "o")
    )
    more = ("--finetune-epochs", 0) if command == "prune" else ()
    outcome = reds(command, place.model, *options, *more, "--strict")
    outcome.check_error(2, "group x stays, and 1 more; replace the layer, or leave out --strict")
    assert not (place.folder / "o").is_file()


@pytest.mark.parametrize("size", [0, 2, 8])
def test_inspect_refuses_element_sizes(reds: Reds, place: Workplace, size: int) -> None:
    reds("inspect", place.model, "--element-size", size).check_error(2, f"element size {size} is neither 1 nor 4")


def test_inspect_of_a_file_that_is_not_there(reds: Reds, tmp_path: Path) -> None:
    reds("inspect", tmp_path / "m.keras").check_error(2, "does not exist; check the path")


# --- formulate and solve --------------------------------------------------------------------------------------------


def test_formulate_and_solve(reds: Reds, place: Workplace) -> None:
    path = place.folder / "p.npz"
    made = reds("formulate", place.model, "--data", place.data, "--budget", "macs=0.5", "--out", path)
    assert (made.status, made.out) == (0, f"wrote {path}\n")
    network = describe(residual_model())
    problem = load_problem(path)
    assert problem.name == "model-50"
    assert problem.resources[0].capacity == resources.usage(network, network.channels)["macs"] // 2
    content = reds("solve", path, "--json").json
    assert set(content) == {
        *("status", "limit", "value", "bound", "gap", "widths", "usage", "wall_s", "backend_s", "solver", "version"),
        "detail",
    }
    assert (content["status"], content["limit"], content["gap"], content["backend_s"]) == ("optimal", None, 0.0, None)
    assert content["value"] == content["bound"]
    assert content["usage"]["macs"] == resources.usage(network, content["widths"])["macs"]
    assert content["solver"] == "brute"


def test_formulate_states_what_prune_solves(reds: Reds, place: Workplace) -> None:
    """With nothing held back, scores and so values are the same."""
    path = place.folder / "p.npz"
    reds("formulate", place.model, "--data", place.data, "--budget", "macs=0.5", "--out", path)
    reds("prune", place.model, "--data", place.data, "--budget", "macs=0.5", "--holdout", 0, "--out", place.out)
    record = load_plan(place.out).subnetworks[0]
    content = reds("solve", path, "--json").json
    assert (content["value"], content["widths"]) == (record.value, record.widths)


def test_formulate_states_widths_and_levels_as_prune_does(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, ToyBits, ToyTarget)))
    path = place.folder / "p.npz"
    asked = ("--data", place.data, "--budget", "macs=0.5", "--budget", "weight_bytes=0.4")
    asked = (*asked, "--transform", "toy-bits", "--target", "toy-device", "--exchange-rate", "0.3")
    assert reds("formulate", place.model, *asked, "--out", path).status == 0
    problem = load_problem(path)
    assert problem.has_levels
    assert [resource.name for resource in problem.resources] == ["macs", "weight_bytes"]
    assert reds("prune", place.model, *asked, "--holdout", 0, "--out", place.out).status == 0
    (record,) = load_plan(place.out).subnetworks
    content = reds("solve", path, "--json").json
    assert (content["value"], content["widths"], content["settings"]) == (record.value, record.widths, record.settings)
    assert content["usage"]["weight_bytes"] == record.usage["weight_bytes"]


@pytest.mark.parametrize(
    ("command", "changes", "why"),
    [
        ("inspect", ["--target", "toy-device"], "--target has no effect without transforms; give --transform"),
        ("formulate", ["--target", "toy-device"], "--target has no effect without transforms; give --transform"),
        ("formulate", ["--exchange-rate", "1"], "--exchange-rate has no effect without transforms"),
        ("prune", ["--exchange-rate", "1"], "--exchange-rate has no effect without transforms"),
        ("prune", ["--calibrate", "6"], "--calibrate has no effect without transforms"),
        ("prune", ["--qat"], "--qat has no effect without transforms"),
        ("prune", ["--no-qat"], "--qat has no effect without transforms"),
        ("prune", ["--qat-activations"], "--qat-activations has no effect without transforms"),
        (
            *("prune", ["--transform", "toy-bits", "--no-qat", "--qat-activations"]),
            "--qat-activations rounds activations in quantisation-aware training, which is turned off",
        ),
        (
            *("prune", ["--transform", "toy-bits", "--calibrate", "6", "--exchange-rate", "1"]),
            "--calibrate computes the exchange rate that --exchange-rate gives; leave out one of them",
        ),
        ("formulate", ["--transform", "toy-bits", "--element-size", "4"], "leave out --element-size or --transform"),
        ("formulate", ["--transform", "toy-bit"], "did you mean 'toy-bits'?"),
    ],
)
def test_settings_of_levels_that_have_no_effect(
    reds: Reds, place: Workplace, command: str, changes: list[str], why: str
) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, ToyBits, ToyTarget)))
    given = (
        [] if command == "inspect" else ["--data", place.data, "--budget", "macs=0.5", "--out", place.folder / "new"]
    )
    reds(command, place.model, *given, *changes).check_error(2, why)


def test_formulate_of_levels_needs_data(reds: Reds, place: Workplace) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, ToyFramework, ToyBits, ToyTarget)))
    asked = (
        "--budget",
        "macs=0.5",
        "--scorer",
        "magnitude",
        "--transform",
        "toy-bits",
        "--out",
        place.folder / "p.npz",
    )
    reds("formulate", place.model, *asked).check_error(2, "transform 'toy-bits' is decided by losses on training data")


def test_formulate_without_data(reds: Reds, place: Workplace) -> None:
    path = place.folder / "p.npz"
    arguments = ("formulate", place.model, "--budget", "macs=0.5", "--budget", "peak_ram=36", "--out", path)
    assert reds(*arguments, "--scorer", "magnitude", "--option", "magnitude.norm=l1").status == 0
    assert [r.name for r in load_problem(path).resources] == ["macs", "peak_ram"]
    reds(*arguments).check_error(2, "scorer 'taylor' needs training data; give --data, or use --scorer magnitude")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (["--budget", "macs=0.5,0.25"], "2 budgets are given"),
        (["--budget", "mcas=0.5"], "unknown resource 'mcas'; did you mean 'macs'"),
        (["--budget", "macs"], "budget 'macs' is malformed"),
        (["--budget", "macs=0.5", "--scorer", "tailor"], "unknown scorer 'tailor'; did you mean 'taylor'"),
        (["--budget", "macs=0.5", "--element-size", "2"], "element size 2"),
        (["--budget", "macs=0.5", "--data", "missing.npz"], "data 'missing.npz' does not exist"),
        (["--budget", "macs=0.5", "--data", "nobody"], "unknown data 'nobody'"),
    ],
)
def test_formulate_refusals(reds: Reds, place: Workplace, changes: list[str], why: str) -> None:
    out = place.folder / "p.npz"
    data = [] if "--data" in changes else ["--data", place.data]
    reds("formulate", place.model, *data, "--out", out, *changes).check_error(2, why)
    assert not out.exists()


def test_formulate_where_it_cannot_write(reds: Reds, place: Workplace) -> None:
    out = place.model / "p.npz"
    reds("formulate", place.model, "--data", place.data, "--budget", "macs=0.5", "--out", out).check_error(
        2, "cannot be written"
    )


@pytest.mark.parametrize("command", ["formulate", "latency"])
def test_a_pipe_is_not_replaced_by_a_file(reds: Reds, place: Workplace, command: str) -> None:
    out = place.folder / "pipe"
    os.mkfifo(out)
    budget = ["--data", place.data, "--budget", "macs=0.5"] if command == "formulate" else []
    before = sorted(place.folder.iterdir())
    outcome = reds(command, place.model, *budget, "--out", out)
    outcome.check_error(2, "'.*pipe' is not a regular file; give the path of a file")
    assert out.is_fifo()
    assert sorted(place.folder.iterdir()) == before


def test_solve_shows_what_was_found(reds: Reds, problem: Path) -> None:
    outcome = reds("solve", problem)
    assert outcome.status == 0
    lines = [line.split(None, 1) for line in outcome.out.splitlines()]
    assert ["status", "optimal"] in lines
    assert ["value", "15"] not in lines
    assert ["bound", "12 (gap 0 %)"] in lines
    assert ["a/1", "1"] in lines
    assert ["macs", "7"] in lines
    assert outcome.err == ""


def test_solve_hands_controls_on(reds: Reds, problem: Path) -> None:
    heard = []

    class Listening(BruteSolver):
        name = "listening"

        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            heard.append(controls)
            return super().solve(problem, controls)

    reds.install(PluginModule("toy", (Listening,)))
    arguments = ("--solver", "listening", "--time-limit", "2.5", "--seed", "3", "--threads", "2")
    content = reds("solve", problem, *arguments, "--memory-limit", "2 GiB", "--json").json
    assert heard == [Controls(2.5, 3, 2, memory_limit_bytes=2**31)]
    assert "does not honour memory_limit" in content["detail"]
    assert "does not honour seed" in content["detail"]
    reds("solve", problem)
    assert heard[1] == Controls(60.0)
    for text in ("0.01%", "1e-4", "0.0001"):
        reds("solve", problem, "--gap", text)
        assert heard[-1] == Controls(60.0, gap=1e-4)


def test_a_choice_within_the_gap_is_a_success_that_says_so(reds: Reds, problem: Path) -> None:
    reds.install(PluginModule("toy", (HalfwaySolver,)))
    content = reds("solve", problem, "--gap", "50%", "--json").json
    assert (content["status"], content["limit"], content["bound"]) == ("feasible", "gap", content["value"] + 1)
    outcome = reds("solve", problem, "--gap", "50%")
    assert outcome.status == 0
    assert re.search(r"^status +feasible \(within [0-9.]+ % of the optimum, as asked for\)$", outcome.out, re.MULTILINE)
    assert reds("solve", problem, "--json").json["status"] == "optimal"
    reds("solve", problem, "--gap", "half").check_error(2, "the gap 'half' is not a share; give --gap 0.0001 or 0.01%")
    for text in ("1", "100%", "200%"):
        reds("solve", problem, "--gap", text).check_error(
            2, f"the gap '{text}' is 100 % or more; give --gap 0.0001 or 0.01%, or 1% for one percent"
        )


def test_an_infeasible_problem_is_status_3(reds: Reds, tmp_path: Path) -> None:
    path = write_problem(tmp_path / "p.npz", capacity=4)
    outcome = reds("solve", path, "--json")
    outcome.check_error(3, r"no subnetwork meets the budget macs 4 \(the least .* macs 5\); raise the budget of macs")
    assert outcome.json["status"] == "infeasible"
    missing = ("limit", "value", "bound", "gap", "widths", "usage", "backend_s")
    assert [outcome.json[key] for key in missing] == [None] * 7
    reds("solve", path).check_error(3, "no subnetwork meets the budget")


def test_no_choice_is_status_4(reds: Reds, problem: Path) -> None:
    reds.install(PluginModule("toy", (IdleSolver,)))
    outcome = reds("solve", problem, "--json")
    outcome.check_error(4, "solver 'idle' stopped without a choice for problem 'small'; give it more time")
    assert outcome.json["status"] == "no_solution"


def test_unknown_and_unavailable_solvers(reds: Reds, problem: Path) -> None:
    class Faraway(BruteSolver):
        name = "faraway"
        requires = ("a_library_nobody_has",)

    reds.install(PluginModule("toy", (BruteSolver, Faraway)), PluginModule("bad", (), ImportError("no lib")))
    reds("solve", problem, "--solver", "brut").check_error(2, "unknown solver 'brut'; did you mean 'brute'")
    reds("solve", problem, "--solver", "faraway").check_error(2, "'faraway' is not available here; needs a_library")
    reds("solve", problem, "--solver", "bad").check_error(2, r"plugin 'bad' is broken \(ImportError: no lib\); fix or")
    reds.install()
    reds("solve", problem).check_error(2, "no installed solver accepts problem 'small'")


class Raising(BruteSolver):
    """Raises what a test puts here."""

    error: BaseException = ValueError("on purpose")

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        raise self.error


def test_a_solver_that_fails_is_status_1(reds: Reds, problem: Path) -> None:
    reds.install(PluginModule("toy", (Raising,)))
    reds("solve", problem).check_error(1, "solver 'brute' failed on problem 'small' with ValueError: on purpose; ")


def test_ctrl_c_is_status_130(reds: Reds, problem: Path) -> None:
    class Interrupting(Raising):
        error = KeyboardInterrupt()

    reds.install(PluginModule("toy", (Interrupting,)))
    reds("solve", problem).check_error(130, "interrupted; nothing is kept, so run the command again")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RuntimeError("several\nlines."), r"a bug in reds \(RuntimeError: several lines\.\); report it"),
    ],
)
def test_a_bug_is_status_1_and_one_line(
    reds: Reds, problem: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def broken(path: Path) -> Any:
        raise error

    monkeypatch.setattr("reds_core.knapsack.file.load_problem", broken)
    reds("solve", problem).check_error(1, why)


def test_check_reports_every_behaviour(reds: Reds) -> None:
    outcome = reds("check", "nested", "--json")
    assert outcome.status == 0
    (report,) = outcome.json
    assert (report["plugin"], report["kind"]) == ("nested", "pruner")
    assert {r["outcome"] for r in report["results"]} <= {"passed", "skipped"}


def test_a_failed_check_is_status_1(reds: Reds) -> None:
    outcome = reds("check", "mock_solvers:OverBudget")
    outcome.check_error(1, "'mock_solvers:OverBudget' failed 1 of the checks, ")
    assert "failed" in outcome.out


def test_checking_what_is_not_there_is_status_2(reds: Reds) -> None:
    reds("check", "nothing").check_error(2, "unknown plugin 'nothing'; installed: ")
