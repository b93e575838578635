"""Writes docs/results/toolbox.md from the records of benchmarks/toolbox.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from study import CellRecord
from study_tables import (
    ABOUT_ENERGY,
    ARENA,
    ENGINE_LATENCY,
    FILE,
    LATENCY,
    MODEL_ACCURACY,
    READING,
    ZIPPED,
    Column,
    accuracy_column,
    budget_table,
    compared,
    comparison_cells,
    energy_column,
    missing_note,
    reference,
    table,
    usage_share,
    verdict,
    with_most_epochs,
)
from toolbox_cells import ARMS, BUDGETS, NETWORKS, cells, seeds_at

from reds_core.report import many

HEAD = """\
# Transforms alone and together

A [transform](../extend/transforms.md) offers further choices for each layer besides its width:
[bits](../guide/quantization.md) of weights, [ranks](../guide/low-rank.md), [clusters](../guide/clustering.md) and
[zeros](../guide/sparsity.md). This page compares each of them alone, and all of them in one knapsack, at the same
weight bytes and at the same MACs. Made by

```sh
python benchmarks/toolbox.py
```

Each run makes a trained network smaller to a single budget, with the scores of `taylor` and measured losses of levels
where several things are decided, and trains the result by itself with the weights that its levels leave. Weight bytes
are those of the [C engine](../guide/c-engine.md), which stores bits, codebooks and masks of zeros; its files are int8
.tflite files, which any interpreter runs, but whose own size does not fall by them. `joint-tflite` writes files of
`tflite-int8` instead, which store weights of 4 bits. Budgets are shares of the full network with weights of 8 bits; a
quarter of the weight bytes is tried with the first seed alone. The arms are:
"""
BUDGET_TITLES = {
    "bytes-50": "Half of the weight bytes",
    "macs-50": "Half of the MACs",
    "bytes-25": "A quarter of the weight bytes",
}
DIFFERENCES = """\
A difference is the accuracy of `{first}` less that of the other arm on the same test examples, in points, with its 95
% confidence interval, over the seeds of both. p is that of McNemar's exact test, which takes the runs of several
seeds on one example for independent, so trust the interval where they disagree. Nothing is corrected for the number
of comparisons."""
NO_BOARD = """\
Latency on a microcontroller was not measured here; [devices.md](devices.md) counts instructions of the C engine on
emulated cores."""


def page(records: Sequence[CellRecord], folder: Path) -> str:
    """Render the page.

    Args:
        records: The records of all cells. If runs differ in epochs, those with the most epochs are shown.
        folder: The folder of the predictions.
    """
    shown = with_most_epochs(records)
    arms = "\n".join(f"- `{name}`: {arm.about};" for name, arm in ARMS.items())[:-1] + "."
    parts = [HEAD + "\n" + arms, missing_note(len(shown), len(cells())), READING, ABOUT_ENERGY, NO_BOARD]
    for name, network in NETWORKS.items():
        own = [record for record in shown if record.network == name]
        if not own:
            parts += [f"## {network.title}", "No runs are recorded yet."]
            continue
        epochs = many(own[0].epochs, "epoch")
        seeds = ", ".join(map(str, network.seeds))
        parts += [
            f"## {network.title}",
            f"{epochs} of training, {'seed' if len(network.seeds) == 1 else 'seeds'} {seeds}.",
        ]
        for budget, title in BUDGET_TITLES.items():
            at_budget = [record for record in own if record.budget == budget]
            if at_budget:
                parts += [f"### {title}", *_budget(at_budget, budget, len(seeds_at(network, budget)), folder)]
    parts += ["## What may be concluded", conclusions(shown, folder)]
    if len(shown) >= len(cells()):
        parts.append(FOUND)
    return "\n\n".join(part for part in parts if part) + "\n"


def _budget(records: Sequence[CellRecord], budget: str, seeds: int, folder: Path) -> list[str]:
    arms = [name for name, arm in ARMS.items() if budget in arm.budgets]
    columns: list[Column] = [
        accuracy_column(seeds),
        MODEL_ACCURACY,
        usage_share("weight_bytes", "weight bytes (%)", reference(records, "weight_bytes")),
        usage_share("macs", "MACs (%)", reference(records, "macs")),
        FILE,
        ZIPPED,
        ARENA,
        LATENCY,
        ENGINE_LATENCY,
        energy_column(reference(records, "macs")),
    ]
    parts = [budget_table(records, arms, columns)]
    reasons = {r.arm: r.infeasible for r in records if r.infeasible is not None}
    if reasons:
        parts.append("\n".join(f"- `{arm}` is infeasible: {reason}." for arm, reason in reasons.items()))
    first = first_of(budget)
    rows = [
        [f"`{arm}`", *comparison_cells(found)]
        for arm in arms
        if arm != first and (found := compared(records, first, arm, folder)) is not None
    ]
    if rows:
        head = ["other arm", "runs", "difference", f"only `{first}`", "only the other", "p"]
        parts += [DIFFERENCES.format(first=first), table(head, rows)]
    return parts


def first_of(budget: str) -> str:
    """The arm that decides most at a budget, with which the others are compared."""
    return "widths-and-ranks" if budget == "macs-50" else "joint"


def conclusions(records: Sequence[CellRecord], folder: Path) -> str:
    """For each network and budget, whether the joint choice is more accurate than each single transform."""
    rows = []
    for name, network in NETWORKS.items():
        own = [record for record in records if record.network == name]
        for budget in BUDGETS:
            first = first_of(budget)
            singles = ("widths", "weight-bits", "low-rank", "clustering", "sparsity")
            found = [
                _conclusion(own, first, arm, folder, budget) if budget in ARMS[arm].budgets else NOT_TRIED
                for arm in singles
            ]
            rows.append([f"{network.title}, `{budget}`", f"`{first}`", *found])
    head = ["case", "arm", "widths", "weight-bits", "low-rank", "clustering", "sparsity"]
    text = "Whether the arm in the second column is more accurate than each transform alone, at 95 % confidence:"
    return f"{text}\n\n{table(head, rows)}\n\n{LIMITS}"


NOT_TRIED = "saves no MACs"
LIMITS = """\
“Undecided” means that the interval of the difference contains 0. These are two small networks with one way of
training and levels that were fixed beforehand, so the table says which transform suits these networks at these
budgets, not which is better in general. Accuracies of test sets of this size have a standard error of about 0.6
(CIFAR-10) and 0.8 points (Speech Commands)."""
FOUND = """\
What the runs say, with the figures of the tables above:

- **At half of the weight bytes, weights that are stored in less space cost nearly nothing; removed ones cost more.** On
  ResNet8, bits, clusters and zeros lose at most 0.2 points, and channels or ranks 3 to 4. On DS-CNN S, which has fewer
  weights to spare, zeros and ranks lose 7 and 23 points. `joint` is as good as the best single transform, not better.
- **At a quarter, several have to be decided together.** Of single transforms, only channels meet the budget. Together
  they are 11.8 and 2.3 points ahead of channels alone. `widths-and-bits` is about as good as `joint`, so most of that
  comes from bits.
- **At half of the MACs, ranks add little to channels.** They are 0.7 ± 0.8 points ahead on ResNet8. On DS-CNN S the
  Keras models are equally good, but the int8 file with ranks is 5.1 points behind, because of a tensor between two
  factors; a fall-back of one layer to 16 bits helps ([limits of low rank](../guide/low-rank.md#limits)).
- **A joint search is as good as its values.** `joint` at a quarter of the bytes of ResNet8 first chose low ranks with
  four clusters in two layers, and reached 75.5 %. Since what these cost together is measured
  ([two levels of one layer](../guide/sensitivity.md#two-levels-of-one-layer)), it chooses otherwise and reaches 84.0 %.
  Runs from before that change are kept where no layer has a lower rank and other levels as well, since their choice is
  the same with it. Runs with layers of both were repeated when a fault was fixed by which files held other factors than
  those that were trained. At a quarter of the bytes, `joint-tflite` had 73.9 % on ResNet8 and 84.8 % on DS-CNN S with
  it, and has 81.2 and 82.9 % now."""


def _conclusion(records: Sequence[CellRecord], first: str, arm: str, folder: Path, budget: str) -> str:
    of_arm = [record for record in records if (record.arm, record.budget) == (arm, budget)]
    of_first = [record for record in records if (record.arm, record.budget) == (first, budget)]
    if of_arm and all(record.infeasible is not None for record in of_arm) and any(r.figures for r in of_first):
        return "yes, it alone is infeasible"
    found = compared(records, first, arm, folder, budget)
    if found is None:
        return verdict(found)
    return f"{verdict(found)} ({100 * found.difference:+.1f} ± {100 * found.margin:.1f})"
