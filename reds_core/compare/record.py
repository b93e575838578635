"""One line of records.jsonl: one subnetwork of one pruning run, or why the run came to none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from reds_core.plan import Accuracy, FullAccuracy
from reds_core.system.machine import Machine
from reds_core.system.record_lines import RecordKind


class RunOutcome(Enum):
    """How a run ended. Only FINISHED has figures."""

    FINISHED = "finished"
    REFUSED = "refused"
    """What the recipe asks for cannot be done: its input, its budgets."""
    RAISED = "raised"
    """A plugin or reds failed."""
    CRASHED = "crashed"
    """The process ended by a signal or without saying why."""
    OUT_OF_MEMORY = "out_of_memory"


@dataclass(frozen=True)
class RunKey:
    """What makes a run one of its own within a comparison.

    Attributes:
        recipe: stem of the recipe's file.
        pruner, scorer, solver: as asked, options in brackets: nested[family=joint].
    """

    recipe: str
    pruner: str
    scorer: str
    solver: str
    seed: int


@dataclass(frozen=True)
class Subnetwork:
    """What a finished run made of one budget; fields as in plan.json.

    Attributes:
        name: of the budget: its percent, or the text as typed.
        share: usage / that of the full network, by resource.
        solver: that answered, where one did.
    """

    name: str
    budget: Mapping[str, float]
    usage: Mapping[str, int]
    share: Mapping[str, float]
    widths: Mapping[str, int]
    accuracy: Accuracy
    value: int | None
    bound: int | None
    gap: float | None
    status: str | None
    solver: str | None


@dataclass(frozen=True)
class ResultRecord:
    """One budget of one run. Figures that do not exist are None.

    Attributes:
        name: of the run: its folder below runs/.
        outcome: how it ended; `reason` says why in a sentence unless it FINISHED.
        subnetwork: None where the run did not finish.
        metric: what accuracies measure; None is accuracy.
        full: accuracy of the full network: before (the input model) and after (as it is saved).
        epochs: of fine-tuning, of the whole run.
        steps: that the pruner took.
        search_s, finetune_s: seconds in solvers and in training, all steps together, also those of earlier processes.
        wall_s: seconds of the process from its start to its end; None where it went on with what another began.
        started_at: UTC, ISO 8601, of the process that ended it.
        machine: where that process ran.
        versions: of reds, its plugins and the libraries behind them.
        model_sha256, data_sha256: of what was pruned, and on what data.
    """

    run: RunKey
    name: str
    outcome: RunOutcome
    reason: str | None
    subnetwork: Subnetwork | None
    metric: str | None
    full: FullAccuracy
    epochs: int
    steps: int | None
    search_s: float | None
    finetune_s: float | None
    wall_s: float | None
    started_at: str
    machine: Machine
    versions: Mapping[str, str]
    model_sha256: str | None = None
    data_sha256: str | None = None


RESULTS = RecordKind(ResultRecord, "a pruning run", "reds compare")
