"""Tables of cycles of an NPU: are they exact, and what does a budget of cycles gain over one of MACs?

    python benchmarks/npu_tables.py [--page docs/results/npu.md]

Networks are counted by Arm's compiler Vela for three configurations of Ethos-U NPUs. Subnetworks of random offered
widths are counted as a whole, beside what the table says. Then networks are pruned without training to a share of the
cycles of the full network, and to the MACs at which a network of the same scores takes as many cycles. Each exported
file is counted again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scorers import ASSETS

import reds_core
from reds_core import Registry, RunSettings, load_data, measure_latency
from reds_core.cost import CostModel, DeviceTable, load_device_table, parse_budgets
from reds_core.formulation import FULL_VALUE, OfferedWidths, Statement, WidthRules
from reds_core.framework import Arrays, Device, Framework, Task
from reds_core.network import Network
from reds_core.scoring import Scorer, ScoreTable, score

NETWORKS = ("arm_kws_ds_cnn_s.keras", "mlperf_tiny_resnet8_cifar10.h5", "mlperf_tiny_vww_96.keras")
CONFIGURATIONS = ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")
PRUNED = ("arm_kws_ds_cnn_s.keras", "mlperf_tiny_vww_96.keras")
SHARE = 0.6
CHECKS = 10
SHARES_OF_MACS = tuple(round(0.02 * step, 2) for step in range(8, 46))
PRUNED_POINTS = 16
POINTS = 8
"""The most widths of each group for the tables that are only checked."""


@dataclass(frozen=True)
class Exactness:
    """One table against whole networks.

    Attributes:
        network, config: what was counted, and on which configuration.
        widths: the number of offered widths of all groups.
        repeats, different: how many figures of parts were counted again in another network, and how many differed.
        checks: how many subnetworks were counted as a whole.
        exact: for how many of them the predicted cycles are the counted ones.
        least_percent, most_percent: the least and the largest of predicted over counted cycles, less 100 %.
        sram_over: the largest and the least by which the predicted SRAM exceeds the counted one, in bytes; None if the
            table has none.
        slack: by how much it can exceed it at most, in bytes.
    """

    network: str
    config: str
    widths: int
    repeats: int
    different: int
    checks: int
    exact: int
    least_percent: float
    most_percent: float
    sram_over: tuple[int, int] | None
    slack: int | None


@dataclass(frozen=True)
class Pruned:
    """One network under one budget.

    Attributes:
        network: its name.
        budget: the budget.
        value: the value of the choice as a share of that of the full network.
        macs_share: its MACs as a share of those of the full network.
        predicted: cycles by the table; None for widths that it does not state.
        counted: cycles by Vela: for the exported file of the budget of cycles, for a file that is cut for others.
        capacity: the cycles that may be used.
    """

    network: str
    budget: str
    value: float
    macs_share: float
    predicted: int | None
    counted: int | None
    capacity: int


def table_of(model: Path, config: str, points: int, out: Path) -> DeviceTable:
    """The table of a network, made once."""
    path = out / f"{model.stem}-{config}-{points}.json"
    if path.exists() and (known := load_device_table(path)).complete:
        return known
    table = measure_latency(model, path, on="ethos-u", config=config, points=points, checks=CHECKS, verbose=0)
    assert isinstance(table, DeviceTable)
    return table


def exactness(name: str, table: DeviceTable) -> Exactness:
    """The largest differences between a table and the networks that were counted to check it."""
    off = [100 * (c.predicted["cycles"] / c.counted["cycles"] - 1) for c in table.checks]
    over = [c.predicted["npu_sram"] - c.counted["npu_sram"] for c in table.checks if "npu_sram" in table.peaks]
    return Exactness(
        network=name,
        config=str(table.config),
        widths=sum(map(len, table.widths.values())),
        repeats=table.repeats.equal + table.repeats.different,
        different=table.repeats.different,
        checks=len(off),
        exact=off.count(0.0),
        least_percent=min(off),
        most_percent=max(off),
        sram_over=(min(over), max(over)) if over else None,
        slack=table.peaks["npu_sram"].slack if over else None,
    )


def noise(shape: Sequence[int], out: Path) -> Path:
    """Random images on which int8 files are calibrated: cycles hardly depend on values."""
    path, random = out / "noise.npz", np.random.default_rng(0)
    x = random.random((8, *shape), np.float32)
    np.savez(path, x_train=x, y_train=np.arange(8) % 2, x_test=x, y_test=np.arange(8) % 2)
    return path


class Subject:
    """A model with its table, and the scores of its channels: by Taylor with data, by magnitude without."""

    def __init__(self, path: Path, data: Path | None, out: Path) -> None:
        self.path, self.data, self.out = path, data, out
        self.table = table_of(path, CONFIGURATIONS[0], PRUNED_POINTS, out)
        self.registry = Registry()
        self.framework: Framework = self.registry.default_framework()
        self.model = self.framework.load_model(path)
        self.network: Network = self.framework.inspect(self.model)
        self.costs = CostModel(measured=self.table.forms_for(self.network, 1))

    @cached_property
    def scores(self) -> ScoreTable:
        train = None
        if self.data is not None:
            dataset = load_data(str(self.data), self.framework, self.framework.input_shape(self.model), 0)
            checked = self.framework.check_data(self.model, dataset.train, Task(), "training data")
            assert isinstance(checked, Arrays)
            train = checked
        scorer = self.registry.create(Scorer, "magnitude" if train is None else "taylor")
        return score(scorer, self.framework, self.model, self.network, train, Task(), seed=0)

    def solved(self, resource: str, share: float, rules: WidthRules) -> tuple[dict[str, int], float]:
        """The best widths within a share of a resource, and their value as a share of that of the full network."""
        statement = Statement(self.network, self.costs, rules)
        (budget,) = parse_budgets([f"{resource}={share}"])
        solution = reds_core.solve(statement.formulate(self.scores, budget).problem, time_limit=60.0)
        assert solution.widths is not None
        assert solution.value is not None
        return dict(solution.widths), solution.value / FULL_VALUE

    def counted(self, choices: Sequence[dict[str, int]]) -> list[int]:
        """The cycles that Vela counts at some widths."""
        device = self.registry.create(Device, "ethos-u", {"ethos-u": self.table.options})
        counter = device.counter(self.framework, self.model, self.network, self.table.config)
        return [found.totals["cycles"] for found in counter.counted(choices)]

    def exported(self) -> reds_core.Plan:
        """A run without training under the budget of cycles, with an int8 file that is calibrated on noise or data."""
        path = self.out / f"{self.path.stem}-{CONFIGURATIONS[0]}-{PRUNED_POINTS}.json"
        settings = RunSettings(latency_table=str(path), scorer="taylor" if self.data else "magnitude")
        shape = [n or 1 for n in self.framework.input_shape(self.model)]
        calibration = None if self.data else str(noise(shape, self.out))
        return reds_core.prune(
            self.path,
            self.data,
            {"cycles": SHARE},
            out=self.out / f"{self.path.stem}-cycles",
            settings=settings,
            finetune_epochs=0,
            calibration=calibration,
            mode="resume",
        )


def compared(subject: Subject) -> list[Pruned]:
    """A network under a budget of cycles, and under budgets of MACs whose choices take no more cycles."""
    plan = subject.exported()
    (member,) = plan.subnetworks
    full_macs, capacity = plan.full.usage["macs"], int(SHARE * plan.full.usage["cycles"])
    device = member.devices[subject.table.on]
    name = subject.path.stem
    macs = member.usage["macs"] / full_macs
    rows = [
        Pruned(
            name,
            f"cycles={SHARE}",
            (member.value or 0) / FULL_VALUE,
            macs,
            member.usage["cycles"],
            device.cycles,
            capacity,
        )
    ]
    form = subject.costs.form(subject.network, "macs")
    offered = OfferedWidths.of(WidthRules(), subject.table.offered)
    for label, rules in (
        ("the same widths", offered),
        ("any width", WidthRules()),
        ("multiples of 8", WidthRules(align=8)),
    ):
        tried = [(share, *subject.solved("macs", share, rules)) for share in SHARES_OF_MACS]
        cycles = subject.counted([widths for _, widths, _ in tried])
        within = [
            (value, share, widths, n) for (share, widths, value), n in zip(tried, cycles, strict=True) if n <= capacity
        ]
        value, share, widths, n = max(within, key=lambda each: each[0])
        used = form.at(widths) / full_macs
        predicted = subject.table.forms()["cycles"].at(widths) if rules is offered else None
        rows.append(Pruned(name, f"macs={share:g}, {label}", value, used, predicted, n, capacity))
    return rows


def page(tables: Iterable[Exactness], choices: Iterable[Pruned]) -> str:
    """The page as Markdown."""
    lines = [
        "# Cycles of an NPU",
        "",
        "`python benchmarks/npu_tables.py` makes tables of cycles for Ethos-U NPUs and compares them with whole",
        f"networks that Vela counts: {CHECKS} subnetworks of random offered widths each. Cycles are estimates of Vela,",
        "not measurements.",
        "",
        "## Tables against whole networks",
        "",
        "*repeats* are figures of operators and tensors that were counted again at the same widths in another",
        "network. *exact* is for how many subnetworks the table states the cycles that Vela counts, and *error* the",
        "range of the others. Weights that take longer to fetch than the operator before runs are fetched in two",
        "parts, so that some operators depend on a third width; the larger figure is kept. The table bounds the SRAM",
        "in use from above; *SRAM over* is by how much it exceeded what was counted, in bytes, and *slack* the largest",
        "excess of the bound alone.",
        "",
        "| network | configuration | widths | repeats | different | exact | error of cycles | SRAM over | slack |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in tables:
        over = "–" if row.sram_over is None else f"{row.sram_over[0]} to {row.sram_over[1]}"
        slack = "–" if row.slack is None else row.slack
        error = f"{row.least_percent:+.2f} to {row.most_percent:+.2f} %"
        lines.append(
            f"| {row.network} | {row.config} | {row.widths} | {row.repeats} | {row.different} | "
            f"{row.exact} of {row.checks} | {error} | {over} | {slack} |"
        )
    lines += [
        "",
        "## A budget of cycles beside one of MACs",
        "",
        f"Networks on {CONFIGURATIONS[0]}, pruned without training. Budgets of MACs are tried in steps of 2 %, and the",
        "choice of most value is shown that takes no more cycles than the budget of cycles allows. *value* is the sum",
        "of the scores that are kept, as a share of that of the full network; *counted* is what Vela counts: for the",
        "exported int8 file under the budget of cycles, for a file that is cut to the widths under budgets of MACs.",
        "The value under the budget of cycles is that of the exported run, whose scores are taken on the training data",
        "without the tenth that is held back; those under budgets of MACs are by scores on all of it. By these, the",
        "choice within cycles=0.6 of the first network keeps 94.33 %, as in [budget-proxies.md](budget-proxies.md).",
        "",
        "| network | budget | value | MACs | cycles, predicted | counted | allowed |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in choices:
        predicted, counted = ("–" if n is None else f"{n:,}" for n in (row.predicted, row.counted))
        lines.append(
            f"| {row.network} | {row.budget} | {100 * row.value:.2f} % | {100 * row.macs_share:.1f} % | {predicted} | "
            f"{counted} | {row.capacity:,} |"
        )
    return "\n".join(lines) + "\n"


def given_folders(description: str) -> argparse.Namespace:
    """The folders and files that the command line names, of which that of tables is there afterwards."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/npu"), help="folder for tables")
    parser.add_argument("--models", type=Path, default=ASSETS / "models", help="the folder with the models")
    parser.add_argument(
        "--data", type=Path, default=ASSETS / "data" / "speech_commands.npz", help="the data of the first model"
    )
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    return given


def main() -> None:
    given = given_folders(str(__doc__))
    choices = [
        row
        for name, data in zip(PRUNED, (given.data, None), strict=True)
        for row in compared(Subject(given.models / name, data, given.out))
    ]
    tables = [
        exactness(Path(name).stem, table_of(given.models / name, config, POINTS, given.out))
        for name in NETWORKS
        for config in CONFIGURATIONS
    ]
    found = {"tables": [asdict(t) for t in tables], "choices": [asdict(c) for c in choices]}
    (given.out / "npu.json").write_text(json.dumps(found, indent=1) + "\n")
    text = page(tables, choices)
    print(text)
    if given.page is not None:
        given.page.write_text(text)


if __name__ == "__main__":
    main()
