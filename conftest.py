"""What every test of the repository needs."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from reds_tensorflow.kernels import use_onednn

from reds_core.plugin import installed_entry_points

use_onednn()  # as runs do; many tests import TensorFlow before reds does, which would be too late


def pytest_collection_finish() -> None:
    """Take what libraries and collected tests hold out of garbage collection, which would search it again and again.

    What tests make is searched more rarely than by default: graphs of TensorFlow are large, and many tests make some.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def _installed_plugins_are_looked_up_anew(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests that may pretend other plugins are installed see these, and leave no trace in those after them."""
    if "monkeypatch" not in request.fixturenames:  # looking them up takes as long as many a test
        yield
        return
    installed_entry_points.cache_clear()
    yield
    installed_entry_points.cache_clear()
