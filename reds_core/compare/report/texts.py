"""Formats accuracies with two decimal places, since accuracies of different seeds differ by tenths."""

from __future__ import annotations

from reds_core.compare.statistics import Difference, Spread
from reds_core.report import units
from reds_core.report.facts import Metric
from reds_core.report.table import NOTHING, Cell
from reds_core.report.units import many


def number(figure: float, metric: Metric) -> str:
    """A value of the metric without its unit, shares in percent."""
    return f"{100 * figure:.2f}" if metric.is_share else f"{figure:.4g}"


def signed(figure: float, metric: Metric) -> str:
    """A difference with its sign; shares in percentage points."""
    text = f"{100 * figure:+.2f}" if metric.is_share else f"{figure:+.4g}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def unit(metric: Metric) -> str:
    """The unit of the metric."""
    return f"{units.THIN}%" if metric.is_share else ""


def mean(found: Spread, metric: Metric) -> str:
    """Mean ± standard deviation: 89.93 ± 0.12 %."""
    deviation = "" if found.deviation is None else f" ± {number(found.deviation, metric)}"
    return f"{number(found.mean, metric)}{deviation}{unit(metric)}"


def mean_cell(found: Spread | None, metric: Metric, with_count: bool = False, tone: str = "") -> Cell:
    """A cell of mean ± standard deviation; a dash if there is no value."""
    if found is None:
        return NOTHING
    return Cell(mean(found, metric), found.mean, note=many(found.n, "seed") if with_count else "", tone=tone)


def change_cell(found: Spread | None, metric: Metric) -> Cell:
    """A cell of a signed mean difference ± standard deviation."""
    if found is None:
        return NOTHING
    deviation = "" if found.deviation is None else f" ± {number(found.deviation, metric)}"
    return Cell(f"{signed(found.mean, metric)}{deviation}", _plain(found.mean, metric))


def verdict(found: Difference, metric: Metric) -> str:
    """Whether a difference is significant, and if it is not, from which difference on it would have been."""
    if found.p_value is None or found.detectable is None:
        if found.n == 1:
            return "1 seed cannot tell"
        same = "equal" if found.mean == 0 else "the same difference"
        return f"{same} at each of {many(found.n, 'seed')}, which no test can judge"
    if found.is_significant:
        return f"significant, {units.p_value(found.p_value)}"
    least = f"{number(found.detectable, metric)}{' points' if metric.is_share else ''}"
    return f"{many(found.n, 'seed')} cannot tell; {least} would be significant"


def difference_cell(found: Difference | None, metric: Metric) -> Cell:
    """A cell of a paired difference ± its standard error, with the verdict."""
    if found is None:
        return NOTHING
    error = "" if found.error is None else f" ± {number(found.error, metric)}"
    return Cell(f"{signed(found.mean, metric)}{error}", _plain(found.mean, metric), note=verdict(found, metric))


def _plain(difference: float, metric: Metric) -> float:
    """A difference in the unit in which it is shown."""
    return 100 * difference if metric.is_share else difference
