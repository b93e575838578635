"""Puts tests/support on the path, and starts the stand-in for Edge Impulse."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.append(str(Path(__file__).parent / "support"))

if TYPE_CHECKING:
    from stand_in import StandIn


@pytest.fixture
def service(installed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The stand-in, with the environment variables that name it. Its complaints fail the test."""
    import reds_edge_impulse.project
    from stand_in import KEY, StandIn

    monkeypatch.setattr(reds_edge_impulse.project, "FIRST_PAUSE_S", 0.01)
    with StandIn() as running:
        monkeypatch.setenv("EI_API_KEY", KEY)
        monkeypatch.setenv("EI_API_ENDPOINT", running.endpoint)
        yield running
    assert running.complaints == []


@pytest.fixture
def int8_file(tmp_path: Path) -> Path:
    """A file of int8 numbers."""
    from model_files import dense

    path = tmp_path / "small-int8.tflite"
    path.write_bytes(dense(12, 4, is_int8=True))
    return path


@pytest.fixture
def float_file(tmp_path: Path) -> Path:
    """A file of float32 numbers."""
    from model_files import dense

    path = tmp_path / "small.tflite"
    path.write_bytes(dense(12, 4, is_int8=False))
    return path


@pytest.fixture
def installed() -> None:
    """Skip the test where the client of Edge Impulse is not installed; it is not imported to find out."""
    from reds_edge_impulse.device import EdgeImpulse

    if missing := EdgeImpulse.missing():
        pytest.skip(f"{', '.join(missing)} is not installed")
