"""Keeps TensorFlow's and Keras's chatter off the terminal. Imports neither."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO


@contextmanager
def silenced() -> Iterator[None]:
    """Nothing that is written inside, from Python or C++, reaches stdout or stderr; Python warnings are dropped.

    For imports, loading, saving and conversion. Not for code that reports progress.
    """
    with ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w"))
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            stack.enter_context(_redirected(stream, descriptor, nowhere.fileno()))
        stack.enter_context(redirect_stdout(nowhere))
        stack.enter_context(redirect_stderr(nowhere))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


@contextmanager
def importing() -> Iterator[None]:
    """For imports of modules that import Keras or TensorFlow: silent, and with the logs of both turned down for good.

    Settings that the user made in the environment are kept.
    """
    if "tensorflow" in sys.modules and "keras" in sys.modules:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with silenced():
        yield
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def _redirected(stream: TextIO, descriptor: int, target: int) -> Iterator[None]:
    """The file descriptor, which C++ writes to, points to `target` inside; what Python holds back is written before."""
    stream.flush()
    try:
        saved = os.dup(descriptor)
    except OSError:  # closed, as under a daemon: nothing can be written to it
        yield
        return
    try:
        os.dup2(target, descriptor)
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
