"""The table of what two levels of one layer cost together."""

from __future__ import annotations

from benchmark_modules import benchmark_modules


def test_the_table_has_means_over_layers_and_their_ratio_to_the_sum() -> None:
    pairs = benchmark_modules(("level_pairs",))["level_pairs"]
    records = [
        pairs.Record("resnet8", layer, list(pairs.RANK), list(pairs.TWO_BITS), rises)
        for layer, rises in (("a", (0.1, 0.2, 0.5)), ("b", (0.3, 0.2, 1.1)))
    ]
    head, _, *rows = pairs.table(records).splitlines()
    assert head.count("|") == rows[0].count("|")
    assert rows == ["| ResNet8 | half of the rank and 2 bits | 2 | 0.200 and 0.200 | 0.400 | 0.800 | 2.0 |"]
