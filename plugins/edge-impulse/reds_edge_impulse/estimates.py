"""Reads what Edge Impulse estimated for a file on a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from reds_core.errors import UnsupportedError
from reds_core.framework import Profile
from reds_edge_impulse.connection import unreadable
from reds_edge_impulse.model_file import ModelFile

Engine = Literal["tflite", "eon", "eon-ram-optimized"]
"""What runs a model on a device: TensorFlow Lite for Microcontrollers, or code that Edge Impulse's EON Compiler writes,
as it is or for less RAM."""
NS_PER_MS = 1_000_000
SHORT = "Edge Impulse states the latency in whole milliseconds, and some files take less than one"


def profile_of(answer: Any, file: ModelFile, device: str, engine: Engine, shown: Callable[[str], str]) -> Profile:
    """Return the profile of a file from the answer of the service.

    Args:
        answer: What the service knows of the model.
        file: The file.
        device: The device that was asked for.
        engine: Of which engine memory is taken. Latency is the same for all.
        shown: Makes a text of the service fit to be shown.

    Raises:
        UnsupportedError: If the service could not profile the file, or says that the device cannot run it.
        UnavailableError: If the answer cannot be read.
    """
    model = answer.model
    if model is None:
        raise unreadable("it lacks the field model")
    if model.profile_job_failed:
        raise _unsupported(f"Edge Impulse failed to profile '{file.path}'")
    kinds = model.profile_info
    found = None if kinds is None else getattr(kinds, file.numbers)
    if found is None:
        raise _unsupported(f"Edge Impulse has no profile of '{file.path}' on {device}")
    if found.is_supported_on_mcu is False or found.profiling_error:
        reason = found.profiling_error or found.mcu_support_error or "no reason is given"
        raise _unsupported(f"'{file.path}' cannot run on {device} ({shown(str(reason)).rstrip('.')})")
    memory = None if found.memory is None else getattr(found.memory, engine.replace("-", "_"))
    latency_ms = _whole(found.time_per_inference_ms, "timePerInferenceMs", shown)
    profile = Profile(
        latency_ns=float(latency_ms * NS_PER_MS) if latency_ms else None,
        arena=None if memory is None else _whole(memory.arena_size, "arenaSize", shown),
        flash=None if memory is None else _whole(memory.rom, "rom", shown),
        operators=file.operators,
        macs=file.macs,
        notes=(SHORT,) if latency_ms == 0 else (),
    )
    if found.has_performance is False and profile.latency_ns is None and memory is None:
        raise _unsupported(f"Edge Impulse has no figures for {device}")
    return profile


def _unsupported(what: str) -> UnsupportedError:
    return UnsupportedError(what, "look at the project in Edge Impulse Studio, or choose another device")


def _whole(value: object, name: str, shown: Callable[[str], str]) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise unreadable(f"{name} is {shown(repr(value))}")
    return value
