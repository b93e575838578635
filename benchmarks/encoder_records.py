"""What benchmarks/encoders.py records of each network and of what it is pruned to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reds_core.system import RecordKind

KEPT = Path(__file__).resolve().parent / "records" / "encoders"


@dataclass(frozen=True)
class EncoderRecord:
    """A network, or one that it was pruned to.

    Attributes:
        network: The name of the network.
        member: The percent of the MACs of a pruned network; "input" for the network itself.
        finetune_epochs: The epochs for which it was fine-tuned after pruning.
        linear_probe: Accuracy of a logistic regression on its features, on test images.
        knn: Accuracy of the vote of the nearest training images, on test images.
        accuracy: Accuracy of its own answers on test images, if it is a classifier.
        error: Mean squared error of its pixels on test images, from 0 to 255 squared, if it is an autoencoder.
        metric: The metric of the run on test images: the feature similarity, or the mean squared error.
        macs: Its multiply-accumulates.
        epochs: The epochs of the training of the network.
        first_loss, last_loss: The mean training loss in the first and in the last of them.
        seconds_per_epoch: The median time of one of them.
        started_at: When the training began, in UTC, or when it went on for the last time.
    """

    network: str
    member: str
    finetune_epochs: int
    linear_probe: float
    knn: float
    accuracy: float | None = None
    error: float | None = None
    metric: float | None = None
    macs: int | None = None
    epochs: int | None = None
    first_loss: float | None = None
    last_loss: float | None = None
    seconds_per_epoch: float | None = None
    started_at: str | None = None


RECORDS = RecordKind(EncoderRecord, "a network", "python benchmarks/encoders.py")
"""How the records are read and written."""
