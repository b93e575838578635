"""Networks built in another precision than Keras's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def precision(floatx: str) -> Iterator[None]:
    """Build layers in `floatx` inside the block.

    The session is cleared before and after: Keras keeps the policy of the first layer it ever built.
    """
    before = keras.config.floatx()
    keras.utils.clear_session()
    keras.config.set_floatx(floatx)
    try:
        yield
    finally:
        keras.utils.clear_session()
        keras.config.set_floatx(before)
