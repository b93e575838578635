"""Puts the random networks of the TensorFlow plugin's tests on the path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tensorflow" / "tests" / "support"))
