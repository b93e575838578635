"""Traces that are generated: constant power, the sun, bursts of requests, and a harvester that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import BoolArray, FloatArray, IntArray
from reds_core.errors import InputError
from reds_core.runtime.trace import Trace

DAY_S = 86_400.0


@dataclass(frozen=True)
class TraceSettings:
    """What generated traces have in common.

    Attributes:
        mean_mW: The mean harvested power in milliwatts.
        deadline_ms: The time that a request may take, in milliseconds.
        duration_s: The length in seconds.
        step_s: The length of a step in seconds.
        seed: The seed of everything random.
    """

    mean_mW: float
    deadline_ms: float
    duration_s: float = DAY_S
    step_s: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse traces without steps, or with more than memory holds."""
        if not 0 < self.step_s <= DAY_S:
            raise InputError(f"a step cannot take {self.step_s:g} s", f"give more than 0, and at most {DAY_S:g}")
        if not 2 * self.step_s <= self.duration_s <= MOST_STEPS * self.step_s:
            raise InputError(
                f"a trace of {self.duration_s:g} s cannot be made of steps of {self.step_s:g} s",
                f"give a length of 2 to {MOST_STEPS} steps",
            )
        if not 0 <= self.mean_mW <= 1e9:
            raise InputError(f"{self.mean_mW:g} mW cannot be harvested", "give a power from 0 to 1e9 mW")
        if self.seed < 0:
            raise InputError(f"seed {self.seed} is below 0", "give a seed of 0 or more")
        if not 0 < self.deadline_ms <= 1e9:
            raise InputError(f"a deadline cannot be {self.deadline_ms:g} ms", "give more than 0, and at most 1e9")

    @property
    def steps(self) -> int:
        """The number of steps."""
        return int(self.duration_s / self.step_s + 1e-9)


MOST_STEPS = 20_000_000


def _constant(settings: TraceSettings, rng: np.random.Generator) -> Trace:
    return _trace(settings, "constant", np.full(settings.steps, settings.mean_mW))


LATITUDE_DEG = 47.0
DAY_OF_YEAR = 80
"""The equinox of March, from which the days of a trace are counted."""


def _solar(settings: TraceSettings, rng: np.random.Generator) -> Trace:
    seconds: FloatArray = np.arange(settings.steps, dtype=np.float64) * settings.step_s
    clear = clear_sky(seconds)
    clouds = _slow_noise(settings, rng, minutes=30.0)
    share = np.clip(0.75 + 0.35 * clouds, 0.1, 1.0)
    power = clear * share
    mean = power.mean()
    scaled = power * (settings.mean_mW / mean) if mean > 0 else power
    warm = 15.0 - 8.0 * np.cos(2 * np.pi * (seconds / DAY_S - 3 / 24))
    return _trace(settings, "solar", scaled, temperature=warm)


def clear_sky(seconds: FloatArray) -> FloatArray:
    """The irradiance of a horizontal panel under a clear sky, in W/m2, by the model of Haurwitz.

    It is 1098 cos(z) exp(-0.057 / cos(z)) with the zenith angle z of the sun, and 0 at night. The sun's declination is
    23.45 degrees times the sine of 360 degrees (284 + day) / 365 (Cooper), and noon is in the middle of each day.

    Args:
        seconds: The times since midnight at the beginning of the day `DAY_OF_YEAR`, float64 (times,).
    """
    day = DAY_OF_YEAR + np.floor(seconds / DAY_S)
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    hour = 2 * np.pi * (seconds / DAY_S - 0.5)
    latitude = np.radians(LATITUDE_DEG)
    height = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    above = np.maximum(height, 1e-3)
    irradiance: FloatArray = np.where(height > 1e-3, 1098.0 * above * np.exp(-0.057 / above), 0.0)
    return irradiance


def _bursts(settings: TraceSettings, rng: np.random.Generator) -> Trace:
    """Requests that come in bursts: on average as many as in other traces."""
    busy = _switching(settings, rng, on_s=30.0, off_s=90.0)
    share = max(float(busy.mean()), 1 / settings.steps)
    requests: IntArray = rng.poisson(np.where(busy, 1 / share, 0.0)).astype(np.int64)
    # the requests of a burst are urgent one half of the time
    urgent = _switching(settings, rng, on_s=600.0, off_s=600.0)
    deadline = np.where(urgent, settings.deadline_ms, 3 * settings.deadline_ms)
    return _trace(settings, "bursts", np.full(settings.steps, settings.mean_mW), requests=requests, deadline=deadline)


def _failures(settings: TraceSettings, rng: np.random.Generator) -> Trace:
    works = ~_switching(settings, rng, on_s=1800.0, off_s=5400.0)
    share = max(float(works.mean()), 1 / settings.steps)
    return _trace(settings, "failures", np.where(works, settings.mean_mW / share, 0.0))


def _switching(settings: TraceSettings, rng: np.random.Generator, on_s: float, off_s: float) -> BoolArray:
    """A state that is on and off in turns of exponentially distributed lengths, off in the beginning, bool (steps,)."""
    count = 2 * int(settings.steps * settings.step_s / (on_s + off_s)) + 64
    lengths = rng.exponential(np.where(np.arange(count) % 2, on_s, off_s))
    while lengths.sum() < settings.steps * settings.step_s:
        lengths = np.append(lengths, rng.exponential(np.where(np.arange(count) % 2, on_s, off_s)))
    ends = np.cumsum(lengths)
    times = np.arange(settings.steps) * settings.step_s
    on: BoolArray = np.searchsorted(ends, times, side="right") % 2 == 1
    return on


def _slow_noise(settings: TraceSettings, rng: np.random.Generator, minutes: float) -> FloatArray:
    """Gaussian noise of variance 1 that changes within so many minutes: drawn then, and interpolated between."""
    knots = int(settings.duration_s / (60 * minutes)) + 3
    times = np.arange(settings.steps) * settings.step_s / (60 * minutes)
    noise: FloatArray = np.interp(times, np.arange(knots), rng.standard_normal(knots))
    return noise


def _trace(
    settings: TraceSettings,
    name: str,
    harvest: FloatArray,
    *,
    temperature: FloatArray | None = None,
    requests: IntArray | None = None,
    deadline: FloatArray | None = None,
) -> Trace:
    steps = settings.steps
    return Trace(
        name=name,
        step_s=settings.step_s,
        harvest_mW=harvest.astype(np.float64),
        deadline_ms=np.full(steps, settings.deadline_ms) if deadline is None else deadline,
        temperature_C=np.full(steps, 25.0) if temperature is None else temperature,
        requests=np.ones(steps, np.int64) if requests is None else requests,
        about=f"generated with seed {settings.seed}",
    )


_MODELS: Mapping[str, Callable[[TraceSettings, np.random.Generator], Trace]] = {
    "constant": _constant,
    "solar": _solar,
    "bursts": _bursts,
    "failures": _failures,
}
GENERATED = tuple(_MODELS)
"""The names of the traces that can be generated."""


def generate_trace(name: str, settings: TraceSettings) -> Trace:
    """Generate a trace. The same settings always give the same trace.

    Args:
        name: One of `GENERATED`.
        settings: Its mean power, deadline, length and seed.
    """
    return _MODELS[name](settings, np.random.default_rng(settings.seed))
