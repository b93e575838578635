"""What `reds inspect` shows of a network: records, and their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reds_core.cost.energy_models import EnergySource
from reds_core.plan import GroupRecord
from reds_core.report import units
from reds_core.report.energy import energy_sentences
from reds_core.report.layer_levels import title_of
from reds_core.report.plan_table import table_text
from reds_core.report.table import Cell, Row, Table, one_block
from reds_core.system.records import INLINE, LEFT_OUT

_NAMED_LAYERS = 5
"""The most layers that are named for one reason."""


@dataclass(frozen=True)
class LayerRecord:
    """One call of a layer at full width.

    Attributes:
        name: The name of the layer.
        kind: The class of the layer.
        output_shape: The shape of its output; None for unknown dimensions.
        usage: The use of resources that add up over layers, in base units. Weights are counted at the first call only.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    usage: Mapping[str, int] = field(metadata={INLINE: True})


@dataclass(frozen=True)
class NotOfferedRecord:
    """A level of a layer that cannot be chosen.

    Attributes:
        level: The level; None if the layer has no levels to choose from.
        reason: Why, as a clause.
    """

    level: int | None
    reason: str


@dataclass(frozen=True)
class LevelsRecord:
    """What one transform can decide about one layer.

    Attributes:
        layer: The name of the layer.
        what: What is decided, such as "weight_bits".
        levels: The levels to choose from, the last of which leaves the layer as it is; empty if there is no choice.
        home: The group of channels in whose options the levels lie; None without a choice, or if the layer touches no
            group.
        not_offered: The levels that cannot be chosen, and why.
    """

    layer: str
    what: str
    levels: tuple[int, ...]
    home: str | None
    not_offered: tuple[NotOfferedRecord, ...]


@dataclass(frozen=True)
class BlockRecord:
    """A residual block with channels of its own: what is computed only for one operand of a sum.

    Attributes:
        sum: The name of the layer that adds it.
        groups: The channel groups inside it. A block that can be skipped has one, and is skipped if that has no
            channels.
        layers: The layers that are not executed if it is skipped; empty if it cannot be.
        reason: Why it cannot be skipped, as a clause; empty if it can be.
    """

    sum: str
    groups: tuple[str, ...]
    layers: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Inspection:
    """A network, its channel groups and its costs at full width.

    Attributes:
        groups: The channel groups.
        layers: The calls of layers.
        usage: The use of each resource, in base units.
        levels: What transforms can decide about each layer; None if no transforms were given.
        energy_source: Where the energy comes from; None if it is not counted.
        blocks: The residual blocks with channels of their own; None if there are none.
    """

    groups: tuple[GroupRecord, ...]
    layers: tuple[LayerRecord, ...]
    usage: Mapping[str, int] = field(metadata={INLINE: True})
    levels: tuple[LevelsRecord, ...] | None = field(default=None, metadata={LEFT_OUT: True})
    energy_source: EnergySource | None = field(default=None, metadata={LEFT_OUT: True})
    blocks: tuple[BlockRecord, ...] | None = field(default=None, metadata={LEFT_OUT: True})

    def __str__(self) -> str:
        tables = [table_text(table) for table in self.tables()]
        lines = [] if self.levels is None else levels_lines(self.levels)
        sources = [units.on_terminal(sentence) for sentence in energy_sentences([self.energy_source])]
        return "\n\n".join([*tables, *["\n".join(lines)] * bool(lines), "\n".join([self.totals, *sources])])

    def tables(self) -> tuple[Table, ...]:
        """Return the layers, the groups and, if there are any, the residual blocks and the levels as tables."""
        layers = [
            Row(Cell(each.name), tuple(map(Cell, (each.kind, _shape_text(each), *_amounts(each)))))
            for each in self.layers
        ]
        groups = [
            Row(Cell(each.name), (Cell(str(each.channels)), Cell(", ".join(each.layers)))) for each in self.groups
        ]
        found = [
            Table("Layers", "layer", ("kind", "output", "MACs", "params"), one_block(layers)),
            Table("Channel groups", "group", ("channels", "layers"), one_block(groups), is_prose=True),
        ]
        return (*found, *_block_tables(self.blocks or ()), *levels_tables(self.levels or ()))

    @property
    def totals(self) -> str:
        """What the network uses of each resource, in one line."""
        return ", ".join(f"{used:,} {_amount_of(resource)}" for resource, used in self.usage.items())


def _shape_text(layer: LayerRecord) -> str:
    return "x".join(str(size) for size in layer.output_shape)


def _amounts(layer: LayerRecord) -> tuple[str, str]:
    return f"{layer.usage['macs']:,}", f"{layer.usage['params']:,}"


def _amount_of(resource: str) -> str:
    """The text after an amount of a resource in base units, such as "bytes peak RAM"."""
    short = {"macs": "MACs", "params": "bytes of params", "peak_ram": "bytes peak RAM"}
    return short.get(resource, f"{units.scale_of(resource).units[0]} {units.resource_noun(resource)}".lstrip())


def _block_tables(blocks: Sequence[BlockRecord]) -> tuple[Table, ...]:
    """Return a table of the residual blocks, and what is not executed without each. There is none without blocks."""
    rows = [
        Row(
            Cell(each.sum),
            (Cell(", ".join(each.groups)), Cell(", ".join(each.layers) or f"cannot be skipped, because {each.reason}")),
        )
        for each in blocks
    ]
    columns = ("group inside", "skipped layers")
    return (Table("Residual blocks", "added by", columns, one_block(rows), is_prose=True),) if rows else ()


def levels_tables(levels: Sequence[LevelsRecord]) -> tuple[Table, ...]:
    """Return a table of the levels that transforms offer, where they are decided, and why others are not offered.

    There is none if no layer has levels.
    """
    rows = []
    for each in levels:
        if _is_without(each):
            continue
        by_reason: dict[str, list[str]] = {}
        for other in each.not_offered:
            if other.level is not None:
                by_reason.setdefault(other.reason, []).append(str(other.level))
        why = "; ".join(f"not {', '.join(own)}: {reason}" for reason, own in by_reason.items())
        why = why or "; ".join(other.reason for other in each.not_offered)
        offered = ", ".join(map(str, each.levels)) or "none"
        rows.append(
            Row(Cell(each.layer), tuple(map(Cell, (title_of(each.what), offered, each.home or units.DASH, why))))
        )
    columns = ("decided", "levels", "with group", "not offered")
    return (Table("Levels", "layer", columns, one_block(rows), is_prose=True),) if rows else ()


def levels_lines(levels: Sequence[LevelsRecord]) -> list[str]:
    """Return the layers that have no levels as lines, one for each reason."""
    without = [
        (each.layer, other.reason.replace(f"layer '{each.layer}'", "the layer"))
        for each in levels
        if _is_without(each)
        for other in each.not_offered
    ]
    if not without and all(map(_is_without, levels)):
        return ["the transforms decide nothing by layer"]
    return without_levels(without)


def _is_without(record: LevelsRecord) -> bool:
    return not record.levels and all(other.level is None for other in record.not_offered)


def without_levels(layers: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line for each reason why layers have no levels.

    Args:
        layers: The names of layers, each with the reason.
    """
    by_reason: dict[str, dict[str, None]] = {}  # a layer without a kernel has nothing to offer to several transforms
    for layer, reason in layers:
        by_reason.setdefault(reason, {})[layer] = None
    lines = []
    for reason, named in by_reason.items():
        names = list(named)
        more = f" and {len(names) - _NAMED_LAYERS} more" if len(names) > _NAMED_LAYERS else ""
        lines.append(f"without levels: {', '.join(names[:_NAMED_LAYERS])}{more} ({reason})")
    return lines
