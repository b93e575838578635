"""LiteRT as a device."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rapl_trees import PowercapTree
from reds_litert.footprint import content_of, footprint_of
from reds_litert.profile import LiteRt, ProfileOptions, median_ns
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.errors import InputError
from reds_core.testing import device_conformance


@device_conformance(lambda: LiteRt(ProfileOptions(repeats=5)), samples=TensorFlowFramework().samples()[:1])
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_the_latency_is_the_median_of_the_runs_after_warm_up_runs() -> None:
    calls: list[int] = []
    found = median_ns(lambda: calls.append(sum(range(100_000)) if len(calls) < 10 else 0), 21)
    assert len(calls) == 10 + 21
    assert 0 < found < 1e6


@pytest.mark.parametrize("content", [None, b"", bytes(64), b"nonsTFL3" * 9])
def test_damaged_files_are_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "m-int8.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="does not exist" if content is None else "cannot be read as a LiteRT model"):
        footprint_of(path, content_of(path))


def test_the_energy_is_that_of_the_processor_where_it_counts(small_family: Any, tmp_path: Path) -> None:
    path = tmp_path / "m-int8.tflite"
    path.write_bytes(small_family.of_full.int8)
    tree = PowercapTree(tmp_path / "powercap")
    device = LiteRt(ProfileOptions(repeats=5, powercap=str(tree.root)))
    found = device.profile(path)
    assert (found.energy, found.notes) == (None, ())
    zone, is_done = tree.zone("intel-rapl:0", "package-0"), threading.Event()

    def rise() -> None:
        while not is_done.wait(0.01):
            tree.add(zone, 100_000)

    thread = threading.Thread(target=rise)
    thread.start()
    try:
        found = device.profile(path)
    finally:
        is_done.set()
        thread.join()
    assert found.energy is not None
    assert found.energy.source == "rapl"
    assert found.energy.constants["inferences"] > 100
    most = 100_000 * (found.energy.constants["seconds"] / 0.01 + 1)  # a step lasts 10 ms or more
    assert 0 < found.energy.uJ * found.energy.constants["inferences"] <= most
    assert (found.energy.error_percent, found.notes) == (None, ())


def test_a_counter_that_cannot_be_read_is_said_and_leaves_no_energy(small_family: Any, tmp_path: Path) -> None:
    path = tmp_path / "m-int8.tflite"
    path.write_bytes(small_family.of_full.int8)
    tree = PowercapTree(tmp_path / "powercap")
    (tree.zone("intel-rapl:0", "package-0") / "energy_uj").write_text("")
    found = LiteRt(ProfileOptions(repeats=5, powercap=str(tree.root))).profile(path)
    assert found.energy is None
    assert [note.partition(" (")[0] for note in found.notes] == [
        f"energy is not measured: the energy counters in '{tree.root}' cannot be read"
    ]
