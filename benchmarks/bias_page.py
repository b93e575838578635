"""The page of benchmarks/bias.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
from bias_cells import BASE, METHODS, NETWORKS, BiasNetwork, BiasRecord, cells
from study_tables import MISSING, mean_text, missing_note, table

from reds_core.audit import ClassAudit, Population, audit_classes, jaccard, modal_labels
from reds_core.report import many

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LEAST = 2
"""The fewest networks that make a population."""
Setting = tuple[int, int]
"""The percentage of the parameters that is kept, and the epochs of training after compression."""

INTRODUCTION = """\
# Whom compression hurts

<!-- written by benchmarks/bias.py -->

Two networks of the same accuracy can fail for different examples. This page compares three ways to compress a network:

{methods}

The population of networks that are not compressed is the given network, trained further with up to {seeds} seeds.
Each of them is compressed in each way, with the same seed; those that are trained after that, with three of the seeds.
Batch norms are measured again on training data in all of them. Figures are means over seeds with their standard
deviation, on the test set; test data never chose anything. An *exemplar* is an example for which most networks of the
compressed population say another class than most of those that are not compressed (Hooker et al.,
[1911.05248](https://arxiv.org/abs/1911.05248)). The statistics are those of [`reds audit`](../guide/audit.md).

Most runs were made on one machine of two cores without a GPU. Masks with training, and the other runs with training of
seed 2, were made on another, where equal seeds do not give equal networks: the three that are compressed there have an
accuracy of 86.5, 86.7 and 86.8 %, and those of the same seeds on the first machine, which stand for the networks that
are not compressed, one of 86.3, 86.5 and 86.9 %. To repeat it:

```sh
python benchmarks/bias.py
```
"""

THEORY = """\
## A theory and its test

Attributions are measured by removing channels ([COAR](../guide/audit.md)): they are what each channel contributes to
the margin of an example. So a network without some channels should lose the examples whose margin is small *after* what
these channels contributed is taken away. If this is true, the margin and the attribution together predict better who is
lost than the margin alone. If it did not matter which channels are removed, the attribution would only add noise, and
the prediction would be worse. The table is the difference of the two areas under the ROC curve, and in how many of the
compressed networks it is positive. Folding merges the channels that dropping would remove.
"""

FOUND = """\
## What may be concluded

These are small networks on one set of images, with three to five seeds. Networks with ten epochs of training were
trained ten epochs longer than those that are not compressed, which moves some examples by itself.

- **Masks hurt least.** At every size, networks of which single weights are set to zero are the most accurate and have
  the fewest exemplars. With training, ResNet8 keeps 84.1 of 86.5 % with a quarter of the weights of its kernels, and
  76.2 % with a quarter of its parameters by dropping. What masks save, only a device that stores them can use
  ([sparsity](../guide/sparsity.md)).
- **Folding hurts less than dropping without training, and as much with it.** Without training it is more accurate at
  every size and on all three networks, by 8.5 points for ResNet8 at half of the parameters. With ten epochs, the two
  are within 0.7 points of each other, and the same class loses most.
- **Dropping and folding hurt the same examples as far as seeds do.** Their exemplars are about as alike as what two
  networks of one of these ways, which differ by their seeds, answer differently. Exemplars of masks have less in common
  with both of ResNet8: at most a quarter without training, and 0.3 with it.
- **The less is lost, the harder are the examples that are lost.** Networks that are not compressed recognise a third of
  the exemplars of masks at 90 %, 45 % of those at 50 % with training, two thirds of those of dropping at a quarter
  with training, and nearly as many as of all examples where most accuracy is gone.
- **Few classes lose more than chance explains**, with so few seeds. Losses are uneven all the same: without training,
  the class that dropping hurts most in ResNet8 loses 14 to 22 points more than the average between 90 and 50 %. Of the
  encoder that was trained without labels, masks hurt 5 of 10 classes at three quarters and 4 at half.
- **The theory holds for dropping without training, and fails otherwise.** There, attributions improve the prediction
  for all networks but one down to half of the parameters. With folding they make it worse nearly everywhere, possibly
  since merged channels still contribute by those that they were merged into. With training they make it much worse, and
  the margin before compression predicts well who is lost: 0.83 to 0.89. So attributions explain what a cut does
  before it is trained, and margins tell who is at risk after that.
"""


@dataclass(frozen=True)
class Results:
    """The records of one network, with what its networks say.

    Attributes:
        network: The network.
        truth: The true class of each test example, int64 (N,).
        base: The records of the networks that are not compressed, by seed.
        compressed: The others, by setting and method.
        labels: What each network says, by the name of its file, int64 (N,).
    """

    network: BiasNetwork
    truth: npt.NDArray[np.int64]
    base: Sequence[BiasRecord]
    compressed: Mapping[Setting, Mapping[str, Sequence[BiasRecord]]]
    labels: Mapping[str, npt.NDArray[np.int64]]

    @classmethod
    def of(cls, name: str, records: Sequence[BiasRecord], folder: Path) -> Results:
        """Read the results of one network."""
        own = sorted((r for r in records if r.network == name), key=lambda record: record.seed)
        compressed: dict[Setting, dict[str, list[BiasRecord]]] = {}
        network = NETWORKS[name]
        for epochs, percents in ((0, network.percents), (network.epochs, network.trained)):
            for percent in percents:
                by_method = {
                    method: [r for r in own if (r.method, r.percent, r.epochs) == (method, percent, epochs)]
                    for method in METHODS
                }
                if any(by_method.values()):
                    compressed[percent, epochs] = by_method
        labels = {record.predictions: _labels(folder / record.predictions) for record in own}
        base = [record for record in own if record.method == BASE]
        return cls(network, _labels(folder / f"{name}-truth.npz"), base, compressed, labels)

    def population(self, records: Sequence[BiasRecord]) -> Population:
        """What several networks say; confidence and margins are not kept."""
        said = np.stack([self.labels[record.predictions] for record in records])
        return Population(said, np.zeros(said.shape), np.zeros(said.shape))

    def exemplars(self, records: Sequence[BiasRecord]) -> npt.NDArray[np.bool_]:
        """Which examples are exemplars of a population of compressed networks, bool (N,)."""
        return modal_labels(self.population(records)) != modal_labels(self.population(self.base))

    def classes(self, records: Sequence[BiasRecord]) -> tuple[ClassAudit, ...]:
        """The recall of each class before and after, of a population of compressed networks."""
        return audit_classes(self.population(self.base), {"after": self.population(records)}, self.truth, CLASSES)


def _labels(path: Path) -> npt.NDArray[np.int64]:
    with np.load(path) as file:
        return np.asarray(file["labels"], np.int64)


def page(records: Sequence[BiasRecord], folder: Path) -> str:
    """Render the page from the records and the folder of what networks say."""
    methods = "\n".join(f"- **{name}**: {method.about}." for name, method in METHODS.items())
    seeds = len({record.seed for record in records})
    parts, gains = [INTRODUCTION.format(methods=methods, seeds=seeds)], list[list[str]]()
    known, planned = {record.name for record in records}, {cell.name for cell in cells()}
    note = missing_note(len(known & planned), len(planned))
    parts += [f"{note}\n"] if note else []
    for name, network in NETWORKS.items():
        if any(record.network == name and record.method != BASE for record in records):
            results = Results.of(name, records, folder)
            parts += [f"## {network.title}\n", _base_text(results), *_tables(results)]
            gains += _gains(name, results)
    if gains:
        parts += [THEORY, table(["network", "parameters kept", *_removing()], gains), ""]
    if planned <= known:
        parts += [FOUND]
    return "\n".join(parts).rstrip() + "\n"


def _base_text(results: Results) -> str:
    accuracy = mean_text([record.accuracy for record in results.base], 2, 100)
    error = mean_text([record.ece for record in results.base], 3)
    known = [record.correlation for record in results.base if record.correlation is not None]
    seen = f" Attributions predict margins under new ablations with a correlation of {mean_text(known, 2)}."
    return (
        f"{many(len(results.base), 'network')} that are not compressed: accuracy {accuracy} %, expected calibration "
        f"error {error}.{seen if known else ''}\n"
    )


def _tables(results: Results) -> list[str]:
    return [
        "### Accuracy in percent, and expected calibration error\n",
        _by_method(results, _accuracy),
        "\n### Classes\n",
        "Change of accuracy in points, the class whose recall changes most against that, and how many of the "
        f"{len(CLASSES)} classes lose more than the average and more than chance (Welch's test over seeds, corrected "
        "by Benjamini and Hochberg, 5 %).\n",
        _by_method(results, lambda records: _classes(results, records)),
        "\n### Exemplars\n",
        "Their number, and in brackets the accuracy on them of the networks that are not compressed.\n",
        _by_method(results, lambda records: _exemplars(results, records)),
        "\nHow alike sets of exemplars are (Jaccard index: 1 if they are the same). For two methods these are the sets "
        "of their populations; for two seeds of one method, the examples for which each network differs from most "
        "networks that are not compressed.\n",
        _overlaps(results),
        "\n### What predicts who is lost\n",
        "Area under the ROC curve for which of the examples that the base recognises the compressed network loses, by "
        "three scores: the attribution of the removed channels, the margin of the base alone, and both; and by the "
        "attribution among examples of about equal margin, which says what it adds to the margin. Chance is 0.5.\n",
        _by_method(results, _predictions, _removing()),
        "",
    ]


def _removing() -> list[str]:
    """The methods that remove or merge channels."""
    return [name for name, method in METHODS.items() if not method.is_masking]


def _gains(name: str, results: Results) -> list[list[str]]:
    """What the attribution of channels adds to the prediction by the margin alone, one row for each setting."""
    rows = []
    for setting, by_method in results.compressed.items():
        cells = []
        for method in _removing():
            pairs = [(r.both_auc, r.margin_auc) for r in by_method[method]]
            found = [both - margin for both, margin in pairs if both is not None and margin is not None]
            higher = sum(each > 0 for each in found)
            cells.append(f"{mean_text(found, 2)} ({higher} of {len(found)})" if len(found) >= LEAST else MISSING)
        rows.append([f"`{name}`", _setting(setting), *cells])
    return rows


def _by_method(
    results: Results, cell: Callable[[Sequence[BiasRecord]], str], methods: Sequence[str] = tuple(METHODS)
) -> str:
    rows = [
        [_setting(setting), *(cell(by_method[m]) if len(by_method[m]) >= LEAST else MISSING for m in methods)]
        for setting, by_method in results.compressed.items()
    ]
    return table(["parameters kept", *methods], rows)


def _setting(setting: Setting) -> str:
    percent, epochs = setting
    return f"{percent} %" + (f", {epochs} epochs" if epochs else "")


def _accuracy(records: Sequence[BiasRecord]) -> str:
    return f"{mean_text([r.accuracy for r in records], 1, 100)} (ECE {fmean(r.ece for r in records):.3f})"


def _classes(results: Results, records: Sequence[BiasRecord]) -> str:
    classes = results.classes(records)
    average = 100 * (fmean(r.accuracy for r in records) - fmean(r.accuracy for r in results.base))
    figures = {each.name: each.after["after"] for each in classes}
    worst = min(figures, key=lambda name: figures[name].excess or 0.0)
    hurt = sum(bool(each.is_hurt) for each in figures.values())
    return f"{average:+.1f}; {worst} {100 * (figures[worst].change or 0.0):+.1f}; {hurt}"


def _exemplars(results: Results, records: Sequence[BiasRecord]) -> str:
    chosen = results.exemplars(records)
    if not chosen.any():
        return "0"
    right = results.population(results.base).labels[:, chosen] == results.truth[chosen]
    return f"{int(chosen.sum())} ({100 * right.mean():.0f} %)"


def _overlaps(results: Results) -> str:
    pairs = [*combinations(METHODS, 2)]
    rows = []
    for setting, by_method in results.compressed.items():
        sets = {m: results.exemplars(own) for m, own in by_method.items() if len(own) >= LEAST}
        between = [_share(jaccard(sets[a], sets[b])) if a in sets and b in sets else MISSING for a, b in pairs]
        before = modal_labels(results.population(results.base))
        within = []
        for own in by_method.values():
            said = [results.labels[record.predictions] != before for record in own]
            alike = [jaccard(a, b) for a, b in combinations(said, 2)]
            known = [each for each in alike if each is not None]
            within.append(_share(fmean(known) if known else None))
        rows.append([_setting(setting), *between, *within])
    head = ["parameters kept", *(f"{a} and {b}" for a, b in pairs), *(f"seeds of {m}" for m in METHODS)]
    return table(head, rows)


def _share(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def _predictions(records: Sequence[BiasRecord]) -> str:
    found = []
    for name in ("attribution_auc", "margin_auc", "both_auc", "equal_margin_auc"):
        known = [value for record in records if (value := getattr(record, name)) is not None]
        found.append(mean_text(known, 2))
    return " / ".join(found)
