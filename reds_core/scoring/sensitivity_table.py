"""Tables of what the levels of each layer cost in loss: the file format `reds-sensitivity/1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from reds_core.errors import InputError, command
from reds_core.scoring.level_losses import LevelLoss
from reds_core.system.files import given_path, write_text
from reds_core.system.machine_faults import reason_of, shown
from reds_core.system.records import from_plain, parse_json, to_json

FORMAT = "reds-sensitivity/1"


@dataclass(frozen=True)
class LayerSensitivity:
    """What the levels of one layer cost in loss, while all other layers are as they are.

    Attributes:
        layer: The name of the layer.
        kind: The class of the layer.
        what: What the levels decide, such as "weight_bits".
        levels: The levels in rising order. The last leaves the layer as it is.
        losses: The mean loss at each level, with batch-norm statistics measured anew.
        rises: By how much each level raises the loss, without noise: at least 0, 0 for the last level, and never less
            for a lower level than for a higher one.
    """

    layer: str
    kind: str
    what: str
    levels: tuple[int, ...]
    losses: tuple[float, ...]
    rises: tuple[float, ...]

    @classmethod
    def of(cls, loss: LevelLoss, kind: str) -> LayerSensitivity:
        """Return the record of a measurement of a layer of class `kind`."""
        levels, losses, rises = loss.levels.tolist(), loss.losses.tolist(), loss.rises.tolist()
        return cls(loss.site, kind, loss.what, tuple(levels), tuple(losses), tuple(rises))


@dataclass(frozen=True)
class UndecidedLayer:
    """A layer for which a transform offers nothing, and why.

    Attributes:
        layer: The name of the layer.
        what: What the transform decides.
        reason: Why it offers nothing.
    """

    layer: str
    what: str
    reason: str


@dataclass(frozen=True)
class SensitivityTable:
    """What the levels of each layer of one network cost in loss, each layer alone.

    Attributes:
        network: The name of the network.
        model: The hexadecimal SHA-256 of the model file, or of the layers and weights of a model object.
        data: The hexadecimal SHA-256 of the data.
        transforms: The names of the transforms.
        targets: The names of the targets that realise the levels; empty if all levels that are offered were measured.
        options: The options of plugins.
        examples: The number of training examples on which losses were measured.
        seed: The seed by which examples were drawn.
        base_loss: The loss of the untouched network, whose batch-norm statistics were measured anew as well.
        layers: The layers in execution order.
        left_out: The layers with weights for which nothing is offered.
        versions: The versions of the software that measured.
    """

    network: str
    model: str
    data: str
    transforms: tuple[str, ...]
    targets: tuple[str, ...]
    options: Mapping[str, Mapping[str, str]]
    examples: int
    seed: int
    base_loss: float
    layers: tuple[LayerSensitivity, ...]
    left_out: tuple[UndecidedLayer, ...]
    versions: Mapping[str, str]
    format: str = FORMAT


def save_sensitivity(table: SensitivityTable, path: Path) -> None:
    """Write the table atomically as JSON.

    Raises:
        InputError: If the file cannot be written.
    """
    write_text(path, to_json(table))


def load_sensitivity(path: str | PathLike[str]) -> SensitivityTable:
    """Read a table that `reds sensitivity` wrote.

    Raises:
        InputError: If the file is missing, damaged, or has another format.
    """
    path = given_path(path, "path")
    again = f"measure them with {command('sensitivity')}"
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError("another format")
        table: SensitivityTable = from_plain(SensitivityTable, content)
        if any(not len(each.levels) == len(each.losses) == len(each.rises) > 1 for each in table.layers):
            raise ValueError("a level without a loss")
        return table
    except OSError as error:
        raise InputError(f"sensitivities {shown(path)} cannot be read ({reason_of(error)})", again) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{shown(path)} does not hold sensitivities of format {FORMAT}", again) from error
