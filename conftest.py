"""What every test of the repository needs."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from reds_tensorflow.kernels import use_onednn

from reds_core.plugin import installed_entry_points

use_onednn()  # as runs do; many tests import TensorFlow before reds does, which would be too late


def pytest_collection_finish() -> None:
    """Take what libraries and collected tests hold out of garbage collection, which would search it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _installed_plugins_are_looked_up_anew() -> Iterator[None]:
    """Tests that pretend other plugins are installed leave no trace in those after them."""
    installed_entry_points.cache_clear()
    yield
    installed_entry_points.cache_clear()
