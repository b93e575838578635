"""The tables of a run's report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from reds_core.framework.file_kinds import FileKind
from reds_core.plan import DeviceRecord, Plan, SubnetworkRecord
from reds_core.report import units
from reds_core.report.energy import resource_title
from reds_core.report.facts import UNTRAINED, FamilyFacts, Member
from reds_core.report.gates import gates_block
from reds_core.report.layer_levels import counts_text, decided, title_of
from reds_core.report.proof import STOPS, Proof
from reds_core.report.table import NOTHING, Block, Cell, Row, Table, file_link, one_block, prose_table


def results_table(family: FamilyFacts) -> Table:
    """Costs, accuracy and file sizes: a column for each network, largest first."""
    members = family.largest_first

    def row(heading: str, cell: Callable[[Member], Cell]) -> Row:
        return Row(Cell(heading), tuple(cell(m) for m in members))

    costs = []
    for resource in family.resources:
        title = resource_title(resource, family.energy)
        costs.append(row(title, partial(_usage, resource=resource)))
        costs.append(row(f"{title}, budget", partial(_budget, resource=resource)))
    metric = family.metric
    qualities = [row("Added after the run", _mark)]
    qualities.append(row("Before fine-tuning", lambda m: _figure(m.accuracy.before, metric.text)))
    qualities.append(row(family.kinds.model.title, lambda m: _quality(family, m.accuracy.after)))
    qualities += [row(kind.title, partial(_exported_quality, family, kind)) for kind in family.kinds.exported]
    for device in _devices(members):
        costs.append(row(f"Activations on {_shown(device)}", partial(_arena_head, device=device)))
        costs.append(row(f"Arena of {_shown(device)}, at most", partial(_arena, device=device)))
        costs.append(row(f"Cycles that {_shown(device)} counts", partial(_cycles, device=device)))
        costs.append(row(f"SRAM that {_shown(device)} counts", partial(_sram, device=device)))
        qualities.append(row(_device_title(members, device), partial(_device_quality, family, device)))
        qualities.append(row(f"Answers of {_shown(device)} that are the same", partial(_same_answers, device=device)))
    sizes = [row(kind.title, partial(_size, kind=kind)) for kind in family.kinds.all]
    levels = [
        row(title_of(what).capitalize(), partial(_levels, what=what))
        for what in decided([m.record for m in members if m.record])
    ]
    blocks = (
        Block("Cost of one inference", tuple(costs)),
        *((Block("Layers at each level", tuple(levels)),) if levels else ()),
        Block(f"{metric.name.capitalize()} on test data", tuple(qualities)),
        Block("File size", tuple(sizes)),
    )
    gates = gates_block(family, members)
    blocks = blocks if gates is None else (*blocks, gates)
    labels = tuple(m.label for m in members)
    return Table("The full network and its subnetworks", "Network", labels, blocks).without_empty_rows()


def _figure(number: int | float | None, text: Callable[[float], str], note: str = "") -> Cell:
    return Cell(text(number), number, note) if number is not None and units.exists(number) else NOTHING


def _mark(member: Member) -> Cell:
    return Cell(member.mark, tone="failed" if member.mark == UNTRAINED else "") if member.mark else NOTHING


def _usage(member: Member, resource: str) -> Cell:
    share = member.share.get(resource) if member.record is not None else None
    note = "" if share is None else f"{units.percent(share)}"
    return _figure(member.usage.get(resource), lambda n: units.amount(resource, n), note)


def _levels(member: Member, what: str) -> Cell:
    return NOTHING if member.record is None else Cell(counts_text(member.record, what))


def _budget(member: Member, resource: str) -> Cell:
    budget = member.record.budget.get(resource) if member.record else None
    return _figure(budget, lambda n: units.budget_text(resource, n))


def _quality(family: FamilyFacts, figure: float | None) -> Cell:
    note = ""
    if figure is not None and family.reference is not None and family.metric.is_share:
        note = f"{units.points(figure - family.reference)}{units.THIN}pt"
    return _figure(figure, family.metric.text, note)


def _exported_quality(family: FamilyFacts, kind: FileKind, member: Member) -> Cell:
    return _quality(family, member.accuracy_of(kind))


def _devices(members: Sequence[Member]) -> tuple[str, ...]:
    """The devices on which the run measured, by their names in the plan."""
    return tuple(dict.fromkeys(name for m in members for name in m.devices))


def _shown(device: str) -> str:
    """The name of a device, which has underscores in plans of version 1."""
    return units.printable(device.replace("_", "-"))


def _on_device(member: Member, device: str) -> DeviceRecord:
    return member.devices.get(device, DeviceRecord(""))


def _device_title(members: Sequence[Member], device: str) -> str:
    examples = {_on_device(m, device).examples for m in members} - {None}
    counted = ", ".join(units.count(number) for number in sorted(n for n in examples if n is not None))
    return f"On {_shown(device)}, {counted} examples" if counted else f"On {_shown(device)}"


def _device_quality(family: FamilyFacts, device: str, member: Member) -> Cell:
    return _quality(family, member.accuracy.exported.get(device))


def _same_answers(member: Member, device: str) -> Cell:
    return _figure(_on_device(member, device).same_answers, units.percent)


def _arena(member: Member, device: str) -> Cell:
    return _figure(_on_device(member, device).arena, units.byte_size)


def _cycles(member: Member, device: str) -> Cell:
    return _figure(_on_device(member, device).cycles, units.count)


def _sram(member: Member, device: str) -> Cell:
    return _figure(_on_device(member, device).sram, units.byte_size)


def _arena_head(member: Member, device: str) -> Cell:
    return _figure(_on_device(member, device).arena_head, units.byte_size)


def _size(member: Member, kind: FileKind) -> Cell:
    file = member.file(kind)
    return _figure(file.size if file else None, units.byte_size)


def search_table(family: FamilyFacts, proofs: tuple[Proof, ...]) -> Table:
    """What the solver found for each subnetwork, largest first."""
    members = tuple(reversed(family.subnetworks))
    records = [m.record for m in members if m.record is not None]

    def row(heading: str, cell: Callable[[SubnetworkRecord], Cell]) -> Row:
        return Row(Cell(heading), tuple(cell(r) for r in records))

    rows = (
        row("Status", lambda r: Cell(_words(r.status))),
        row("Stopped at", lambda r: Cell(STOPS[r.limit]) if r.limit in STOPS else NOTHING),
        Row(Cell("Gap"), tuple(_figure(p.gap, units.small_percent) for p in proofs)),
        row("Value", lambda r: _figure(r.value, units.count)),
        row("Bound", lambda r: _figure(r.bound, units.count)),
        row("Bound without nesting", lambda r: _figure(r.bound_independent, units.count)),
        Row(Cell("Price of nesting, at most"), tuple(_figure(p.price, units.small_percent) for p in proofs)),
        row("Widths in multiples of", lambda r: _figure(r.align, lambda n: "any" if n == 1 else units.count(n))),
        row("Price of multiples of 4, at most", lambda r: _figure(r.align_price, units.small_percent)),
        row("Solver", lambda r: Cell(r.solver or units.DASH)),
        row("Search time", lambda r: _figure(r.wall_s, units.seconds)),
    )
    labels = tuple(m.label for m in members)
    return Table("What the search found", "Subnetwork", labels, one_block(rows)).without_empty_rows()


def _words(status: str | None) -> str:
    return units.DASH if status is None else status.replace("_", " ")


def channels_table(plan: Plan, family: FamilyFacts) -> Table:
    """Channels kept in each group by each network, largest first."""
    members = tuple(reversed(family.subnetworks))
    rows = []
    for group in plan.groups:
        widths = (m.record.widths.get(group.name) if m.record else None for m in members)
        cells = [Cell(units.listed(group.layers)), _figure(group.channels, units.count)]
        rows.append(Row(Cell(group.name), (*cells, *(_figure(w, _kept_channels) for w in widths))))
    columns = ("Layers", family.full.label, *(m.label for m in members))
    return Table("Channels kept in each group", "Group", columns, one_block(rows), is_sortable=True)


def _kept_channels(width: float) -> str:
    """A number of channels; groups of skipped blocks have none."""
    return units.count(width) if width else "skipped"


def steps_table(plan: Plan) -> Table:
    """The steps of the pruning strategy with their times, and the sum."""
    rows = []
    for step in plan.steps:
        groups = Cell(units.listed(step.groups) or units.DASH)
        times = (_figure(step.search_s, units.seconds), _figure(step.finetune_s, units.seconds))
        rows.append(Row(Cell(step.name), (groups, *times)))
    if len(rows) > 1:
        sums = (sum(s.search_s or 0 for s in plan.steps), sum(s.finetune_s or 0 for s in plan.steps))
        rows.append(Row(Cell("All steps"), (NOTHING, *(_figure(s, units.seconds) for s in sums))))
    columns = ("Groups decided", "Search", "Fine-tuning")
    return Table("Steps of the run", "Step", columns, one_block(rows))


def files_table(family: FamilyFacts) -> Table:
    """Every file of the family that is in the folder; without a column for accuracy where none has one."""
    found = [(m, f) for m in family.largest_first for f in m.files if f.size is not None]
    is_measured = any(f.accuracy is not None for _, f in found)
    rows = []
    for member, file in found:
        cells = [Cell(member.label), Cell(file.kind.title), _figure(file.size, units.byte_size)]
        if is_measured:
            cells.append(_figure(file.accuracy, family.metric.text))
        rows.append(Row(Cell(file.name, link=file_link(file.name)), tuple(cells)))
    columns = ("Network", "Kind", "Size", *((family.metric.name.capitalize(),) if is_measured else ()))
    return Table("Files in the folder of this report", "File", columns, one_block(rows), is_sortable=True)


def settings_table(plan: Plan) -> Table:
    """How the run was made."""
    solvers = tuple(dict.fromkeys(s.solver for s in plan.subnetworks if s.solver))
    texts = {"pruner": plan.pruner, "scorer": plan.scorer, "solver": ", ".join(solvers), "seed": str(plan.seed)}
    return prose_table("Method", "Part", texts)
