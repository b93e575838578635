"""What it costs to limit one resource where another is what counts.

    python benchmarks/budget_proxies.py [--page docs/results/budget-proxies.md]

For each resource of a device, networks are chosen within a share of it: directly, and by a budget of another resource,
its proxy, set to the largest share at which the choice does not exceed the budget that counts. The loss is what the
second choice is worth less. Scores, offered widths and solver are the same, and all choices are proven optimal within
their own budgets. Nothing is trained, so losses are in value, not in accuracy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from npu_tables import CONFIGURATIONS, PRUNED, Subject, given_folders
from page_sections import put

import reds_core
from reds_core.cost import CostModel, parse_budgets
from reds_core.errors import InfeasibleError
from reds_core.formulation import FULL_VALUE, OfferedWidths, Statement, WidthRules

RESOURCES = ("macs", "cycles", "energy", "arena")
TITLES = {"macs": "MACs", "cycles": "cycles", "energy": "energy", "arena": "arena"}
SHARES = (0.6, 0.4)
TRIED = tuple(round(float(share), 3) for share in np.arange(0.10, 1.0, 0.01))


@dataclass(frozen=True)
class Choice:
    """The best network within one budget.

    Attributes:
        share: the budget, as a share of what the full network uses.
        value: its value as a share of that of the full network.
        used: its use of each resource, as a share of what the full network uses.
    """

    share: float
    value: float
    used: Mapping[str, float]


@dataclass(frozen=True)
class Loss:
    """What a proxy loses.

    Attributes:
        network: the network.
        counts: the resource that counts.
        share: its budget, as a share of what the full network uses.
        value: the value of the best network within it, as a share of that of the full network.
        proxy: the resource that is limited instead.
        proxy_share: the largest budget of the proxy at which the resource that counts is within its own.
        proxy_value: the value of the best network within that.
    """

    network: str
    counts: str
    share: float
    value: float
    proxy: str
    proxy_share: float
    proxy_value: float


class Chooser:
    """A network whose widths are chosen under budgets of one resource."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        table = subject.table
        costs = CostModel(
            measured=table.forms_for(subject.network, 1), additional=("arena",), energy=table.energy_source
        )
        rules = OfferedWidths.of(WidthRules(), table.offered)
        self.statement = Statement(subject.network, costs, rules)
        self.full = {r: self.statement.form(r).at(subject.network.channels) for r in RESOURCES}

    def best(self, resource: str, share: float) -> Choice | None:
        """The best network within a share of a resource; None if there is none."""
        (budget,) = parse_budgets([f"{resource}={share}"])
        try:
            solution = reds_core.solve(self.statement.formulate(self.subject.scores, budget).problem, time_limit=60.0)
        except InfeasibleError:
            return None
        if solution.widths is None or solution.value is None:
            return None
        assert solution.value == solution.bound, "not proven"
        used = {r: self.statement.form(r).at(solution.widths) / self.full[r] for r in RESOURCES}
        return Choice(share, solution.value / FULL_VALUE, used)

    def losses(self) -> list[Loss]:
        """What each proxy of each resource loses."""
        tried = {r: [c for s in TRIED if (c := self.best(r, s)) is not None] for r in RESOURCES}
        found = []
        for counts in RESOURCES:
            for share in SHARES:
                best = self.best(counts, share)
                if best is None:
                    continue
                for proxy in (r for r in RESOURCES if r != counts):
                    within = [c for c in tried[proxy] if c.used[counts] <= share]
                    chosen = max(within, key=lambda c: c.value, default=None)
                    if chosen is not None:
                        name = self.subject.path.stem
                        found.append(Loss(name, counts, share, best.value, proxy, chosen.share, chosen.value))
        return found


def tables(losses: Sequence[Loss]) -> str:
    """A table for each network: resources that count by row, proxies by column."""
    parts = []
    for network in dict.fromkeys(loss.network for loss in losses):
        own = [loss for loss in losses if loss.network == network]
        lines = [
            f"{network}, {CONFIGURATIONS[0]}. Each cell: points of value lost, and the budget of the proxy.",
            "",
            f"| what counts | best value | {' | '.join(f'limited: {TITLES[r]}' for r in RESOURCES)} |",
            f"| --- | ---: |{' ---: |' * len(RESOURCES)}",
        ]
        for counts in RESOURCES:
            for share in SHARES:
                row = {loss.proxy: loss for loss in own if (loss.counts, loss.share) == (counts, share)}
                if not row:
                    continue
                best = next(iter(row.values())).value
                cells = ["0" if r == counts else _cell(row[r]) if r in row else "not met" for r in RESOURCES]
                lines.append(f"| {TITLES[counts]} ≤ {share:.0%} | {100 * best:.2f} % | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _cell(loss: Loss) -> str:
    return f"{100 * (loss.value - loss.proxy_value):.2f} ({loss.proxy_share:.0%})"


def main() -> None:
    given = given_folders(str(__doc__))
    losses = [
        loss
        for name, data in zip(PRUNED, (given.data, None), strict=True)
        for loss in Chooser(Subject(given.models / name, data, given.out)).losses()
    ]
    (given.out / "proxies.json").write_text(json.dumps([asdict(loss) for loss in losses], indent=1) + "\n")
    text = tables(losses)
    print(text)
    if given.page is not None:
        put(given.page, "proxies", text)


if __name__ == "__main__":
    main()
