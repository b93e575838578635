"""Puts the supporting modules of the TensorFlow plugin's tests on the path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tensorflow" / "tests" / "support"))
