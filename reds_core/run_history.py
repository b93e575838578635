"""The training curves of a run, as the file `history.csv` beside the plan: one row per network and epoch of a step."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from reds_core.errors import InputError, command
from reds_core.system.files import given_path, write_text

__all__ = ["HISTORY_FILE", "HistoryRow", "load_history", "save_history"]

HISTORY_FILE = "history.csv"
_VALIDATION = "val_"


@dataclass(frozen=True)
class HistoryRow:
    """What is known of one network after one epoch of a training. Figures that do not exist are None.

    Attributes:
        step: the name of the step of the run that trained.
        epoch: the number of the epoch in this training, from 1.
        network: "full", or the name of the subnetwork.
        loss: the mean loss of the batches of the epoch. In a joint training it is that of all networks together, with
            the share of each and with distillation, and is in the row of the full network.
        metric: the metric of the network over the batches of the epoch. Members have none in a joint training.
        val_loss: the loss on held-back data after the epoch, likewise.
        val_metric: the metric of the network on held-back data after the epoch.
        learning_rate: the learning rate at the end of the epoch.
    """

    step: str
    epoch: int
    network: str
    loss: float | None = None
    metric: float | None = None
    val_loss: float | None = None
    val_metric: float | None = None
    learning_rate: float | None = None


def save_history(rows: Iterable[HistoryRow], folder: Path, metric: str) -> None:
    """Write FOLDER/history.csv.

    Args:
        rows: The rows in the order of the trainings.
        folder: The folder of the run.
        metric: The name of the metric, which names its columns.

    Raises:
        InputError: If the file cannot be written.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["step", "epoch", "network", "loss", metric, "val_loss", _VALIDATION + metric, "learning_rate"])
    for row in rows:
        figures = (row.loss, row.metric, row.val_loss, row.val_metric, row.learning_rate)
        writer.writerow([row.step, row.epoch, row.network, *map(_text, figures)])
    write_text(folder / HISTORY_FILE, out.getvalue())


def _text(figure: float | None) -> str:
    """A figure as it is written; empty if it does not exist or is not finite."""
    return "" if figure is None or not math.isfinite(figure) else repr(float(figure))


def load_history(folder: str | PathLike[str]) -> tuple[HistoryRow, ...]:
    """Read the training curves of a run; empty if its folder holds none, as that of a run without training.

    Args:
        folder: The folder of the run.

    Returns:
        One row per network and epoch, in the order of the trainings.

    Raises:
        InputError: If the file is damaged.
    """
    path = given_path(folder, "folder") / HISTORY_FILE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            names = reader.fieldnames or ()
            metric = metric_column(names)
            return tuple(_row(entries, metric) for entries in reader)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(f"'{path}' is malformed ({error})", f"run {command('prune')} again") from error


def metric_column(names: Iterable[str]) -> str:
    """The name of the metric, given the columns of a file of training curves.

    Raises:
        ValueError: If the columns are not those of such a file.
    """
    columns = list(names)
    metric = columns[4] if len(columns) == 8 else ""
    if columns != ["step", "epoch", "network", "loss", metric, "val_loss", _VALIDATION + metric, "learning_rate"]:
        raise ValueError("its columns are not those of training curves")
    return metric


def _row(entries: dict[str, str], metric: str) -> HistoryRow:
    def figure(column: str) -> float | None:
        found = float(entries[column]) if entries[column] else None
        if found is not None and not math.isfinite(found):
            raise ValueError(f"{column} is not finite")
        return found

    return HistoryRow(
        step=entries["step"],
        epoch=int(entries["epoch"]),
        network=entries["network"],
        loss=figure("loss"),
        metric=figure(metric),
        val_loss=figure("val_loss"),
        val_metric=figure(_VALIDATION + metric),
        learning_rate=figure("learning_rate"),
    )
