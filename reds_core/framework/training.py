"""What a framework is given for a training besides the networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reds_core.framework.data import Data
from reds_core.framework.epochs import EpochKeeper
from reds_core.framework.finetuning import FinetuneSettings, Progress
from reds_core.framework.projection import Projection
from reds_core.framework.task import Task


@dataclass(frozen=True, eq=False)
class TrainingObjects:
    """Objects of the framework that a caller in Python gives for the training.

    Attributes:
        callbacks: callbacks of the framework's own training loop.
        optimizer: an optimizer, of which every training uses a new copy in place of the one that the settings describe;
            None if the settings decide.
    """

    callbacks: tuple[Any, ...] = ()
    optimizer: Any | None = None


@dataclass(frozen=True, eq=False)
class Training:
    """The data, settings and callbacks of a training.

    Attributes:
        data: training examples.
        settings: the settings of fine-tuning.
        seed: seed of shuffling, dropout and all other randomness.
        progress: called after every few batches and at the end of each epoch.
        task: how outputs are compared with labels.
        validation: examples held back from training, by which the best epoch is chosen. None keeps the last epoch.
        teacher: the model as it was before pruning, which may give soft targets, or None.
        keeper: saves the state after each epoch, so that a stopped training can be resumed. If the user interrupts the
            run, it raises KeyboardInterrupt after saving the current epoch.
        objects: objects of the framework that the caller gives.
        first_pass: number of passes over a stream that belong to earlier trainings of the run.
        projections: for each member, smallest first, and then the full network: the projections of its weights, by
            index in `Network.weights` of the full network. Empty if no network has any.
        activations: for the same networks: to how many bits activations are rounded in training, or None if they are
            not. Empty if no network's are.
    """

    data: Data
    settings: FinetuneSettings
    seed: int
    progress: Progress
    task: Task = Task()
    validation: Data | None = None
    teacher: Any | None = None
    keeper: EpochKeeper = EpochKeeper()
    objects: TrainingObjects = TrainingObjects()
    first_pass: int = 0
    projections: tuple[Mapping[int, Projection], ...] = ()
    activations: tuple[int | None, ...] = ()
