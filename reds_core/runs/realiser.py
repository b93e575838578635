"""How a run realises the widths of groups if it does more than drop channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reds_core.errors import InputError, argument, suggestion
from reds_core.framework.framework import Framework, WeightArrays
from reds_core.framework.realised import realised
from reds_core.network.axis import Kept
from reds_core.network.description import Network
from reds_core.plugin import guarded
from reds_core.registry import Registry
from reds_core.runs.settings import RunSettings
from reds_core.transforms.joining import Joining, RealisedGroup
from reds_core.transforms.realisation import BEST, DROP, Narrowing, Realisation

LOSS_EXAMPLES = 2048
"""Maximum number of training examples on which realisations are compared."""

Loss = Callable[[Any], float]
"""The loss of a network that was cut, after its statistics are repaired as those of all others are."""


@dataclass(frozen=True, eq=False)
class FullModel:
    """The network whose groups become narrower.

    Attributes:
        framework: The framework of the model.
        model: The model.
        network: Its description.
        order: The channels of each group, the most important first.
    """

    framework: Framework
    model: Any
    network: Network
    order: Kept

    def weights(self) -> WeightArrays:
        """The weights of the model."""
        return self.framework.weights(self.model, self.network)

    def built(self, joinings: Mapping[str, Joining]) -> Any:
        """The model in which groups have the channels of their joinings."""
        return realised(self.framework, self.model, self.network, joinings)


@dataclass(frozen=True)
class Realiser:
    """Realises the widths of groups.

    Attributes:
        name: What the run asks for: the name of a realisation, or "best".
        realisations: The realisations to choose from, by name, besides dropping.
    """

    name: str
    realisations: Mapping[str, Realisation]

    @property
    def compares(self) -> bool:
        """Whether each group gets the realisation with the least loss."""
        return self.name == BEST

    @property
    def measures_statistics(self) -> bool:
        """Whether batch-norm statistics are measured again, if there is data."""
        return all(each.measures_statistics for each in self.realisations.values())

    def check_data(self, has_data: bool) -> None:
        """Refuse to work without data where it is needed.

        Raises:
            InputError: If it is needed.
        """
        if has_data:
            return
        if self.compares:
            raise InputError(
                f"{argument('realise', BEST)} compares losses on training data",
                f"give {argument('data')}, or choose one of {' and '.join((DROP, *self.realisations))}",
            )
        measuring = next((name for name, each in self.realisations.items() if each.needs_data), None)
        if measuring is not None:
            raise InputError(
                f"the options of '{measuring}' ask for statistics that are measured on data",
                f"give {argument('data')}, or change them",
            )

    def members(
        self, source: FullModel, widths: Sequence[Mapping[str, int]], loss: Loss | None
    ) -> tuple[tuple[Any, ...], tuple[Mapping[str, RealisedGroup], ...]]:
        """Return the networks with the given widths, and how each group of them is realised.

        Args:
            source: The network that becomes narrower.
            widths: The widths of each member, by the name of the group.
            loss: Measures what `compares` asks for; None if nothing is compared.
        """
        search = _Search(self, source, loss)
        found = [{group: search.best(group, width) for group, width in own.items()} for own in widths]
        models = tuple(source.built({group: joining for group, (_, joining) in own.items()}) for own in found)
        return models, tuple({group: joining.record(by) for group, (by, joining) in own.items()} for own in found)

    def repeated(self, source: FullModel, widths: Mapping[str, int], recorded: Mapping[str, RealisedGroup]) -> Any:
        """Return a network again as `members` made it.

        Args:
            source: The network that became narrower.
            widths: The width of each group.
            recorded: How each group was realised.
        """
        weights = source.weights()
        joinings = {}
        for group, own in recorded.items():
            if own.by == DROP:
                kept = np.array(own.kept, np.int64)
                joinings[group] = Joining.dropping(source.network.channels[group], kept)
            else:
                narrowing = Narrowing(source.network, weights, group, widths[group], source.order[group])
                joinings[group] = self.joined(own.by, narrowing)
        return source.built(joinings)

    def joined(self, by: str, narrowing: Narrowing) -> Joining:
        """How one realisation joins the channels of a group."""
        if by == DROP:
            return narrowing.dropping()
        realisation = self.realisations[by]
        with guarded(realisation, f" for group '{narrowing.group}'"):
            return realisation.joined(narrowing)

    def warnings(self, found: Sequence[Mapping[str, RealisedGroup]]) -> Iterator[str]:
        """Yield a sentence on each group whose channels could not be merged."""
        reasons = {group: own.reason for member in found for group, own in member.items() if own.reason}
        for group, reason in reasons.items():
            yield f"the channels of group '{group}' are dropped, not merged, since {reason}"


class _Search:
    """Chooses the realisation of each group, once for each of its widths."""

    def __init__(self, realiser: Realiser, source: FullModel, loss: Loss | None) -> None:
        self._realiser, self._source, self._loss = realiser, source, loss
        self._weights = source.weights()
        self._found: dict[tuple[str, int], tuple[str, Joining]] = {}

    def best(self, group: str, width: int) -> tuple[str, Joining]:
        """The name of a realisation, and how it joins the channels of a group."""
        key = group, width
        if key not in self._found:
            self._found[key] = self._chosen(Narrowing(self._source.network, self._weights, *key, self._order(group)))
        return self._found[key]

    def _order(self, group: str) -> Any:
        return np.asarray(self._source.order[group], np.int64)

    def _chosen(self, narrowing: Narrowing) -> tuple[str, Joining]:
        realiser, loss = self._realiser, self._loss
        merged = {name: realiser.joined(name, narrowing) for name in realiser.realisations}
        able = {name: joining for name, joining in merged.items() if joining.merges}
        if not able:
            return DROP, next(iter(merged.values()))
        if loss is None:
            return next(iter(able.items()))
        rivals = {DROP: narrowing.dropping(), **able}
        losses = {name: loss(self._source.built({narrowing.group: joining})) for name, joining in rivals.items()}
        chosen = min(losses, key=lambda name: losses[name])
        return chosen, rivals[chosen]


def realiser_of(registry: Registry, settings: RunSettings) -> Realiser | None:
    """Create what realises the widths of a run; None if channels are dropped.

    Raises:
        InputError: If there is no realisation of that name, or an option is malformed.
        UnavailableError: If a library that a plugin needs is not installed.
    """
    if settings.realise == DROP:
        return None
    known = registry.available(Realisation)
    if settings.realise != BEST:
        if all(
            record.name != settings.realise or record.kind not in (None, Realisation.kind)
            for record in registry.records
        ):
            names = (DROP, BEST, *known)
            raise InputError(
                f"unknown realisation '{settings.realise}'",
                f"{suggestion(settings.realise, names)}give one of {', '.join(names)}",
            )
        made = registry.create(Realisation, settings.realise, settings.options)
        if made.needs_data and not (settings.finetune.recalibrate or settings.finetune.epochs):
            raise InputError(
                f"the options of '{made.name}' ask for statistics that {argument('recalibrate', False)} leaves as they "
                "are",
                "leave it out, or change them",
            )
        return Realiser(settings.realise, {settings.realise: made})
    if not known:
        raise InputError(
            f"no plugin is installed that merges channels, so that {argument('realise', BEST)} has no choice",
            f"leave out {argument('realise')}",
        )
    return Realiser(BEST, {name: registry.create(Realisation, name, settings.options) for name in known})
