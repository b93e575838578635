"""Programs as solvers: what they are given, what they may answer, and how they end."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import Reds, write_problem
from foreign_solvers import MODULES
from toy_runs import Workplace

import reds_core
from reds_core.bench.suites import suite
from reds_core.errors import ContractViolation, InputError, PluginFailure, UnsupportedError
from reds_core.exchange.command_solver import ANSWER, CONTROLS, PROBLEM_FILES, command_solver
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Limit, Solution, Status
from reds_core.knapsack.solver import Control, Controls, solve

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs are scripts for Linux and macOS")
CHOICE, VALUE = [0, 1], 12
"""The optimum of the problem of these tests."""

INSTANCES = Path(__file__).parents[2] / ".." / "shared" / "instances"

Ask = Callable[..., Solution]


@pytest.fixture
def problem(tmp_path: Path) -> KnapsackProblem:
    return reds_core.load_problem(write_problem(tmp_path / "p.npz", 7))


def program(folder: Path, body: str) -> Path:
    """An executable that runs `body` with the list `arguments` and a function `answer` that writes JSON."""
    path = folder / "mine"
    path.write_text(
        f"#!{sys.executable} -S\nimport json, os, sys, time\narguments = sys.argv[1:]\n"
        "def answer(**content):\n"
        "    with open(arguments[-1] + '.part', 'w') as file: json.dump(content, file)\n"
        "    os.replace(arguments[-1] + '.part', arguments[-1])\n" + body + "\n"
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def ask(tmp_path: Path, problem: KnapsackProblem, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Solves the problem by a program that is named by a relative path."""
    monkeypatch.chdir(tmp_path)

    def asked(body: str, given: str = "{mps}", **controls: float) -> Solution:
        program(tmp_path, body)
        return reds_core.solve(problem, f"cmd:./mine {given} {{answer}}", **controls)  # type: ignore[arg-type]

    return asked


def test_the_problem_of_these_tests_has_this_optimum(problem: KnapsackProblem) -> None:
    solution = reds_core.solve(problem, "dp")
    assert (solution.choice, solution.value) == (tuple(CHOICE), VALUE)


# --- what a program may answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "bound"),
    [
        (f"choice={CHOICE}", Status.FEASIBLE, None),
        (f"choice={CHOICE}, bound=None", Status.FEASIBLE, None),
        (f"choice={CHOICE}, bound={VALUE + 3}", Status.FEASIBLE, VALUE + 3),
        (f"choice={CHOICE}, bound={VALUE}", Status.OPTIMAL, VALUE),
        (f"choice={CHOICE}, status='optimal'", Status.OPTIMAL, VALUE),
        ("widths={'a/1': 1, 'b': 4}", Status.FEASIBLE, None),
        ("choice=None", Status.NO_SOLUTION, None),
        (f"choice=None, bound={VALUE}", Status.NO_SOLUTION, VALUE),
    ],
)
def test_answers_in_json(ask: Ask, answer: str, status: Status, bound: int | None) -> None:
    solution = ask(f"answer({answer})")
    assert (solution.status, solution.bound, solution.limit) == (status, bound, None)
    assert solution.choice in (tuple(CHOICE), None)
    assert solution.solver == "cmd:./mine {mps} {answer}"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("choice=[2, 1]", "over budget"),
        (f"choice={CHOICE}, bound={VALUE - 1}", "its bound 11 is below the value 12"),
        (f"choice={CHOICE}, status='optimal', bound={VALUE + 1}", "claimed optimality at value 12 with bound 13"),
        (f"choice={CHOICE}, status='infeasible'", "status infeasible with a choice"),
        ("choice=None, status='feasible'", "status feasible without a choice"),
        ("choice=None, status='infeasible'", r"infeasible, but the choice \[0, \d\] is feasible; correct the program"),
        (
            f"choice={CHOICE}, status='good'",
            "its answer has the status 'good'; correct the program: give optimal, feasible",
        ),
        (
            "widths={'a/1': [1, 2], 'b': 4}",
            "its answer gives group 'a/1' no width that it offers; correct the program$",
        ),
        ("choice=[2]", "its answer has 1 options, but the problem has 2 groups"),
        ("choice=[3, 0]", "its answer chooses option 3 of group 'a/1', which has 3 options"),
        ("choice=[2, 0.5]", "its answer has a 'choice' that is not a list of integers"),
        (
            f"choice={CHOICE}, bound=12.5",
            r"its answer has the bound 12\.5; correct the program: give an integer or null",
        ),
        (f"choice={CHOICE}, bound=10**400", "its bound does not fit in 64 bits"),
    ],
)
def test_answers_that_cannot_be_true_are_refused(ask: Ask, answer: str, why: str) -> None:
    with pytest.raises(ContractViolation, match=why):
        ask(f"answer({answer})")


def test_a_program_without_an_answer_is_named_with_its_last_words(ask: Ask) -> None:
    with pytest.raises(PluginFailure, match=r"exit status 3 on problem 'small' without .* printed last: no licence; "):
        ask("print('hello'); print('no licence', file=sys.stderr); sys.exit(3)")
    with pytest.raises(PluginFailure, match=r"exit status 0 on problem 'small' without writing an answer; correct"):
        ask("pass")
    with pytest.raises(PluginFailure, match=r"ended by signal SIGKILL on problem 'small' without writing an answer"):
        ask("os.kill(os.getpid(), 9)")


def test_a_program_may_state_that_a_problem_is_infeasible(
    problem: KnapsackProblem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program(tmp_path, "answer(choice=None, status='infeasible')")
    tight = problem.with_capacities({r.name: -1 for r in problem.resources})
    solution = reds_core.solve(tight, "cmd:./mine {mps} {answer}")
    assert (solution.status, solution.choice) == (Status.INFEASIBLE, None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("os.mkdir(arguments[-1])", "its answer is not a file; correct the program"),
        ("os.mkfifo(arguments[-1])", "its answer is not a file"),
        ("os.symlink('/dev/zero', arguments[-1])", "its answer is not a file"),
        ("open(arguments[-1], 'wb').truncate(2**40)", "its answer is larger than 256 MiB"),
    ],
)
def test_answers_without_end_are_not_read(ask: Ask, body: str, why: str) -> None:
    with pytest.raises(ContractViolation, match=why):
        ask(body)


def test_endless_output_is_not_kept(ask: Ask) -> None:
    """Of 300 MB that the program prints, none is in the folder of its files, which it can see."""
    body = (
        "for _ in range(300): sys.stdout.write('y' * 10**6)\nprint(); print('the end'); sys.stdout.flush()\n"
        "folder = os.path.dirname(arguments[-1])\n"
        "sizes = [os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)]\n"
        "if max(sizes) > 10**6: answer(choice=[0, 0])"
    )
    with pytest.raises(PluginFailure, match="printed last: the end"):
        ask(body)


def test_output_that_another_process_holds_open_is_not_awaited(ask: Ask) -> None:
    started = time.monotonic()
    assert ask(f"answer(choice={CHOICE})\nif not os.fork(): time.sleep(60)").value == VALUE
    assert time.monotonic() - started < 25


def test_an_answer_counts_whatever_the_exit_status(ask: Ask) -> None:
    """Solvers of satisfiability end with 10 or 20."""
    assert ask(f"answer(choice={CHOICE}); sys.exit(10)").value == VALUE


def test_what_a_program_prints_does_not_reach_the_output(ask: Ask, capfd: pytest.CaptureFixture[str]) -> None:
    ask(f"print('hello'); print('there', file=sys.stderr); answer(choice={CHOICE})")
    assert capfd.readouterr() == ("", "")


# --- what a program is given -----------------------------------------------------------------------------------------


def test_the_problem_is_written_in_every_format(ask: Ask) -> None:
    given = "{problem} {mps} {lp} {cfn} {wcsp}"
    kinds = [".npz", ".mps", ".lp", ".cfn", ".wcsp"]
    assert ask(
        f"assert [os.path.splitext(a)[1] for a in arguments[:-1]] == {kinds}\n"
        f"assert all(os.path.getsize(a) > 50 for a in arguments[:-1])\nanswer(choice={CHOICE})",
        given,
    ).choice == tuple(CHOICE)


def test_controls_are_passed_where_they_are_asked_for(ask: Ask) -> None:
    body = (
        "left, seed, threads = arguments[1:4]\nassert 15 < float(left) <= 20 and (seed, threads) == ('7', '3')\n"
        f"answer(choice={CHOICE})"
    )
    solution = ask(body, "{mps} {time_limit} {seed} {threads}", time_limit=20, seed=7, threads=3)
    assert not solution.detail
    assert "does not honour seed" in ask(f"answer(choice={CHOICE})", seed=7).detail
    assert command_solver(f"cmd:{sys.executable} {{mps}} {{seed}} {{answer}}").controls == (
        Control.TIME_LIMIT | Control.SEED
    )


def test_arguments_are_split_as_a_shell_does_but_run_by_none(ask: Ask) -> None:
    body = f"assert arguments[1:3] == ['two words; $HOME', '*'], arguments\nanswer(choice={CHOICE})"
    assert ask(body, "{mps} 'two words; $HOME' *").choice is not None


def test_a_program_runs_in_the_folder_of_its_user(ask: Ask, tmp_path: Path) -> None:
    assert ask(f"assert os.getcwd() == {str(tmp_path)!r}, os.getcwd()\nanswer(choice={CHOICE})").choice is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cmd:", "names no program; write it as"),
        ("cmd:  ", "names no program"),
        ("cmd:'", "cannot be split into arguments .*; close all quotes"),
        ("cmd:true {mps}", r"has no \{answer\}"),
        ("cmd:true {answer}", "is not given the problem"),
        ("cmd:true {mps} {anwser}", r"unknown placeholder '\{anwser\}'; use \{answer\}"),
        ("cmd:./nobody {mps} {answer}", "program './nobody' .* is not found, or is not executable"),
        ("cmd:no-such-program {mps} {answer}", "program 'no-such-program' .* is not found"),
    ],
)
def test_commands_that_cannot_work_are_refused_before_anything_runs(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        command_solver(text)


def test_a_file_that_is_no_program_is_named(ask: Ask, problem: KnapsackProblem, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("\0")
    path.chmod(0o755)
    with pytest.raises(UnsupportedError, match=r"program '.*text' cannot be started \(Exec format error\)"):
        reds_core.solve(problem, "cmd:./text {mps} {answer}")


# --- how a program ends ----------------------------------------------------------------------------------------------


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def has_ended(pid: int) -> bool:
    """Whether a process ends within some seconds."""
    end = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_running(pid)


PARENT_AND_CHILD = "child = os.fork()\nif child:\n    open('pids', 'w').write(f'{os.getpid()} {child}')\n"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_time_limit_ends_a_program_and_what_it_started(ask: Ask, tmp_path: Path) -> None:
    started = time.monotonic()
    solution = ask(PARENT_AND_CHILD + "time.sleep(60)", time_limit=5)
    assert (solution.status, solution.limit) == (Status.NO_SOLUTION, Limit.TIME)
    assert time.monotonic() - started < 25
    assert all(has_ended(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_an_answer_that_was_written_in_time_is_kept(ask: Ask) -> None:
    solution = ask(f"answer(choice={CHOICE}, bound={VALUE + 1}); time.sleep(60)", time_limit=5)
    assert (solution.status, solution.limit, solution.value) == (Status.FEASIBLE, Limit.TIME, VALUE)
    half = ask("open(arguments[-1], 'w').write('{\"choice\": [2'); time.sleep(60)", time_limit=5)
    assert (half.status, half.limit) == (Status.NO_SOLUTION, Limit.TIME)


def test_a_very_short_time_limit_is_no_error(problem: KnapsackProblem) -> None:
    solution = solve(problem, command_solver("cmd:sh -c 'sleep 9' {mps} {answer}")(), Controls(time_limit_s=1e-9))
    assert (solution.status, solution.limit) == (Status.NO_SOLUTION, Limit.TIME)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_program_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    write_problem(tmp_path / "p.npz", 7)
    program(tmp_path, PARENT_AND_CHILD + "time.sleep(60)")
    code = "import reds_core; reds_core.solve('p.npz', 'cmd:./mine {mps} {answer}')"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as caller:
        end = time.monotonic() + 60
        while not (tmp_path / "pids").exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.2)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(is_running(pid) for pid in pids)
        caller.send_signal(signal.SIGKILL)
    assert all(has_ended(pid) for pid in pids)


# --- where commands are given ----------------------------------------------------------------------------------------

BY_VALUE = """
from reds_core.knapsack.file import load_problem
from reds_core.testing.oracle import brute_force
choice = [int(k) for k in brute_force(load_problem(arguments[0])).optima[0]]
answer(choice=choice, status='optimal')
"""


def test_the_commands_take_them(reds: Reds, place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_problem(tmp_path / "p.npz", 7)
    path = program(tmp_path, BY_VALUE)
    path.write_text(path.read_text().replace(" -S\n", "\n", 1))
    command = "cmd:./mine {problem} {answer}"
    found = reds("solve", "p.npz", "--solver", command, "--json").json
    assert (found["status"], found["value"], found["solver"]) == ("optimal", VALUE, command)
    assert reds("solve", "p.npz", "--solver", "cmd:false {mps} {answer}").status == 1
    outcome = reds(
        "prune",
        place.model,
        "--data",
        place.data,
        "--out",
        place.out,
        "--solver",
        command,
        "--finetune-epochs",
        0,
        "--align",
        1,
    )
    assert outcome.status == 0, outcome.err
    assert {s.solver for s in reds_core.load_plan(place.out).subnetworks} == {command}


def test_another_program_of_the_same_name_is_another_solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another folder, or after a change, also of a script that an interpreter is given."""
    versions = []
    for folder, body in (("a", "pass"), ("b", "exit(7)"), ("c", "pass")):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        program(tmp_path / folder, body)
        for text in ("./mine {mps} {answer}", f"{sys.executable} mine {{mps}} {{answer}}"):
            versions.append(command_solver(f"cmd:{text}").version())
    assert versions[:2] == versions[4:]
    assert len(set(versions)) == 4


def test_comparisons_take_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each solve runs in a folder of its own, but the program is found in that of the user."""
    monkeypatch.chdir(tmp_path)
    write_problem(tmp_path / "p.npz", 7)
    program(tmp_path, f"answer(choice={CHOICE}, status=['optimal', 'feasible'][len('a, b') - 4])")
    command = "cmd:./mine {mps} 'a, b[c]' {answer}"
    settings = reds_core.BenchSettings(problems=(Path("p.npz"),), solvers=("dp", command), time_limit_s=20)
    reds_core.run_bench(settings, tmp_path / "bench")
    records = {record.contender.solver: record for record in reds_core.read_records(tmp_path / "bench")}
    assert {name: r.value for name, r in records.items()} == {"dp": VALUE, command: VALUE}


def test_the_example_of_the_page_runs(problem: KnapsackProblem, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "guide" / "programs.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "example.py").write_text(code)
    solution = reds_core.solve(problem, f"cmd:{sys.executable} {tmp_path}/example.py {{problem}} {{answer}}")
    assert (solution.choice, solution.value) == ((0, 0), 6)
    placeholders = set(re.findall(r"`(\{\w+\})`", page.partition("| placeholder |")[2].partition("\n\n")[0]))
    assert placeholders == {f"{{{name}}}" for name in (*PROBLEM_FILES, *CONTROLS, ANSWER)}


# --- solvers of other people -----------------------------------------------------------------------------------------


HIGHS = """
import sys, highspy
highs = highspy.Highs()
for option, value in (("mip_rel_gap", 0.0), ("mip_abs_gap", 0.0), ("threads", 1), ("time_limit", float(sys.argv[2]))):
    highs.setOptionValue(option, value)
highs.readModel(sys.argv[1])
highs.run()
highs.writeSolution(sys.argv[3], 0)
"""


@pytest.fixture(params=["cbc", "highs"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The command of a solver that reads MPS files."""
    if find_spec(MODULES[request.param]) is None:
        pytest.skip(f"needs {MODULES[request.param]}")
    if request.param == "highs":
        (tmp_path / "highs.py").write_text(HIGHS)
        return f"cmd:{sys.executable} {tmp_path}/highs.py {{mps}} {{time_limit}} {{answer}}"
    pulp = Path(str(find_spec("pulp").origin)).parent  # type: ignore[union-attr]  # importing it would load HiGHS
    system = "osx" if sys.platform == "darwin" else "linux"
    machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "i64"
    path = pulp / "solverdir" / "cbc" / system / machine / "cbc"
    if not path.exists():
        pytest.skip(f"needs {path}")
    return f"cmd:{path} {{mps}} sec {{time_limit}} ratio 0 allow 0 solve solution {{answer}}"


@pytest.mark.slow
def test_other_solvers_find_the_optima_of_a_suite(foreign: str) -> None:
    known = [each for each in suite("tiny") if each.optimum is not None]
    assert len(known) >= 8
    for each in known:
        solution = reds_core.solve(each.problem, foreign, time_limit=100)
        assert (solution.value, solution.limit) == (each.optimum, None), each.problem.name


@pytest.mark.skipif(not INSTANCES.exists(), reason="needs the instances")
def test_other_solvers_agree_with_dp_on_ten_instances(foreign: str) -> None:
    names = sorted(p.stem for kind in ("graph-5x", "hard-5x") for p in INSTANCES.glob(f"{kind}*.npz"))[:10]
    assert len(names) == 10
    for name in names:
        problem = reds_core.load_problem(INSTANCES / f"{name}.npz")
        proven = reds_core.solve(problem, "dp")
        assert proven.status in (Status.OPTIMAL, Status.INFEASIBLE)
        solution = reds_core.solve(problem, foreign, time_limit=100)
        assert (solution.value, solution.limit) == (proven.value, None), name
        assert (solution.status is Status.INFEASIBLE) == (proven.status is Status.INFEASIBLE), name
