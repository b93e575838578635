"""Finds the epochs with which strategies train for the same processor time.

A trial of each strategy measures the processor time of its training steps, and, right before it, that of steps of the
full network alone. Their ratio depends much less on what else the machine does than either time. Building graphs,
scoring, evaluation and export are left out: they take the same time however much data there is.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments import Experiment

from reds_core import Recipe, Registry, Task, Watcher, prune, split_validation
from reds_core.framework import Arrays, EpochProgress, Family, Teacher, Training
from reds_core.system import RecordKind, read_archive, temporary_folder

PLAIN_EPOCHS = 3
"""Epochs of the full network alone that are timed."""


@dataclass(frozen=True)
class Trial:
    """The processor time of a strategy's training.

    Attributes:
        strategy: name of the strategy.
        epochs: epochs of the trial.
        step_cpu_s: processor seconds of all its training steps.
        plain_epoch_cpu_s: processor seconds of the steps of one epoch of the full network alone.
    """

    strategy: str
    epochs: int
    step_cpu_s: float
    plain_epoch_cpu_s: float

    @property
    def cost(self) -> float:
        """Mean time of an epoch of the strategy, in epochs of the full network alone."""
        return self.step_cpu_s / self.epochs / self.plain_epoch_cpu_s

    def epochs_within(self, plain_epochs: float) -> int:
        """How many epochs take as long as `plain_epochs` of the full network alone, at least one."""
        return max(1, round(plain_epochs / self.cost))


TRIALS = RecordKind(Trial, "a trial", "python benchmarks/end_to_end.py")


class StepClock(Watcher):
    """Measures the processor time of the training steps of one or more trainings from their progress reports.

    Time counts from one report to the next within an epoch, and is scaled to all steps of the training. The first step
    of a training, in which its graph is built, and the time between epochs are thereby left out.
    """

    def __init__(self) -> None:
        self._finished_s = 0.0
        self._begin()

    @property
    def cpu_s(self) -> float:
        """Processor seconds of all steps so far."""
        return self._finished_s + self._measured_s / max(self._measured, 1) * self._steps

    def epoch(self, progress: EpochProgress) -> None:
        now = time.process_time()
        if self._last is not None and (progress.epoch, progress.batch) <= self._last[0]:
            self._finished_s = self.cpu_s
            self._begin()
        if self._last is not None and progress.epoch == self._last[0][0]:
            self._measured += progress.batch - self._last[0][1]
            self._measured_s += now - self._last[1]
        self._last = (progress.epoch, progress.batch), now
        if progress.batch == progress.batches:
            self._steps += progress.batches

    def _begin(self) -> None:
        """Begin a training."""
        self._last: tuple[tuple[int, int], float] | None = None
        self._measured = self._steps = 0
        self._measured_s = 0.0


def epochs_of(experiment: Experiment, folder: Path) -> dict[str, int]:
    """Return the epochs of each strategy of an experiment.

    Args:
        experiment: an experiment with strategies.
        folder: folder of the trials' records. Trials that are recorded there are not made again.
    """
    with TRIALS.opened(folder) as file:
        trials = {trial.strategy: trial for trial in file.before}
        for name in experiment.strategies:
            if name not in trials:
                trials[name] = _trial(experiment, name)
                file.append(trials[name])
    return {name: trials[name].epochs_within(experiment.plain_epochs) for name in experiment.strategies}


def _trial(experiment: Experiment, name: str) -> Trial:
    epochs = experiment.strategies[name].trial_epochs
    recipe = experiment.recipe_of(name, epochs)
    plain, clock = plain_epoch_cpu_s(recipe), StepClock()
    with temporary_folder() as folder:
        recipe = dataclasses.replace(recipe, settings=dataclasses.replace(recipe.settings, int8=False))
        prune(recipe=recipe, out=folder / "trial", watcher=clock)
    return Trial(name, epochs, clock.cpu_s, plain)


def plain_epoch_cpu_s(recipe: Recipe) -> float:
    """Measure the training steps of one epoch of the full network alone, without a teacher, in processor seconds."""
    assert recipe.model is not None
    assert recipe.data is not None
    settings = recipe.settings
    framework = Registry().default_framework()
    model = framework.load_model(Path(recipe.model))
    arrays = read_archive(Path(recipe.data))
    data = framework.check_data(model, Arrays(arrays["x_train"], arrays["y_train"]), Task(), "training data")
    train, _ = split_validation(data, settings.holdout, settings.seed)
    finetune = dataclasses.replace(settings.finetune, epochs=PLAIN_EPOCHS, distill=Teacher.NONE)
    clock = StepClock()
    framework.finetune(Family(model, (), ()), Training(train, finetune, settings.seed, clock.epoch))
    return clock.cpu_s / PLAIN_EPOCHS


def trials_table(experiment: Experiment, trials: Mapping[str, Trial]) -> str:
    """Render the trials of an experiment as a Markdown table."""
    rows = [
        f"| {name} | {trial.cost:.2f} | {(epochs := trial.epochs_within(experiment.plain_epochs))} "
        f"| {epochs * trial.cost:.1f} |"
        for name, trial in trials.items()
    ]
    head = "| Strategy | Time of an epoch | Epochs | Time of fine-tuning |\n| --- | ---: | ---: | ---: |"
    return "\n".join([head, *rows])
