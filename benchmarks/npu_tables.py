"""Tables of cycles of an NPU: are they exact, and what does a budget of cycles gain over one of MACs?

    python benchmarks/npu_tables.py --out FOLDER --models FOLDER [--data FILE.npz] [--page docs/results/npu.md]

Networks are counted by Arm's compiler Vela for three configurations of Ethos-U NPUs. Subnetworks of random offered
widths are counted as a whole, beside what the table says. Then networks are pruned without training to a share of the
cycles of the full network, and to the MACs at which a network of the same scores takes as many cycles. Each exported
file is counted again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import reds_core
from reds_core import RunSettings
from reds_core.cost import DeviceTable, load_device_table
from reds_core.runs.latency import measure_latency

NETWORKS = ("arm_kws_ds_cnn_s.keras", "mlperf_tiny_resnet8_cifar10.h5", "mlperf_tiny_vww_96.keras")
CONFIGURATIONS = ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")
PRUNED = ("arm_kws_ds_cnn_s.keras", "mlperf_tiny_vww_96.keras")
SHARE = 0.6
CHECKS = 10
POINTS = 8
"""The most widths of each group for the tables that are only checked."""


@dataclass(frozen=True)
class Exactness:
    """One table against whole networks.

    Attributes:
        network, config: what was counted, and on which configuration.
        widths: the number of offered widths of all groups.
        repeats, different: how many figures of parts were counted again in another network, and how many differed.
        cycles_off: the largest difference of cycles over the checks, counted less predicted.
        sram_over: the largest and the least by which the predicted SRAM exceeds the counted one, in bytes; None if the
            table has none.
        slack: by how much it can exceed it at most, in bytes.
    """

    network: str
    config: str
    widths: int
    repeats: int
    different: int
    cycles_off: int
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
        predicted, counted: cycles by the table, and by Vela for the exported file; None if there is none.
        capacity: the cycles that may be used.
    """

    network: str
    budget: str
    value: float
    macs_share: float
    predicted: int
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


def exactness(table: DeviceTable) -> Exactness:
    """The largest differences between a table and the networks that were counted to check it."""
    off = max((c.counted["cycles"] - c.predicted["cycles"] for c in table.checks), key=abs)
    over = [c.predicted["npu_sram"] - c.counted["npu_sram"] for c in table.checks if "npu_sram" in c.predicted]
    return Exactness(
        network=table.network,
        config=str(table.config),
        widths=sum(map(len, table.widths.values())),
        repeats=table.repeats.equal + table.repeats.different,
        different=table.repeats.different,
        cycles_off=off,
        sram_over=(min(over), max(over)) if over else None,
        slack=table.peaks["npu_sram"].slack if over else None,
    )


def pruned(model: Path, data: Path | None, table: Path, budgets: Mapping[str, object], out: Path) -> reds_core.Plan:
    """A run without training on a network, whose table offers the widths."""
    scorer = "magnitude" if data is None else "taylor"
    settings = RunSettings(latency_table=str(table), scorer=scorer)
    calibration = "random" if data is None else None
    return reds_core.prune(
        model, data, budgets, out=out, settings=settings, finetune_epochs=0, calibration=calibration, mode="resume"
    )


def compared(model: Path, data: Path | None, out: Path) -> list[Pruned]:
    """A network under a budget of cycles, and under the budget of MACs whose choice takes as many cycles."""
    config = CONFIGURATIONS[0]
    table = table_of(model, config, 16, out)
    path = out / f"{model.stem}-{config}-16.json"
    by_cycles = pruned(model, data, path, {"cycles": SHARE}, out / f"{model.stem}-cycles")
    capacity = int(SHARE * by_cycles.full.usage["cycles"])
    shares = [round(0.02 * step, 2) for step in range(5, 48)]
    by_macs = pruned(model, data, path, {"macs": shares}, out / f"{model.stem}-macs")
    within = [member for member in by_macs.subnetworks if member.usage["cycles"] <= capacity]
    best = max(within, key=lambda member: member.usage["macs"])
    full = 2.0**31
    rows = []
    for name, plan, member in ((f"cycles={SHARE}", by_cycles, by_cycles.subnetworks[0]), ("macs", by_macs, best)):
        device = member.devices.get(table.on)
        rows.append(
            Pruned(
                network=model.stem,
                budget=name if name != "macs" else f"macs={member.budget['macs']}",
                value=(member.value or 0) / full,
                macs_share=member.usage["macs"] / plan.full.usage["macs"],
                predicted=member.usage["cycles"],
                counted=None if device is None else device.cycles,
                capacity=capacity,
            )
        )
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
        "network. *cycles off* is the largest difference between the table and a whole network. The table bounds the",
        "SRAM in use from above; *SRAM over* is by how much it exceeded what was counted, in bytes, and *slack* by how",
        "much it can.",
        "",
        "| network | configuration | widths | repeats | of these different | cycles off | SRAM over | slack |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in tables:
        over = "–" if row.sram_over is None else f"{row.sram_over[0]} to {row.sram_over[1]}"
        lines.append(
            f"| {row.network} | {row.config} | {row.widths} | {row.repeats} | {row.different} | {row.cycles_off} | "
            f"{over} | {'–' if row.slack is None else row.slack} |"
        )
    lines += [
        "",
        "## A budget of cycles beside one of MACs",
        "",
        f"Networks on {CONFIGURATIONS[0]}, pruned without training. The MACs are the most at which the choice takes no",
        "more cycles than the budget of cycles allows. *value* is the sum of the scores that are kept, as a share of",
        "that of the full network; *counted* is what Vela counts for the exported int8 file.",
        "",
        "| network | budget | value | MACs | cycles, predicted | counted | allowed |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.network} | {row.budget} | {100 * row.value:.2f} % | {100 * row.macs_share:.1f} % | "
        f"{row.predicted:,} | {'–' if row.counted is None else f'{row.counted:,}'} | {row.capacity:,} |"
        for row in choices
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="the folder with the models")
    parser.add_argument("--data", type=Path, help="the data of the first model")
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    choices = [
        row
        for name, data in zip(PRUNED, (given.data, None), strict=True)
        for row in compared(given.models / name, data, given.out)
    ]
    tables = [
        exactness(table_of(given.models / name, config, POINTS, given.out))
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
