"""The report of chosen thresholds as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core.early_exit.against_static import AccuracyDifference
from reds_core.early_exit.costs import COST_NOUNS
from reds_core.early_exit.pictures import curve_picture, shares_picture
from reds_core.early_exit.policy import NEVER
from reds_core.early_exit.record import ExitThresholds, GroupShares, MeasuredExit, PolicyFigures, PolicyRecord
from reds_core.report import units
from reds_core.report.comparison import Opening
from reds_core.report.page import render
from reds_core.report.table import NOTHING, Cell, Row, Table, figure, one_block, prose_table, share
from reds_core.scales import THIN

KIND = "Early exit"
MEASURE_TITLES = {
    "margin": "Margin",
    "entropy": "Entropy",
    "calibrated": "Calibrated",
    "integer-margin": "Integer margin",
}


def early_exit_page(found: ExitThresholds) -> str:
    """Render the report of chosen thresholds, which depends on the argument alone.

    Raises:
        UnavailableError: If Jinja2 or Plotly is not installed.
    """
    return render(
        "early_exit.html",
        "reds_core.early_exit",
        opening=_opening(found),
        curve=curve_picture(found),
        policies=policies_table(found),
        thresholds=_thresholds(found),
        exits=_exits(found),
        by_difficulty=shares_picture(found, found.by_difficulty, "difficulty", "Where examples leave, by difficulty"),
        difficulty=_groups(found, found.by_difficulty, "Where examples leave, by difficulty", "Quarter"),
        by_class=_groups(found, found.by_class, "Where examples leave, by class", "Class"),
        settings=prose_table("How thresholds were chosen", "Setting", _settings(found)),
        examples=_examples(found),
        noun=COST_NOUNS[found.cost],
    )


def _examples(found: ExitThresholds) -> str:
    return "test" if found.exits[-1].accuracy_test is not None else "held-back"


def _figures(policy: PolicyRecord) -> PolicyFigures:
    """What a policy reaches on test examples, or on held-back ones without any."""
    return policy.held_back if policy.test is None else policy.test


def _opening(found: ExitThresholds) -> Opening:
    policy, last = found.policy, found.exits[-1]
    figures = _figures(policy)
    reached, against = figures.all, figures.against
    noun = COST_NOUNS[found.cost]
    relative = units.percent(reached.cost / last.cost_alone, 0)
    chosen = f"chosen on {units.count(found.examples)} held-back examples"
    headline = f"Thresholds on the {policy.measure} for {found.target.about}, {chosen}."
    findings = (
        f"On {reached.examples} {_examples(found)} examples, {units.percent(reached.accuracy)} are answered rightly "
        f"({_interval(reached.interval)}) with {relative} of the {noun} of the whole network on average.",
        f"The whole network alone is right about {units.percent(_accuracy(found, -1))}. Early exit differs from it by "
        f"{_difference(against.whole_network)} points, and by {_difference(against.at_equal_cost)} points from the "
        "best mixture of networks that end at one exit and cost no more.",
    )
    warnings = (
        ()
        if found.exits[-1].accuracy_test is not None
        else ("There is no test data: all figures are of the examples on which thresholds were chosen, and too good.",)
    )
    return Opening(KIND, f"Early exit of {units.printable(found.network)}", headline, findings, warnings)


def _accuracy(found: ExitThresholds, place: int) -> float:
    own = found.exits[place]
    return own.accuracy_held_back if own.accuracy_test is None else own.accuracy_test


def _interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f}{THIN}%"


def _difference(found: AccuracyDifference) -> str:
    low, high = found.interval
    return f"{units.points(found.mean)} ({units.points(low)} to {units.points(high)})"


def policies_table(found: ExitThresholds, *, with_comparison: bool = True) -> Table:
    """The table of policies: what the thresholds of each measure reach.

    Args:
        found: The thresholds.
        with_comparison: Whether it compares them with networks that end at one exit.
    """
    last = found.exits[-1].cost_alone

    def compared(figures: PolicyFigures) -> tuple[AccuracyDifference, ...]:
        against = figures.against
        return (against.whole_network, against.at_equal_cost) if with_comparison else ()

    def row(policy: PolicyRecord) -> Row:
        figures = _figures(policy)
        own = figures.all
        return Row(
            Cell(MEASURE_TITLES[policy.measure]),
            (
                share(own.accuracy, _interval(own.interval)),
                figure(own.cost, units.amount(found.cost, own.cost), units.percent(own.cost / last)),
                *(Cell(_difference(each), each.mean) for each in compared(figures)),
                *(share(each) for each in own.shares),
            ),
        )

    policies = [*found.policies, *([] if found.integers is None else [found.integers.policy])]
    leaving = tuple(f"Leave at {each.name}" if with_comparison else each.name for each in found.exits)
    title = COST_NOUNS[found.cost]
    against = ("Against whole network", "Against mixture at equal cost") if with_comparison else ()
    columns = ("Accuracy", f"Mean {title}", *against, *leaving)
    caption = f"What thresholds reach on {_examples(found)} examples"
    return Table(caption, "Measure", columns, one_block([row(each) for each in policies]))


def _thresholds(found: ExitThresholds) -> Table:
    own, never = (None, 0) if found.integers is None else (found.integers.policy, found.integers.never)
    policies = [*found.policies, *([] if found.integers is None else [found.integers.policy])]
    rows = [
        Row(
            Cell(MEASURE_TITLES[each.measure]),
            (
                *(_threshold(each is own, threshold, never) for threshold in each.thresholds),
                Cell("yes" if each.is_optimal else "of those tried"),
            ),
        )
        for each in policies
    ]
    columns = (*(each.name for each in found.exits[:-1]), "Best on held-back examples")
    return Table("Thresholds of each exit", "Measure", columns, one_block(rows))


def _threshold(is_integer: bool, threshold: float, never: int) -> Cell:
    if threshold >= (never if is_integer else NEVER):
        return Cell("never", threshold)
    return Cell(f"{threshold:.0f}" if is_integer else f"{threshold:.4f}", threshold)


def _exits(found: ExitThresholds) -> Table:
    def costs(exit_: MeasuredExit) -> tuple[float, float]:
        return exit_.cost, exit_.cost_alone

    last = found.exits[-1].cost_alone
    rows = [
        Row(
            Cell(each.name),
            (
                share(each.accuracy_held_back),
                NOTHING if each.interval_test is None else share(each.accuracy_test, _interval(each.interval_test)),
                *(figure(own, units.amount(found.cost, own), units.percent(own / last)) for own in costs(each)),
                Cell(f"{each.temperature:.2f}", each.temperature),
            ),
        )
        for each in found.exits
    ]
    noun = COST_NOUNS[found.cost]
    noun = noun[:1].upper() + noun[1:]
    columns = ("Accuracy, held back", "Accuracy, test", f"{noun} with earlier heads", f"{noun} alone", "Temperature")
    return Table("Each exit, if all examples leave there", "Exit", columns, one_block(rows))


def _groups(found: ExitThresholds, groups: Sequence[GroupShares], caption: str, corner: str) -> Table:
    last = found.exits[-1].cost_alone
    rows = [
        Row(
            Cell(each.name),
            (
                Cell(units.count(each.examples), each.examples),
                share(each.accuracy, _interval(each.interval)),
                figure(each.cost, units.amount(found.cost, each.cost), units.percent(each.cost / last)),
                *(share(own, _interval(i)) for own, i in zip(each.shares, each.intervals, strict=True)),
            ),
        )
        for each in groups
    ]
    leaving = tuple(f"Leave at {each.name}" for each in found.exits)
    columns = ("Examples", "Accuracy", f"Mean {COST_NOUNS[found.cost]}", *leaving)
    return Table(caption, corner, columns, one_block(rows), is_sortable=True)


def _settings(found: ExitThresholds) -> dict[str, str | None]:
    return {
        "Target": found.target.about,
        "Measure": found.measure,
        "Costs": f"{COST_NOUNS[found.cost]}, {found.cost_source}",
        "Held-back examples": units.count(found.examples),
        "Seed": str(found.seed),
        "Integer file": None if found.integers is None else found.integers.file,
    }
