"""The options of a problem by the bits of weights: which have given bits, and which differ in nothing but bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from reds_core.errors import InfeasibleError, UnsupportedError, argument
from reds_core.knapsack import Group, IntArray, KnapsackProblem, Solution
from reds_core.network import Network, WeightKind
from reds_core.pruning import Tools

WEIGHT_BITS = "weight_bits"
"""The name of what is decided: the number of bits of the weights of a layer."""

Mask = npt.NDArray[np.bool_]
"""Which options of a group are allowed, bool (options,)."""


def check_has_bits(problem: KnapsackProblem, pruner: str) -> None:
    """Refuse a problem in which no bits are decided.

    Raises:
        UnsupportedError: If there are none.
    """
    if not offered_bits(problem):
        raise UnsupportedError(
            f"pruner '{pruner}' decides the bits of weights, of which no layer has a choice",
            f"give {argument('transforms', ('weight-bits',))}, or another {argument('pruner')}",
        )


def offered_bits(problem: KnapsackProblem) -> set[int]:
    """The numbers of bits that at least one layer can have."""
    return {int(n) for group in problem.groups for n in np.unique(_bits(group))}


def end_layers(network: Network) -> frozenset[str]:
    """The names of the first and the last layer with a kernel, in the order of execution."""
    named = [
        layer.name
        for layer in network.layers
        if any(network.weights[index].kind is WeightKind.KERNEL for index in layer.weights)
    ]
    return frozenset(named[:1] + named[-1:])


# --- options of a group ----------------------------------------------------------------------------------------------


def _columns(group: Group) -> list[int]:
    return [column for column, dimension in enumerate(group.dimensions) if dimension.what == WEIGHT_BITS]


def _bits(group: Group) -> IntArray:
    """The bits of each option, int64 (options, layers); no columns if no layer is at home in the group."""
    return np.zeros((group.options, 0), np.int64) if group.levels is None else group.levels[:, _columns(group)]


def _rest(group: Group) -> IntArray:
    """Everything but the bits of each option, such as its width, int64 (options, dimensions)."""
    return group.widths[:, None] if group.levels is None else np.delete(group.levels, _columns(group), axis=1)


def most_bits(group: Group, mask: Mask) -> int:
    """Of the options in `mask`, that with the most bits in all."""
    options = np.flatnonzero(mask)
    return int(options[_bits(group)[options].sum(axis=1).argmax()])


def bits_not_above(group: Group, option: int) -> Mask:
    """The options in which no layer has more bits than in `option`, and everything else is the same."""
    not_above: Mask = (_bits(group) <= _bits(group)[option]).all(axis=1)
    return not_above & with_rest_of(group, option)


def with_bits_of(group: Group, option: int) -> Mask:
    """The options with the same bits as `option`."""
    same: Mask = (_bits(group) == _bits(group)[option]).all(axis=1)
    return same


def with_rest_of(group: Group, option: int) -> Mask:
    """The options that differ from `option` in nothing but bits."""
    same: Mask = (_rest(group) == _rest(group)[option]).all(axis=1)
    return same


def with_bits(group: Group, wanted: Mapping[str, int], otherwise: int) -> Mask:
    """The options in which every layer has the bits that are wanted.

    A layer that is not offered these bits keeps its largest number of bits. If layers are only offered combinations of
    bits of which none is as wanted, the options with the fewest bits in all are meant, of those in which no layer has
    fewer bits than wanted.

    Args:
        group: The group.
        wanted: The bits of some layers, by name.
        otherwise: The bits of all other layers.
    """
    bits = _bits(group)
    asked = []
    for place, column in enumerate(_columns(group)):
        level = wanted.get(group.dimensions[column].site, otherwise)
        asked.append(level if level in bits[:, place] else int(bits[:, place].max()))
    enough = np.asarray((bits >= np.array(asked, np.int64)).all(axis=1), np.bool_)
    total = bits.sum(axis=1)
    fewest: Mask = np.asarray(total == total[enough].min(), np.bool_)
    return enough & fewest


def untouched(group: Group) -> Mask:
    """The options in which every layer has its largest number of bits."""
    bits = _bits(group)
    largest: Mask = (bits == bits.max(axis=0)).all(axis=1)
    return largest


def counterparts(group: Group, most: bool) -> IntArray:
    """For each option, the one with the most or the fewest bits of those that differ in nothing but bits.

    Returns:
        Option indices, int64 (options,).
    """
    total = _bits(group).sum(axis=1)
    _, places = np.unique(_rest(group), axis=0, return_inverse=True)
    places = places.reshape(-1)
    order = np.lexsort((-total if most else total, places))
    first = order[np.searchsorted(places[order], np.arange(places.max() + 1))]
    found: IntArray = first[places]
    return found


# --- problems --------------------------------------------------------------------------------------------------------


def containing(problem: KnapsackProblem, smaller: Sequence[int] | None) -> list[Mask]:
    """The options within which those of the next smaller subnetwork may lie; all if there is none."""
    if smaller is None:
        return [np.ones(group.options, np.bool_) for group in problem.groups]
    return [problem.within(index)[option] for index, option in enumerate(smaller)]


def resources_of_bits(problem: KnapsackProblem) -> list[str]:
    """The resources of which a full network with fewer bits uses less."""
    fewest = [int(counterparts(group, most=False)[-1]) for group in problem.groups]
    low, high = problem.evaluate(fewest).usage, problem.evaluate([group.options - 1 for group in problem.groups]).usage
    return [resource.name for resource in problem.resources if low[resource.name] < high[resource.name]]


def best(
    problem: KnapsackProblem, allowed: Sequence[Mask], tools: Tools, failure: str, fix: str, exact: bool = False
) -> Solution:
    """The best choice of a problem among the options that are allowed.

    Args:
        problem: The problem.
        allowed: The options of each group that are allowed.
        tools: The tools of the step, whose solver is used.
        failure, fix: What is wrong if there is no such choice, and how to fix it, one clause each.
        exact: As for `Tools.solve`.

    Returns:
        The solution. Its choice refers to all options of the problem; its bound and gap refer to those that are
        allowed.

    Raises:
        InfeasibleError: If there is no such choice.
        NoChoiceError: If the solver stopped before it found one.
    """
    options = [np.flatnonzero(mask) for mask in allowed]
    if not all(kept.size for kept in options):
        raise InfeasibleError(f"{failure} around the next smaller subnetwork", fix)
    inside = problem.restricted(options)
    try:
        found = tools.solve(inside.problem, exact)
    except InfeasibleError as error:
        raise InfeasibleError(failure, fix) from error
    assert found.choice is not None
    return replace(found, choice=inside.outer(found.choice))
