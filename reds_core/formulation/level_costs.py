"""What levels of layers cost, as functions of widths, counted on the described layers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from reds_core.cost.activation_memory import peak_form
from reds_core.cost.counting import CostTerm, PeakForm, PeakTerm, ResourceForm, SumForm, summed
from reds_core.cost.executed import executed_peak, executed_sums
from reds_core.cost.resources import RESOURCES, CostModel
from reds_core.errors import UnsupportedError, argument
from reds_core.formulation.space import DecisionSpace
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network
from reds_core.transforms.describing import DescribedNetwork, described_sites


@dataclass(frozen=True, eq=False)
class LevelForm:
    """The use of a resource as a function of widths and of the levels of layers.

    Attributes:
        rest: What does not depend on levels.
        sites: For each layer whose levels matter, the use at each combination of its levels, in the order of
            `OptionNode.combinations`. These forms are of the kind of `rest`, and the whole is their sum or maximum.
    """

    rest: ResourceForm
    sites: Mapping[str, tuple[SumForm | PeakForm, ...]]

    def least(self, widths: Mapping[str, int]) -> int:
        """The use at given widths with each layer at its cheapest levels."""
        least = [self.rest.at(widths), *(min(f.at(widths) for f in forms) for forms in self.sites.values())]
        return max(least) if isinstance(self.rest, PeakForm) else sum(least)


def level_form(space: DecisionSpace, resource: str, costs: CostModel) -> LevelForm:
    """Count a resource at every combination of levels of every layer.

    The network is described once for each combination, with all layers at their own combination of that number,
    because what one layer costs does not depend on the levels of others.

    Raises:
        UnsupportedError: If levels change a resource that cannot be attributed to layers, or the tensors between
            layers where these are counted.
    """
    counted, terms, steps = RESOURCES[resource], RESOURCES[resource].terms, RESOURCES[resource].steps
    if terms is None and steps is None:
        return LevelForm(counted.form(space.network, costs), {})
    combinations = {
        site: list(itertools.product(*(offer.levels.tolist() for offer in offers))) for site, offers in space.at.items()
    }
    forms: dict[str, dict[int, SumForm | PeakForm]] = {site: {} for site in combinations}
    fixed: dict[str, SumForm | PeakForm] = {}
    for back in range(1, max(map(len, combinations.values()), default=1) + 1):
        # counted from the last combination, which leaves every layer as it is
        chosen = {site: max(len(rows) - back, 0) for site, rows in combinations.items()}
        settings = LevelSettings(
            {
                site: {o.what: level for o, level in zip(space.at[site], combinations[site][place], strict=True)}
                for site, place in chosen.items()
            }
        )
        found = described_sites(space.network, space.deciding, settings)
        if terms is not None:
            by_site = _summed_by_site(found, lambda network: terms(network, costs))
        else:
            assert steps is not None
            if found.network.tensors[: len(space.network.tensors)] != space.network.tensors:
                raise UnsupportedError(
                    f"the levels of {_named(space)} change tensors between layers, so {resource} cannot be limited",
                    f"leave out the budget of {resource}, or the transform",
                )
            if space.network.skippable:  # what each step uses then depends on which branches are executed
                _check_same_peak(space, found, resource, lambda network: steps(network, costs))
                continue
            by_site = _largest_by_site(found, steps(found.network, costs))
        fixed = fixed or by_site
        for site, place in chosen.items():
            forms[site].setdefault(place, by_site.get(site, SumForm() if terms is not None else PeakForm(())))
    if terms is None and space.network.skippable:
        return LevelForm(counted.form(space.network, costs), {})
    listed = {site: tuple(own[place] for place in range(len(own))) for site, own in forms.items()}
    varying = {site: own for site, own in listed.items() if any(form != own[-1] for form in own)}
    still = [form for site, form in fixed.items() if site not in varying]
    if terms is not None:
        return LevelForm(summed(form for form in still if isinstance(form, SumForm)), varying)
    return LevelForm(peak_form(s for form in still if isinstance(form, PeakForm) for s in form.steps), varying)


def _summed_by_site(
    found: DescribedNetwork, terms: Callable[[Network], Iterable[CostTerm]]
) -> dict[str, SumForm | PeakForm]:
    """What the calls of each layer add up to."""
    own: dict[str, list[SumForm]] = {}
    for call, form in executed_sums(found.network, terms).items():
        own.setdefault(found.sites[call], []).append(form)
    return {site: summed(forms) for site, forms in own.items()}


def _check_same_peak(
    space: DecisionSpace,
    found: DescribedNetwork,
    resource: str,
    steps: Callable[[Network], Iterable[tuple[int, PeakTerm]]],
) -> None:
    """Refuse levels that change the largest use during any layer.

    Raises:
        UnsupportedError: If levels change it.
    """
    if executed_peak(found.network, steps) != executed_peak(space.network, steps):
        raise UnsupportedError(
            f"the levels of {_named(space)} change {resource}, which cannot be limited where blocks are skipped",
            f"leave out the budget of {resource}, the transform, or {argument('skip_blocks', True)}",
        )


def _largest_by_site(found: DescribedNetwork, steps: Iterable[tuple[int, PeakTerm]]) -> dict[str, SumForm | PeakForm]:
    """The largest use during the calls of each layer."""
    own: dict[str, list[PeakTerm]] = {}
    for call, step in steps:
        own.setdefault(found.sites[call], []).append(step)
    return {site: peak_form(each) for site, each in own.items()}


def _named(space: DecisionSpace) -> str:
    return " and ".join(dict.fromkeys(f"transform '{offer.transform.name}'" for offer in space.offers))
