"""Measures whether the rises of the loss by two levels of one layer add up, and writes a table of
docs/guide/sensitivity.md.

    python benchmarks/level_pairs.py

For layers of ResNet8 and DS-CNN S (../shared/assets), one level, another one, and both together are applied to the
kernel of a single layer, with the statistics of batch norms measured anew, without any training. Losses are those on
2,048 training examples.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean

import numpy as np
import numpy.typing as npt
from page_sections import put
from trained_networks import CASES, ROOT, Case, TrainedNetwork, keep_record, read_records

from reds_core import Registry
from reds_core.framework import projections
from reds_core.scoring import LossMeasurement
from reds_core.transforms import LevelSettings, Transform

PAGE = ROOT / "docs" / "guide" / "sensitivity.md"
RECORDS = ROOT / "benchmarks" / "records" / "level-pairs" / "records.jsonl"
BATCH_SIZE = 256
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "low-rank": {"levels": "50"},
    "sparsity": {"sparsity": "75"},
    "clustering": {"levels": "4"},
    "weight-bits": {"levels": "8,4,2"},
}
LAYERS = {"resnet8": ("conv2d_3", "conv2d_4", "conv2d_6", "conv2d_7"), "ds-cnn-s": ("conv2d_1", "conv2d_2", "conv2d_3")}
RANK, ZEROS, CLUSTERS, FOUR_BITS, TWO_BITS = (
    ("rank_percent", 50),
    ("density_percent", 25),
    ("clusters", 4),
    ("weight_bits", 4),
    ("weight_bits", 2),
)
PAIRS = (
    (RANK, FOUR_BITS),
    (RANK, TWO_BITS),
    (RANK, CLUSTERS),
    (ZEROS, FOUR_BITS),
    (ZEROS, TWO_BITS),
    (ZEROS, CLUSTERS),
)
TITLES = {
    RANK: "half of the rank",
    ZEROS: "75 % zeros",
    CLUSTERS: "4 values per channel",
    FOUR_BITS: "4 bits",
    TWO_BITS: "2 bits",
}
Level = tuple[str, int]


@dataclass(frozen=True)
class Record:
    """What two levels of one layer cost.

    Attributes:
        case, layer: The network and the layer.
        first, second: What the levels decide and the levels.
        rises: By how much the loss rises by the first level, by the second, and by both.
    """

    case: str
    layer: str
    first: Level
    second: Level
    rises: tuple[float, float, float]


def measured(case: Case) -> Iterator[Record]:
    """Measure all pairs in some layers of a network."""
    trained = TrainedNetwork(case)
    framework, model, network = trained.framework, trained.model, trained.network
    registry = Registry()
    transforms = [registry.create(Transform, name, OPTIONS) for name in OPTIONS]
    measuring = LossMeasurement.sampled(framework, model, network, trained.train)
    own = framework.weights(model, network)
    settings = [{}, *({layer: dict(levels)} for layer in LAYERS[case.name] for levels in _asked())]

    @cache
    def second_moments(tensor: int) -> npt.NDArray[np.float64] | None:
        found = framework.second_moments(model, network, [tensor], measuring.examples.x, BATCH_SIZE)
        return None if found is None else found[0]

    def variants() -> Iterator[list[npt.NDArray[np.float32]]]:
        for each in settings:
            weights = list(own)
            for index, projection in projections(network, transforms, LevelSettings(each)).items():
                values = own[index].astype(np.float64)
                reads = projection.reads
                moments = None if reads is None else second_moments(reads)
                weights[index] = projection.begun(values, moments).function(values).astype(own[index].dtype)
            yield weights

    base, *losses = measuring.losses(variants())
    rises = dict(zip(((layer, levels) for layer in LAYERS[case.name] for levels in _asked()), losses, strict=True))
    for layer in LAYERS[case.name]:
        for first, second in PAIRS:
            found = [float(rises[layer, levels] - base) for levels in ((first,), (second,), (first, second))]
            yield Record(case.name, layer, first, second, (found[0], found[1], found[2]))


def _asked() -> list[tuple[Level, ...]]:
    """All levels alone, and all pairs."""
    return [*((level,) for level in TITLES), *PAIRS]


def table(records: Sequence[Record]) -> str:
    """The table: sums and rises of pairs, in the mean over layers."""
    lines = [
        "| network | levels | layers | rises alone | their sum | together | together / sum |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for case in CASES:
        for first, second in PAIRS:
            rises = [
                record.rises
                for record in records
                if (record.case, tuple(record.first), tuple(record.second)) == (case.name, first, second)
            ]
            if rises:
                alone, other, together = (fmean(each[i] for each in rises) for i in range(3))
                names = f"{TITLES[first]} and {TITLES[second]}"
                cells = [case.title, names, str(len(rises)), f"{alone:.3f} and {other:.3f}", f"{alone + other:.3f}"]
                cells += [f"{together:.3f}", f"{together / (alone + other):.1f}"]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-records", action="store_true", help="write the table from the records that are kept")
    given = parser.parse_args()
    if not given.from_records:
        RECORDS.parent.mkdir(parents=True, exist_ok=True)
        RECORDS.unlink(missing_ok=True)
        for case in CASES:
            for record in measured(case):
                keep_record(RECORDS, record)
    put(PAGE, "pairs", table(read_records(RECORDS, Record)))


if __name__ == "__main__":
    main()
