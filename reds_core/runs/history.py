"""The rows of the training curves, from the figures that a framework reports after each epoch."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.framework.epochs import EpochFigures
from reds_core.run_history import HistoryRow

FULL = "full"


def history_rows(
    step: str, figures: Sequence[EpochFigures], members: Sequence[str], full: str = FULL
) -> tuple[HistoryRow, ...]:
    """The rows of one training.

    Args:
        step: The name of the step that trained.
        figures: What the framework reported.
        members: The names of the members of the family that was trained, smallest first.
        full: The name of the network that the family was cut from, or that was trained alone.
    """
    return tuple(
        HistoryRow(
            step,
            each.epoch + 1,
            full if each.member is None else members[each.member],
            each.loss,
            each.metric,
            each.val_loss,
            each.val_metric,
            each.learning_rate,
        )
        for each in figures
    )
