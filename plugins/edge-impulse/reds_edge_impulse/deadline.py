"""The time by which the service has to be done with a file."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from reds_core.errors import InputError, UnavailableError


@dataclass(frozen=True)
class Deadline:
    """A time limit that has begun.

    Attributes:
        limit_s: The limit in seconds.
        end: `time.monotonic()` at its end.
    """

    limit_s: float
    end: float

    @staticmethod
    def after(limit_s: float) -> Deadline:
        """Return a limit that begins now.

        Raises:
            InputError: If the limit is not a positive number.
        """
        if not 0 < limit_s < math.inf:
            raise InputError(f"edge-impulse.timeout_s is {limit_s:g}", "give a positive number of seconds")
        return Deadline(limit_s, time.monotonic() + limit_s)

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self.end

    def seconds(self, most: float) -> float:
        """Return the time that is left, but at most `most` seconds.

        Raises:
            UnavailableError: If no time is left.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise self.error()
        return min(left, most)

    def error(self) -> UnavailableError:
        """Return the error for work that is not done in time."""
        return UnavailableError(
            f"Edge Impulse was not done within {self.limit_s:g} s", "raise edge-impulse.timeout_s, or try again later"
        )
