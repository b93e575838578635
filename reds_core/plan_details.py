"""What a report shows of a run beyond its plan, as the file `details.json` of format `reds-details/1` beside the plan.

A plan stays small and stable, because programs read it; what is only looked at stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from reds_core.errors import InputError, command
from reds_core.knapsack.levels import LevelSettings
from reds_core.system.files import given_path, write_text
from reds_core.system.records import INLINE, LEFT_OUT, from_plain, parse_json, to_json_line

__all__ = [
    "ClassDetails",
    "Details",
    "Exploration",
    "ExploredBudget",
    "LayerCost",
    "LayerDetails",
    "MemoryStep",
    "NetworkDetails",
    "load_details",
    "save_details",
]

FORMAT = "reds-details/1"
DETAILS_FILE = "details.json"


@dataclass(frozen=True)
class LayerDetails:
    """One call of a layer of the input model.

    Attributes:
        name: the name of the layer.
        kind: the class of the layer.
        inputs: the names of the layers whose outputs it reads.
        group: the channel group of its output; None if its output has channels of several groups or of none.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    group: str | None = None


@dataclass(frozen=True)
class LayerCost:
    """What one call of a layer costs in one network.

    Attributes:
        layer: the name of the layer.
        output_shape: the shape of its output without the batch; None for unknown dimensions.
        usage: the use of resources that add up over layers, in base units: macs and params, and latency if there is a
            table. Weights are counted at the first call only.
    """

    layer: str
    output_shape: tuple[int | None, ...]
    usage: Mapping[str, int] = field(metadata={INLINE: True})


@dataclass(frozen=True)
class MemoryStep:
    """The activations that live while one layer runs, as peak RAM counts them.

    Attributes:
        layer: the name of the layer that runs.
        live_bytes: the size of each live tensor in bytes, by the name of the layer that writes it.
    """

    layer: str
    live_bytes: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        """The bytes of all live tensors."""
        return sum(self.live_bytes.values())


@dataclass(frozen=True)
class NetworkDetails:
    """One network of the run.

    Attributes:
        name: "full", or the name of the subnetwork.
        layers: what each layer costs, in the order in which they run.
        memory: the live activations at each step, in the order in which layers run.
    """

    name: str
    layers: tuple[LayerCost, ...]
    memory: tuple[MemoryStep, ...] = ()


@dataclass(frozen=True)
class ClassDetails:
    """How well the networks recognise one class of the test data.

    Attributes:
        label: the label of the class.
        examples: the number of test examples of the class.
        recall: the share of these examples that each network recognises: "before" is the input model, "full" the saved
            full network, and the others are the subnetworks by their names.
    """

    label: str
    examples: int
    recall: Mapping[str, float]


@dataclass(frozen=True)
class ExploredBudget:
    """The best single network, without limits of nesting, under one limit of a resource.

    Attributes:
        limit: the most that it may use, in base units.
        widths: the channels of each group.
        usage: usage of each resource in base units.
        value: the value of the choice, in the units of the plan's values.
        bound: the proven upper bound on it; None if the solver gives none.
        settings: the level of each transform in each layer that is not left as it is.
    """

    limit: int
    widths: Mapping[str, int]
    usage: Mapping[str, int]
    value: int
    bound: int | None = None
    settings: LevelSettings | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class Exploration:
    """The best networks over a range of limits of one resource, before any training.

    Attributes:
        resource: the resource.
        points: smallest limit first.
        full_value: the value of the full network.
    """

    resource: str
    points: tuple[ExploredBudget, ...]
    full_value: int | None = None


@dataclass(frozen=True)
class Details:
    """What a report shows of a run beyond its plan.

    Attributes:
        layers: the calls of layers of the input model, in the order in which they run.
        networks: what each layer of each network costs, the full network first, then the smallest subnetwork.
        classes: recall by class, if the data has classes and labels.
        explorations: the best networks over a range of limits of each resource with a budget.
        format: the format of the file.
    """

    layers: tuple[LayerDetails, ...] = ()
    networks: tuple[NetworkDetails, ...] = ()
    classes: tuple[ClassDetails, ...] = ()
    explorations: tuple[Exploration, ...] = ()
    format: str = FORMAT


def save_details(details: Details, folder: Path) -> None:
    """Write the details of a run to FOLDER/details.json."""
    write_text(folder / DETAILS_FILE, to_json_line(details))  # on one line, since indentation would double its size


def load_details(folder: str | PathLike[str]) -> Details | None:
    """Read the details of a run; None if its folder holds none, as that of a run by an older version.

    Raises:
        InputError: if the file is damaged or has another format.
    """
    path = given_path(folder, "folder") / DETAILS_FILE
    again = f"run {command('prune')} again"
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' cannot be read ({type(error).__name__})", again) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"'{path}' is not of format {FORMAT}", again)
    try:
        details: Details = from_plain(Details, content)
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"'{path}' is malformed ({error})", again) from error
    return details
