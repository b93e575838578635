"""Checks of realisations.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.network.description import Network
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.model_subject import narrowed
from reds_core.testing.plugin_checks import PluginSubject, check_declaration, imports_nothing_heavy, is_clause
from reds_core.testing.report import Failure, Settings
from reds_core.testing.runner import Check
from reds_core.testing.sample_networks import random_weights, sample_networks
from reds_core.transforms.joining import DROPPED, Joining, joined_weights
from reds_core.transforms.realisation import BEST, DROP, Narrowing, Realisation

SHARES = (0.75, 0.5, 0.01)
"""Shares of the channels of each group that are kept; the last leaves a single channel."""


class RealisationSubject(PluginSubject[Realisation]):
    """A realisation under test, with the networks that it is tested on.

    Args:
        make: Makes a realisation with its options.
        settings: The expectations that the author states.
        networks: The networks; None means those of the kit.
    """

    def __init__(
        self, make: Callable[[], Realisation], settings: Settings, networks: Sequence[Network] | None = None
    ) -> None:
        super().__init__(make, settings)
        self.networks = sample_networks() if networks is None else tuple(networks)

    def narrowings(self, shares: Sequence[float] = SHARES) -> Iterator[Narrowing]:
        """Each group of each network at each share of its channels, with random weights and a random order."""
        for network in self.networks:
            weights, rng = _weights(network), np.random.default_rng(1)
            for share in shares:
                for group, width in narrowed(network, share).items():
                    order = rng.permutation(network.channels[group]).astype(np.int64)
                    yield Narrowing(network, weights, group, width, order)


def _weights(network: Network) -> list[FloatArray]:
    """Random weights whose variances are above 0."""
    found = random_weights(network, 0)
    return [
        np.abs(values) if "variance" in weight.name else values
        for weight, values in zip(network.weights, found, strict=True)
    ]


def _where(narrowing: Narrowing) -> str:
    return f"group '{narrowing.group}' of network '{narrowing.network.name}' at width {narrowing.width}"


def declares_what_it_is(subject: RealisationSubject) -> None:
    """Runs ask for it by its name, so that must be a word other than those that runs use themselves."""
    check_declaration(subject.plugin)
    if subject.plugin.name in (DROP, BEST):
        raise Failure(f"the name is {subject.plugin.name!r}, which runs use themselves")


def joins_to_the_width(subject: RealisationSubject) -> None:
    """The knapsack has decided the width and counted its costs, so there are exactly as many new channels.

    The matrices are float64 of shapes (width, channels) and (channels, width), and finite. Each new channel has a
    representative of its own, and each channel a new channel that stands for it, or -1.
    """
    for narrowing in subject.narrowings():
        joining, where = subject.plugin.joined(narrowing), _where(narrowing)
        if not isinstance(joining, Joining):
            raise Failure(f"joined() of {where} is {type(joining).__name__}, not a Joining")
        width, channels = narrowing.width, narrowing.channels
        shapes = {"combine": (width, channels), "expand": (channels, width)}
        matrices = {"combine": joining.combine, "expand": joining.expand}
        matrices |= {f"own[{index}]": own for index, own in joining.own.items()}
        for name, matrix in matrices.items():
            expected = shapes.get(name, shapes["combine"])
            if matrix.shape != expected or matrix.dtype != np.float64 or not np.all(np.isfinite(matrix)):
                raise Failure(f"{name} of {where} is not a finite float64 array of shape {expected}")
        kept, clusters = np.asarray(joining.kept), np.asarray(joining.clusters)
        if kept.shape != (width,) or len(set(kept.tolist())) != width or not np.isin(kept, range(channels)).all():
            raise Failure(f"kept of {where} is {kept.tolist()}, not {width} different channels")
        if clusters.shape != (channels,) or not np.isin(clusters, range(DROPPED, width)).all():
            raise Failure(f"clusters of {where} is {clusters.tolist()}, not a new channel for each channel, or -1")
        if clusters[kept].tolist() != list(range(width)):
            raise Failure(f"the representatives of {where} do not stand for the channels that they represent")


def changes_nothing_at_full_width(subject: RealisationSubject) -> None:
    """A group that keeps all its channels must compute what it computed, up to the order of its channels."""
    for narrowing in subject.narrowings((1.0,)):
        joining = subject.plugin.joined(narrowing)
        kept = np.asarray(joining.kept)
        if sorted(kept.tolist()) != list(range(narrowing.channels)):
            raise Failure(f"{_where(narrowing)} does not keep all channels at full width")
        expected = joined_weights(
            narrowing.network, narrowing.weights, {narrowing.group: Joining.dropping(narrowing.channels, kept)}
        )
        found = joined_weights(narrowing.network, narrowing.weights, {narrowing.group: joining})
        if not all(np.allclose(one, other) for one, other in zip(found, expected, strict=True)):
            raise Failure(f"{_where(narrowing)} changes weights at full width")


def joins_the_same_twice(subject: RealisationSubject) -> None:
    """A resumed run joins again, so the result may only depend on the narrowing and the options."""
    for narrowing in subject.narrowings((0.5,)):
        first = subject.plugin.joined(narrowing)
        for again in (subject.plugin.joined(narrowing), subject.make().joined(narrowing)):
            if not _equal(first, again):
                raise Failure(f"joins {_where(narrowing)} differently each time")


def _equal(one: Joining, other: Joining) -> bool:
    if one.own.keys() != other.own.keys():
        return False
    numbers = ((one.kept, other.kept), (one.clusters, other.clusters))
    matrices = [(one.combine, other.combine), (one.expand, other.expand)]
    matrices += [(one.own[index], other.own[index]) for index in one.own]
    same = all(np.array_equal(a, b) for a, b in numbers)
    return same and all(np.array_equal(a, b) for a, b in matrices)


def leaves_its_arguments_alone(subject: RealisationSubject) -> None:
    """Other groups are joined with the same arrays, so neither weights nor orders may be changed."""
    for narrowing in subject.narrowings((0.5,)):
        weights, order = [w.copy() for w in narrowing.weights], narrowing.order.copy()
        subject.plugin.joined(narrowing)
        if not np.array_equal(order, narrowing.order) or not all(map(np.array_equal, weights, narrowing.weights)):
            raise Failure(f"changes the weights or the order that it is given for {_where(narrowing)}")


def says_why_channels_are_dropped(subject: RealisationSubject) -> None:
    """Runs warn of groups whose channels are dropped although merging was asked for, with the reason as a clause."""
    for narrowing in subject.narrowings():
        joining = subject.plugin.joined(narrowing)
        if narrowing.width < narrowing.channels and not joining.merges and not is_clause(joining.reason):
            raise Failure(f"drops channels of {_where(narrowing)} and gives {joining.reason!r} as the reason")


def realises_something(subject: RealisationSubject) -> None:
    """The other checks tell little if channels are only dropped, so some group must be joined otherwise.

    If none of the networks of the kit suits the realisation, give others.
    """
    if not any(subject.plugin.joined(narrowing).merges for narrowing in subject.narrowings()):
        raise Failure("drops channels in every group: give check_realisation or realisation_conformance other networks")


def prints_nothing(subject: RealisationSubject) -> None:
    """With --json, stdout holds the JSON alone, so a plugin must not print."""
    with captured_stdout() as captured:
        for narrowing in subject.narrowings((0.5,)):
            subject.plugin.joined(narrowing)
    if captured.text:
        raise Failure(f"printed {captured.text[:80]!r}")


_JOINS = ("joins_to_the_width",)
REALISATION_CHECKS: tuple[Check[RealisationSubject], ...] = (
    Check(declares_what_it_is),
    Check(imports_nothing_heavy),
    Check(joins_to_the_width),
    Check(changes_nothing_at_full_width, _JOINS),
    Check(joins_the_same_twice, _JOINS),
    Check(leaves_its_arguments_alone, _JOINS),
    Check(says_why_channels_are_dropped, _JOINS),
    Check(realises_something, _JOINS),
    Check(prints_nothing, _JOINS),
)
"""Every check of a realisation, in the order of the report."""
