"""Decides the widths of a network, and the rank and the bits of each of its layers, in one proof.

`python benchmarks/width_rank_bits.py [--only resnet8] [--widths 16] [--time-limit 600] [--out OUT] [--write]`.
ResNet8 is trained: channels are scored and all levels are measured on its training data. MobileNetV2 is that of
keras.applications for images of 96 x 96 without weights, so its values are synthetic: those of
benchmarks/levels_growth.py, and losses by low ranks of the same kind. Records are written to OUT/joint.jsonl; `--write`
puts the table into docs/guide/low-rank.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from levels_growth import LOSSES, RATE
from levels_growth import scores as drawn_scores
from page_sections import put
from reds_dp import DpSolver
from scorers import ASSETS

from reds_core import Registry, load_data
from reds_core.cost import CostModel, parse_budgets
from reds_core.formulation import DecisionSpace, Statement, WidthRules, decision_space
from reds_core.framework import Framework, Task
from reds_core.knapsack import Controls, solve
from reds_core.network import Network
from reds_core.scoring import (
    LossMeasurement,
    Scorer,
    ScoreTable,
    level_excesses,
    level_losses,
    level_pair_values,
    level_values,
    score,
)
from reds_core.transforms import LevelSettings, Transform

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "low-rank.md"
NETWORKS = ("resnet8", "mobilenetv2 x0.35", "mobilenetv2 x1")
BUDGETS = ("macs=0.5", "weight_bytes=0.25")
DECIDED = {
    "widths": (),
    "widths and bits": ("weight-bits",),
    "widths and ranks": ("low-rank",),
    "widths, ranks and bits": ("low-rank", "weight-bits"),
}
FULL_VALUE = 2**31
"""The value of the full network in a problem."""
OPTIONS = {"low-rank": {"levels": "25,50,75"}, "weight-bits": {"levels": "8,4,2"}}
RANK_LOSSES = {25: 0.5, 50: 0.15, 75: 0.03}
"""About what the loss of a trained network rises by if one layer has so low a rank."""


@dataclass(frozen=True)
class Proof:
    """One problem and what came out.

    Attributes:
        network: the network.
        decided: what is decided.
        groups, options, largest: the numbers of groups, of their options, and of the options of the largest.
        state_s, solve_s: seconds of processor time in which the problem was stated and solved.
        solver, status, gap: the solver, and how it ended.
        value: the value of the choice; None without one.
        macs, weight_bytes: of the choice, as shares of the full network.
        width: the mean share of the channels of a group that is kept.
        levels: for what is decided, how many layers have each level.
        warnings: levels that were not offered.
    """

    network: str
    decided: str
    groups: int
    options: int
    largest: int
    state_s: float
    solve_s: float
    solver: str
    status: str
    gap: float | None
    value: float | None
    macs: float
    weight_bytes: float
    width: float
    levels: dict[str, dict[str, int]]
    warnings: tuple[str, ...]


class Subject:
    """A network with the values of its widths and levels."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.registry = Registry()
        self.framework: Framework = self.registry.default_framework()
        self.is_trained = name == "resnet8"
        self.model = self._model()
        self.network: Network = self.framework.inspect(self.model)
        self._known: dict[tuple[str, str], Any] = {}
        self._rises: dict[tuple[str, str], Any] = {}
        self._known_pairs: dict[tuple[str, str, str], Any] = {}

    def _model(self) -> Any:
        if self.is_trained:
            return self.framework.load_model(ASSETS / "models" / "mlperf_tiny_resnet8_cifar10.h5")
        import keras

        alpha = float(self.name.rpartition("x")[2])
        return keras.applications.MobileNetV2((96, 96, 3), alpha=alpha, weights=None, classes=10)

    def transforms(self, names: tuple[str, ...]) -> list[Transform]:
        return [self.registry.create(Transform, name, OPTIONS) for name in names]

    def scores(self, space: DecisionSpace | None) -> ScoreTable:
        """Return the values of all widths and levels."""
        if self.is_trained:
            return self._measured(space)
        table = drawn_scores(self.network, None, "lognormal", 0)
        rng = np.random.default_rng(1)
        factors = {layer.name: rng.lognormal(0.0, 1.0) for layer in self.network.layers}
        losses = {"weight_bits": LOSSES, "rank_percent": RANK_LOSSES}
        for offer in () if space is None else space.offers:
            rises = [losses[offer.what].get(level, 0.0) for level in offer.levels.tolist()]
            self._known[offer.site, offer.what] = -RATE * factors[offer.site] * np.array(rises)
        return ScoreTable(table.channels, curves=table.curves, level_values=self._known)

    def _measured(self, space: DecisionSpace | None) -> ScoreTable:
        if not hasattr(self, "_table"):
            data = load_data(str(ASSETS / "data" / "cifar10.npz"), self.framework, (32, 32, 3), 0)
            self._train = self.framework.check_data(self.model, data.train, Task(), "training data")
            scorer = self.registry.create(Scorer, "taylor", {})
            self._table = score(scorer, self.framework, self.model, self.network, self._train, Task(), seed=0)
        missing = [o for o in (() if space is None else space.offers) if (o.site, o.what) not in self._known]
        if missing:
            measuring = LossMeasurement.sampled(self.framework, self.model, self.network, self._train)
            losses = level_losses(measuring, missing)
            self._known |= level_values(losses, self._table)
            self._rises |= losses.rises
        pairs = () if space is None else space.replacing_pairs
        unknown = [(a, b) for a, b in pairs if (a.site, a.what, b.what) not in self._known_pairs]
        if unknown:
            measuring = LossMeasurement.sampled(self.framework, self.model, self.network, self._train)
            excesses = level_excesses(measuring, unknown, self._rises)
            self._known_pairs |= level_pair_values(excesses, self._table)
        return ScoreTable(
            self._table.channels,
            curves=self._table.curves,
            level_values=self._known,
            level_pair_values=self._known_pairs,
        )

    def proof(self, decided: str, widths: int, time_limit_s: float) -> Proof:
        """State and solve one problem."""
        made = self.transforms(DECIDED[decided])
        space = decision_space(self.network, made, self._refusal) if made else None
        scores = self.scores(space)
        wanted = {(o.site, o.what) for o in (() if space is None else space.offers)}
        scores = ScoreTable(
            scores.channels,
            curves=scores.curves,
            level_values={key: values for key, values in scores.level_values.items() if key in wanted},
            level_pair_values={k: v for k, v in scores.level_pair_values.items() if {k[:2], (k[0], k[2])} <= wanted},
        )
        started = time.process_time()
        statement = Statement(
            self.network, CostModel(additional=("weight_bytes",)), WidthRules(max_options=widths), space
        )
        (budget,) = parse_budgets(BUDGETS)
        formulation = statement.formulate(scores, budget)
        state_s = time.process_time() - started
        started = time.process_time()
        solver = DpSolver()
        solution = solve(formulation.problem, solver, Controls(time_limit_s=time_limit_s))
        solve_s = time.process_time() - started
        counts = [group.options for group in formulation.problem.groups]
        shares, kept, levels = {"macs": 0.0, "weight_bytes": 0.0}, 0.0, {}
        if solution.choice is not None:
            chosen = formulation.problem.widths(solution.choice)
            chosen = {group.name: chosen[group.name] for group in self.network.groups}
            settings = formulation.problem.settings(solution.choice)
            used = statement.usage(chosen, settings)
            shares = {name: used[name] / statement.full_usage(name) for name in shares}
            kept = float(np.mean([chosen[g.name] / g.channels for g in self.network.groups]))
            levels = _counted(space, settings)
        return Proof(
            self.name, decided, len(counts), sum(counts), max(counts), state_s, solve_s, solver.name,
            solution.status.value, solution.gap, solution.value, shares["macs"], shares["weight_bytes"], kept, levels,
            statement.warnings,
        )  # fmt: skip

    def _refusal(self, site: str, what: str, level: int) -> str | None:
        return self.framework.rewrite_refusal(self.model, self.network, site) if what == "rank_percent" else None


def _counted(space: DecisionSpace | None, settings: LevelSettings) -> dict[str, dict[str, int]]:
    """Count the layers at each level."""
    found: dict[str, Counter[int]] = {}
    for offer in () if space is None else space.offers:
        level = settings.at(offer.site, offer.what)
        found.setdefault(offer.what, Counter())[int(offer.levels[-1]) if level is None else level] += 1
    return {what: {str(level): count[level] for level in sorted(count)} for what, count in found.items()}


def table(proofs: list[Proof]) -> str:
    """Render proofs as a Markdown table."""
    lines = [
        "| network | decided | options | stated + solved (s) | result | value | MACs | bytes | mean width | ranks "
        "| bits |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for p in proofs:
        result = f"{p.status} (`{p.solver}`)" + (f", gap {p.gap:.2g}" if p.status != "optimal" and p.gap else "")
        ranks, bits = (
            ", ".join(f"{count} of {level}" for level, count in p.levels.get(what, {}).items()) or "-"
            for what in ("rank_percent", "weight_bits")
        )
        found = (p.value or 0) / FULL_VALUE, p.macs, p.weight_bytes, p.width
        used = " | ".join("-" if p.value is None else f"{share:.1%}".replace("%", " %") for share in found)
        lines.append(
            f"| {p.network} | {p.decided} | {p.options:,} | {p.state_s:.2f} + {p.solve_s:.2f} | {result} | {used} "
            f"| {ranks} | {bits} |"
        )
    return "\n".join(lines)


def main() -> None:
    """State and solve all problems."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=NETWORKS, action="append", help="a network, by default all")
    parser.add_argument("--widths", type=int, default=16, help="most widths of a group")
    parser.add_argument("--time-limit", type=float, default=600.0, help="seconds of wall time for each solve")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "records" / "low-rank")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    arguments = parser.parse_args()
    proofs = []
    for name in arguments.only or NETWORKS:
        subject = Subject(name)
        for decided in DECIDED:
            proofs.append(subject.proof(decided, arguments.widths, arguments.time_limit))
            sys.stdout.write(f"{proofs[-1]}\n")
            sys.stdout.flush()
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(asdict(proof)) + "\n" for proof in proofs)
    (arguments.out / "joint.jsonl").write_text(lines, encoding="utf-8")
    text = table(proofs)
    sys.stdout.write(f"{text}\n")
    if arguments.write:
        put(PAGE, "joint", text)


if __name__ == "__main__":
    main()
