"""Ranks of contenders as sentences and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reds_core.comparison.ranks import LEAST_BLOCKS, LEAST_CONTENDERS, Ranks, whole_blocks
from reds_core.report import units
from reds_core.report.table import Cell, Row, Table, figure, one_block, whole

_LISTED = 6


def ranks_sentence(ranks: Ranks, noun: str) -> str:
    """A sentence on what the tests found.

    Args:
        ranks: the ranks.
        noun: what a block is called, in the singular.
    """
    over = f"Over {units.many(ranks.blocks, noun)}"
    test = f"Friedman's test, {units.p_value(ranks.p_value)}"
    if not ranks.differ:
        return f"{over}, the mean ranks do not differ significantly ({test})."
    best, rank = next(iter(ranks.means.items()))
    alike = ranks.alike(best)
    opening = f"{over}, the mean ranks differ ({test}); {best} has the best, {rank:.2f}"
    if len(alike) == len(ranks.means) - 1:
        return f"{opening}, but no single other contender can be told from it."
    if alike:
        shown = alike[0] if len(alike) == 1 else f"{', '.join(alike[:-1])} and {alike[-1]}"
        return f"{opening}, but it cannot be told from {shown}."
    return f"{opening}, and is better than each of the others."


def missing_ranks_sentence(
    blocks: Sequence[Mapping[str, float]], noun: str, kind: str, equal: str = "have the same result"
) -> str:
    """A sentence that says why contenders are not ranked over blocks.

    Args:
        blocks: the results, as for `ranked`.
        noun: what a block is called, in the singular.
        kind: what a contender is called, in the singular.
        equal: what contenders do that have the same result, for the sentence on those that all do.
    """
    contenders, count = len({label for block in blocks for label in block}), len(whole_blocks(blocks))
    if contenders < LEAST_CONTENDERS or count < LEAST_BLOCKS:
        return (
            f"Mean ranks are compared if there are at least {LEAST_CONTENDERS} {kind}s, and at least {LEAST_BLOCKS} "
            f"{noun}s with a result of each of them. Here there are {units.many(contenders, kind)} and "
            f"{units.many(count, noun)}."
        )
    return f"All {kind}s {equal} on every {noun}, so that they have no order."


def ranks_table(ranks: Ranks, caption: str, corner: str) -> Table:
    """Mean ranks, the best first, with the contenders that cannot be told apart."""
    rows = [
        Row(
            Cell(label),
            (
                figure(mean, f"{mean:.2f}"),
                whole(ranks.firsts[label]),
                Cell(units.listed(ranks.alike(label), _LISTED) or "none"),
            ),
        )
        for label, mean in ranks.means.items()
    ]
    columns = ("Mean rank", "Best, times", "Cannot be told from")
    return Table(caption, corner, columns, one_block(rows), is_sortable=True)
