"""Suppression of TensorFlow's and Keras's output. This module imports neither at module level."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from reds_core.errors import UnavailableError
from reds_core.system import reason_of, silenced_output, silenced_warnings, stream_behind
from reds_tensorflow.allocation import keep_freed_memory
from reds_tensorflow.kernels import use_onednn

_LOGGERS = ("tensorflow", "absl")


@contextmanager
def silenced() -> Iterator[None]:
    """Suppress what the calling thread writes to stdout or stderr in the context, what C++ code writes, and warnings.

    Used for imports, loading, saving and conversion, but not for code that reports progress. Contexts of several
    threads may overlap.
    """
    with ExitStack() as stack:
        stack.callback(_release_loggers)
        stack.callback(_remove_added_handlers, tuple(logging.root.handlers))
        stack.enter_context(silenced_output())
        stack.enter_context(_silenced_loggers())
        stack.enter_context(silenced_warnings())
        yield


@contextmanager
def _silenced_loggers() -> Iterator[None]:
    """Context manager that drops what the calling thread logs.

    In notebooks, the logger of TensorFlow writes messages to a stream that it took when TensorFlow was imported.
    """
    here = threading.get_ident()

    def is_heard(record: logging.LogRecord) -> bool:
        return record.thread != here

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(is_heard)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_heard)


def _release_loggers() -> None:
    """Let loggers that were set up while output was suppressed write to stderr itself."""
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            stream = _suppressed_stream(handler)
            if stream is not None:
                handler.setStream(stream)  # type: ignore[attr-defined]


def _remove_added_handlers(present: Sequence[logging.Handler]) -> None:
    """Remove handlers that libraries added to the root logger, which would print the records of all loggers.

    The first message that TensorFlow logs through absl adds one. Whether records are printed is up to the program.

    Args:
        present: the handlers that the root logger had before.
    """
    for handler in tuple(logging.root.handlers):
        if handler not in present and _suppressed_stream(handler) is not None:
            logging.root.removeHandler(handler)


def _suppressed_stream(handler: logging.Handler) -> Any:
    """Return the stream behind a handler that was made while output was suppressed; None for other handlers."""
    stream = handler.stream if isinstance(handler, logging.StreamHandler) else None
    behind = None if stream is None else stream_behind(stream)
    return None if behind is stream else behind


@contextmanager
def importing() -> Iterator[None]:
    """Suppress output while modules that import Keras or TensorFlow are imported, and lower the log levels of both.

    A process that has not imported TensorFlow before computes with oneDNN and keeps the memory that it frees from here
    on, which both make training faster. Settings in the user's environment take precedence.

    Raises:
        UnavailableError: if TensorFlow or Keras cannot be imported, or Keras runs on another backend.
    """
    if _is_imported("tensorflow") and _is_imported("keras"):
        _check_backend()
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # the variable takes precedence over the backend in ~/.keras/keras.json
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise UnavailableError(f"reds needs Keras on TensorFlow (KERAS_BACKEND is '{backend}')", "unset KERAS_BACKEND")
    if not _is_imported("tensorflow"):
        keep_freed_memory()
        use_onednn()
    with silenced():
        _import("tensorflow", "TensorFlow")
        _import("keras", "Keras")
        _check_backend()
        yield
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def _is_imported(module: str) -> bool:
    """Whether a module is imported completely, and not only begun by another thread."""
    found = sys.modules.get(module)
    return found is not None and not getattr(getattr(found, "__spec__", None), "_initializing", False)


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
