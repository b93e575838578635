"""Pruning Identified Exemplars: examples on whose class compressed and uncompressed networks disagree.

The definition is that of Hooker et al. (arXiv 1911.05248): the class that most networks of one population say differs
from the class that most of the other say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.audit.answers import Population
from reds_core.audit.records import Exemplar, ExemplarFigures, Flips, Overlap

_DECIMALS = 9
"""To how many decimals votes are rounded, so that the order of networks does not matter."""
LEAST_NETWORKS = 2
"""The fewest networks that make a population; of one alone, exemplars would be its own errors."""


def modal_labels(population: Population) -> IntArray:
    """Return the class that most networks say for each example, int64 (N,).

    Of equally frequent classes it is the one of which the networks are surer, since the first one would favour classes
    of small numbers, and then the first.
    """
    classes, rows = int(population.labels.max()) + 1, np.arange(population.labels.shape[1])
    votes = np.zeros((len(rows), classes))
    for labels, confidence in zip(population.labels, population.confidence, strict=True):
        votes[rows, labels] += 1 + confidence / (len(population) + 1)  # all that is added to the ones is less than 1
    return np.asarray(np.round(votes, _DECIMALS).argmax(axis=1), np.int64)


def exemplars_of(
    before: IntArray, after: Population, truth: IntArray, member: str, places: IntArray
) -> tuple[Exemplar, ...]:
    """Return the exemplars of a member in the order of the test data.

    Args:
        before: the modal label of the uncompressed networks for each example, int64 (N,).
        after: what the networks of the member answer.
        truth: the true class of each example, int64 (N,).
        member: the name of the member.
        places: the place of each example in the test data, int64 (N,).
    """
    modal = modal_labels(after)
    flips = (after.labels != before).sum(axis=0)
    return tuple(
        Exemplar(int(places[i]), int(flips[i]), int(before[i]), int(modal[i]), member, int(truth[i]))
        for i in np.flatnonzero(modal != before)
    )


def exemplar_figures(chosen: BoolArray, before: Population, after: Population, truth: IntArray) -> ExemplarFigures:
    """Return how hard exemplars are, compared with all other examples.

    Args:
        chosen: which examples are exemplars, bool (N,).
        before: what the uncompressed networks answer.
        after: what the networks of the member answer.
        truth: the true class of each example, int64 (N,).
    """

    def accuracy(population: Population, part: BoolArray) -> float | None:
        return float((population.labels[:, part] == truth[part]).mean()) if part.any() else None

    return ExemplarFigures(
        int(chosen.sum()),
        float(chosen.mean()),
        accuracy(before, chosen),
        accuracy(after, chosen),
        accuracy(after, ~chosen),
    )


def flips_of(references: IntArray, after: Population, truth: IntArray) -> Flips:
    """Return how many examples get another class, as means over networks.

    Args:
        references: the class of each example before compression, for each network, int64 (K, N).
        after: what the networks answer.
        truth: the true class of each example, int64 (N,).
    """
    was, is_now = references == truth, after.labels == truth
    return Flips(
        float((references != after.labels).sum(axis=1).mean()),
        float((was & ~is_now).sum(axis=1).mean()),
        float((~was & is_now).sum(axis=1).mean()),
    )


def jaccard(first: BoolArray, second: BoolArray) -> float | None:
    """Return the number of examples in both sets as a share of those in any; None if both are empty."""
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else None


def overlaps_of(
    before: IntArray, after: Mapping[str, Population], methods: Mapping[str, Mapping[str, Sequence[int]]]
) -> tuple[Overlap, ...]:
    """Return how alike sets of exemplars are: of members, of methods within a member, and of networks of a method.

    The set of a single network are the examples for which it says another class than `before`.

    Args:
        before: the modal label of the uncompressed networks for each example, int64 (N,).
        after: what the networks of each member answer.
        methods: for each member, the networks of each method by their numbers in `after`.
    """
    found = []
    sets = {member: modal_labels(population) != before for member, population in after.items()}
    for first, second in combinations(sets, 2):
        found.append(Overlap("members", None, first, second, jaccard(sets[first], sets[second])))
    for member, population in after.items():
        own = {name: population.taken(networks) for name, networks in methods[member].items() if len(networks)}
        several = {name: modal_labels(each) != before for name, each in own.items()}
        for first, second in combinations(several, 2):
            found.append(Overlap("methods", member, first, second, jaccard(several[first], several[second])))
        for name, each in own.items():
            if len(each) > 1:
                found.append(Overlap("networks", member, name, name, _mean_jaccard(each.labels != before)))
    return tuple(found)


def _mean_jaccard(sets: BoolArray) -> float | None:
    """Return the mean over all pairs of sets, (K, N); None if all are empty."""
    alike = [jaccard(sets[a], sets[b]) for a, b in combinations(range(len(sets)), 2)]
    known = [each for each in alike if each is not None]
    return float(np.mean(known)) if known else None
