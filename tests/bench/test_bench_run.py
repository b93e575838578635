"""A comparison as a whole: who takes part, what is asked, what is kept, what is refused."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bench_tools import Place, write_problem
from command_line import Outcome as CommandOutcome
from rich.console import Console
from toy_plugins import BruteSolver, IdleSolver, PluginModule

from reds_core import cli
from reds_core.bench.history import Ending, LeftOut, read_history
from reds_core.bench.reader import read_records
from reds_core.bench.record import SolveOutcome, SolveRecord
from reds_core.bench.runner import BenchSettings, run_solves
from reds_core.bench.solver_selection import select_solvers
from reds_core.bench.supervision import supervise
from reds_core.bench.task import SolveTask
from reds_core.bench.verification import Question
from reds_core.bench.view import BenchView
from reds_core.bench.watcher import BenchWatcher
from reds_core.errors import InputError, UnavailableError
from reds_core.knapsack.file import load_problem, problem_digest
from reds_core.knapsack.solution import Status
from reds_core.knapsack.solver import Solver
from reds_core.registry import Registry
from reds_core.system.libraries import library_versions
from reds_core.system.machine import this_machine
from reds_core.system.memory import parse_bytes


class Listener(BenchWatcher):
    def __init__(self) -> None:
        self.plans: list[tuple[int, int]] = []
        self.events: list[tuple[str, str]] = []
        self.warnings: list[str] = []

    def planned(self, solves: int, kept: int) -> None:
        self.plans.append((solves, kept))

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def started(self, question: Question) -> None:
        self.events.append(("started", question.contender.label))

    def ended(self, question: Question, record: SolveRecord) -> None:
        self.events.append(("ended", record.contender.label))


# --- one record ------------------------------------------------------------------------------------------------------


def test_a_record_says_who_what_where_and_how(place: Place) -> None:
    (record,) = place.solve("dp", time_limit_s=7.5, memory_limit_bytes=2**30, seed=5, threads=2)
    problem = load_problem(place.folder / "p.npz")
    facts = record.problem
    assert (facts.name, facts.sha256) == ("p", problem_digest(problem))
    assert (facts.groups, facts.options, facts.pairs, facts.resources) == (6, 24, 0, ("macs",))
    assert (facts.optimum, facts.lp_bound) == (None, None)
    contender = record.contender
    assert (contender.label, contender.solver, contender.distribution) == ("dp", "dp", "reds-core")
    assert contender.version == Registry().get(Solver, "dp").version()
    assert (record.outcome, record.reason, record.status) == (SolveOutcome.ANSWERED, None, Status.OPTIMAL)
    assert record.widths is not None
    choice = [int(g.widths.searchsorted(record.widths[g.name])) for g in problem.groups]
    evaluation = problem.evaluate(choice)
    assert evaluation.feasible
    assert record.value == record.bound == evaluation.value
    assert record.gap == 0.0
    assert 0 < record.wall_s < 7.5
    assert (record.time_limit_s, record.memory_limit_bytes, record.threads, record.seed) == (7.5, 2**30, 2, 5)
    assert (record.repeat, record.jobs) == (0, 1)
    assert record.machine == this_machine()
    assert record.versions == library_versions(())
    assert {"numpy", "reds-core"} <= set(record.versions)
    assert 10 * 2**20 < (record.peak_memory_bytes or 0) < 2**30


def test_a_refusal_is_its_own_outcome(place: Place) -> None:
    """It takes no pair terms, and the problem has some."""
    shared = Path(__file__).parents[3] / "shared" / "instances" / "ds-cnn-s-kws-25.npz"
    if not shared.exists():
        pytest.skip("the shared instances are not here")
    (record,) = place.solve("narrow", problems=(shared,))
    assert record.outcome is SolveOutcome.REFUSED
    assert record.reason is not None
    assert record.reason.endswith("it does not handle pair_terms")
    assert (record.status, record.value, record.detail) == (None, None, ())


def test_another_version_where_the_solve_runs_is_told(place: Place) -> None:
    limits = BenchSettings().limits
    task = SolveTask((place.folder / "p.npz").read_bytes(), "plain", "0.9", {}, limits)
    reply = supervise(task, ()).reply
    assert (reply.outcome, reply.answer) == (SolveOutcome.RAISED, None)
    assert reply.reason is not None
    assert "version 1.0 where the solve runs and 0.9 where the comparison runs; install the same" in reply.reason


# --- contenders ------------------------------------------------------------------------------------------------------


def labels(*texts: str, options: dict[str, dict[str, str]] | None = None) -> list[str]:
    return [e.contender.label for e in select_solvers(Registry(), texts, options or {}).entries]


def test_a_label_names_what_differs_from_the_defaults() -> None:
    assert labels("cpsat", "cpsat[presolve=no]") == ["cpsat", "cpsat[presolve=false]"]
    assert labels("cpsat[presolve=yes]") == ["cpsat"]
    assert labels("pulp[backend=HiGHS,presolve=0]") == ["pulp[presolve=false,backend=HiGHS]"]
    everyone = {"cpsat": {"presolve": "false"}}
    assert labels("cpsat,cpsat[presolve=true],dp", options=everyone) == ["cpsat[presolve=false]", "cpsat", "dp"]
    (entry,) = select_solvers(Registry(), ("pulp[backend=HiGHS]",), {}).entries
    assert entry.contender.options == {"presolve": "true", "backend": "HiGHS"}
    assert entry.contender.presolve is True
    assert select_solvers(Registry(), ("dp",), {}).entries[0].contender.presolve is None


def test_without_a_list_all_take_part() -> None:
    available = sorted(Registry().available(Solver))
    assert labels() == labels("all") == available
    assert labels("all,cpsat[presolve=false]") == [*available, "cpsat[presolve=false]"]
    assert labels("dp", "all")[0] == "dp"
    assert sorted(labels("dp", "all")) == available


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dp,auto", "'auto' is not a solver but runs several of them; name them"),
        ("dp,unheard", "unknown solver 'unheard'; installed: .*cpsat"),
        ("cpsatt", "did you mean 'cpsat'"),
        ("taylor", "unknown solver 'taylor'"),
        ("cpsat[presolv=no]", "has no option 'presolv'"),
        ("cpsat[presolve=perhaps]", "cannot be 'perhaps'"),
        ("dp,dp", "solver 'dp' is named twice"),
        ("cpsat,cpsat[presolve=true]", "solver 'cpsat' is named twice"),
    ],
)
def test_contenders_that_cannot_be_are_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        select_solvers(Registry(), (text,), {})


class Lacking(BruteSolver):
    name = "lacking"
    requires = ("no_such_library",)
    install = "pip install no-such-library"


def partial_registry() -> Registry:
    return Registry(
        [PluginModule("toy", (BruteSolver, Lacking)), PluginModule("bad", (), ValueError("spoilt"))]  # type: ignore[list-item]
    )


def test_who_cannot_take_part_is_told_and_the_rest_runs() -> None:
    lacking = LeftOut("lacking", "unavailable", "needs no_such_library: pip install no-such-library")
    everyone = select_solvers(partial_registry(), (), {})
    assert [e.contender.label for e in everyone.entries] == ["brute"]
    assert everyone.left_out == (lacking, LeftOut("bad", "broken", "ValueError: spoilt"))
    assert select_solvers(partial_registry(), ("lacking,brute",), {}).left_out == (lacking,)
    assert select_solvers(partial_registry(), ("brute",), {}).left_out == ()
    with pytest.raises(UnavailableError, match=r"no solver is available .*pip install no-such-library"):
        select_solvers(partial_registry(), ("lacking",), {})
    with pytest.raises(InputError, match="plugin 'bad' is broken"):
        select_solvers(partial_registry(), ("bad",), {})


# --- problems --------------------------------------------------------------------------------------------------------


def test_files_of_one_name_are_told_apart_by_their_folders(place: Place) -> None:
    paths = [write_problem(make(place.folder / a / b) / "p.npz", c) for a, b, c in (("x", "25", 30), ("x", "50", 41))]
    records = place.solve("plain", problems=(place.folder / "p.npz", *paths))
    names = [r.problem.name for r in records]
    assert names[1:] == ["25/p", "50/p"]
    assert names[0].endswith("/p")
    assert len({r.problem.sha256 for r in records}) == 3


def make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_problems_that_cannot_be_are_refused(place: Place) -> None:
    copy = Path(shutil.copy(place.folder / "p.npz", place.folder / "copy.npz"))
    (place.folder / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
    for paths, why in [
        ((), "there is nothing to solve"),
        ((place.folder / "p.npz", copy), "'p' and 'copy' are the same"),
        ((place.folder / "p.npz",) * 2, f"problem file '{place.folder}/p.npz' is named twice"),
        ((place.folder / "none.npz",), "does not exist"),
        ((place.folder / "broken.npz",), "is not a readable .npz"),
    ]:
        with pytest.raises(InputError, match=why):
            place.solve("plain", problems=paths)
    assert not place.out.exists() or read_records(place.out) == ()


def test_another_problem_under_a_known_name_is_refused(place: Place) -> None:
    place.solve("plain")
    write_problem(place.folder / "p.npz", capacity=30)
    with pytest.raises(InputError, match="holds records of another problem named 'p'; give another folder"):
        place.solve("plain")


# --- going on --------------------------------------------------------------------------------------------------------


def test_what_is_done_is_not_done_again_and_what_is_new_is_added(place: Place) -> None:
    listener = Listener()
    first = place.solve("plain,greedy", watcher=listener)
    assert listener.plans == [(2, 0)]
    assert listener.events == [(e, s) for s in ("plain", "greedy") for e in ("started", "ended")]
    written = (place.out / "records.jsonl").read_bytes()
    place.solve("plain,greedy", watcher=listener)
    assert listener.plans[-1] == (2, 2)
    assert (place.out / "records.jsonl").read_bytes() == written
    # each of these asks for something else
    place.solve("plain", time_limit_s=4.0)
    place.solve("plain", memory_limit_bytes=None)
    place.solve("plain", seed=1)
    place.solve("plain", threads=None)
    records = place.solve("plain", repeat=2, watcher=listener)
    assert listener.plans[-1] == (2, 1)
    assert records[:2] == first
    assert len(records) == 7
    assert [(r.time_limit_s, r.memory_limit_bytes, r.seed, r.threads, r.repeat) for r in records[2:]] == [
        (4.0, 4 * 2**30, 0, 1, 0),
        (5.0, None, 0, 1, 0),
        (5.0, 4 * 2**30, 1, 1, 0),
        (5.0, 4 * 2**30, 0, None, 0),
        (5.0, 4 * 2**30, 0, 1, 1),
    ]
    runs = read_history(place.out).runs
    assert [(r.solves, r.kept, r.done, r.ending) for r in runs] == [
        (2, 0, 2, Ending.FINISHED),
        (2, 2, 0, Ending.FINISHED),
        *[(1, 0, 1, Ending.FINISHED)] * 4,
        (2, 1, 1, Ending.FINISHED),
    ]


def test_another_version_of_a_solver_is_another_contender(place: Place) -> None:
    (record,) = place.solve("plain")
    path = place.out / "records.jsonl"
    old = path.read_text().replace('"version": "1.0"', '"version": "0.9"')
    path.write_text(old)
    records = place.solve("plain")
    assert [r.contender.version for r in records] == ["0.9", "1.0"]
    assert replace(records[0], contender=record.contender) == record


def test_a_folder_with_foreign_lines_is_refused(place: Place) -> None:
    make(place.out)
    (place.out / "records.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(InputError, match=r"line 1 of .* is not a record of a solve"):
        place.solve("plain")
    assert (place.out / "records.jsonl").read_text() == '{"a": 1}\n'


def test_solves_side_by_side_are_recorded_as_such_and_warned_of(place: Place) -> None:
    listener = Listener()
    records = place.solve("plain,greedy,dp,lingerer", jobs=2, watcher=listener)
    assert sorted(r.contender.label for r in records) == ["dp", "greedy", "lingerer", "plain"]
    assert {r.jobs for r in records} == {2}
    (warning,) = listener.warnings
    assert warning.startswith("2 solves run side by side and share cores")
    assert read_history(place.out).runs[0].warnings == (warning,)
    assert sorted(listener.events) == sorted((e, r.contender.label) for r in records for e in ("started", "ended"))


def test_the_bar_says_what_is_done_what_runs_and_what_failed(place: Place) -> None:
    shown = io.StringIO()
    with BenchView(console=Console(file=shown, force_terminal=True, width=200, _environ={})) as view:
        place.solve("plain", "raiser", "quitter", watcher=view)
        view.warn("a [warning]")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    assert "raiser on p" in text
    assert "3/3 2 failed" in text
    assert "warning: a [warning]" in text


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def reds(place: Place, capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandOutcome]:
    def call(*arguments: object) -> CommandOutcome:
        capsys.readouterr()
        status = cli.run(["bench", *(str(a) for a in arguments)])
        captured = capsys.readouterr()
        return CommandOutcome(status, captured.out, captured.err)

    return call


def test_the_command_writes_records_report_and_history_whatever_solvers_do(
    reds: Callable[..., CommandOutcome], place: Place
) -> None:
    done = reds(place.folder / "p.npz", "--solvers", "dp,over-budget,raiser", "--out", place.out)
    assert done.status == 0, done.err
    assert {p.name for p in place.out.iterdir()} == {"records.jsonl", "bench.json", "report.html", "summary.md"}
    assert [line.split()[:1] for line in done.out.splitlines()[1:4]] == [["dp"], ["over-budget"], ["raiser"]]
    history = json.loads((place.out / "bench.json").read_text())
    assert history["format"] == "reds-bench/1"
    assert history["runs"][0]["contenders"] == ["dp", "over-budget", "raiser"]
    assert "over-budget" in (place.out / "report.html").read_text()


def test_bad_usage_ends_with_status_2(reds: Callable[..., CommandOutcome], place: Place, tmp_path: Path) -> None:
    problem, out = place.folder / "p.npz", place.out
    for arguments, why in [
        ((), "there is nothing to solve"),
        ((tmp_path / "none.npz",), "does not exist"),
        (("--suite", "nothing"), "unknown suite 'nothing'"),
        ((problem, "--solvers", "unheard"), "unknown solver 'unheard'; .*installed: "),
        ((problem, "--option", "plain.x=1"), "has no option 'x'"),
        ((problem, "--time-limit", "0"), "the time limit 0 is not above 0"),
        ((problem, "--memory-limit", "4 bananas"), "the memory limit '4 bananas' is not an amount"),
        ((problem, "--repeat", "0"), "repeat"),
        ((problem, "--jobs", "0"), "jobs"),
        ((problem, "--backend", "ray"), "unknown back end 'ray'; give one of: loky, dask"),
        ((problem, "--scheduler", "tcp://x:1"), "a scheduler is for Dask"),
    ]:
        reds(*arguments, "--out", out).check_error(2, why)
    out.write_text("a file")
    reds(problem, "--solvers", "plain", "--out", out).check_error(2, "cannot be written")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4GiB", 4 * 2**30),
        ("800MiB", 800 * 2**20),
        ("1.5G", 1_500_000_000),
        ("64MB", 64_000_000),
        ("4 gib", 4 * 2**30),
        ("1e9", 10**9),
    ],
)
def test_amounts_of_memory(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "GiB", "-1GiB", "0", "0.5", "50%", "1e99", "4i", "nan", "none"])
def test_malformed_amounts_of_memory(text: str) -> None:
    with pytest.raises(InputError, match="is not an amount"):
        parse_bytes(text)


def test_settings_are_checked_where_they_are_made() -> None:
    with pytest.raises(InputError, match="repeat 0 is below 1"):
        BenchSettings(repeat=0)
    with pytest.raises(InputError, match="jobs 0 is below 1"):
        BenchSettings(jobs=0)
    with pytest.raises(InputError, match="memory limit 0 is below 1 byte"):
        BenchSettings(memory_limit_bytes=0)


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in ("joblib", "psutil") else found(n, *a))
    with pytest.raises(UnavailableError, match=r"needs joblib, psutil; pip install 'reds-core\[bench\]'"):
        run_solves(BenchSettings(), tmp_path, BenchWatcher(), Registry([PluginModule("toy", (IdleSolver,))]))  # type: ignore[list-item]
