"""Plans of pruning runs as they may come out, with files of the sizes that they say, and their reports."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from html_pages import Page

from reds_core.plan import (
    LEVELS_FORMAT,
    Accuracy,
    ExtractionRecord,
    FullAccuracy,
    FullRecord,
    GroupRecord,
    Hashes,
    Plan,
    StepRecord,
    SubnetworkRecord,
)
from reds_core.report import units, write_report
from reds_core.search_records import DropRecord, MaxDropRecord

DS_CNN_S = {"conv2d": 64, "depthwise_1": 64, "depthwise_2": 64, "depthwise_3": 64, "pointwise_4": 64}
RESNET = {f"stage{1 + i // 5}/block{i % 5}/conv": 16 * 2 ** (i // 5) for i in range(20)}
SIXTY = {f"conv4_block{i}_2_conv": 8 + 4 * i for i in range(60)}
FULL_MACS, FULL_PARAMS, FULL_PEAK_RAM = 2_656_768, 23_756, 16_384
FULL_USAGE = {"macs": FULL_MACS, "params": FULL_PARAMS, "peak_ram": FULL_PEAK_RAM}
KERAS_SIZE, LITERT_SIZE, INT8_SIZE = 161_234, 96_532, 34_816


def named_files(keras: str, tflite: str, int8: str) -> dict[str, str | None]:
    return {"keras": keras, "tflite": tflite, "tflite_int8": int8}


def subnetwork(fraction: float, channels: Mapping[str, int], **changes: Any) -> SubnetworkRecord:
    """A subnetwork of about `fraction` of the MACs, found without proof and measured, but for `changes`."""
    name = f"{100 * fraction:g}"
    wave = [1 + 0.5 * math.sin(1.7 * i) * (1 - fraction) for i in range(len(channels))]
    share = [min(1.0, math.sqrt(fraction) * w) for w in wave]
    widths = {g: max(1, round(n * s)) for (g, n), s in zip(channels.items(), share, strict=True)}
    record = SubnetworkRecord(
        name=name,
        budget={"macs": fraction},
        widths=widths,
        kept={g: tuple(range(w)) for g, w in widths.items()},
        usage={
            "macs": int(FULL_MACS * fraction) - 1234,
            "params": int(FULL_PARAMS * (0.1 + 0.9 * fraction)),
            "peak_ram": int(FULL_PEAK_RAM * (0.4 + 0.6 * fraction)),
        },
        value=int(2**31 * fraction**0.5),
        bound=None,
        status="feasible",
        solver="greedy",
        wall_s=0.0123,
        accuracy=Accuracy(
            before=0.12 + 0.8 * fraction**2,
            after=0.9431 - 0.032 * (1 - fraction) ** 2,
            exported={
                "tflite": 0.9429 - 0.032 * (1 - fraction) ** 2,
                "tflite_int8": 0.9402 - 0.035 * (1 - fraction) ** 2,
            },
        ),
        files=named_files(f"subnet-{name}.keras", f"subnet-{name}.tflite", f"subnet-{name}-int8.tflite"),
    )
    return dataclasses.replace(record, **changes)


def proven(fraction: float, channels: Mapping[str, int], **changes: Any) -> SubnetworkRecord:
    """The same, proven optimal by dp; nesting costs up to a third of a percent."""
    value = int(2**31 * fraction**0.5)
    free = int(value * 1.0033)
    settings: dict[str, Any] = {"bound": value, "gap": 0.0, "status": "optimal", "solver": "dp"}
    return subnetwork(fraction, channels, **{**settings, "bound_independent": free, **changes})


def plan_of(channels: Mapping[str, int], subnetworks: Sequence[SubnetworkRecord], **changes: Any) -> Plan:
    """A plan with one step and usual options, but for `changes`."""
    plan = Plan(
        full=FullRecord(FULL_USAGE, FullAccuracy(0.9437, 0.9446)),
        groups=tuple(GroupRecord(g, n, (g, f"{g}_bn", f"{g}_relu")) for g, n in channels.items()),
        subnetworks=tuple(subnetworks),
        pruner="nested",
        scorer="taylor",
        steps=(StepRecord(0, "decide all groups", tuple(channels), {}, 0.21, 74.6),),
        seed=0,
        options={
            "model": "models/arm_kws_ds_cnn_s.keras",
            "data": "speech_commands.npz",
            "budget": ["macs=0.75,0.5,0.25"],
            "finetune-epochs": 10,
            "solver": "auto",
            "time-limit": 60.0,
            "threads": None,
            "resume": False,
        },
        versions={"reds": "0.1.0", "keras": "3.15.0", "tensorflow": "2.21.0", "numpy": "2.2.1"},
        hashes=Hashes("0f" * 32, "a7" * 32),
    )
    return dataclasses.replace(plan, **changes)


def complete() -> Plan:
    """DS-CNN S at 75, 50 and 25 %: one proven, one with a gap, one without a bound."""
    quarter = proven(0.25, DS_CNN_S, bound_independent=2**30)
    half = proven(0.5, DS_CNN_S, status="feasible", bound=int(2**31 * 0.5**0.5 * 1.0031), gap=0.0031, solver="cpsat")
    return plan_of(DS_CNN_S, [quarter, half, subnetwork(0.75, DS_CNN_S)])


def deep() -> Plan:
    """A residual network of 20 groups, decided in 4 steps, under two budgets."""
    records = []
    for fraction in (0.25, 0.5):
        record = proven(fraction, RESNET)
        record = dataclasses.replace(
            record,
            budget={"macs": fraction, "peak_ram": 12 * 1024, "latency": 2_000_000},
            usage={**record.usage, "latency": int(2_000_000 * fraction)},
        )
        records.append(record)
    names = list(RESNET)
    steps = [StepRecord(i, f"stage {i + 1}", tuple(names[5 * i : 5 * i + 5]), {}, 1.5 + i, 61.0 * i) for i in range(4)]
    return plan_of(RESNET, records, steps=tuple(steps), pruner="layerwise")


def with_levels() -> Plan:
    """DS-CNN S at 50 and 25 %, with weights of 4 bits in some layers, more of them in the smaller subnetwork."""
    records = []
    for fraction, low in ((0.25, 4), (0.5, 2)):
        settings = {layer: {"weight_bits": 4 if i < low else 8} for i, layer in enumerate(DS_CNN_S)}
        records.append(proven(fraction, DS_CNN_S, settings=settings))
    return plan_of(DS_CNN_S, records, format=LEVELS_FORMAT)


def without_data() -> Plan:
    """Pruned by magnitude, nothing measured."""
    records = [proven(f, DS_CNN_S, accuracy=Accuracy()) for f in (0.25, 0.5)]
    full = FullRecord(FULL_USAGE)
    return plan_of(DS_CNN_S, records, full=full, scorer="magnitude", hashes=Hashes("0f" * 32))


ODD = (
    "<script>alert(1)</script>",
    "a/b",
    "$x^$",
    "quote\"'&amp;",
    "bell\x07\x1b[31m",
    "ns:é漢字",
    "long/" * 30,
    "lone\ud800",
)


def odd() -> Plan:
    """Names that no one should trust."""
    channels = dict.fromkeys(ODD, 16)
    record = subnetwork(0.5, channels, name=ODD[0], solver=ODD[0], budget={"macs": 0.5, ODD[0]: 7.0})
    record = dataclasses.replace(record, usage={**record.usage, ODD[0]: 6, "$x^$": 3})
    return plan_of(
        channels,
        [record],
        pruner=ODD[0],
        scorer="[bold]x[/bold]",
        options={"model": "javascript:alert(1)//<img src=http://x.example/>", ODD[4]: {"k": [1, None, float("nan")]}},
        versions={name: name for name in ODD},
        steps=(StepRecord(0, ODD[0], ODD, {}),),
    )


def one_budget() -> Plan:
    return plan_of(DS_CNN_S, [proven(0.5, DS_CNN_S)])


def searched() -> Plan:
    """Half of the MACs, found as the least that loses at most a point; nothing was found at the smallest budget."""

    def tried(fraction: float, drop_points: float | None, epochs: int) -> DropRecord:
        usage = {} if drop_points is None else {name: int(fraction * used) for name, used in FULL_USAGE.items()}
        accuracy = None if drop_points is None else 0.9 - drop_points / 100
        return DropRecord({"macs": fraction}, usage, accuracy, drop_points, epochs, 12.5 * epochs)

    probes = (tried(0.52, 0.75, 2), tried(0.26, 4.0, 2), tried(0.02, None, 2))
    record = MaxDropRecord(1.0, "macs", 400, 0.9, probes, (tried(0.5, 1.5, 10), tried(0.52, -0.25, 10)))
    return plan_of(DS_CNN_S, [proven(0.52, DS_CNN_S)], max_drop=record)


def extended() -> Plan:
    """Members at 40 and 90 % were added after the run: the first without training, the second trained by itself."""
    untrained, trained = ExtractionRecord("50", 0), ExtractionRecord("full", 1)
    added = {0.25: None, 0.4: untrained, 0.5: None, 0.9: trained}
    return plan_of(DS_CNN_S, [proven(f, DS_CNN_S, extraction=extraction) for f, extraction in added.items()])


def sixty_groups() -> Plan:
    return plan_of(SIXTY, [proven(f, SIXTY) for f in (0.125, 0.25, 0.5, 0.75, 0.9)])


def nothing_known() -> Plan:
    """The least that the format allows; figures that are not numbers among it."""
    record = SubnetworkRecord("64KiB", {"peak_ram": 65536}, {}, {}, {}, accuracy=Accuracy(after=float("nan")))
    full = FullRecord(dict.fromkeys(FULL_USAGE, 0))
    return plan_of({}, [record], full=full, steps=(), options={}, versions={}, hashes=Hashes())


def no_subnetwork() -> Plan:
    return plan_of(DS_CNN_S, [])


PLANS = (
    complete,
    deep,
    with_levels,
    without_data,
    odd,
    one_budget,
    searched,
    extended,
    sixty_groups,
    nothing_known,
    no_subnetwork,
)


def write_files(plan: Plan, folder: Path) -> None:
    """Files of the sizes that a run of this size has, zeros within."""
    (folder / "nested.keras").write_bytes(bytes(2 * KERAS_SIZE))
    for index, record in enumerate(plan.subnetworks, start=1):
        for name, size in zip(record.files.values(), (KERAS_SIZE, LITERT_SIZE, INT8_SIZE), strict=False):
            if name is not None and "/" not in name:
                (folder / name).write_bytes(bytes(size * index // len(plan.subnetworks)))


THIN = units.THIN


def html_of(plan: Plan, folder: Path) -> str:
    write_files(plan, folder)
    return write_report(plan, folder).read_text(encoding="utf-8")


def page_of(plan: Plan, folder: Path) -> Page:
    return Page(html_of(plan, folder))


RESULTS, SEARCH, CHANNELS = (
    "The full network and its subnetworks",
    "What the search found",
    "Channels kept in each group",
)
