"""Suppression of TensorFlow's and Keras's output. This module imports neither at module level."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from reds_core.errors import UnavailableError
from reds_core.system import reason_of

_LOGGERS = ("tensorflow", "absl")


@contextmanager
def silenced() -> Iterator[None]:
    """Suppress everything that Python or C++ code writes to stdout or stderr in the context, and Python warnings.

    Used for imports, loading, saving and conversion, but not for code that reports progress.
    """
    with ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w"))
        stack.callback(_release_loggers, nowhere)
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            stack.enter_context(_redirected(stream, descriptor, nowhere.fileno()))
        stack.enter_context(redirect_stdout(nowhere))
        stack.enter_context(redirect_stderr(nowhere))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


def _release_loggers(stream: TextIO) -> None:
    """Let loggers that were set up while `stream` took the place of stderr write to stderr, since it will be closed."""
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is stream:
                handler.setStream(sys.stderr)


@contextmanager
def importing() -> Iterator[None]:
    """Suppress output while modules that import Keras or TensorFlow are imported, and lower the log levels of both.

    Settings in the user's environment take precedence.

    Raises:
        UnavailableError: if TensorFlow or Keras cannot be imported, or Keras runs on another backend.
    """
    if "tensorflow" in sys.modules and "keras" in sys.modules:
        _check_backend()
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # the variable takes precedence over the backend in ~/.keras/keras.json
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise UnavailableError(f"reds needs Keras on TensorFlow (KERAS_BACKEND is '{backend}')", "unset KERAS_BACKEND")
    with silenced():
        _import("tensorflow", "TensorFlow")
        _import("keras", "Keras")
        _check_backend()
        yield
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def _import(module: str, called: str) -> None:
    """Import a library, which may raise anything if its parts are incompatible with each other or the machine."""
    try:
        importlib.import_module(module)
    except Exception as error:
        raise UnavailableError(
            f"{called} cannot be imported ({reason_of(error)})",
            "reinstall it: pip install --force-reinstall 'reds-core[tensorflow]'",
        ) from error


def _check_backend() -> None:
    """Refuse Keras if it was imported earlier on another backend."""
    backend = sys.modules["keras"].config.backend()
    if backend != "tensorflow":
        raise UnavailableError(
            f"reds needs Keras on TensorFlow, and Keras was imported on '{backend}'",
            "set KERAS_BACKEND=tensorflow before Keras is imported",
        )


@contextmanager
def _redirected(stream: TextIO | None, descriptor: int, target: int) -> Iterator[None]:
    """Redirect a file descriptor, which C++ writes to, to `target` within the context, after flushing `stream`."""
    if stream is not None:  # None in a program without a console
        stream.flush()
    try:
        saved = os.dup(descriptor)
    except OSError:  # closed, for example in a daemon
        yield
        return
    try:
        os.dup2(target, descriptor)
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
