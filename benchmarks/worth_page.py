"""Writes docs/results/worth-of-joint.md from the records of benchmarks/worth_of_joint.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean

from worth_arms import ARMS, BUDGETS, JOINT, NETWORKS, SEEDS
from worth_records import PairedComparison, WorthRecord, correct, paired

from reds_core.report import many

HEAD = """\
# What one knapsack over widths and bits is worth

**In short: one knapsack saves you from guessing the mean number of bits before widths are chosen.** Where every layer
wants the same bits, a rule that gives all layers 4 bits is as good. The tables show how far each rival is from it.

`reds prune --transform weight-bits` chooses the widths of all groups and the bits of all layers by one knapsack. This
page compares it with what is done without it ([pruners.md](../guide/pruners.md#widths-and-bits)): choosing widths and
bits one after the other, or giving all layers the same bits. All arms have the same budgets, scores, values of bits and
training; only the choice differs. Each run prunes to one budget, so that no subnetwork influences another. Weights have
8 or 4 bits, MACs are at most 50 % of those of the full network, and budgets of weight bytes are shares of those of the
full network with weights of 8 bits. Accuracies are those of the int8 .tflite file, run by LiteRT on the test set. Made
by

```sh
python benchmarks/worth_of_joint.py
```

The arms are:
"""
CHOICES = """\
Weight bytes and MACs used, in percent of the full network, and the gap to the best value of all choices of widths and
bits, mean over seeds. The last line of a cell says how often the choice was that of `joint`."""
READING = """\
A difference is the accuracy of `joint` less that of the rival on the same test examples, in points, with its 95 %
confidence interval. “Only joint” and “only rival” count the test examples that only one of both predicted correctly,
and p is that of McNemar's exact test on these counts. The interval treats the runs of several seeds on one example as
dependent, which the test does not, so trust the interval where they disagree. Pairs in which both made the same choice
count with a difference of 0. Nothing is corrected for the number of comparisons."""


def page(records: Sequence[WorthRecord], folder: Path) -> str:
    """Render the page.

    Args:
        records: The records of all runs. If runs differ in epochs, those with the most epochs are shown.
        folder: The folder of the predictions.
    """
    shown = [record for record in records if record.epochs == _epochs(records, record.network)]
    arms = [arm for arm in ARMS if any(record.arm == arm for record in shown)] or list(ARMS)
    parts = [HEAD + "\n" + "\n".join(f"- `{arm}`: {ARMS[arm].about};" for arm in arms)[:-1] + "."]
    planned = len(NETWORKS) * len(ARMS) * len(BUDGETS) * len(SEEDS)
    if not shown:
        parts.append("No runs are recorded yet.")
    elif len(shown) < planned:
        parts.append(f"{len(shown)} of {planned} runs are recorded so far, so the figures may still change.")
    for name, network in NETWORKS.items():
        own = [record for record in shown if record.network == name]
        if own:
            seeds = sorted({record.seed for record in own})
            runs = f"{many(own[0].epochs, 'epoch')} of training, seeds {', '.join(map(str, seeds))}."
            parts += [f"## {network.title}", runs, *_tables(own, arms, folder)]
    return "\n\n".join(parts) + "\n"


def _epochs(records: Sequence[WorthRecord], network: str) -> int:
    return max(record.epochs for record in records if record.network == network)


def _tables(records: Sequence[WorthRecord], arms: Sequence[str], folder: Path) -> list[str]:
    budgets = sorted({record.percent for record in records})
    parts = ["### Accuracy", "Percent, mean over seeds; in brackets the number of seeds if some are missing."]
    parts.append(_by_budget(records, arms, budgets, _accuracy))
    parts += ["### What was chosen", CHOICES, _by_budget(records, arms, budgets, _choice)]
    met = {(record.percent, record.seed) for record in records if record.arm == JOINT and record.infeasible is None}
    lost = [record for record in records if record.infeasible is not None and (record.percent, record.seed) in met]
    reasons = {record.arm: f"{record.infeasible} (at {record.percent} % of the bytes)" for record in lost}
    if reasons:
        parts.append("Where an arm is infeasible although `joint` is not, its message is, for example:")
        parts.append("\n".join(f"- `{arm}`: {reasons[arm]}." for arm in arms if arm in reasons))
    parts += ["### Differences on the same examples", READING, _comparisons(records, arms, budgets, folder)]
    return parts


Cell = Callable[[Sequence[WorthRecord], Sequence[WorthRecord]], str]
"""Renders a cell from the runs of an arm and those of `joint` at one budget."""


def _by_budget(records: Sequence[WorthRecord], arms: Sequence[str], budgets: Sequence[int], cell: Cell) -> str:
    rows = []
    for arm in arms:
        cells = []
        for percent in budgets:
            own = [r for r in records if (r.arm, r.percent) == (arm, percent)]
            joint = [r for r in records if (r.arm, r.percent) == (JOINT, percent)]
            cells.append(cell(own, joint))
        rows.append([f"`{arm}`", *cells])
    return _table(["arm", *(f"{percent} % of the bytes" for percent in budgets)], rows)


def _accuracy(own: Sequence[WorthRecord], joint: Sequence[WorthRecord]) -> str:
    found = [record.accuracy for record in own if record.accuracy is not None]
    if not own:
        return "–"
    if not found:
        return "infeasible"
    missing = f" ({len(found)})" if len(found) < max(len(own), len(joint)) else ""
    return f"{100 * fmean(found):.1f}{missing}"


def _choice(own: Sequence[WorthRecord], joint: Sequence[WorthRecord]) -> str:
    feasible = [record for record in own if record.infeasible is None]
    if not own:
        return "–"
    if not feasible:
        return "infeasible"
    lines = []
    for resource, name in (("weight_bytes", "bytes"), ("macs", "MACs")):
        lines.append(f"{100 * fmean(r.usage[resource] / r.full_usage[resource] for r in feasible):.1f} % {name}")
    gaps = [record.gap for record in feasible if record.gap is not None]
    lines.append(f"gap {100 * fmean(gaps):.2f} %" if gaps else "no gap proven")
    if own[0].arm != JOINT:
        same = sum(any(record.has_choice_of(other) for other in joint) for record in feasible)
        lines.append(f"same {same} of {len(feasible)}")
    return "<br>".join(lines)


def _comparisons(records: Sequence[WorthRecord], arms: Sequence[str], budgets: Sequence[int], folder: Path) -> str:
    rows = []
    for arm in arms:
        if arm == JOINT:
            continue
        pairs = _pairs(records, arm)
        if not pairs:
            continue
        pooled = _compared(pairs, folder)
        rows.append([f"**`{arm}`**", "all", many(len(pairs), "run"), *_cells(pooled)])
        for percent in budgets:
            at_budget = [pair for pair in pairs if pair[0].percent == percent]
            if len(at_budget) > 1:
                rows.append(["", f"{percent} %", many(len(at_budget), "run"), *_cells(_compared(at_budget, folder))])
            for pair in at_budget:
                rows.append(["", f"{percent} %", f"seed {pair[0].seed}", *_cells(_compared([pair], folder))])
    head = ["rival", "budget", "runs", "difference", "only joint", "only rival", "p"]
    return _table(head, rows) if rows else "There are no pairs of runs yet."


def _pairs(records: Sequence[WorthRecord], arm: str) -> list[tuple[WorthRecord, WorthRecord]]:
    """The runs of `joint` and of a rival with the same budget and seed that were both trained."""
    by_key = {(r.arm, r.percent, r.seed): r for r in records if r.predictions is not None}
    keys = sorted((percent, seed) for own, percent, seed in by_key if own == JOINT and (arm, percent, seed) in by_key)
    return [(by_key[JOINT, percent, seed], by_key[arm, percent, seed]) for percent, seed in keys]


def _compared(pairs: Iterable[tuple[WorthRecord, WorthRecord]], folder: Path) -> PairedComparison:
    return paired([(correct(first, folder), correct(second, folder)) for first, second in pairs])


def _cells(found: PairedComparison) -> list[str]:
    difference = f"{100 * found.difference:+.2f} ± {100 * found.margin:.2f}"
    p = "< 0.0001" if found.p < 1e-4 else f"{found.p:.4f}"
    return [difference, f"{found.first_only:,}", f"{found.second_only:,}", p]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ruler, *rows))
