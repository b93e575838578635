"""A Keras on another backend, and a TensorFlow that does not load: told as that, in one sentence with status 2."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ERROR = re.compile(r"error: \S.*; \S.*[^.]")
BROKEN_TENSORFLOW = '''
raise ImportError("""Traceback (most recent call last):
  File "somewhere/pywrap_tensorflow.py", line 73, in <module>
ImportError: libcudart.so.12: cannot open shared object file: No such file or directory


Failed to load the native TensorFlow runtime.""")
'''


def inspect(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reds_core", "inspect", str(path)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
    )


def check_error(done: subprocess.CompletedProcess[str], why: str) -> None:
    last = done.stderr.rstrip("\n").rpartition("\n")[2]
    assert done.returncode == 2, done.stderr
    assert ERROR.fullmatch(last), done.stderr
    assert re.search(why, last), last
    assert "Traceback" not in done.stderr + done.stdout


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.keras"
    path.write_bytes(b"never read")
    return path


@pytest.mark.parametrize("backend", ["jax", "torch", "openvino", "numpy", "nonsense"])
def test_another_backend_is_refused(model: Path, backend: str) -> None:
    why = rf"reds needs Keras on TensorFlow \(KERAS_BACKEND is '{backend}'\); unset KERAS_BACKEND"
    check_error(inspect(model, KERAS_BACKEND=backend), why)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            BROKEN_TENSORFLOW,
            r"TensorFlow cannot be imported \(libcudart.so.12: cannot open.*\); reinstall it",
        ),
        ("raise TypeError('Descriptors cannot be created directly.')", "TensorFlow cannot be imported .Descriptors"),
    ],
)
def test_a_broken_tensorflow_is_no_bug_of_reds(model: Path, tmp_path: Path, content: str, why: str) -> None:
    package = tmp_path / "packages" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(content)
    check_error(inspect(model, PYTHONPATH=str(package.parent)), why)


@pytest.mark.slow
def test_a_backend_in_the_settings_of_keras_does_not_matter(model: Path, tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    command = [sys.executable, "-m", "reds_core", "inspect", str(model)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**environment, "KERAS_HOME": str(tmp_path)},
    )
    check_error(done, "is not a Keras model file")


def test_a_keras_that_was_imported_on_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras
    from reds_tensorflow.quiet import importing

    from reds_core.errors import UnavailableError

    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with (
        pytest.raises(UnavailableError, match="Keras was imported on 'jax'; set KERAS_BACKEND=tensorflow"),
        importing(),
    ):
        pass


def test_a_program_without_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    from reds_tensorflow.quiet import silenced

    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with silenced():
        print("nothing")
    assert sys.stdout is None
