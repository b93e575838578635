"""The tables of an audit."""

from __future__ import annotations

from reds_core.audit.findings import worst_class
from reds_core.audit.records import AuditRecord, ClassFigures, Flips, GroupFigures, PopulationFigures, Prediction
from reds_core.audit.statistics import Interval
from reds_core.report import units
from reds_core.report.table import NOTHING, Block, Cell, Row, Table, figure, one_block, whole

BEFORE = "before"
_MOST_EXEMPLARS = 200
_KINDS = {"members": "Between members", "methods": "Between methods", "networks": "Between networks of one method"}


def networks_table(audit: AuditRecord, is_short: bool = False) -> Table:
    """Return a row for each population: accuracy, calibration, its worst class, flips and exemplars.

    Args:
        audit: the audit.
        is_short: whether the table is for a terminal, without confidence and margin.
    """
    rows = [
        Row(
            Cell(BEFORE), (*_population_cells(len(audit.before.files), audit.before.figures, is_short), *3 * (NOTHING,))
        )
    ]
    for member in audit.members:
        worst = worst_class(audit, member.name)
        change = None if worst is None else worst.after[member.name].change
        cells = (
            NOTHING if worst is None else figure(change, f"{worst.name} ({units.points(change or 0.0)})"),
            Cell(f"{member.flips.changed:.1f}", member.flips.changed, _lost_and_won(member.flips, is_short)),
            NOTHING if member.exemplars is None else whole(member.exemplars.count),
        )
        rows.append(Row(Cell(member.name), (*_population_cells(len(member.files), member.figures, is_short), *cells)))
    more = () if is_short else ("Confidence", "Margin")
    columns = ("Networks", "Accuracy", "ECE", *more, "Worst class", "Flips", "Exemplars")
    return Table("Networks on the test data, as means", "Member", columns, one_block(rows))


def _lost_and_won(flips: Flips, is_short: bool) -> str:
    return "" if is_short else f"{flips.lost:.1f} lost, {flips.won:.1f} won"


def _population_cells(count: int, figures: PopulationFigures, is_short: bool) -> tuple[Cell, ...]:
    note = "" if is_short else interval_text(figures.accuracy_interval)
    cells = (whole(count), figure(figures.accuracy, units.percent(figures.accuracy), note))
    sure = (Cell(units.percent(figures.confidence), figures.confidence), Cell(f"{figures.margin:.2f}", figures.margin))
    return (*cells, Cell(f"{figures.ece:.3f}", figures.ece), *(() if is_short else sure))


def interval_text(interval: Interval | None) -> str:
    """Return an interval of shares in percent: 81.2 to 84.0 %; empty if there is none."""
    return "" if interval is None else f"{100 * interval[0]:.1f} to {units.percent(interval[1])}"


def classes_table(audit: AuditRecord) -> Table:
    """Return recall by class before and after, the class that the first member loses the most of first."""
    first = audit.members[0].name
    ordered = sorted(audit.classes, key=lambda each: each.after[first].change or 0.0)
    rows = [
        Row(
            Cell(each.name),
            (
                whole(each.examples),
                figure(
                    each.before.recall, units.percent(each.before.recall), interval_text(each.before.recall_interval)
                ),
                *(_class_cell(each.after[member.name]) for member in audit.members),
            ),
        )
        for each in ordered
    ]
    columns = ("Examples", BEFORE.capitalize(), *(member.name for member in audit.members))
    return Table("Recall by class", "Class", columns, one_block(rows), is_sortable=True)


def _class_cell(figures: ClassFigures) -> Cell:
    return _change_cell(figures.recall, figures)


def _change_cell(share: float | None, figures: ClassFigures | GroupFigures) -> Cell:
    parts = [] if figures.change is None else [f"{units.points(figures.change)}{units.THIN}pt"]
    if figures.p_adjusted is not None:
        parts.append(units.p_value(figures.p_adjusted))
    cell = figure(share, units.percent(share), ", ".join(parts))
    return Cell(cell.text, cell.value, cell.note, "failed" if figures.is_hurt else "")


def false_positives_table(audit: AuditRecord) -> Table:
    """Return the false-positive rate by class before and after."""

    def cell(figures: ClassFigures) -> Cell:
        rate = figures.false_positive_rate
        return figure(rate, units.small_percent(rate), interval_text(figures.false_positive_interval))

    rows = [
        Row(Cell(each.name), (cell(each.before), *(cell(each.after[member.name]) for member in audit.members)))
        for each in audit.classes
    ]
    columns = (BEFORE.capitalize(), *(member.name for member in audit.members))
    return Table("False positives by class", "Class", columns, one_block(rows), is_sortable=True)


def groups_table(audit: AuditRecord) -> Table:
    """Return accuracy by group before and after, the group with the least accuracy in the first member first."""
    first = audit.members[0].name
    rows = [
        Row(
            Cell(each.name),
            (
                whole(each.examples),
                figure(each.before.accuracy, units.percent(each.before.accuracy), interval_text(each.before.interval)),
                *(_change_cell(each.after[m.name].accuracy, each.after[m.name]) for m in audit.members),
            ),
        )
        for each in sorted(audit.groups, key=lambda each: each.after[first].accuracy)
    ]
    columns = ("Examples", BEFORE.capitalize(), *(member.name for member in audit.members))
    return Table("Accuracy by group", "Group", columns, one_block(rows), is_sortable=True)


def exemplar_figures_table(audit: AuditRecord) -> Table:
    """Return how hard the exemplars of each member are."""
    rows = [
        Row(
            Cell(member.name),
            (
                Cell(units.count(found.count), found.count, units.small_percent(found.share)),
                figure(found.accuracy_before, units.percent(found.accuracy_before)),
                figure(found.accuracy_after, units.percent(found.accuracy_after)),
                figure(found.accuracy_without, units.percent(found.accuracy_without)),
            ),
        )
        for member in audit.members
        if (found := member.exemplars) is not None
    ]
    columns = ("Exemplars", "Accuracy on them before", "and after", "Accuracy on all others")
    return Table("How hard exemplars are", "Member", columns, one_block(rows))


def exemplars_table(audit: AuditRecord) -> Table:
    """Return the exemplars, those that flip in the most networks first; of very many, the first ones."""
    names = [each.name for each in audit.classes]
    blocks = []
    for member in audit.members:
        own = [each for each in audit.exemplars if each.member == member.name]
        own.sort(key=lambda each: (-each.flips, each.index))
        rows = [
            Row(
                Cell(str(each.index)),
                (
                    Cell(f"{each.flips} of {len(member.files)}", each.flips),
                    Cell(names[each.label]),
                    Cell(names[each.modal_before]),
                    Cell(names[each.modal_after]),
                ),
            )
            for each in own[:_MOST_EXEMPLARS]
        ]
        more = f", the first {_MOST_EXEMPLARS} of {len(own)}" if len(own) > _MOST_EXEMPLARS else ""
        if rows:
            blocks.append(Block(f"{member.name}{more}", tuple(rows)))
    columns = ("Flips", "True class", "Before", "After")
    return Table("Exemplars", "Test example", columns, tuple(blocks))


def overlaps_table(audit: AuditRecord) -> Table:
    """Return how alike sets of exemplars are."""
    blocks = []
    for kind, title in _KINDS.items():
        rows = []
        for each in audit.overlaps:
            if each.kind == kind and each.jaccard is not None:
                pair = each.first if each.first == each.second else f"{each.first} and {each.second}"
                name = pair if each.member is None else f"{each.member}: {pair}"
                rows.append(Row(Cell(name), (Cell(f"{each.jaccard:.2f}", each.jaccard),)))
        if rows:
            blocks.append(Block(title, tuple(rows)))
    return Table("Overlap of sets of exemplars", "Sets", ("Jaccard index",), tuple(blocks))


def predictions_table(audit: AuditRecord) -> Table:
    """Return how well the attribution of removed channels predicts which examples are lost."""
    rows = []
    for member in audit.members:
        found = member.prediction
        if found is not None:
            low, high = found.advantage_interval
            cells = (
                Cell(f"{found.removed:.0f}", found.removed),
                Cell(f"{found.lost:.0f}", found.lost, f"of {found.candidates:.0f}"),
                *(
                    _prediction_cell(each)
                    for each in (found.attribution, found.baseline, found.both, found.at_equal_margin)
                ),
                Cell(_signed(found.advantage), found.advantage, f"{_signed(low)} to {_signed(high)}"),
                Cell(units.p_value(found.p_value), found.p_value),
            )
            rows.append(Row(Cell(member.name), cells))
    columns = (
        "Removed",
        "Lost",
        "Attribution",
        "Margin",
        "Both",
        "At equal margin",
        "Attribution − margin",
        "Chance",
    )
    return Table(
        "What predicts lost examples: removed channels, lost examples, and areas under the ROC curve",
        "Member",
        columns,
        one_block(rows),
    )


def _prediction_cell(found: Prediction | None) -> Cell:
    if found is None:
        return NOTHING
    return Cell(f"{found.auc:.2f}", found.auc, f"{found.interval[0]:.2f} to {found.interval[1]:.2f}")


def _signed(number: float) -> str:
    text = f"{number:+.2f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")
