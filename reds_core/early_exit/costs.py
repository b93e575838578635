"""What an example costs that leaves at an exit: counted, modelled, profiled on a device, or as given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.cost.budget import parse_amount
from reds_core.cost.energy_models import EnergyModel
from reds_core.cost.resources import CostModel
from reds_core.errors import InputError, argument
from reds_core.framework.profile_records import ProfileRecord
from reds_core.network.description import Network

CostKind = Literal["macs", "energy", "latency", "instructions"]
COST_KINDS: tuple[CostKind, ...] = get_args(CostKind)
COST_NOUNS = {"macs": "MACs", "energy": "energy", "latency": "latency", "instructions": "instructions"}
"""What costs are called in reports, which say beside them whether they were counted, modelled or given."""


@dataclass(frozen=True, eq=False)
class ExitCosts:
    """The cost of each of K exits.

    Attributes:
        kind: "macs", "energy" in picojoules, "latency" in nanoseconds or "instructions".
        passing: What an example has used that leaves at each exit, with the heads of all earlier exits, float64 (K,).
        alone: What a network takes that ends at each exit and has no other exits, float64 (K,).
        source: Where the costs come from.
    """

    kind: CostKind
    passing: FloatArray
    alone: FloatArray
    source: str


def counted_costs(network: Network, kind: CostKind, model: EnergyModel) -> ExitCosts:
    """Return the costs of exits that follow from their multiply-accumulates.

    Args:
        network: A network whose outputs are its exits by depth.
        kind: What is counted: "macs", "energy" or "latency".
        model: The model of the board by which energies and latencies are multiples of the multiply-accumulates.
    """
    macs = counted_macs(network)
    if kind == "macs":
        return macs
    factor = float(model.pJ_per_MAC) if kind == "energy" else model.pJ_per_MAC / model.power_mW
    about = model.by_macs.about if kind == "energy" else f"{model.by_macs.about} and its power"
    return ExitCosts(kind, macs.passing * factor, macs.alone * factor, f"modelled, not measured: {about}")


def given_costs(network: Network, kind: CostKind, texts: Sequence[str]) -> ExitCosts:
    """Return costs of exits that a user has measured.

    What a network takes that has no other exits is assumed to be the same share of them as of the multiply-accumulates.

    Args:
        network: A network whose outputs are its exits by depth.
        kind: What was measured.
        texts: What an example has used that leaves at each exit, as amounts with units.

    Raises:
        InputError: If an amount is malformed, there is not one for each exit, or they do not rise.
    """
    name, unit = argument("exit_costs"), amounts_of(kind)
    if len(texts) != len(network.outputs):
        raise InputError(
            f"{name} holds {len(texts)} costs, and the network has {len(network.outputs)} exits with the last",
            "give one for each exit",
        )
    try:
        amounts = [parse_amount(unit, text, name) for text in texts]
    except InputError as error:
        raise InputError(error.what, f"{error.fix}, or say by {argument('cost')} what else they are") from error
    fraction = next((each for each in amounts if each.is_fraction), None)
    if fraction is not None:
        raise InputError(f"{name} holds the share {fraction.text}", "give amounts with units, such as 1.2ms or 3.5mJ")
    passing = np.array([float(each.number) for each in amounts])
    if np.any(np.diff(passing) < 0):
        raise InputError(f"the costs in {name} fall", "give what an example has used up to each exit, by depth")
    return _measured(network, kind, passing, "as given")


def profiled_costs(network: Network, kind: CostKind, record: ProfileRecord) -> ExitCosts | None:
    """Return costs of exits by what a device takes up to each of them, with the heads of all earlier ones.

    The energy of an inference is divided over exits in proportion to their latencies, or else instructions. What a
    network takes that has no other exits is assumed to be the same share of it as of the multiply-accumulates.

    Args:
        network: A network whose outputs are its exits by depth.
        kind: What was profiled: "energy", "latency" or "instructions".
        record: The profile of the network.

    Returns:
        None if the record does not state it for each exit.
    """
    latencies, instructions = _stated(record, "latency_ns"), _stated(record, "instructions")
    known = {"latency": latencies, "instructions": instructions, "energy": None, "macs": None}[kind]
    source = f"profile on {record.on}"
    source += "".join(f", {each}" for each in (record.config, record.machine) if each is not None)
    used = latencies if latencies is not None else instructions
    if kind == "energy" and record.energy is not None and used is not None:
        known = record.energy.pJ * used / used[-1]
        source += f", {record.energy.origin.about}"
    if known is None or len(known) != len(network.outputs):
        return None
    return _measured(network, kind, np.maximum.accumulate(known), source)


def _stated(record: ProfileRecord, figure: str) -> FloatArray | None:
    """Return a figure of each exit of a record; None if one is missing or there are no exits."""
    values = [getattr(each, figure) for each in record.exits]
    return np.array(values, np.float64) if values and None not in values else None


def _measured(network: Network, kind: CostKind, passing: FloatArray, source: str) -> ExitCosts:
    macs = counted_macs(network)
    return ExitCosts(kind, passing, passing * macs.alone / np.maximum(macs.passing, 1), source)


def amounts_of(kind: CostKind) -> str:
    """Return the resource whose units amounts of a kind of cost have; instructions are typed like MACs: 1.2M."""
    return "macs" if kind == "instructions" else kind


def counted_macs(network: Network) -> ExitCosts:
    """Return the multiply-accumulates of exits."""
    places = range(len(network.outputs))
    return ExitCosts(
        "macs",
        np.array([_macs(network, network.outputs[: place + 1]) for place in places], np.float64),
        np.array([_macs(network, network.outputs[place : place + 1]) for place in places], np.float64),
        "counted multiply-accumulates",
    )


def _macs(network: Network, outputs: Sequence[int]) -> int:
    return CostModel().form(executed(network, outputs), "macs").at(network.channels)


def executed(network: Network, outputs: Sequence[int]) -> Network:
    """Return the part of a network that is executed to compute some of its tensors."""
    needed, layers = set(outputs), []
    for layer in reversed(network.layers):
        if needed & set(layer.outputs):
            needed |= set(layer.inputs)
            layers.append(layer)
    return replace(network, layers=tuple(reversed(layers)), outputs=tuple(outputs))
