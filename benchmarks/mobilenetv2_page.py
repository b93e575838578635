"""Writes docs/results/mobilenetv2.md from the records of benchmarks/mobilenetv2.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from mobilenetv2_base import ALPHA, BATCH_SIZE, EPOCHS, LEARNING_RATE, PENALTY, WEIGHT_DECAY
from mobilenetv2_cells import ARMS, BUDGETS, FINETUNE, MASKED, MEASURED, OURS, SEEDS, seeds_of
from study import CellRecord
from study_tables import (
    ABOUT_ENERGY,
    ARENA,
    FILE,
    LATENCY,
    MISSING,
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

HEAD = """\
# Pruners on MobileNetV2

This page compares `reds prune` with four of the most cited pruners on one network, MobileNetV2 {alpha} at 32 x 32
pixels. Made by

```sh
python benchmarks/mobilenetv2_base.py --out out/mobilenetv2
python benchmarks/mobilenetv2_base.py --out out/mobilenetv2 --penalty {penalty}
python benchmarks/mobilenetv2.py
```

**The network is a weak baseline.** It was trained here on the 10,000 images of CIFAR-10 in `../shared/assets`, a
fifth of the training set, from random weights. It is that of `keras.applications`, but its first convolution has
stride 1, as is usual for small images. It was trained for {epochs} epochs in batches of {batch} by SGD with Nesterov
momentum 0.9, a learning rate of {rate} that decays along a cosine after five epochs of warm-up, and a weight decay of
{decay} on kernels; images were shifted by up to 4 pixels and flipped. The test set are 3,000 other images. Published
accuracies of MobileNetV2 on CIFAR-10 are above 90 % with all images and wider networks, so the losses here cannot be
compared with them.

**Everything but the choice is equal.** All methods prune the same groups of channels by the same surgery: channels
that a residual sum or a depthwise convolution ties together are scored and removed together, whereas the papers each
have rules of their own for them. All are fine-tuned for {finetune} epochs with the same settings, in which the given
network also teaches the pruned one (`reds prune`'s defaults, with flips and shifts), and with the same seed for the
same order of examples. The cited methods and `reds prune` run with three seeds, the variants below them with one. The
methods differ in the criterion and in the rule by which it selects:
"""
UNSTRUCTURED = """\
A budget is a share of the MACs. `{masked}` removes no channels, so its MACs stay the same; it keeps as many weights
that are not zero as `{ours}` has at this budget. Its file is an int8 .tflite file with zeros in it, and its weight
bytes are those of an engine that stores masks ([c-engine.md](../guide/c-engine.md)). `slimming-threshold` and
`slimming-knapsack` prune a second network, trained in the same way but with an L1 penalty of {penalty} on all
batch-norm scales, as the paper demands."""

SECOND_TRAINING = f"""\
**`{MASKED}` prunes a second training of the given network**, of {{own:.1f}} % on the test set, by the same command and
seed on another machine. Its runs were repeated when a fault in their training was fixed, and the first training, of
{{others:.1f}} %, was no longer there. So differences between it and other methods contain {{difference:.1f}} points
that are not due to the methods."""


def page(records: Sequence[CellRecord], folder: Path) -> str:
    """Render the page.

    Args:
        records: The records of all cells. If runs differ in epochs, those with the most epochs are shown.
        folder: The folder of the predictions.
    """
    shown = with_most_epochs(records)
    head = HEAD.format(
        alpha=ALPHA, penalty=PENALTY, epochs=EPOCHS, batch=BATCH_SIZE, rate=LEARNING_RATE, decay=WEIGHT_DECAY,
        finetune=FINETUNE.epochs,
    )  # fmt: skip
    planned = len(BUDGETS) * sum(len(seeds_of(arm)) for arm in ARMS.values())
    arms = "\n".join(f"- `{name}`: {arm.about};" for name, arm in ARMS.items())[:-1] + "."
    parts = [
        head + "\n" + arms,
        UNSTRUCTURED.format(masked=MASKED, ours=OURS, penalty=PENALTY),
        missing_note(len(shown), planned),
        second_training(shown),
        READING,
        ABOUT_ENERGY,
    ]
    for budget, percent in BUDGETS.items():
        at_budget = [record for record in shown if record.budget == budget]
        if at_budget:
            parts += [f"## {percent} % of the MACs", *_budget(at_budget, full_widths(shown), folder)]
    parts += ["## Which general statements hold", statements(shown, folder)]
    parts += ["## Where the channels are kept", KEPT, kept_table(shown, full_widths(shown))]
    parts += ["## How the scorer was chosen", TRIALS]
    if len(shown) >= planned:
        parts += ["## What may be concluded", FOUND]
    return "\n\n".join(part for part in parts if part) + "\n"


def second_training(records: Sequence[CellRecord]) -> str:
    """Say that the given networks of `MASKED` and `OURS` differ; empty if they do not, or if one is not recorded."""
    own, others = ({r.full_accuracy for r in records if r.arm == arm and r.figures} for arm in (MASKED, OURS))
    if not own or not others or own == others:
        return ""
    (mine,), (theirs,) = own, others
    return SECOND_TRAINING.format(own=100 * mine, others=100 * theirs, difference=100 * (theirs - mine))


def narrowest_column(full: Mapping[str, int]) -> Column:
    """The group that keeps the smallest share of its channels, of the first run of each arm.

    Args:
        full: The full width of each group.
    """

    def cell(own: Sequence[CellRecord]) -> str:
        widths = own[0].widths
        if not widths:
            return MISSING
        group = min(widths, key=lambda name: widths[name] / full[name])
        return f"{widths[group]} of {full[group]}, {group}"

    return Column("narrowest group", cell, lambda record: MISSING)


RESIDUAL_BLOCKS = (2, 4, 5, 7, 8, 9, 11, 12, 14, 15)
"""The numbers of the blocks whose input is added to their output."""
INNER = re.compile(r"block_(\d+)_expand")
KEPT_GROUPS: Mapping[str, Callable[[str], bool]] = {
    "first convolution": lambda group: group == "Conv1",
    "inside blocks with a residual connection": lambda group: _block(group) in RESIDUAL_BLOCKS,
    "inside other blocks": lambda group: _block(group) is not None and _block(group) not in RESIDUAL_BLOCKS,
    "between blocks": lambda group: group.endswith("_project"),
    "last convolution": lambda group: group == "Conv_1",
}


def kept_table(records: Sequence[CellRecord], full: Mapping[str, int]) -> str:
    """The mean share of its channels that a group keeps, by where it is in the network.

    Args:
        records: The records of all budgets.
        full: The full width of each group.
    """
    lines = []
    for budget, percent in BUDGETS.items():
        for arm in ARMS:
            own = [r for r in records if (r.arm, r.budget) == (arm, budget) and r.widths]
            if arm != MASKED and own:
                shares = [
                    [r.widths[group] / full[group] for r in own for group in r.widths if is_there(group)]
                    for is_there in KEPT_GROUPS.values()
                ]
                lines.append([f"{percent} %", f"`{arm}`", *(f"{100 * fmean(each):.0f}" for each in shares)])
    return table(["MACs", "arm", *(f"{title} (%)" for title in KEPT_GROUPS)], lines)


def _block(group: str) -> int | None:
    """The number of the block inside which the channels of a group are; None for other groups."""
    found = INNER.fullmatch(group)
    return None if found is None else int(found[1])


def full_widths(records: Sequence[CellRecord]) -> dict[str, int]:
    """The widest known width of each group, which is its full width in the records of `MASKED`."""
    full: dict[str, int] = {}
    for record in records:
        for group, width in record.widths.items():
            full[group] = max(width, full.get(group, 0))
    return full


def _budget(records: Sequence[CellRecord], full: Mapping[str, int], folder: Path) -> list[str]:
    nonzero = Column(
        "non-zero weights (k)",
        lambda own: f"{fmean(r.nonzero_weights or 0 for r in own) / 1000:.0f}",
        lambda record: f"{(record.full_nonzero_weights or 0) / 1000:.0f}",
    )
    columns = [
        accuracy_column(len(SEEDS)),
        MODEL_ACCURACY,
        usage_share("macs", "MACs (%)", reference(records, "macs")),
        nonzero,
        usage_share("weight_bytes", "weight bytes (%)", reference(records, "weight_bytes")),
        FILE,
        ZIPPED,
        ARENA,
        LATENCY,
        energy_column(reference(records, "macs")),
        narrowest_column(full),
    ]
    parts = [budget_table(records, list(ARMS), columns)]
    reasons = {r.arm: r.infeasible for r in records if r.infeasible is not None}
    parts += [f"`{arm}` is infeasible: {reason}." for arm, reason in reasons.items()]
    rows = [
        [f"`{arm}`", *comparison_cells(found)]
        for arm in ARMS
        if arm != OURS and (found := compared(records, OURS, arm, folder)) is not None
    ]
    if rows:
        head = ["other method", "runs", "difference", f"only `{OURS}`", "only the other", "p"]
        parts += [DIFFERENCES, table(head, rows)]
    return parts


DIFFERENCES = f"""\
A difference is the accuracy of `{OURS}` less that of the other method on the same test examples, in points, with its
95 % confidence interval, over the seeds of both. p is that of McNemar's exact test, which takes the runs of several
seeds on one example for independent, so trust the interval where they disagree. Nothing is corrected for the number
of comparisons."""


@dataclass(frozen=True)
class Statement:
    """A general statement that the study can test: one arm is more accurate than another.

    Attributes:
        text: What it says.
        first, second: The arms; the statement holds if the first is more accurate.
    """

    text: str
    first: str
    second: str


STATEMENTS = (
    Statement("A knapsack by Taylor scores is better than equal shares by L1 norms", OURS, "l1-uniform"),
    Statement("A knapsack by Taylor scores is better than network slimming", OURS, "slimming-threshold"),
    Statement("A knapsack by measured losses is better than one by Taylor scores", MEASURED, OURS),
    Statement("A knapsack by measured losses is better than equal shares by L1 norms", MEASURED, "l1-uniform"),
    Statement("A knapsack by measured losses is better than network slimming", MEASURED, "slimming-threshold"),
    Statement("With the same L1 norms, a knapsack is better than equal shares", "l1-knapsack", "l1-uniform"),
    Statement("With the same Taylor scores, a knapsack is better than equal shares", OURS, "taylor-uniform"),
    Statement(
        "With the same batch-norm scales, a knapsack is better than one threshold",
        "slimming-knapsack",
        "slimming-threshold",
    ),
    Statement("With the same rule, FPGM is better than L1 norms", "fpgm-uniform", "l1-uniform"),
    Statement("With the same rule, Taylor scores are better than L1 norms", "taylor-uniform", "l1-uniform"),
    Statement(
        "One threshold for batch-norm scales is better after a training with a penalty",
        "slimming-threshold",
        "bn-scale-threshold",
    ),
    Statement("At the same number of weights, zeros anywhere cost less accuracy than removed channels", MASKED, OURS),
)
CAUTION = """\
“Undecided” means that the 95 % confidence interval of the difference contains 0. One small network, one weak training
and one fine-tuning recipe are no proof of a general statement; they can only refute one. In the comparison of
penalties the two networks differ before pruning, so the difference is that of the whole method.

*Narrowest group* is the group of channels of which the first run of a method keeps the smallest share. One threshold
for all channels leaves single channels in some layers, through which nothing gets at the small budget.

Zeros anywhere change neither the MACs nor the activations nor the size of a plain .tflite file, by construction. What
they do to zipped files and to LiteRT's latency is measured in [sparsity.md](../guide/sparsity.md#measured); an engine
that stores masks saves bytes by them ([c-engine.md](../guide/c-engine.md))."""

KEPT = """\
The mean share of its channels that a group keeps. Blocks with a residual connection add what they compute to their
input, so that the network still works if their inner channels are few. Scores of single channels do not say so, and
the values of widths that are made from them count the share of its score that each group keeps, whatever the group is
for. Measured losses do say so."""
TRIALS = f"""\
`{MEASURED}` was added when `{OURS}` was behind with the first seed. It was chosen among the following by the
accuracy on held-back data at 25 % of the MACs (`val_accuracy` in history.csv), with the training of the study and seed
0, each by

<!-- not run: it takes minutes -->
```sh
reds prune out/mobilenetv2/base.keras --data ../shared/assets/data/cifar10.npz \\
    --budget macs=0.25 --pruner oneshot --target tflite-int8 --finetune-epochs 10 \\
    --batch-size 64 --augment flip,shift --seed 0
```

and the options of its line. The standard error of such an accuracy is 1.5 points.

| options | held-back accuracy (%) | held-back loss |
| --- | ---: | ---: |
| none, which means `--scorer taylor` | 63.9 | 1.201 |
| `--pruner uniform --scorer magnitude --option magnitude.norm=l1` | 64.2 | 1.195 |
| `--min-width 4` | 63.4 | 1.170 |
| `--scorer fisher` | 61.3 | 1.274 |
| `--scorer sensitivity --option sensitivity.floor=0.5` | 76.1 | 0.804 |
| `--scorer sensitivity --option sensitivity.shares=0.5` | 74.8 | 0.820 |
| `--scorer sensitivity --option sensitivity.shares=0.75` | 67.7 | 1.131 |

The last two lines were added later: they are compromises for networks of all kinds
([scorers](../guide/scorers.md#curves))."""
FOUND = """\
What the runs say, with the figures of the tables above, for this network and this training:

- **A knapsack by measured losses is ahead of all cited methods that remove channels, at both budgets.** It keeps 80.7
  and 74.9 % of 82.8 %. At half of the MACs it is 2.4 points ahead of network slimming, the best of them there, and at
  a quarter 9.6 points ahead of equal shares by L1 norms. It also has fewer weights than all others but network slimming
  and, at a quarter, `bn-scale-threshold`.
- **A knapsack by scores of single channels is not.** With the scores of `taylor`, the default of `reds prune`, it is
  level with equal shares at half of the MACs, and 2 points behind at a quarter; with L1 norms it is 5.5 points behind
  there. It keeps most inner channels of blocks that the network needs least, and takes them from all other layers. So
  give `--scorer sensitivity` for networks of this kind. On two small networks, losses alone are worse at a quarter of
  the MACs, and `--option sensitivity.shares=0.5` is a compromise ([scorers](../guide/scorers.md#curves)).
- **How much each layer keeps matters more than which channels.** With equal shares, three criteria are within 2
  points of each other at a quarter of the MACs. With one order of channels, that of `taylor`, equal shares and a
  knapsack by its scores are 1 point apart, and a knapsack by measured losses is more than 11 points ahead of both.
- **A budget of MACs is not one of RAM.** Measured losses keep the first layers wide, whose maps are large, so that
  their arena is 50 and 37 KiB, against 27 and 17 KiB with scores of `taylor`. Give a budget of `peak_ram` as well
  where that counts.
- **Zeros anywhere cost the least accuracy, and save the least.** With as many weights that are not zero as a knapsack
  by Taylor scores leaves, the network keeps 81.9 and 81.8 % of 82.3 %. Its MACs, its memory for activations and its
  latency stay those of the whole network; only an engine that stores masks, or a ZIP archive, is smaller by them.
- **Network slimming makes the smallest files.** At half of the MACs it keeps 14 % of the weight bytes. At a quarter,
  a threshold that was learned with a penalty leaves single channels, and nothing can be learned any more."""


def statements(records: Sequence[CellRecord], folder: Path) -> str:
    """For each statement and budget, whether the records support it, with the difference in points."""
    rows = []
    for statement in STATEMENTS:
        found = [compared(records, statement.first, statement.second, folder, budget) for budget in BUDGETS]
        rows.append(
            [
                f"{statement.text} (`{statement.first}`, `{statement.second}`)",
                *(
                    verdict(each)
                    if each is None
                    else f"{verdict(each)} ({100 * each.difference:+.1f} ± {100 * each.margin:.1f})"
                    for each in found
                ),
            ]
        )
    head = ["statement", *(f"at {percent} %" for percent in BUDGETS.values())]
    return f"{table(head, rows)}\n\n{CAUTION}"
