"""Writes the tables and the figure of docs/results/dynamic.md from the records of benchmarks/dynamic.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev

from dynamic_records import ALL, ARMS, WIDTH, WIDTH_BITS, DynamicRecord, EarlyExit, MemberFigures
from page_sections import put

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "dynamic.md"
TITLES = {WIDTH: "widths", WIDTH_BITS: "widths and bits", ALL: "exits, widths and bits"}
COLOURS = {WIDTH: "tab:blue", WIDTH_BITS: "tab:orange", ALL: "tab:green"}
COST_SHARES = (0.4, 0.5, 0.6, 0.75, 0.9, 1.0)
"""The mean costs at which early exit is tabulated, as shares of the MACs of the given network."""


def write_page(records: Sequence[DynamicRecord], page: Path) -> None:
    """Replace the tables of the page, and draw its figure beside it."""
    put(page, "members", members_table(records))
    put(page, "early", early_table(records))
    put(page, "store", store_table(records))
    draw(records, page.with_suffix(".svg"))


def mean_text(values: Iterable[float]) -> str:
    """Return the mean in percent, and the standard deviation if there are several values."""
    known = [100 * value for value in values]
    return f"{fmean(known):.1f}" if len(known) < 2 else f"{fmean(known):.1f} ± {stdev(known):.1f}"


def members_table(records: Sequence[DynamicRecord]) -> str:
    """Return the members of each kind of family: what they use, where they end, and their accuracy."""
    lines = [
        "| network | decided | member | MACs (%) | ends at | kernels of 4 bits (%) | accuracy (%) | seeds |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for network, arm, own in _families(records):
        for place, member in enumerate(own[0].members):
            found = [record.members[place] for record in own]
            macs = fmean(100 * each.macs / record.full_macs for each, record in zip(found, own, strict=True))
            ends = ", ".join(sorted({each.exit or "the end" for each in found}))
            bits = "-" if arm == WIDTH else f"{fmean(100 * each.fewer_bits / each.kernels for each in found):.0f}"
            accuracy = mean_text(each.accuracy for each in found)
            cells = (network, TITLES[arm], member.name, f"{macs:.1f}", ends, bits, accuracy, str(len(own)))
            lines.append(f"| {' | '.join(cells)} |")
        after = mean_text(record.after for record in own)
        lines.append(f"| {network} | {TITLES[arm]} | full | 100 | the end | - | {after} | {len(own)} |")
    return "\n".join(lines)


def at_cost(points: Sequence[EarlyExit], macs: float) -> EarlyExit | None:
    """Return the most expensive thresholds of a curve within a mean cost on held-back data, or None."""
    within = [point for point in points if point.macs_held_back <= macs]
    return max(within, key=lambda point: point.macs_held_back) if within else None


def early_table(records: Sequence[DynamicRecord]) -> str:
    """Return the accuracy of early exit at some mean costs, by each measure of confidence."""
    lines = [
        f"| network | confidence | {' | '.join(f'{share:.0%}' for share in COST_SHARES)} |",
        "| --- | --- |" + " ---: |" * len(COST_SHARES),
    ]
    for network, _, own in _families(records, (ALL,)):
        for measure in dict.fromkeys(point.measure for point in own[0].early):
            cells = []
            for share in COST_SHARES:
                curves = ([p for p in record.early if p.measure == measure] for record in own)
                found = [at_cost(c, share * r.full_macs) for c, r in zip(curves, own, strict=True)]
                known = [point.accuracy for point in found if point is not None]
                cells.append(mean_text(known) if len(known) == len(own) else "-")
            lines.append(f"| {network} | {measure} | {' | '.join(cells)} |")
        cells = []
        for exit_ in range(len(own[0].exits)):
            macs = fmean(record.exits[exit_].macs / record.full_macs for record in own)
            cells.append(f"{macs:.0%}: {mean_text(record.exits[exit_].accuracy for record in own)}")
        lines.append(f"| {network} | every example at one exit | {'; '.join(cells)} |" + " |" * (len(COST_SHARES) - 1))
    return "\n".join(lines)


def store_table(records: Sequence[DynamicRecord]) -> str:
    """Return the bytes of one store beside those of a store for each network."""
    lines = ["| network | decided | one store (KiB) | apart (KiB) | ratio |", "| --- | --- | ---: | ---: | ---: |"]
    for network, arm, own in _families(records):
        known = [(r.store_bytes, r.apart_bytes) for r in own if r.store_bytes and r.apart_bytes]
        if known:
            one, apart = (fmean(column) / 1024 for column in zip(*known, strict=True))
            lines.append(f"| {network} | {TITLES[arm]} | {one:.1f} | {apart:.1f} | {apart / one:.2f} |")
    return "\n".join(lines)


def draw(records: Sequence[DynamicRecord], path: Path) -> None:
    """Draw accuracy against mean MACs: members, exits that all examples take, and early exit by confidence."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "reds"  # names in the file are the same each time
    networks = list(dict.fromkeys(record.network for record in records))
    figure, panels = pyplot.subplots(
        1, len(networks), figsize=(5.4 * len(networks), 4.2), squeeze=False, layout="constrained"
    )
    for axes, network in zip(panels[0], networks, strict=True):
        axes.set_title(network)
        axes.set_xlabel("mean MACs (% of the given network)")
        axes.set_ylabel("accuracy on test data (%)")
        axes.grid(alpha=0.3)
        for _, arm, own in _families([record for record in records if record.network == network]):
            points = [_mean_point(own, [record.members[i] for record in own]) for i in range(len(own[0].members))]
            points.append((100.0, fmean(100 * record.after for record in own)))
            axes.plot(*zip(*points, strict=True), marker="o", color=COLOURS[arm], label=TITLES[arm])
            if arm == ALL:
                axes.plot(
                    *zip(*_early_points(own), strict=True),
                    linestyle="--",
                    color="tab:red",
                    label="early exit by margin",
                )
                axes.plot(
                    *zip(*_exit_points(own), strict=True), "x", color="tab:purple", label="every example at one exit"
                )
        axes.legend(loc="lower right", fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def _early_points(own: Sequence[DynamicRecord]) -> list[tuple[float, float]]:
    """Return mean cost and accuracy of early exit by the margin, averaged over seeds at equal held-back costs."""
    points = []
    for share in range(30, 101, 2):
        curves = ([p for p in record.early if p.measure == "margin"] for record in own)
        found = [at_cost(c, share / 100 * r.full_macs) for c, r in zip(curves, own, strict=True)]
        known = [each for each in found if each is not None]
        if len(known) == len(own):
            macs = fmean(100 * each.macs / r.full_macs for each, r in zip(known, own, strict=True))
            points.append((macs, fmean(100 * each.accuracy for each in known)))
    return points


def _exit_points(own: Sequence[DynamicRecord]) -> list[tuple[float, float]]:
    """Return the cost and accuracy of each exit of the full network that all examples take."""
    return [_mean_point(own, [record.exits[i] for record in own]) for i in range(len(own[0].exits))]


def _mean_point(own: Sequence[DynamicRecord], found: Sequence[MemberFigures]) -> tuple[float, float]:
    """Return the mean cost, in percent of the given network, and the mean accuracy in percent."""
    macs = fmean(100 * each.macs / record.full_macs for each, record in zip(found, own, strict=True))
    return macs, fmean(100 * each.accuracy for each in found)


def _families(
    records: Sequence[DynamicRecord], arms: Sequence[str] = ARMS
) -> list[tuple[str, str, list[DynamicRecord]]]:
    """Return the records of each network and arm that has any, in the order of the page."""
    found = defaultdict(list)
    for record in records:
        found[record.network, record.arm].append(record)
    networks = dict.fromkeys(record.network for record in records)
    return [(network, arm, found[network, arm]) for network in networks for arm in arms if found[network, arm]]
