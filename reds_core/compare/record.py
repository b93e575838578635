"""The records of a comparison of runs: a line of records.jsonl describes a subnetwork of a run, or its failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from reds_core.plan import Accuracy, FullAccuracy
from reds_core.system.machine import Machine
from reds_core.system.record_lines import RecordKind
from reds_core.system.records import LEFT_OUT


class RunOutcome(Enum):
    """How a run ended. Only finished runs have results."""

    FINISHED = "finished"
    REFUSED = "refused"
    """The recipe cannot be carried out, for example because of its input or its budgets."""
    RAISED = "raised"
    """A plugin or reds failed."""
    CRASHED = "crashed"
    """The process was ended by a signal, or exited without a reason."""
    OUT_OF_MEMORY = "out_of_memory"


@dataclass(frozen=True)
class RunKey:
    """The identity of a run within a comparison.

    Attributes:
        recipe: stem of the recipe file.
        pruner: pruner as given, with options in brackets: nested[family=joint].
        scorer: scorer as given, likewise.
        solver: solver as given, likewise.
        seed: seed of the run.
    """

    recipe: str
    pruner: str
    scorer: str
    solver: str
    seed: int


@dataclass(frozen=True)
class Subnetwork:
    """The subnetwork of a finished run for one budget; the fields are those of plan.json.

    Attributes:
        name: name of the budget: its percentage, or the text as typed.
        budget: limit of each resource as it was given: a fraction, or an amount in base units.
        usage: usage of each resource in base units.
        share: usage as a fraction of the full network's, by resource.
        widths: number of channels kept of each group.
        accuracy: accuracy on test data.
        value: objective of the choice, in the units of the knapsack problem.
        bound: proven upper bound on that value; None if the solver gives none.
        gap: (bound - value) / |value|; 0 for a choice that is proven optimal.
        status: "optimal" for a choice that is proven optimal, otherwise "feasible"; None if no solver was asked.
        solver: solver that found the widths, or None.
        settings: levels of layers; None for runs without transforms and targets.
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
    settings: Mapping[str, Mapping[str, int]] | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class SubnetworkAudit:
    """Whom a subnetwork hurts, compared with the input model of its run on test data.

    Attributes:
        worst_class: name of the class that loses the most recall; None if no class has test examples.
        worst_class_change: recall of this class minus that of the input model.
        hurt_classes: number of classes that lose more than the average, and more than chance explains.
        flips: number of test examples that get another class.
        ece_change: expected calibration error minus that of the input model.
    """

    worst_class: str | None
    worst_class_change: float | None
    hurt_classes: int
    flips: int
    ece_change: float


@dataclass(frozen=True)
class ResultRecord:
    """One budget of one run. Values that do not exist are None.

    Attributes:
        run: identity of the run.
        name: name of the run, which is that of its folder below runs/.
        outcome: how the run ended.
        reason: why it ended so, in a sentence; None if it finished.
        subnetwork: the subnetwork; None if the run did not finish.
        metric: metric that the accuracies measure; None means accuracy.
        full: accuracy of the full network before (the input model) and after (as it is saved) the run.
        epochs: number of fine-tuning epochs of the whole run.
        steps: number of steps of the pruner.
        search_s: seconds in solvers, summed over all steps, also if the run was resumed.
        finetune_s: seconds in training, likewise.
        wall_s: seconds of the process from start to end, with the audit if there is one; None if it resumed a run.
        started_at: start of the last process of the run, UTC, ISO 8601.
        machine: where that process ran.
        versions: versions of reds, its plugins and their libraries.
        model_sha256: hash of the input model.
        data_sha256: hash of the data.
        jobs: number of runs that were performed at the same time; above 1 they may have shared cores.
        audit: whom the subnetwork hurts, if the comparison audits its runs.
        audit_failure: why the run could not be audited; left out if it was, or was not to be.
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
    jobs: int = 1
    audit: SubnetworkAudit | None = field(default=None, metadata={LEFT_OUT: True})
    audit_failure: str | None = field(default=None, metadata={LEFT_OUT: True})


RESULTS = RecordKind(ResultRecord, "a pruning run", "reds compare")
