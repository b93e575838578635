"""Measures what merging channels is worth beside dropping them, before any training (ResNet8, CIFAR-10).

    python benchmarks/folding.py [--out out/folding]        writes docs/results/folding.md
    python benchmarks/folding.py --from-records             writes it from the kept records

The network of MLPerf Tiny is fine-tuned for one epoch with each of five seeds. Each of the five keeps 75 and 50 % of
the channels of every group: those with the highest scores, or merged ones, or for each group what raises the loss on
training images least. Statistics are not repaired, repaired from the weights, or measured on training images. The
accuracy is that on all test images, which choose nothing. Networks that are recorded are not measured again.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scorers import ASSETS
from study_tables import mean_text, table

from reds_core import Registry, load_data
from reds_core.framework import Arrays, Family, FinetuneSettings, Framework, Task, Training, realised
from reds_core.network import Network, WeightKind
from reds_core.scoring import Scorer, score
from reds_core.system import RECORDS_FILE, RecordKind, make_folder, this_machine, write_text
from reds_core.transforms import Joining, Narrowing, Realisation

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "folding.md"
KEPT = ROOT / "benchmarks" / "records" / "folding"
MODEL, DATA = "mlperf_tiny_resnet8_cifar10.h5", "cifar10.npz"
SEEDS = (0, 1, 2, 3, 4)
SHARES = (0.75, 0.5)
SCORERS = ("random", "magnitude", "taylor")
METHODS = ("k-means", "iterative")
NONE, APPROXIMATE, MEASURED = "none", "approximate", "data"
MEANS, VARIANCES = "measured means", "measured variances"
EXPLAINED = ("drop magnitude", "fold k-means")
"""The ways for which means and variances are also measured without each other, at the larger share."""
BEST = "best"
FINETUNING = FinetuneSettings(epochs=1, batch_size=64, learning_rate=3e-4)
STATISTICS_IMAGES, LOSS_IMAGES = 2000, 1000


@dataclass(frozen=True)
class Record:
    """The measurement of one network.

    Attributes:
        seed: The seed of the fine-tuned input network, and of the scorer "random".
        share: The share of the channels that every group keeps.
        way: How widths are realised: "drop SCORER", "fold METHOD" or "best".
        repair: How statistics are repaired, or which of them are measured.
        accuracy: The accuracy on the test images.
        full_accuracy: That of the input network.
        folded: The groups that "best" merges; those of all groups for "fold", none for "drop".
        seconds: The processor time of the measurement.
    """

    seed: int
    share: float
    way: str
    repair: str
    accuracy: float
    full_accuracy: float
    folded: tuple[str, ...]
    seconds: float

    @property
    def key(self) -> tuple[int, float, str, str]:
        """What identifies the network."""
        return self.seed, self.share, self.way, self.repair


RECORDS = RecordKind(Record, "a network", "python benchmarks/folding.py")


def planned() -> Iterator[tuple[int, float, str, str]]:
    """The keys of all networks."""
    for seed in SEEDS:
        for share in SHARES:
            for scorer in SCORERS:
                yield from ((seed, share, f"drop {scorer}", repair) for repair in (NONE, MEASURED))
            for method in METHODS:
                yield from ((seed, share, f"fold {method}", repair) for repair in (NONE, APPROXIMATE, MEASURED))
            yield seed, share, BEST, MEASURED
        for way in EXPLAINED:
            yield from ((seed, SHARES[0], way, repair) for repair in (MEANS, VARIANCES))


class Bench:
    """The network that was fine-tuned with one seed, and its data."""

    def __init__(self, seed: int, out: Path) -> None:
        self.seed, self.registry = seed, Registry()
        self.framework: Framework = self.registry.default_framework()
        given = self.framework.load_model(ASSETS / "models" / MODEL)
        data = load_data(str(ASSETS / "data" / DATA), self.framework, self.framework.input_shape(given), 0)
        self.train: Any = self.framework.check_data(given, data.train, Task(), "training data")
        self.test = self.framework.check_data(given, data.test, Task(), "test data") if data.test is not None else None
        self.network: Network = self.framework.inspect(given)
        self.model = self._finetuned(out / f"seed-{seed}.keras")
        self.weights = self.framework.weights(self.model, self.network)
        self.full_accuracy = self.accuracy(self.model)
        self._orders: dict[str, Mapping[str, Any]] = {}

    def _finetuned(self, path: Path) -> Any:
        if not path.exists():
            model = self.framework.extract(self.framework.load_model(ASSETS / "models" / MODEL), self.network, {})
            training = Training(self.train, FINETUNING, self.seed, lambda progress: None)
            self.framework.finetune(Family(model, (), ()), training)
            self.framework.save_model(model, path)
        return self.framework.load_model(path)

    def accuracy(self, model: Any) -> float:
        """The accuracy on the test images."""
        return self.framework.accuracy(model, self.test, Task())

    def loss(self, model: Any) -> float:
        """The loss on some training images, after the statistics are measured."""
        return self.framework.loss(self.measured(model), self._images(LOSS_IMAGES, 2), Task())

    def measured(self, model: Any) -> Any:
        """The network with batch-norm statistics that are measured on some training images."""
        own: Family[Any] = Family(model, (model,), (self.framework.inspect(model).channels,))
        training = Training(self._images(STATISTICS_IMAGES, 1), FinetuneSettings(epochs=0), 0, lambda progress: None)
        self.framework.finetune(own, training)
        return model

    def _partly_measured(self, model: Any, repair: str) -> None:
        """Measure the means or the variances of batch norms alone."""
        network = self.framework.inspect(model)
        before = self.framework.weights(model, network)
        after = self.framework.weights(self.measured(model), network)
        norms = [call for call in network.layers if call.epsilon is not None]
        pairs = [[i for i in c.weights if network.weights[i].kind is WeightKind.STATISTIC] for c in norms]
        wanted = {pair[0 if repair == MEANS else 1] for pair in pairs}
        mixed = [after[i] if i in wanted else before[i] for i in range(len(before))]
        self.framework.assign(model, network, mixed)

    def _images(self, count: int, seed: int) -> Arrays:
        images: Arrays = self.train.take(np.sort(np.random.default_rng(seed).permutation(len(self.train))[:count]))
        return images

    def order(self, scorer: str) -> Mapping[str, Any]:
        """The channels of each group by descending score."""
        if scorer not in self._orders:
            plugin = self.registry.create(Scorer, scorer)
            known = (self.framework, self.model, self.network, self.train, Task())
            table = score(plugin, *known, seed=self.seed)
            self._orders[scorer] = {g: np.argsort(-s, kind="stable") for g, s in table.channels.items()}
        return self._orders[scorer]

    def narrowing(self, group: str, share: float, scorer: str) -> Narrowing:
        """One group at its width."""
        width = max(1, round(share * self.network.channels[group]))
        return Narrowing(self.network, self.weights, group, width, self.order(scorer)[group])

    def joinings(self, share: float, way: str, repair: str) -> dict[str, Joining]:
        """How the channels of every group are joined."""
        kind, _, how = way.partition(" ")
        if kind == BEST:
            return {group: self._best(group, share) for group in self.network.channels}
        if kind == "drop":
            return {group: self.narrowing(group, share, how).dropping() for group in self.network.channels}
        return {group: self._folded(group, share, how, repair) for group in self.network.channels}

    def _folded(self, group: str, share: float, method: str, repair: str) -> Joining:
        fold = self.registry.create(Realisation, "fold", {"fold": {"method": method, "repair": repair}})
        return fold.joined(self.narrowing(group, share, "magnitude"))

    def _best(self, group: str, share: float) -> Joining:
        rivals = [self.narrowing(group, share, "taylor").dropping(), self._folded(group, share, METHODS[0], MEASURED)]
        return min(rivals, key=lambda joining: self.loss(self.built({group: joining})))

    def built(self, joinings: Mapping[str, Joining]) -> Any:
        """The network with the channels of the joinings."""
        return realised(self.framework, self.model, self.network, joinings)

    def record(self, share: float, way: str, repair: str) -> Record:
        """Measure one network."""
        started = time.process_time()
        joinings = self.joinings(share, way, repair)
        model = self.built(joinings)
        if repair == MEASURED:
            self.measured(model)
        elif repair in (MEANS, VARIANCES):
            self._partly_measured(model, repair)
        accuracy = self.accuracy(model)
        folded = tuple(group for group, joining in joinings.items() if joining.merges)
        seconds = time.process_time() - started
        return Record(self.seed, share, way, repair, accuracy, self.full_accuracy, folded, seconds)


def measure(out: Path) -> None:
    """Measure the networks that are not recorded yet."""
    make_folder(out)
    with RECORDS.opened(out) as file:
        done = {record.key for record in file.before}
        left = [key for key in planned() if key not in done]
        bench: Bench | None = None
        for place, (seed, share, way, repair) in enumerate(left, 1):
            if bench is None or bench.seed != seed:
                bench = Bench(seed, out)
            record = bench.record(share, way, repair)
            file.append(record)
            sys.stdout.write(f"{place} of {len(left)}: {record}\n")
            sys.stdout.flush()
    make_folder(KEPT)
    shutil.copyfile(out / RECORDS_FILE, KEPT / RECORDS_FILE)


# --- the page -----------------------------------------------------------------------------------------------------


def of(records: Sequence[Record], share: float, way: str, repair: str) -> list[float]:
    """The accuracies of one way, one for each seed."""
    found = sorted((r for r in records if (r.share, r.way, r.repair) == (share, way, repair)), key=lambda r: r.seed)
    return [record.accuracy for record in found]


def difference(records: Sequence[Record], share: float, one: tuple[str, str], other: tuple[str, str]) -> list[float]:
    """By how much the accuracy of one way is above that of another, for each seed."""
    return [a - b for a, b in zip(of(records, share, *one), of(records, share, *other), strict=True)]


def points(differences: Sequence[float]) -> str:
    """Mean, standard deviation and sign of differences of accuracies, in points."""
    above = sum(d > 0 for d in differences)
    spread = 100 * statistics.stdev(differences)
    return f"{100 * statistics.mean(differences):+.1f} ± {spread:.1f} points, above with {above} of {len(differences)}"


def page(records: Sequence[Record]) -> str:
    """The page of the results."""
    ways = [*(f"drop {scorer}" for scorer in SCORERS), *(f"fold {method}" for method in METHODS), BEST]
    rows = []
    for share in SHARES:
        for way in ways:
            cells = [of(records, share, way, repair) for repair in (NONE, APPROXIMATE, MEASURED)]
            shown = [mean_text(c, scale=100) if c else "–" for c in cells]
            rows.append([f"{share:.0%}".replace("%", " %"), way, *shown])
    full = [next(r.full_accuracy for r in records if r.seed == seed) for seed in SEEDS]
    figures = table(["channels", "realisation", "not repaired", "from the weights", "measured"], rows)
    fold = "fold k-means"
    comparisons = table(
        ["channels", "compared", "difference in accuracy over the seeds"],
        [
            [f"{share:.0%}".replace("%", " %"), text, points(difference(records, share, one, other))]
            for share in SHARES
            for text, one, other in (
                ("fold against drop magnitude, no data", (fold, APPROXIMATE), ("drop magnitude", NONE)),
                ("fold against drop random, no data", (fold, APPROXIMATE), ("drop random", NONE)),
                ("fold against drop magnitude, measured", (fold, MEASURED), ("drop magnitude", MEASURED)),
                ("fold against drop random, measured", (fold, MEASURED), ("drop random", MEASURED)),
                ("fold against drop taylor, measured", (fold, MEASURED), ("drop taylor", MEASURED)),
                ("repair from the weights against none", (fold, APPROXIMATE), (fold, NONE)),
                ("k-means against iterative, measured", (fold, MEASURED), ("fold iterative", MEASURED)),
                ("best against fold, measured", (BEST, MEASURED), (fold, MEASURED)),
                ("best against drop taylor, measured", (BEST, MEASURED), ("drop taylor", MEASURED)),
            )
        ],
    )
    parts = (NONE, MEANS, VARIANCES, MEASURED)
    explained = table(
        ["realisation", "not repaired", MEANS, VARIANCES, "both"],
        [[way, *(mean_text(of(records, SHARES[0], way, each), scale=100) for each in parts)] for way in EXPLAINED],
    )
    gains = difference(records, SHARES[0], (fold, APPROXIMATE), ("drop magnitude", NONE))
    chosen = [len(r.folded) for r in records if r.way == BEST]
    groups = max(len(r.folded) for r in records)
    return TEXT.format(
        figures=figures,
        comparisons=comparisons,
        explained=explained,
        gain=f"{100 * statistics.mean(gains):.1f} ± {100 * statistics.stdev(gains):.1f} points",
        full=mean_text(full, scale=100),
        chosen=f"{statistics.mean(chosen):.1f} of {groups}",
        seeds=len(SEEDS),
        images=f"{STATISTICS_IMAGES:,}",
        loss_images=f"{LOSS_IMAGES:,}",
        machine=this_machine().cpu,
        minutes=f"{sum(r.seconds for r in records) / 60:.0f}",
    )


TEXT = """# Merging channels before any training

What is left of ResNet8 on CIFAR-10 if every group keeps 75 or 50 % of its channels, by dropping channels or by
merging them ([merging.md](../guide/merging.md)), before any training. The network of MLPerf Tiny is fine-tuned for
one epoch with {seeds} seeds, to {full} % on the 3,000 test images. "drop" keeps the channels with the highest scores;
"fold" merges channels by one of its methods; "best" takes for each group dropping by `taylor` or merging by k-means,
whichever has the lower loss on {loss_images} training images with only that group narrowed; it merges {chosen}
groups. Statistics of batch norms are not repaired, repaired from the weights (`repair=approximate`), or measured on
{images} training images. Scores by `taylor`, measured statistics and `best` use data; all others do not.

Accuracy in percent, mean and standard deviation over the seeds:

{figures}

{comparisons}

**Without data, merging beats dropping at 75 % of the channels**, by {gain} with all seeds. At 50 %, nothing is left
of the network: all ways are near the 10 % of chance. ResNet8 has groups of 16, 32 and 64 channels, and half of them
are too few without training, however they are made.

**With measured statistics, dropping by `magnitude` beats merging at 75 %**, and merging beats dropping by `random`
and `taylor`. So what merging is worth depends on the score that it replaces, and on whether anything can be measured.
To see why, the means and the variances of the batch norms were also measured without each other, at 75 %:

{explained}

The variances are not what spoils this network. Dropping keeps channels that vary as before but shifts the sums into
which they are added, and measured means alone repair nearly all of it. Merging keeps these sums closer to what they
were, which is its advantage without data; but a mean of unlike channels has lost what the channels did not have in
common, and no statistics bring that back.

**The repair from the weights does not pay here**, although measured variances do not either, without the means. It
cannot know the means, since they depend on the data. The paper reports gains in networks that are deeper and wider
than this one, in which shrunk variances multiply.

**K-means is better than merging the closest pair again and again** at 75 %. "best" judges each group with the others
whole, so it need not be better than one way for all groups; its rival by `taylor` is a weak one here.

Made by `python benchmarks/folding.py` on {machine} in {minutes} minutes of processor time; the records are in
`benchmarks/records/folding`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/folding"), help="folder of the networks and records")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page goes")
    parser.add_argument("--from-records", action="store_true", help="write the page from kept records")
    given = parser.parse_args()
    if not given.from_records:
        measure(given.out.resolve())
    write_text(given.page, page(RECORDS.read(KEPT)))


if __name__ == "__main__":
    main()
