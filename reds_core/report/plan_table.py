"""The family of a plan as one small table, for Python's prompt and for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from reds_core.plan import Plan, SubnetworkRecord
from reds_core.report import units
from reds_core.report.energy import energy_sentences
from reds_core.report.facts import FamilyFacts, Member, Metric, gather
from reds_core.report.layer_levels import counts_text, decided, layers_text, title_of
from reds_core.report.merged_channels import merged_groups
from reds_core.report.proof import badge
from reds_core.report.table import Cell, Row, Table, one_block

MOST_ROWS = 20
"""A table with more members than this shows only the first and the last."""
_MOST_WIDTHS = 12


def plan_table(plan: Plan, folder: Path) -> Table:
    """Return a table with a row for each network: the full one first, then the subnetworks, largest first.

    It is narrow enough for a terminal of 80 columns.

    Args:
        plan: the plan of the run.
        folder: the folder with its files.
    """
    family = gather(plan, folder)
    metric, kinds = family.metric, family.kinds
    columns = [
        *family.resources,
        "before",
        *(kind.column for kind in kinds.all),
        "proof",
    ]
    rows = [_row(family, member) for member in family.largest_first]
    whats = decided(plan.subnetworks)
    if whats:
        columns += [title_of(what) for what in whats]
        levels = [
            [units.DASH if m.record is None else counts_text(m.record, what) for what in whats]
            for m in family.largest_first
        ]
        rows = [
            Row(row.heading, (*row.cells, *(Cell(text) for text in texts)))
            for row, texts in zip(rows, levels, strict=True)
        ]
    if any(member.mark for member in family.subnetworks):
        columns.append("note")
        rows = [Row(row.heading, (*row.cells, Cell(m.mark))) for row, m in zip(rows, family.largest_first, strict=True)]
    if len(rows) > MOST_ROWS:
        left_out = Row(Cell(f"({len(rows) - MOST_ROWS} more)"), tuple(Cell("…") for _ in columns))
        rows = [*rows[: MOST_ROWS // 2], left_out, *rows[-MOST_ROWS // 2 :]]
    caption = f"{metric.name.capitalize()} is on test data: before fine-tuning, and of each exported file."
    caption = " ".join(
        (caption, *((metric.meaning,) if metric.meaning else ()), *energy_sentences([plan.energy_source]))
    )
    if whats:
        caption += " 2×4 means that 2 layers have level 4."
    columns = [units.printable(column) for column in columns]
    return Table(caption, "network", tuple(columns), one_block(rows))


def _row(family: FamilyFacts, member: Member) -> Row:
    metric = family.metric
    figures = [
        *(_amount(resource, member.usage.get(resource)) for resource in family.resources),
        metric.text(member.accuracy.before),
        metric.text(member.accuracy.after),
        *(metric.text(member.accuracy_of(kind)) for kind in family.kinds.exported),
        units.DASH if member.record is None else badge(member.record),
    ]
    return Row(Cell(member.label), tuple(Cell(text) for text in figures))


def _amount(resource: str, used: int | None) -> str:
    return units.amount(resource, used).removesuffix("MAC").rstrip()  # the heading says what is counted


def member_table(record: SubnetworkRecord, metric: Metric) -> Table:
    """Return the facts of one subnetwork as a table of two columns.

    Args:
        record: the record of the subnetwork.
        metric: what its accuracies measure.
    """
    budget = (f"{r} {units.budget_text(r, limit)}" for r, limit in record.budget.items())
    texts = {"budget": ", ".join(budget)}
    texts |= {units.printable(r): units.amount(r, used) for r, used in record.usage.items()}
    accuracies = {"as extracted": record.accuracy.before, "as exported": record.accuracy.after}
    measured = {k: figure for k, figure in {**accuracies, **record.accuracy.exported}.items() if units.exists(figure)}
    texts[metric.name] = ", ".join(f"{metric.text(figure)} {what}" for what, figure in measured.items())
    texts["proof"] = badge(record) + ("" if record.solver is None else f" (solver {record.solver})")
    widths = [f"{group} {width}" for group, width in record.widths.items()]
    texts["channels kept"] = units.listed(tuple(widths), _MOST_WIDTHS)
    if merged := merged_groups(record):
        texts["channels merged"] = merged
    for what in decided([record]):
        texts[title_of(what)] = units.listed(layers_text(record, what), _MOST_WIDTHS)
    texts["files"] = ", ".join(name for name in record.files.values() if name is not None)
    if (added := extraction_sentence(record)) is not None:
        texts["note"] = added
    rows = [Row(Cell(name), (Cell(units.printable(text) or units.DASH),)) for name, text in texts.items()]
    return Table(f"Subnetwork {units.printable(record.name)}", "", ("",), one_block(rows), is_prose=True)


def extraction_sentence(record: SubnetworkRecord) -> str | None:
    """Return how a member was added after the run, as a sentence; None for other members."""
    if record.extraction is None:
        return None
    source, epochs = units.printable(record.extraction.source), record.extraction.finetune_epochs
    of = "the full network" if source == "full" else f"subnetwork {source}"
    if not epochs:
        return f"Added after the run and not trained: its weights are those of {of}."
    return (
        f"Added after the run from {of} and trained by itself for {units.many(epochs, 'epoch')}: its weights are its "
        "own, not slices of those that the family shares."
    )


def table_text(table: Table) -> str:
    """Format a table as plain text with aligned columns. Columns of figures are aligned at the right."""
    rows = [[table.corner, *table.columns], *([row.heading.text, *(c.text for c in row.cells)] for row in _rows(table))]
    rows = [[units.on_terminal(text) for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths, table.is_prose) for row in rows]
    return "\n".join(line for line in lines if line)


def _line(texts: Sequence[str], widths: Sequence[int], is_prose: bool) -> str:
    first, *others = zip(texts, widths, strict=True)
    cells = [f"{text:<{width}}" if is_prose else f"{text:>{width}}" for text, width in others]
    return "  ".join([f"{first[0]:<{first[1]}}", *cells]).rstrip()


def table_html(table: Table, title: str) -> str:
    """Format a table as a piece of HTML without styles of its own, with every text escaped."""
    align = "left" if table.is_prose else "right"

    def line(tag: str, texts: Sequence[str]) -> str:
        first, *others = (escape(text) for text in texts)
        cells = "".join(f'<{tag} style="text-align: {align}">{text}</{tag}>' for text in others)
        return f'<tr><th style="text-align: left">{first}</th>{cells}</tr>'

    head = f"<thead>{line('th', [table.corner, *table.columns])}</thead>" if any(table.columns) else ""
    body = "".join(line("td", [row.heading.text, *(cell.text for cell in row.cells)]) for row in _rows(table))
    return f"<div><table><caption>{escape(title)}</caption>{head}<tbody>{body}</tbody></table></div>"


def _rows(table: Table) -> list[Row]:
    return [row for block in table.blocks for row in block.rows]
