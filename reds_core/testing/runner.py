"""Runs checks on one plugin: each at most once, after those it builds on, with a reason for every outcome."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from reds_core.errors import InputError
from reds_core.testing.report import CheckOutcome, Failure, Report, Result, Settings, Skip

if TYPE_CHECKING:
    import pytest

S = TypeVar("S")


@dataclass(frozen=True)
class Check(Generic[S]):
    """One behaviour.

    Attributes:
        run: raises Failure if the plugin lacks the behaviour, and Skip if the check does not apply. Its name is the
            name of the behaviour, and its docstring gives the reason.
        after: names of the checks that this one depends on. If one of them failed, this one is skipped, so that a fault
            is reported only once.
    """

    run: Callable[[S], None]
    after: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the behaviour."""
        return self.run.__name__

    @property
    def reason(self) -> str:
        """Why the behaviour matters: the first paragraph of the docstring."""
        return " ".join((inspect.getdoc(self.run) or "").partition("\n\n")[0].split())


class CheckRun(Generic[S]):
    """The checks of one plugin, run when their results are asked for.

    Args:
        make: makes the subject; called before the first check, so that a plugin which cannot be made fails as a check.
        checks: the kit for plugins of this kind.
        settings: the expectations that the author states.

    Raises:
        InputError: if an expected failure is not the name of a check.
    """

    def __init__(self, make: Callable[[], S], checks: Sequence[Check[S]], settings: Settings) -> None:
        self._make = make
        self._checks: Mapping[str, Check[S]] = {c.name: c for c in checks}
        self._expected = settings.expected_failures
        self._results: dict[str, Result] = {}
        unknown = sorted(set(self._expected) - set(self._checks))
        if unknown:
            raise InputError(
                f"the expected failure '{unknown[0]}' is not a check", f"choose from {', '.join(self._checks)}"
            )

    @functools.cached_property
    def _subject(self) -> S:
        return self._make()

    @property
    def names(self) -> tuple[str, ...]:
        """The checks, in order."""
        return tuple(self._checks)

    def result(self, name: str) -> Result:
        """The result of one check, which runs at most once."""
        if name not in self._results:
            started = time.perf_counter()
            outcome, reason = self._judged(self._checks[name])
            self._results[name] = Result(name, outcome, reason, time.perf_counter() - started)
        return self._results[name]

    def report(self, plugin: str, kind: str) -> Report:
        """The results of all checks."""
        return Report(plugin, kind, tuple(self.result(name) for name in self.names))

    def _judged(self, check: Check[S]) -> tuple[CheckOutcome, str]:
        outcome, reason = self._attempt(check)
        expected = self._expected.get(check.name)
        if expected is None or outcome is CheckOutcome.SKIPPED:
            return outcome, reason
        if outcome is CheckOutcome.FAILED:
            return CheckOutcome.EXPECTED, f"{expected} ({reason})"
        return (
            CheckOutcome.FAILED,
            f"passes although a failure is expected ({expected}): remove it from expected_failures",
        )

    def _attempt(self, check: Check[S]) -> tuple[CheckOutcome, str]:
        for name in check.after:
            if self.result(name).outcome in (CheckOutcome.FAILED, CheckOutcome.EXPECTED):
                return CheckOutcome.SKIPPED, f"not meaningful while {name} fails"
        try:
            check.run(self._subject)
        except Skip as skip:
            return CheckOutcome.SKIPPED, str(skip)
        except Failure as failure:
            return CheckOutcome.FAILED, str(failure)
        except Exception as error:  # an unexpected exception of the plugin is a failed check
            return CheckOutcome.FAILED, f"raised {type(error).__name__}: {error}"
        return CheckOutcome.PASSED, check.reason


def as_pytest_parameters(run: CheckRun[S]) -> pytest.MarkDecorator:
    """A decorator that parametrises a test, which takes one argument `check` and calls it, with all checks."""
    import pytest

    def assert_passes(name: str) -> None:
        result = run.result(name)
        if result.outcome is CheckOutcome.SKIPPED:
            pytest.skip(result.reason)
        if result.outcome is CheckOutcome.EXPECTED:
            pytest.xfail(result.reason)
        assert result.outcome is CheckOutcome.PASSED, result.reason

    return pytest.mark.parametrize(
        "check", [pytest.param(functools.partial(assert_passes, name), id=name) for name in run.names]
    )
