"""Mean ranks of contenders over blocks, and which of them differ: Friedman's test and the test of Nemenyi.

Demšar, "Statistical comparisons of classifiers over multiple data sets", Journal of Machine Learning Research 7 (2006).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SIGNIFICANCE = 0.05
"""Probability at which a test calls contenders different that do not differ."""

LEAST_CONTENDERS, LEAST_BLOCKS = 3, 5
"""Numbers of contenders and of blocks from which on the tests are made. Both rest on approximations for many blocks."""


@dataclass(frozen=True)
class Ranks:
    """Ranks of contenders, from 1 for the best of each block; equal results share the mean of their ranks.

    Attributes:
        means: mean rank by contender, the best first.
        firsts: number of blocks in which a contender was the best, or one of several, by contender.
        blocks: number of blocks.
        p_value: of Friedman's test in the form of Iman and Davenport, whose hypothesis is that all contenders are
            equal.
        critical_difference: difference of two mean ranks from which on contenders differ by the test of Nemenyi, which
            allows for all pairs at once.
    """

    means: Mapping[str, float]
    firsts: Mapping[str, int]
    blocks: int
    p_value: float
    critical_difference: float

    @property
    def differ(self) -> bool:
        """Whether Friedman's test rejects that all contenders are equal."""
        return self.p_value < SIGNIFICANCE

    def alike(self, label: str) -> tuple[str, ...]:
        """The other contenders that the tests cannot tell from this one, the best first."""
        return tuple(other for other in self.means if other != label and not self.tells_apart(label, other))

    def tells_apart(self, first: str, second: str) -> bool:
        """Whether the tests tell two contenders apart."""
        return self.differ and abs(self.means[first] - self.means[second]) >= self.critical_difference

    @property
    def cliques(self) -> tuple[tuple[str, ...], ...]:
        """The largest groups of two or more neighbours in the order of the ranks of which no two are told apart."""
        labels, found, reached = list(self.means), [], 0
        for start, label in enumerate(labels):
            end = start + 1
            while end < len(labels) and not self.tells_apart(label, labels[end]):
                end += 1
            if end - start > 1 and end > reached:
                found.append(tuple(labels[start:end]))
            reached = max(reached, end)
        return tuple(found)


def ranked(blocks: Sequence[Mapping[str, float]]) -> Ranks | None:
    """Rank contenders in each block and test whether they differ.

    Args:
        blocks: the result of each contender in each block, of which smaller ones are better; infinite for a contender
            that did not succeed. Blocks that lack a contender of another block are left out.

    Returns:
        The ranks, or None if there are fewer than LEAST_CONTENDERS contenders or LEAST_BLOCKS whole blocks, or if all
        contenders are equal in every block.
    """
    import numpy as np
    from scipy import stats

    labels = tuple(dict.fromkeys(label for block in blocks for label in block))
    whole = whole_blocks(blocks)
    count, contenders = len(whole), len(labels)
    if contenders < LEAST_CONTENDERS or count < LEAST_BLOCKS:
        return None
    results = np.array([[block[label] for label in labels] for block in whole])
    ranks = stats.rankdata(results, axis=1)
    if not np.ptp(ranks, axis=1).any():
        return None
    # ranks instead of results, since infinite results differ by nan
    chi_square = float(stats.friedmanchisquare(*ranks.T).statistic)
    remainder = count * (contenders - 1) - chi_square
    freedom = contenders - 1, (contenders - 1) * (count - 1)
    p_value = float(stats.f.sf((count - 1) * chi_square / remainder, *freedom)) if remainder > 1e-9 else 0.0
    means = {label: float(mean) for label, mean in zip(labels, ranks.mean(axis=0), strict=True)}
    best = (results == results.min(axis=1, keepdims=True)) & np.isfinite(results)
    firsts = {label: int(number) for label, number in zip(labels, best.sum(axis=0), strict=True)}
    order = sorted(labels, key=lambda label: means[label])
    return Ranks(
        {label: means[label] for label in order},
        {label: firsts[label] for label in order},
        count,
        p_value,
        critical_difference(contenders, count),
    )


def whole_blocks(blocks: Sequence[Mapping[str, float]]) -> tuple[Mapping[str, float], ...]:
    """The blocks that have a result of every contender of any block."""
    labels = {label for block in blocks for label in block}
    return tuple(block for block in blocks if block.keys() == labels)


def critical_difference(contenders: int, blocks: int) -> float:
    """The critical difference of Nemenyi's test: q · sqrt(k (k + 1) / (6 n)) for k contenders and n blocks.

    q is the quantile of the studentized range for infinitely many degrees of freedom, divided by the root of 2.
    """
    from scipy import stats

    quantile = float(stats.studentized_range.ppf(1 - SIGNIFICANCE, contenders, math.inf)) / math.sqrt(2)
    return quantile * math.sqrt(contenders * (contenders + 1) / (6 * blocks))
