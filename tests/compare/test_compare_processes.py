"""Compared runs as processes: crashes are recorded, kill -9 leaves nothing behind and loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from bench_tools import eventually
from command_line import Reds
from compare_commands import finish, is_alive, make_command_place, start_compare, waiting_processes
from compare_tools import ComparePlace, write_recipe
from toy_framework import ToyFramework
from toy_runs import without_times

from reds_core.compare.reader import read_results
from reds_core.compare.record import RunOutcome
from reds_core.plan import FullRecord, Plan, StepRecord, SubnetworkRecord, load_plan
from reds_core.pruning.pruner import PruningState
from reds_core.runs.checkpoint import load_checkpoint

WAITING = ("--pruners", "waiting", "--seeds", "4")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComparePlace:
    return make_command_place(tmp_path, monkeypatch)


def test_a_crash_is_a_record_and_the_rest_goes_on(place: ComparePlace) -> None:
    done = finish(start_compare(place, "--pruners", "crashing,nested"))
    assert done.status == 0, done.err
    assert "1 of 2 runs failed; --retry repeats them" in done.out
    crashed, *finished = read_results(place.out)
    assert crashed.outcome is RunOutcome.CRASHED
    assert crashed.reason is not None
    assert "SIGSEGV" in crashed.reason
    assert [r.outcome for r in finished] == [RunOutcome.FINISHED] * 2
    assert "SIGSEGV" in (place.out / "report.html").read_text()
    log = (place.out / "runs" / "toy--nested--magnitude--auto--seed0.log").read_text()
    assert "measuring" in log


def start_waiting(place: ComparePlace) -> tuple[subprocess.Popen[str], int]:
    """A comparison whose only run waits in its second step, and the number of the process of that run."""
    running = start_compare(place, *WAITING)
    assert eventually(lambda: bool(waiting_processes(place)), 200)
    return running, waiting_processes(place)[0]


def test_a_killed_comparison_leaves_no_process_and_goes_on_to_the_plan_of_an_undisturbed_one(
    place: ComparePlace,
) -> None:
    running, child = start_waiting(place)
    running.kill()
    assert finish(running).status == -signal.SIGKILL
    assert eventually(lambda: not is_alive(child))
    assert read_results(place.out) == ()
    (place.folder / "gate").touch()
    assert finish(start_compare(place, *WAITING)).status == 0
    (name,) = {r.name for r in read_results(place.out)}
    assert {r.wall_s for r in read_results(place.out)} == {None}
    went_on = without_times(load_plan(place.out / "runs" / name))
    place.out.rename(place.folder / "stopped")
    place.run(pruners="nested", seeds=(4,))
    expected = without_times(load_plan(place.out / "runs" / name.replace("waiting", "nested")))
    assert [_found(member) for member in went_on.subnetworks] == [_found(member) for member in expected.subnetworks]
    assert _full(went_on) == _full(expected)


def _found(member: SubnetworkRecord) -> SubnetworkRecord:
    """The record without what differs in the child, which finds other solvers of the same optimum, and no targets."""
    return replace(member, solver=None, files={}, accuracy=replace(member.accuracy, exported={}))


def _full(plan: Plan) -> FullRecord:
    """The record of the full network without files of targets."""
    return replace(plan.full, files={}, accuracy=replace(plan.full.accuracy, exported={}))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_be_saved_and_ends_with_130(place: ComparePlace, number: signal.Signals) -> None:
    running, child = start_waiting(place)
    (name,) = (path.stem for path in place.out.glob("runs/*.yaml"))
    before = len(list_steps(place, name))
    if number == signal.SIGTERM:  # which a scheduler sends to all processes of a job
        os.kill(child, number)
    running.send_signal(number)
    assert eventually(
        lambda: 'mode="resume" continues from there' in (place.out / "runs" / f"{name}.log").read_text(), 100
    )
    (place.folder / "gate").touch()
    finish(running).check_error(130, "interrupted after 0 of 1 runs; run the same command again to resume")
    assert not is_alive(child)
    assert len(list_steps(place, name)) == before + 1


def list_steps(place: ComparePlace, name: str) -> tuple[StepRecord, ...]:
    """The steps that the unfinished run `name` has saved."""
    framework = ToyFramework()
    model = framework.load_model(place.folder / "model.keras")
    network = framework.inspect(model)
    initial = PruningState.initial(network, model)
    checkpoint = load_checkpoint(place.out / "runs" / name, framework, initial, {None: network})
    return () if checkpoint is None else checkpoint.steps


def test_bad_input_ends_with_2_and_one_line(
    place: ComparePlace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reds = Reds(capsys, monkeypatch)
    out = ("--out", place.out)
    reds("compare", place.recipe, "--pruners", "nestd", *out).check_error(2, "unknown pruner 'nestd'")
    reds("compare", place.recipe, place.recipe, *out).check_error(2, "recipe 'toy' is named twice")
    reds("compare", place.folder / "none.yaml", *out).check_error(2, "does not exist")
    reds("compare", place.recipe, "--seeds", "0,x", *out).check_error(2, "'0,x' is not a list of seeds")
    reds("compare", place.recipe, "--seeds=-1", *out).check_error(2, "seed -1 is below 0")
    reds("compare", place.recipe, "--solvers", "brut", *out).check_error(2, "unknown solver 'brut'")
    reds("compare").check_error(2, "(?i)missing argument")
    bad = write_recipe(place.folder, "bad", finetune={"epochs": -1})
    reds("compare", bad, *out).check_error(2, "the number of epochs -1 is below 0")
    assert not place.out.exists()
