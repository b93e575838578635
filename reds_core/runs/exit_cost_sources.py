"""Where the costs of exits come from: the user, a profile of a run, the model of a board, or a count of MACs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.cost.energy_models import energy_model as model_named
from reds_core.early_exit.costs import COST_NOUNS, CostKind, ExitCosts, counted_costs, given_costs, profiled_costs
from reds_core.errors import InputError, argument, command
from reds_core.framework.device import FULL
from reds_core.framework.profile_records import load_profiles
from reds_core.runs.exit_outputs import ExitNetwork
from reds_core.runtime.family import DEFAULT_MODEL


@dataclass(frozen=True)
class CostSources:
    """What a user says about the costs of exits.

    Attributes:
        exit_costs: What an example has used that leaves at each exit, as amounts with units; None to look it up.
        on: The target whose profile states it; None for the first one that does.
        config: The configuration of that target.
        energy_model: The model of a board, in place of a profile.
    """

    exit_costs: str | Sequence[str] | None = None
    on: str | None = None
    config: str | None = None
    energy_model: str | None = None

    def check(self, kind: CostKind) -> None:
        """Refuse several sources, and sources of costs that have others anyway.

        Raises:
            InputError: If an argument has no effect.
        """
        costs, model = argument("exit_costs"), argument("energy_model")
        device = argument("on") if self.on is not None else argument("config")
        named = [costs] if self.exit_costs is not None else []
        named += [device] if self.on is not None or self.config is not None else []
        named += [model] if self.energy_model is not None else []
        if len(named) > 1:
            raise InputError(f"{named[0]} and {named[1]} both state costs", "leave one of them out")
        unused = {"macs": {device, model}, "instructions": {model}}.get(kind, set())
        if named and named[0] in unused:
            raise InputError(f"{named[0]} has no effect, since {argument('cost')} is {kind}", "leave one of them out")


def exit_costs_of(subject: ExitNetwork, kind: CostKind, sources: CostSources) -> ExitCosts:
    """Return the costs of exits, from the source that is asked for, or else from the best one that there is.

    Args:
        subject: The network, and the folder of its run.
        kind: The kind of cost.
        sources: What the user says about it.

    Raises:
        InputError: If costs that are given are malformed, there is no such model, or no profile states them.
    """
    network, given = subject.network, sources.exit_costs
    if given is not None:
        return given_costs(network, kind, given.split(",") if isinstance(given, str) else [str(each) for each in given])
    if kind == "macs" or sources.energy_model is not None:
        return counted_costs(network, kind, model_named(sources.energy_model or DEFAULT_MODEL))
    for record in () if subject.run is None else load_profiles(subject.run):
        if record.member == FULL and sources.on in (None, record.on) and sources.config in (None, record.config):
            found = profiled_costs(network, kind, record)
            if found is not None:
                return found
    where = " ".join(each for each in (sources.on, sources.config) if each is not None)
    if where or kind == "instructions":
        raise InputError(
            f"no profile{' on ' if where else ''}{where} states the {COST_NOUNS[kind]} up to each exit",
            f"run {command('profile')} on the folder of a run for a device that does, such as c-engine",
        )
    return counted_costs(network, kind, model_named(DEFAULT_MODEL))
