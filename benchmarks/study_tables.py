"""Tables and comparisons that the pages of the studies have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from study import CellRecord
from study_files import FileFigures
from worth_records import PairedComparison, correct, paired

from reds_core.cost import energy_model
from reds_core.report import many

MISSING = "–"
READING = """\
Mean over seeds, with the standard deviation where there are several; in brackets the number of runs if some are
missing. Accuracy is that of the .tflite file on the test set, computed by LiteRT, and *before int8* that of the Keras
model that it was made from. Zipped is the file in a ZIP archive, as it could be sent to a device. Arena is the memory
for activations that tflite-micro asks for. Latency is that of LiteRT on one core of the machine that ran the study,
divided by that of the file of the full network, which was timed in turn with it; it says little about a
microcontroller."""
BOARD = energy_model("nucleo-l4r5zi")
ABOUT_ENERGY = f"""\
Energy is modelled for a board, {BOARD.board}, from the MACs alone, ± {BOARD.macs_error_percent} %, which is the spread
over the four published networks that the model comes from ([energy](../guide/energy.md)). It orders networks as their
MACs do, and bits and zeros do not change it."""


def mean_text(values: Sequence[float], digits: int = 1, scale: float = 1.0, expected: int | None = None) -> str:
    """The mean of some values and their standard deviation.

    Args:
        values: The values, one for each run.
        digits: The digits behind the point.
        scale: What values are multiplied by.
        expected: How many runs there should be; if there are fewer, their number is added.
    """
    if not values:
        return MISSING
    text = f"{scale * fmean(values):.{digits}f}"
    if len(values) > 1:
        text += f" ± {scale * stdev(values):.{digits}f}"
    return text if expected is None or len(values) >= expected else f"{text} ({len(values)})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns but the first are aligned to the right."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ruler, *rows))


@dataclass(frozen=True)
class Column:
    """A column of the table of a budget.

    Attributes:
        title: Its heading.
        cell: Renders the cell of an arm from its records, none of which is infeasible.
        full: Renders the cell of the full network from any record.
    """

    title: str
    cell: Callable[[Sequence[CellRecord]], str]
    full: Callable[[CellRecord], str]


def _of_figures(title: str, get: Callable[[FileFigures], float | None], show: Callable[[float], str]) -> Column:
    def cell(records: Sequence[CellRecord]) -> str:
        found = [get(record.figures) for record in records if record.figures is not None]
        known = [value for value in found if value is not None]
        return show(fmean(known)) if known else MISSING

    def full(record: CellRecord) -> str:
        value = None if record.full_figures is None else get(record.full_figures)
        return MISSING if value is None else show(value)

    return Column(title, cell, full)


def reference(records: Sequence[CellRecord], resource: str) -> int:
    """The usage of a resource by the full network without any transform.

    Transforms that give all layers one level also change what a run counts for its full network, so the largest counts.
    """
    return max((record.full_usage.get(resource, 0) for record in records), default=0)


def usage_share(resource: str, title: str, reference: int) -> Column:
    """The usage of a resource in percent of `reference`."""

    def cell(records: Sequence[CellRecord]) -> str:
        return f"{100 * fmean(record.usage[resource] / reference for record in records):.1f}"

    return Column(title, cell, lambda record: "100.0")


def accuracy_column(expected: int) -> Column:
    """Accuracy in percent. That of the full network is the one of the model that was given."""

    def cell(records: Sequence[CellRecord]) -> str:
        return mean_text([r.accuracy for r in records if r.accuracy is not None], 1, 100, expected)

    def full(record: CellRecord) -> str:
        return MISSING if record.full_accuracy is None else f"{100 * record.full_accuracy:.1f}"

    return Column("accuracy (%)", cell, full)


def _model_accuracy(records: Sequence[CellRecord]) -> str:
    """The mean accuracy of the Keras models in percent."""
    return mean_text([r.keras_accuracy for r in records if r.keras_accuracy is not None], 1, 100)


MODEL_ACCURACY = Column("before int8 (%)", _model_accuracy, lambda record: MISSING)


def _bytes(value: float) -> str:
    return f"{value / 1024:.1f} KiB"


FILE = _of_figures(".tflite", lambda figures: figures.file_bytes, _bytes)
ZIPPED = _of_figures("zipped", lambda figures: figures.zipped_bytes, _bytes)
ARENA = _of_figures("arena", lambda figures: figures.arena_bytes, _bytes)
LATENCY = _of_figures("latency", lambda figures: figures.latency_ratio, lambda value: f"{value:.2f}")
ENGINE_LATENCY = _of_figures(
    "latency of the C engine", lambda figures: figures.engine_latency_ratio, lambda value: f"{value:.2f}"
)


def energy_column(full_macs: int) -> Column:
    """Energy of an inference on `BOARD` in mJ, modelled from the MACs.

    Args:
        full_macs: The MACs of the full network without any transform.
    """

    def shown(macs: float) -> str:
        return f"{BOARD.of_macs(round(macs)).uJ / 1000:.2f}"

    return Column(
        "energy (mJ, model)",
        lambda records: shown(fmean(record.usage["macs"] for record in records)),
        lambda record: shown(full_macs),
    )


def budget_table(records: Sequence[CellRecord], arms: Sequence[str], columns: Sequence[Column]) -> str:
    """The table of one network and one budget.

    Args:
        records: The records of this budget.
        arms: The arms in their order; those without records get a line that says so.
        columns: The columns behind the name of the arm.
    """
    rows = []
    any_record = next((record for record in records if record.figures is not None), None)
    if any_record is not None:
        rows.append(["full network", *(column.full(any_record) for column in columns)])
    for arm in arms:
        own = [record for record in records if record.arm == arm]
        feasible = [record for record in own if record.infeasible is None]
        if not own:
            rows.append([f"`{arm}`", "not run yet", *[MISSING] * (len(columns) - 1)])
        elif not feasible:
            rows.append([f"`{arm}`", "infeasible", *[MISSING] * (len(columns) - 1)])
        else:
            rows.append([f"`{arm}`", *(column.cell(feasible) for column in columns)])
    return table(["arm", *(column.title for column in columns)], rows)


def compared(
    records: Sequence[CellRecord], first: str, second: str, folder: Path, budget: str | None = None
) -> PairedComparison | None:
    """Compare two arms of one network on the same test examples, over all budgets and seeds that both have.

    Args:
        records: The records of one network.
        first, second: The arms.
        folder: The folder of the predictions.
        budget: The only budget that counts; None for all.

    Returns:
        The comparison, or None if there is no pair of runs.
    """
    by_key = {(r.arm, r.budget, r.seed): r for r in records if r.predictions is not None}
    keys = [(each, seed) for arm, each, seed in by_key if arm == first and (second, each, seed) in by_key]
    pairs = [
        (correct(by_key[first, each, seed], folder), correct(by_key[second, each, seed], folder))
        for each, seed in keys
        if budget in (None, each)
    ]
    return paired(pairs) if pairs else None


def comparison_cells(found: PairedComparison) -> list[str]:
    """The cells of a comparison: runs, difference in points with its 95 % confidence interval, counts and p."""
    difference = f"{100 * found.difference:+.2f} ± {100 * found.margin:.2f}"
    p = "< 0.0001" if found.p < 1e-4 else f"{found.p:.4f}"
    return [many(found.runs, "run"), difference, f"{found.first_only:,}", f"{found.second_only:,}", p]


def verdict(found: PairedComparison | None) -> str:
    """Whether the first arm of a comparison is more accurate: yes, no, or undecided if the interval contains 0."""
    if found is None:
        return "not run yet"
    if abs(found.difference) <= found.margin:
        return "undecided"
    return "yes" if found.difference > 0 else "no"


def missing_note(recorded: int, planned: int) -> str:
    """A sentence about the cells that are not recorded yet, or an empty text."""
    if recorded >= planned:
        return ""
    if not recorded:
        return "**Nothing has run yet, so there are no figures.**"
    return f"**{recorded} of {planned} runs are recorded so far, so the figures may still change.**"


def with_most_epochs(records: Sequence[CellRecord]) -> list[CellRecord]:
    """The records of the cells with the most epochs of each network."""
    most: Mapping[str, int] = {
        network: max(r.epochs for r in records if r.network == network) for network in {r.network for r in records}
    }
    return [record for record in records if record.epochs == most[record.network]]
