"""The framework class: what it imports and when, what it owns, and how quiet it is."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from reds_tensorflow import reds_frameworks
from reds_tensorflow.framework import TensorFlowFramework
from reds_tensorflow.quiet import silenced

from reds_core.framework import Framework


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter with nothing set that would quiet TensorFlow."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS"))}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)


def test_the_hook_offers_the_framework() -> None:
    assert list(reds_frameworks()) == [TensorFlowFramework]
    assert issubclass(TensorFlowFramework, Framework)


def test_nothing_of_tensorflow_is_imported_before_it_is_needed() -> None:
    code = """
import sys
from reds_core.framework import Framework
from reds_core import Registry
framework = Registry().create(Framework, "tensorflow")
assert not framework.owns(object())
assert set(framework.library_versions()) == {"tensorflow", "keras", "ai-edge-litert"}
print([name for name in ("tensorflow", "keras", "h5py", "ai_edge_litert") if name in sys.modules])
"""
    assert run(code).stdout == "[]\n"


def test_a_first_use_in_a_fresh_interpreter_is_silent() -> None:
    code = """
import sys
from pathlib import Path
from reds_core.errors import InputError
from reds_tensorflow.framework import TensorFlowFramework
try:
    TensorFlowFramework().load_model(Path("missing.keras"))
except InputError:
    pass
assert "tensorflow" in sys.modules and "keras" in sys.modules
import tensorflow
tensorflow.ones(3)
"""
    done = run(code)
    assert (done.stdout, done.stderr) == ("", "")


def test_it_owns_keras_models() -> None:
    framework = TensorFlowFramework()
    assert framework.owns(keras.Sequential([keras.layers.Dense(2)]))
    assert not framework.owns(keras.layers.Dense(2))


def test_silenced_covers_python_and_descriptors_and_ends(capfd: pytest.CaptureFixture[str]) -> None:
    with silenced():
        print("python")
        print("python", file=sys.stderr)
        os.write(1, b"descriptor")
        os.write(2, b"descriptor")
    print("after")
    os.write(2, b"after")
    assert capfd.readouterr() == ("after\n", "after")


def test_silenced_lets_errors_through(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), silenced():
        1 / 0  # noqa: B018
    print("after")
    assert capfd.readouterr().out == "after\n"


def test_a_model_goes_through_the_framework(tmp_path: Path) -> None:
    framework = TensorFlowFramework()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, name="a"), keras.layers.Dense(2)])
    framework.save_model(model, tmp_path / "model.keras")
    loaded = framework.load_model(tmp_path / "model.keras")
    network = framework.inspect(loaded)
    small = framework.extract(loaded, network, {"a": [0, 5]})
    assert [w.shape for w in framework.weights(small, network)] == [(4, 2), (2,), (2, 2), (2,)]


def test_a_logger_that_is_set_up_while_output_is_suppressed_writes_to_stderr_afterwards() -> None:
    logger = logging.getLogger("tensorflow")
    with silenced():
        handler = logging.StreamHandler(sys.stderr)
        logger.addHandler(handler)
    try:
        assert handler.stream is sys.stderr
    finally:
        logger.removeHandler(handler)
