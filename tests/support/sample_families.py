"""Families of a few members with round figures, and folders of runs that hold nothing but a plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reds_core.framework.device import Energy
from reds_core.framework.profile_records import ProfileRecord, save_profiles
from reds_core.plan import Accuracy, FullAccuracy, FullRecord, Hashes, Plan, SubnetworkRecord, save_plan
from reds_core.runtime import Figures, Plant

SMALL, MIDDLE, LARGE = (
    Figures(1_000_000, 20_000, 700_000),
    Figures(2_000_000, 40_000, 800_000),
    Figures(4_000_000, 80_000, 850_000),
)
"""1, 2 and 4 mJ; 20, 40 and 80 ms; 70, 80 and 85 %."""
MEMBERS = (SMALL, MIDDLE, LARGE)


def plant(
    income_mJ: float | list[float],
    steps: int | None = None,
    *,
    capacity_mJ: float = 100.0,
    members: tuple[Figures, ...] = MEMBERS,
    requests: int | list[int] = 1,
    deadline_ms: float | list[float] = 500.0,
    leakage_mJ: float = 0.0,
    queue: int = 4,
    step_us: int = 1_000_000,
) -> Plant:
    """A device whose battery gets so much energy in each step."""
    count = steps if steps is not None else len(income_mJ)  # type: ignore[arg-type]

    def column(values: object, factor: float) -> np.ndarray:
        return np.rint(np.broadcast_to(np.array(values, float) * factor, count)).astype(np.int64)

    return Plant(
        members=members,
        capacity_nJ=round(capacity_mJ * 1e6),
        queue=queue,
        step_us=step_us,
        income_nJ=column(income_mJ, 1e6),
        leakage_nJ=column(leakage_mJ, 1e6),
        requests=column(requests, 1),
        deadline_us=column(deadline_ms, 1000),
        harvest_uW=column(income_mJ, 1e9 / step_us),
        temperature_mC=column(25, 1000),
    )


def subnetwork(name: str, macs: int, accuracy: float | None) -> SubnetworkRecord:
    return SubnetworkRecord(
        name=name,
        budget={"macs": 0.5},
        widths={"conv": 4},
        kept={"conv": (0, 1, 2, 3)},
        usage={"macs": macs, "params": 10, "peak_ram": 10},
        accuracy=Accuracy(after=accuracy, exported={"tflite_int8": accuracy}),
        files={"keras": f"subnet-{name}.keras", "tflite_int8": f"subnet-{name}-int8.tflite"},
    )


def saved_family(folder: Path, accuracies: tuple[float | None, ...] = (0.7, 0.8, 0.85)) -> Path:
    """Write the plan of a run with three networks of 1, 2 and 4 million MACs, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    small, middle, large = accuracies
    plan = Plan(
        full=FullRecord(
            {"macs": 4_000_000, "params": 40, "peak_ram": 40},
            FullAccuracy(after=large, exported={"tflite_int8": large}),
            {"tflite_int8": "full-int8.tflite"},
        ),
        groups=(),
        subnetworks=(subnetwork("25", 1_000_000, small), subnetwork("50", 2_000_000, middle)),
        pruner="nested",
        scorer="taylor",
        steps=(),
        seed=0,
        options={},
        versions={},
        hashes=Hashes(),
    )
    save_plan(plan, folder)
    return folder


def save_profile(folder: Path, on: str = "board", source: str = "rapl", *, energy: bool = True) -> None:
    """Write a profile of the three networks of `saved_family`: 1, 2 and 4 mJ; 20, 40 and 80 ms."""
    records = [
        ProfileRecord(
            file=f"subnet-{name}-int8.tflite" if name != "full" else "full-int8.tflite",
            member=name,
            on=on,
            latency_ns=20e6 * mJ,
            energy=Energy(1000.0 * mJ, source, "the meter of a test", about="energy of a test") if energy else None,
        )
        for name, mJ in (("25", 1), ("50", 2), ("full", 4))
    ]
    save_profiles(folder, records)
