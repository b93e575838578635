"""How the smallest network within a limit of points was found: sentences and a table."""

from __future__ import annotations

from reds_core.plan import Plan
from reds_core.report import units
from reds_core.report.facts import Metric, metric_of
from reds_core.report.table import Block, Cell, Row, Table, figure
from reds_core.search_records import DropRecord, MaxDropRecord


def lost_points(points: float | None) -> str:
    """How much a network loses, as a verb with its object: loses 0.4 points, gains 0.3 points."""
    if points is None or not units.exists(points):
        return "was not found"
    number = f"{abs(points):.2f}"
    if float(number) == 0:
        return "loses nothing"
    return f"{'loses' if points > 0 else 'gains'} {number} points"


def drop_sentences(record: MaxDropRecord, plan: Plan) -> tuple[str, ...]:
    """What was found, how much slack is left, and which data decided.

    Args:
        record: How the network was found.
        plan: The plan that holds it.
    """
    metric, found = metric_of(plan.options.get("task")), record.found
    noun = units.resource_noun(record.resource)
    share = units.percent(_share(found, record, plan))
    least = f"The smallest network by {noun} that loses at most {points_text(record.limit_points)} of {metric.name}"
    what = f"needs {share} of the {noun} and {lost_points(found.drop_points)} on held-back data"
    if record.target is not None:
        what += f", measured on files of {record.target}"
    figures = f"({metric.text(record.accuracy)} to {metric.text(found.accuracy)}, {record.examples} examples)"
    slack = _slack(found, record)
    return (
        f"{least} {what} {figures}{slack}.",
        f"It was chosen on held-back training data; {metric.name} on test data was only measured afterwards.",
    )


def points_text(number: float) -> str:
    """A number of points, such as "1 point" or "0.5 points"."""
    return f"{number:g} point{'' if number == 1 else 's'}"


def _slack(found: DropRecord, record: MaxDropRecord) -> str:
    """A clause that says how much more the network could lose, or that nothing was pruned."""
    if found.epochs == 0:
        return "; it is the full network, since no smaller one holds the limit"
    left = record.limit_points - (found.drop_points or 0.0)
    return "" if f"{left:.2f}" in ("0.00", "-0.00") else f", which leaves {left:.2f} points of the limit unused"


def drop_table(record: MaxDropRecord, plan: Plan) -> Table:
    """Every network that was tried, in the order in which they were."""
    metric = metric_of(plan.options.get("task"))
    short = tuple(_row(each, record, plan, metric) for each in record.probes)
    full = tuple(_row(each, record, plan, metric) for each in record.trainings)
    blocks = (Block("Short trainings", short), Block("Full trainings", full))
    noun = units.resource_noun(record.resource)
    columns = (f"{noun[:1].upper()}{noun[1:]} used", metric.name.capitalize(), "Points lost", "Epochs", "Time")
    return Table("Networks that were tried, on held-back data", "Budget", columns, blocks).without_empty_rows()


def _row(tried: DropRecord, record: MaxDropRecord, plan: Plan, metric: Metric) -> Row:
    budget = f"{100 * tried.budget[record.resource]:.6g}{units.THIN}%"
    points, share = tried.drop_points, _share(tried, record, plan)
    text = units.DASH if points is None else units.two_decimals(points)
    return Row(
        Cell(budget),
        (
            figure(share, units.percent(share)),
            figure(tried.accuracy, metric.text(tried.accuracy)),
            figure(points, text),
            Cell(str(tried.epochs), tried.epochs),
            figure(tried.seconds, units.seconds(tried.seconds)),
        ),
    )


def _share(tried: DropRecord, record: MaxDropRecord, plan: Plan) -> float | None:
    used, full = tried.usage.get(record.resource), plan.full.usage.get(record.resource)
    return used / full if used is not None and full else None
