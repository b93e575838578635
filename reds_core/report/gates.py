"""What the int8 files of a run lose against their models, as rows of the table of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reds_core.report import units
from reds_core.report.facts import FamilyFacts, Member
from reds_core.report.table import NOTHING, Block, Cell, Row
from reds_core.search_records import GateRecord


def gates_block(family: FamilyFacts, members: Sequence[Member]) -> Block | None:
    """Return the rows on the limit of what int8 files may lose; None if the run had no such limit.

    Args:
        family: The family.
        members: Its networks, in the order of the columns.
    """
    gates = [gate for member in members if member.record for gate in member.record.gates.values()]
    if not gates:
        return None
    rows = []
    for kind in family.kinds.exported:

        def row(heading: str, cell: Callable[[GateRecord], Cell], kind: str = kind.name) -> Row:
            found = (None if m.record is None else m.record.gates.get(kind) for m in members)
            return Row(Cell(heading), tuple(NOTHING if gate is None else cell(gate) for gate in found))

        rows += [
            row(f"{kind.title}, points lost", _lost),
            row("with all layers in 8 bits", lambda gate: _points(_all_int8_points(gate)) if gate.numbers else NOTHING),
            row("layers with more exact numbers", _kept),
            row("bytes that they add", lambda gate: _bytes(gate.added_bytes)),
        ]
    limit, data = gates[0].limit_points, gates[0].data
    return Block(f"Loss to int8 on {data} data, at most {limit:g} points", tuple(rows))


def _lost(gate: GateRecord) -> Cell:
    return Cell(units.two_decimals(gate.drop_points), gate.drop_points, tone="" if gate.is_held else "failed")


def _all_int8_points(gate: GateRecord) -> float:
    return 100 * (gate.exact - gate.all_int8)


def _points(points: float) -> Cell:
    return Cell(units.two_decimals(points), points)


def _kept(gate: GateRecord) -> Cell:
    if gate.numbers is None:
        return NOTHING
    names = ", ".join(units.printable(name) for name in (*gate.inputs, *gate.kept))
    return Cell(f"{len(gate.kept)} of {gate.layers} ({gate.numbers})", len(gate.kept), names)


def _bytes(added: int | None) -> Cell:
    return NOTHING if added is None else Cell(units.byte_size(added), added)
