"""Runs that are stopped in the middle of a training, by processes and in this one: nothing changes but the time."""

from __future__ import annotations

import dataclasses
import errno
import os
import random
import signal
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from mock_scorers import Overtraining
from stopped_runs import TOY, StoppableRun, check_end, finished, moments
from toy_framework import ToyFramework, residual_model, toy_arrays
from toy_plugins import toy_registry
from toy_runs import QUICK, REMARK_ON_DATA, Interrupted, Workplace, contents, without_times

from reds_core.errors import InputError, NoSpaceError
from reds_core.framework.finetuning import EpochProgress, FinetuneSettings
from reds_core.plan import load_plan
from reds_core.runs.folder import Mode
from reds_core.watcher import Watcher

EPOCHS = 30
LONG = dataclasses.replace(QUICK, finetune=FinetuneSettings(EPOCHS, 16, 0.05))


class Counting(Watcher):
    """Counts epochs that are begun, and kills the run at a batch, from 0."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.batches, self.epochs = at, 0, 0

    def epoch(self, progress: EpochProgress) -> None:
        self.epochs += progress.batch == 1
        number, self.batches = self.batches, self.batches + 1
        if number == self.at:
            raise Interrupted


others = [pytest.param(p, marks=pytest.mark.slow) for p in ("layerwise", "progressive", "oneshot", "uniform")]


@pytest.mark.parametrize("pruner", ["nested", "baseline", *others])
def test_a_run_killed_in_any_batch_repeats_at_most_one_epoch(place: Workplace, pruner: str) -> None:
    source: dict[str, Any] = {"settings": dataclasses.replace(LONG, pruner=pruner)}
    if pruner == "baseline":
        source = {"settings": LONG, "model": None, "data": "toyset"}
    whole = Counting()
    expected = without_times(place.prune(out=place.folder / "whole", watcher=whole, **source))
    assert whole.epochs >= EPOCHS
    generator = random.Random(pruner)
    for at in {0, 1, whole.batches - 1, *(generator.randrange(whole.batches) for _ in range(9))}:
        out = place.folder / f"killed-{at}"
        first, second = Counting(at), Counting()
        with pytest.raises(Interrupted):
            place.prune(out=out, watcher=first, **source)
        assert without_times(place.resume(out=out, watcher=second, **source)) == expected, f"killed at batch {at}"
        assert contents(out) == contents(place.folder / "whole"), f"killed at batch {at}"
        assert first.epochs + second.epochs <= whole.epochs + 1, f"killed at batch {at}"


def test_a_run_killed_again_and_again_gets_on(place: Workplace) -> None:
    """Every attempt is killed two epochs later, and the run ends all the same."""
    expected = without_times(place.prune(out=place.folder / "whole", settings=LONG))
    attempts = 0
    while not (place.out / "plan.json").exists():
        attempts += 1
        assert attempts < EPOCHS
        with suppress(Interrupted):
            place.resume(watcher=Counting(9), settings=LONG)
    assert attempts > EPOCHS // 3
    assert without_times(load_plan(place.out)) == expected
    assert contents(place.out) == contents(place.folder / "whole")


@pytest.mark.parametrize("mode", [Mode.RESUME, Mode.OVERWRITE])
def test_epochs_of_the_baseline_outlive_an_error(place: Workplace, mode: Mode) -> None:
    """A training that fails is gone on with like one that is killed."""
    source: dict[str, Any] = {"model": None, "data": "toyset", "settings": LONG}

    class Failing(Counting):
        def epoch(self, progress: EpochProgress) -> None:
            try:
                super().epoch(progress)
            except Interrupted:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None

    whole, second = Counting(), Counting()
    expected = without_times(place.prune(out=place.folder / "whole", watcher=whole, **source))
    with pytest.raises(NoSpaceError, match='and add mode="resume"'):
        place.prune(watcher=Failing(1), **source)  # in the second epoch
    assert [p.name for p in place.out.glob(".checkpoint/epochs-*")] == ["epochs-baseline-0.npz"]
    with pytest.raises(InputError, match='holds an unfinished run; add mode="resume" to continue it'):
        place.prune(**source)
    assert without_times(place.prune(mode=mode, watcher=second, **source)) == expected
    assert second.epochs == whole.epochs - (mode is Mode.RESUME)


def test_an_error_before_the_first_epoch_leaves_no_trace(place: Workplace) -> None:
    class Failing(Watcher):
        def epoch(self, progress: EpochProgress) -> None:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        place.prune(model=None, data="toyset", settings=LONG, watcher=Failing())
    assert not (place.out / ".checkpoint").exists()


def test_several_trainings_of_one_step_are_told_apart(place: Workplace) -> None:
    """What a step has trained before it was stopped is not trained again, in whatever order it trains."""
    settings = dataclasses.replace(LONG, pruner="honest")
    registry = toy_registry(Overtraining)
    whole = Counting()
    expected = without_times(
        place.prune(out=place.folder / "whole", settings=settings, watcher=whole, registry=registry)
    )
    assert whole.epochs == 2 * EPOCHS
    for at in (3, whole.batches // 2 + 1, whole.batches - 2):
        out = place.folder / f"killed-{at}"
        first, second = Counting(at), Counting()
        with pytest.raises(Interrupted):
            place.prune(out=out, settings=settings, watcher=first, registry=registry)
        plan = place.resume(out=out, settings=settings, watcher=second, registry=registry)
        assert without_times(plan) == expected
        assert contents(out) == contents(place.folder / "whole")
        assert first.epochs + second.epochs <= whole.epochs + 1


def test_ctrl_c_ends_the_run_after_the_running_epoch(place: Workplace) -> None:
    class Pressing(Counting):
        warnings: tuple[str, ...] = ()

        def epoch(self, progress: EpochProgress) -> None:
            super().epoch(progress)
            if progress.epoch == 4 and progress.batch == 2:
                signal.raise_signal(signal.SIGINT)

        def warn(self, text: str) -> None:
            self.warnings += () if REMARK_ON_DATA.match(text) else (text,)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        expected = without_times(place.prune(out=place.folder / "whole", settings=LONG))
        first, second = Pressing(), Counting()
        with pytest.raises(KeyboardInterrupt):
            place.prune(settings=LONG, watcher=first)
    finally:
        signal.signal(signal.SIGINT, before)
    assert first.epochs == 5
    assert first.warnings == (
        'the run ends after this epoch, and mode="resume" continues from there; press Ctrl-C again to end it at once',
    )
    assert without_times(place.resume(settings=LONG, watcher=second)) == expected
    assert first.epochs + second.epochs == EPOCHS


@pytest.mark.parametrize("damage", ["cut", "emptied", "garbage", *range(12)])
def test_a_damaged_epoch_costs_no_more_than_the_training(place: Workplace, damage: str | int) -> None:
    """Whatever bits are flipped in it, an epoch is used only if it is whole."""
    expected = without_times(place.prune(out=place.folder / "whole", settings=LONG))
    with pytest.raises(Interrupted):
        place.prune(settings=LONG, watcher=Counting(50))
    [path] = place.out.glob(".checkpoint/epochs-*")
    content = bytearray(path.read_bytes())
    if isinstance(damage, int):
        generator = random.Random(damage)
        for _ in range(5):
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    path.write_bytes({"cut": content[: len(content) // 2], "garbage": b"{]", "emptied": b""}.get(str(damage), content))

    class Told(Counting):
        warnings: tuple[str, ...] = ()

        def warn(self, text: str) -> None:
            self.warnings += () if REMARK_ON_DATA.match(text) else (text,)

    watcher = Told()
    assert without_times(place.resume(settings=LONG, watcher=watcher)) == expected
    assert contents(place.out) == contents(place.folder / "whole")
    assert bool(watcher.warnings) == (watcher.epochs == EPOCHS)
    if watcher.warnings:
        assert "epochs-" in watcher.warnings[0]
        assert "the training of this step starts over" in watcher.warnings[0]


def test_epochs_of_other_networks_are_passed_over(place: Workplace) -> None:
    """A step that comes to other networks when it is taken again does not go on with the epochs of the first ones."""
    with pytest.raises(Interrupted):
        place.prune(settings=LONG, watcher=Counting(50))

    class Other(ToyFramework):
        def finetune(self, family: Any, training: Any) -> None:
            family.full.weights["head/bias"] += np.float32(0.25)
            super().finetune(family, training)

    watcher = Counting()
    place.resume(settings=LONG, watcher=watcher, registry=toy_registry(framework=Other))
    assert watcher.epochs == EPOCHS


def stoppable(place: Workplace) -> StoppableRun:
    ToyFramework().save_model(residual_model(), place.model)
    np.savez(place.data, **toy_arrays(residual_model()))
    arguments = ("model.keras", "--data", "data.npz", "--finetune-epochs", str(EPOCHS), "--batch-size", "16")
    return StoppableRun(place.folder, arguments, TOY)


@pytest.mark.parametrize("count", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_runs_stopped_by_signals_at_random_moments(place: Workplace, count: int) -> None:
    """Kill -9, SIGTERM and Ctrl-C in scoring, training, exporting and reporting."""
    run = stoppable(place)
    whole = place.folder / "whole"
    whole_s = run.straight(whole)
    assert run.trained(whole) == EPOCHS
    expected = without_times(load_plan(whole))
    for i, (number, after_s) in enumerate(moments(count, whole_s, seed=7)):
        out = place.folder / f"stopped-{i}"
        check_end(run.stopped(out, number, after_s), number, out)
        ended = finished(run.start(out, "--resume"))
        assert ended.status == 0, ended.err
        assert without_times(load_plan(out)) == expected
        assert contents(out) == contents(whole)
        assert run.trained(out) <= EPOCHS + 1
