"""Exported suites: what the folder holds, and a checker that agrees with reds and does without it."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Reds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reds_core
from reds_core.bench import suite_checker
from reds_core.bench.suites import SUITES, suite
from reds_core.errors import InputError
from reds_core.knapsack.file import load_problem, problem_digest, save_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, SumResource
from reds_core.testing.strategies import knapsack_problems

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suites") / "tiny"
    reds_core.export_suite("tiny", folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def check(folder: Path, problem: str | Path, answer: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "check_solution.py", problem, str(answer)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


# --- the folder -----------------------------------------------------------------------------------------------------


def test_a_folder_holds_the_suite(folder: Path) -> None:
    index = json.loads((folder / "index.json").read_text())
    instances = {each.problem.name: each for each in suite("tiny")}
    assert [entry["name"] for entry in index["problems"]] == list(instances)
    for entry in index["problems"]:
        instance = instances[entry["name"]]
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        problem = load_problem(folder / entry["file"])
        assert problem_digest(problem) == problem_digest(instance.problem) == entry["content_sha256"]
        assert (entry["optimum"], entry["infeasible"]) == (instance.optimum, instance.infeasible)
        assert (entry["groups"], entry["pairs"]) == (len(problem.groups), len(problem.pairs))
        assert entry["options"] == sum(group.options for group in problem.groups)
        assert [(r["name"], r["capacity"]) for r in entry["resources"]] == [
            (r.name, r.capacity) for r in problem.resources
        ]
        assert {"dp"} <= set(entry["proved_by"])
        assert "joint_options" in entry
    files = {"LICENSE", "README.md", "check_solution.py", "index.json"} | {e["file"] for e in index["problems"]}
    assert set(contents(folder)) == files


def test_two_exports_are_equal(folder: Path, tmp_path: Path) -> None:
    reds_core.export_suite("tiny", str(tmp_path / "again"))
    assert contents(tmp_path / "again") == contents(folder)


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_is_listed_and_exported(name: str, tmp_path: Path) -> None:
    (record,) = (each for each in reds_core.suites() if each.name == name)
    index = reds_core.export_suite(name, tmp_path)
    assert len(index.problems) == record.problems == len(list((tmp_path / "problems").iterdir()))
    assert record.proved == sum(p.optimum is not None or p.infeasible for p in index.problems) > 0
    assert record.options == max(p.options for p in index.problems)
    assert (record.source, record.description) == (index.source, index.description)


def test_the_licence_is_that_of_the_project(folder: Path) -> None:
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_readme_describes_the_folder(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    assert "{" not in re.sub(r"`[^`]*`|```.*?```", "", text, flags=re.DOTALL)
    for name in ({*contents(folder)} - {"README.md"}) | {"widths/G", "pair_cost/R/K", "peak/R/S/G"}:
        assert Path(name).stem in text
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    script = block.replace("python ", f"{shlex.quote(sys.executable)} ").replace("answer.json", "../answer.json")
    done = subprocess.run(["sh", "-e", "-c", script], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["feasible"] is True


def test_a_folder_with_other_files_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(InputError, match="is not empty"):
        reds_core.export_suite("tiny", tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        reds_core.export_suite("tiny", tmp_path / "mine")
    with pytest.raises(InputError, match="unknown suite 'huge'; choose one of paper, graphs, tiny"):
        reds_core.export_suite("huge", tmp_path / "new")
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_an_interrupted_export_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("reds_core.bench.suite_folder._readme", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reds_core.export_suite("tiny", tmp_path / "new" / "tiny")
    assert list((tmp_path / "new").iterdir()) == []


# --- the checker ----------------------------------------------------------------------------------------------------


def test_the_checker_agrees_with_reds(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("checker") / "p.npz"

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(problem=knapsack_problems(), data=st.data())
    def trial(problem: KnapsackProblem, data: st.DataObject) -> None:
        save_problem(problem, path)
        choice = [data.draw(st.integers(0, group.options - 1)) for group in problem.groups]
        agrees(path, problem, choice)

    trial()


def test_the_checker_agrees_with_reds_on_large_numbers_and_odd_names(tmp_path: Path) -> None:
    n = 2**60
    groups = (Group("a/0", [1, 2**20], [-n, n]), Group("слой 1", [3, 2**21], [n - 1, 1 - n]))
    pairs = (Pair(1, 0, np.array([[1, 2], [3, 4]])),)
    costs = (np.array([n, 1]), np.array([n - 3, -n]))
    resource = SumResource("r/s", n, -5, costs, (2**18,), (np.array([[7, 8], [9, -n]]),))
    problem = KnapsackProblem("odd", groups, pairs, (resource,))
    save_problem(problem, tmp_path / "p.npz")
    for choice in ([0, 0], [0, 1], [1, 0], [1, 1]):
        agrees(tmp_path / "p.npz", problem, choice)


def agrees(path: Path, problem: KnapsackProblem, choice: list[int]) -> None:
    found = suite_checker.evaluate(*suite_checker.read_problem(path), choice)
    expected = problem.evaluate(choice)
    assert (found["value"], found["usage"], found["feasible"]) == (expected.value, expected.usage, expected.feasible)
    assert bool(found["violations"]) != expected.feasible


def test_the_checker_needs_numpy_alone(folder: Path) -> None:
    tree = ast.parse((folder / "check_solution.py").read_text())
    modules = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    modules |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {m.partition(".")[0] for m in modules} - sys.stdlib_module_names == {"numpy"}


def test_the_checker_proves_the_optima(folder: Path, tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    for instance in suite("tiny"):
        if instance.optimum is not None:
            solution = reds_core.solve(instance.problem, "dp")
            answer.write_text(json.dumps({"choice": solution.choice}))
            done = check(folder, f"problems/{instance.problem.name}.npz", answer)
            result = json.loads(done.stdout)
            assert (done.returncode, result["value"], result["optimum"]) == (0, instance.optimum, instance.optimum)


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        ('{"choice": [4, 4, 4, 4]}', 1, "above the capacity"),
        ('{"choice": [4, 4, 4]}', 2, "the choice has 3 entries, but the problem has 4 groups"),
        ('{"choice": [4, 4, 4, 5]}', 2, "has no option 5"),
        ('{"choice": [4, 4, 4, 0.5]}', 2, "is not a JSON object with a list of integers as 'choice', such as {"),
        ('{"choice": [4, 4, 4, true]}', 2, "is not a JSON object with a list of integers"),
        ('{"choice": null}', 2, "is not a JSON object with a list of integers"),
        ("[4, 4, 4, 4]", 2, "is not a JSON object with a list of integers"),
        ("{}", 2, "is not a JSON object with a list of integers"),
        ("nonsense", 2, "answer.json is not valid JSON"),
    ],
)
def test_answers_that_the_checker_refuses(folder: Path, answer: str, status: int, why: str, tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(answer)
    done = check(folder, "problems/tiny-brute.npz", tmp_path / "answer.json")
    assert done.returncode == status
    assert why in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 half", b"\x93NUMPY", None])
def test_files_that_are_not_problems_are_named(folder: Path, content: bytes | None, tmp_path: Path) -> None:
    path, answer = tmp_path / "p.npz", tmp_path / "answer.json"
    answer.write_text('{"choice": [0]}')
    if content is None:
        np.save(tmp_path / "array.npy", np.zeros(3))
        content = (tmp_path / "array.npy").read_bytes()
    path.write_bytes(content)
    done = check(folder, path, answer)
    assert (done.returncode, done.stderr) == (2, f"error: {path} is not a reds-problem/1 file\n")


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def reds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Reds:
    return Reds(capsys, monkeypatch)


def facts(found: Any) -> Any:
    from reds_core.system.records import to_json

    return json.loads(to_json(found))


def test_suites_are_listed(reds: Reds) -> None:
    assert reds("suite", "list", "--json").json == facts(reds_core.suites())
    text = reds("suite", "list").out
    assert all(f"{name}: " in text for name in SUITES)
    assert "52 problems, 52 with a proven optimum" in text


def test_a_suite_is_exported(reds: Reds, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert reds("suite", "export", "tiny", "new", "--json").json == json.loads((folder / "index.json").read_text())
    assert contents(tmp_path / "new") == contents(folder)
    assert "tiny: 9 problems" in reds("suite", "export", "tiny").out
    assert contents(tmp_path / "tiny") == contents(folder)
    reds("suite", "export", "tiny").check_error(2, "folder 'tiny' is not empty; give another folder")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "Missing argument"),
        (("show",), "'show' is not one of"),
        (("list", "tiny"), "takes no name"),
        (("export",), "no suite is named"),
        (("export", "huge", "d"), "unknown suite 'huge'"),
    ],
)
def test_usage_errors(
    reds: Reds, arguments: tuple[str, ...], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reds("suite", *arguments).check_error(2, why)
    assert list(tmp_path.iterdir()) == []
