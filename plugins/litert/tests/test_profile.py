"""LiteRT as a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
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
