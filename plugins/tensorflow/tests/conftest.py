"""Puts tests/support on the path and turns TensorFlow's chatter off before any test imports it."""

import sys
from pathlib import Path

from reds_tensorflow.quiet import importing

sys.path.append(str(Path(__file__).parent / "support"))

with importing():
    import keras  # noqa: F401
