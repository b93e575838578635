"""Ctrl-C and SIGTERM in a run: the first lets the running epoch or step finish, the second does not."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_framework import ToyFramework
from toy_plugins import BruteSolver, toy_registry
from toy_runs import QUICK, Listener, Workplace, make_workplace, skip_report, without_times

from reds_core.framework.family import Family
from reds_core.framework.framework import Framework
from reds_core.framework.training import Training
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer
from reds_core.knapsack.solver import Controls
from reds_core.system.interruption import deferred_interruption, termination_as_interruption, unheard_interruption

LAYERWISE = dataclasses.replace(QUICK, pruner="layerwise")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    skip_report(monkeypatch)
    # a shell that runs the tests in the background has Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield make_workplace(tmp_path)
    signal.signal(signal.SIGINT, before)


def pressing(times: int) -> type[Framework]:
    """A framework in whose training Ctrl-C is pressed, in a run's first training only."""

    class Pressed(ToyFramework):
        trainings = 0

        def finetune(self, family: Family[Any], training: Training) -> None:
            super().finetune(family, training)
            Pressed.trainings += training.settings.epochs > 0
            if Pressed.trainings == 1 and training.settings.epochs:
                for _ in range(times):
                    signal.raise_signal(signal.SIGINT)

    return Pressed


@pytest.mark.parametrize(("times", "trained_again"), [(1, False), (2, True)])
def test_a_run_ends_after_saving_or_at_once(place: Workplace, times: int, trained_again: bool) -> None:
    settings = {"settings": LAYERWISE}
    whole = place.prune(out=place.folder / "whole", **settings)
    trainings = sum(step.finetune_s is not None for step in whole.steps)
    assert trainings > 1
    framework, listener = pressing(times), Listener()
    with pytest.raises(KeyboardInterrupt):
        place.prune(registry=toy_registry(framework=framework), watcher=listener, **settings)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    (warning,) = listener.warnings
    assert "press Ctrl-C again to end it at once" in warning
    stopped_at = listener.stages[-1].partition(": ")[2]
    assert f"'{stopped_at}'" in warning

    listener = Listener()
    plan = place.resume(registry=toy_registry(framework=framework), watcher=listener, **settings)
    assert without_times(plan) == without_times(whole)
    assert any(stage.endswith(stopped_at) for stage in listener.stages) == trained_again
    assert framework.trainings == trainings + trained_again  # type: ignore[attr-defined]


def test_who_handles_ctrl_c_already_goes_on_doing_so() -> None:
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        with deferred_interruption(pytest.fail) as interruption:
            signal.raise_signal(signal.SIGINT)
            assert not interruption.asked
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [signal.SIGINT]
    interruption.check()


def test_outside_the_main_thread_nothing_changes() -> None:
    found = []

    def work() -> None:
        with deferred_interruption(pytest.fail) as interruption:
            found.append(signal.getsignal(signal.SIGINT))
        interruption.check()

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.fixture
def plain_signals() -> Iterator[None]:
    """Both signals as a terminal's command has them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler), signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, before[0])
    signal.signal(signal.SIGTERM, before[1])


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_asks_and_the_second_ends(
    plain_signals: None, first: signal.Signals, second: signal.Signals
) -> None:
    told: list[str] = []
    with termination_as_interruption():
        with deferred_interruption(told.append, "step 'x'") as interruption:
            interruption.check()
            signal.raise_signal(first)
            assert told == ["step 'x'"]
            with pytest.raises(KeyboardInterrupt):
                interruption.check()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(second)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert told == ["step 'x'"]


def test_what_saves_nothing_is_ended_at_once(plain_signals: None) -> None:
    told: list[str] = []
    with deferred_interruption(told.append) as interruption:
        with pytest.raises(KeyboardInterrupt), interruption.immediate():
            signal.raise_signal(signal.SIGINT)
        assert told == []
        signal.raise_signal(signal.SIGINT)
        with interruption.immediate():  # the user was told that the step is finished
            pass
    assert told == ["this step"]


def test_a_solve_in_a_run_is_ended_at_once(place: Workplace) -> None:
    class Pressed(BruteSolver):
        name = "pressed"

        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            signal.raise_signal(signal.SIGINT)
            return super().solve(problem, controls)

    listener = Listener()
    settings = dataclasses.replace(QUICK, solver="pressed")
    with pytest.raises(KeyboardInterrupt):
        place.prune(registry=toy_registry(Pressed), settings=settings, watcher=listener)
    assert listener.warnings == []
    assert [s.partition(": ")[2] for s in listener.stages if s.startswith("step")] == ["score", "choose"]


def test_who_handles_sigterm_already_goes_on_doing_so() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with termination_as_interruption(), deferred_interruption(pytest.fail):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks")
def test_processes_never_hear_of_an_interruption_that_is_held_back_and_this_one_does_in_the_end() -> None:
    def child() -> subprocess.Popen[bytes]:
        sleeping = "import time; print(1, flush=True); time.sleep(1); print(2)"
        # Ctrl-C not ignored, as it is in what a shell runs in the background
        unignored = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
        return subprocess.Popen([sys.executable, "-c", sleeping], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                preexec_fn=unignored)  # fmt: skip

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        reached = []
        with pytest.raises(KeyboardInterrupt), unheard_interruption() as hold_back:  # noqa: PT012
            hearing = child()
            hold_back()
            deaf = child()
            signal.raise_signal(signal.SIGINT)
            reached.append("the end of the block")
        assert reached == ["the end of the block"]
        hold_back()  # does nothing any more
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        for process, written in ((hearing, b"1\n"), (deaf, b"1\n2\n")):
            assert process.stdout is not None
            first = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert first + process.communicate()[0] == written
    finally:
        signal.signal(signal.SIGINT, before)
