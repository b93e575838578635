"""The results of a comparison of pruning runs, by recipe, budget, contender and seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from reds_core.compare.record import ResultRecord, RunKey, RunOutcome
from reds_core.compare.statistics import Difference, Spread, paired_difference, spread
from reds_core.framework.file_kinds import FileKind, FileKinds, file_kinds_of
from reds_core.registry import Registry
from reds_core.report import units
from reds_core.report.facts import Metric, metric_of

Figure = Callable[[ResultRecord], float | None]


def accuracy(record: ResultRecord) -> float | None:
    """Accuracy of the saved model file."""
    return None if record.subnetwork is None else record.subnetwork.accuracy.after


def accuracy_before(record: ResultRecord) -> float | None:
    """Accuracy of the extracted subnetwork before fine-tuning."""
    return None if record.subnetwork is None else record.subnetwork.accuracy.before


def accuracy_of(kind: FileKind | None) -> Figure:
    """Accuracy of the exported file of a kind."""

    def figure(record: ResultRecord) -> float | None:
        made = record.subnetwork
        return None if made is None or kind is None else made.accuracy.exported.get(kind.name)

    return figure


def change(record: ResultRecord) -> float | None:
    """Accuracy minus that of the input model, negative if pruning reduced it."""
    after = accuracy(record)
    return None if after is None or record.full.before is None else after - record.full.before


def value(record: ResultRecord) -> float | None:
    """Value of the choice of widths in the search."""
    return None if record.subnetwork is None else record.subnetwork.value


@dataclass(frozen=True)
class Entry:
    """The results of one contender at one budget.

    Attributes:
        label: label of the contender.
        by_seed: records by seed.
    """

    label: str
    by_seed: Mapping[int, ResultRecord]

    def figures(self, figure: Figure) -> dict[int, float]:
        """The values of a measure by seed; seeds without a value are left out."""
        found = {seed: figure(record) for seed, record in self.by_seed.items()}
        return {seed: number for seed, number in found.items() if number is not None and units.exists(number)}

    def spread(self, figure: Figure) -> Spread | None:
        """Mean and deviation of a measure over seeds; None if no seed has a value."""
        return spread(list(self.figures(figure).values()))

    def above(self, other: Entry) -> Difference | None:
        """Difference of its accuracy to that of another contender, paired by seed."""
        return paired_difference(self.figures(accuracy), other.figures(accuracy))


@dataclass(frozen=True)
class BudgetResults:
    """The results of all contenders at one budget.

    Attributes:
        name: name of the budget.
        limits: the budget as given, by resource: a fraction, or an amount in base units.
        entries: contenders by mean accuracy over the seeds that all of them have, or else over their own, the highest
            first; with another metric, in the order in which they ran.
        best: those of them with the highest such mean, several if they are equal; none with another metric.
    """

    name: str
    limits: Mapping[str, float]
    entries: tuple[Entry, ...]
    best: tuple[Entry, ...] = ()

    @property
    def title(self) -> str:
        """The budget as people read it: MACs ≤ 50 %."""
        return ", ".join(f"{units.resource_title(r)} {units.budget_text(r, b)}" for r, b in self.limits.items())

    @property
    def resource(self) -> str:
        """The first limited resource."""
        return next(iter(self.limits), "macs")

    def share(self, entry: Entry) -> Spread | None:
        """Use of the first resource as a fraction of the full network's."""
        return entry.spread(lambda r: None if r.subnetwork is None else r.subnetwork.share.get(self.resource))


@dataclass(frozen=True)
class RecipeResults:
    """The results of one recipe.

    Attributes:
        name: name of the recipe.
        records: all records of the recipe.
        labels: labels of the contenders in the order in which they first ran; a label names what differs.
        budgets: results by budget, the largest budget first.
        kinds: kinds of files that the runs wrote.
    """

    name: str
    records: tuple[ResultRecord, ...]
    labels: tuple[str, ...]
    budgets: tuple[BudgetResults, ...]
    kinds: FileKinds

    @property
    def metric(self) -> Metric:
        """The metric that the accuracies measure."""
        return metric_of({"metric": self.records[0].metric})

    @cached_property
    def runs(self) -> dict[str, tuple[ResultRecord, ...]]:
        """One record of each finished run, by contender."""
        found: dict[str, dict[RunKey, ResultRecord]] = {label: {} for label in self.labels}
        label_of = labels_of(self.records)
        for record in self.records:
            if record.outcome is RunOutcome.FINISHED:
                found[label_of(record.run)].setdefault(record.run, record)
        return {label: tuple(own.values()) for label, own in found.items()}

    @property
    def failures(self) -> tuple[ResultRecord, ...]:
        """Records of runs that came to nothing."""
        return tuple(r for r in self.records if r.outcome is not RunOutcome.FINISHED)

    def label(self, run: RunKey) -> str:
        """The label of a run's contender."""
        return labels_of(self.records)(run)

    @property
    def full_before(self) -> Spread | None:
        """Accuracy of the input model over runs, which differs only if each run trains its own."""
        by_run = {r.run: r.full.before for r in self.records if r.full.before is not None}
        return spread(list(by_run.values()))


@dataclass(frozen=True)
class RunComparison:
    """The results of all recipes.

    Attributes:
        kinds: kinds of files that the runs wrote.
        missing: the number of runs that were planned and have no record.
    """

    records: tuple[ResultRecord, ...]
    recipes: tuple[RecipeResults, ...]
    kinds: FileKinds
    missing: int = 0

    @property
    def failures(self) -> tuple[ResultRecord, ...]:
        """Records of runs that came to nothing."""
        return tuple(r for recipe in self.recipes for r in recipe.failures)

    @property
    def run_count(self) -> int:
        """Number of runs, failed ones included."""
        return len({r.run for r in self.records})


def compare_runs(records: Sequence[ResultRecord], missing: int = 0) -> RunComparison:
    """Group records by recipe, in the order in which the recipes first ran.

    Args:
        records: the records.
        missing: the number of runs that were planned and have no record.
    """
    by_recipe: dict[str, list[ResultRecord]] = {}
    for record in records:
        by_recipe.setdefault(record.run.recipe, []).append(record)
    made = [record.subnetwork for record in records if record.subnetwork is not None]
    names = dict.fromkeys(kind for subnetwork in made for kind in subnetwork.accuracy.exported)
    kinds = file_kinds_of(names, Registry().file_kinds())
    recipes = tuple(_recipe(name, own, kinds) for name, own in by_recipe.items())
    return RunComparison(tuple(records), recipes, kinds, missing)


def _recipe(name: str, records: Sequence[ResultRecord], kinds: FileKinds) -> RecipeResults:
    label_of = labels_of(records)
    labels = tuple(dict.fromkeys(label_of(r.run) for r in records))
    by_budget: dict[str, list[ResultRecord]] = {}
    for record in records:
        if record.subnetwork is not None:
            by_budget.setdefault(record.subnetwork.name, []).append(record)
    is_ranked = metric_of({"metric": records[0].metric}).is_share
    budgets = [_budget(budget, own, label_of, is_ranked) for budget, own in by_budget.items()]
    budgets.sort(key=_size, reverse=True)
    return RecipeResults(name, tuple(records), labels, tuple(budgets), kinds)


def _budget(
    name: str, records: Sequence[ResultRecord], label_of: Callable[[RunKey], str], is_ranked: bool
) -> BudgetResults:
    by_label: dict[str, dict[int, ResultRecord]] = {}
    for record in records:
        by_label.setdefault(label_of(record.run), {})[record.run.seed] = record
    entries = [Entry(label, dict(sorted(own.items()))) for label, own in by_label.items()]
    best: tuple[Entry, ...] = ()
    if is_ranked:
        means = _comparable_means(entries)
        entries.sort(key=lambda e: -means.get(e.label, -1.0))
        highest = max(means.values(), default=0.0)
        best = tuple(e for e in entries if e.label in means and math.isclose(means[e.label], highest, rel_tol=1e-12))
    first = records[0].subnetwork
    return BudgetResults(name, {} if first is None else first.budget, tuple(entries), best)


def _comparable_means(entries: Sequence[Entry]) -> dict[str, float]:
    """The mean accuracy of each contender that has any, over the seeds that all of these share if there are some."""
    measured = {entry.label: entry.figures(accuracy) for entry in entries}
    measured = {label: figures for label, figures in measured.items() if figures}
    shared = set.intersection(*map(set, measured.values())) if measured else set()
    return {
        label: statistics.fmean(figure for seed, figure in figures.items() if seed in shared or not shared)
        for label, figures in measured.items()
    }


def _size(budget: BudgetResults) -> float:
    shares = [found.mean for found in map(budget.share, budget.entries) if found is not None]
    return statistics.fmean(shares) if shares else 0.0


def labels_of(records: Iterable[ResultRecord]) -> Callable[[RunKey], str]:
    """A function that labels runs by pruner, and by scorer and solver if these differ between runs of one recipe."""
    runs = {record.run for record in records}
    varied = {
        part
        for part in ("scorer", "solver")
        for recipe in {run.recipe for run in runs}
        if len({getattr(run, part) for run in runs if run.recipe == recipe}) > 1
    }

    def label(run: RunKey) -> str:
        parts = (run.pruner, *(getattr(run, part) for part in ("scorer", "solver") if part in varied))
        return " · ".join(parts)

    return label
