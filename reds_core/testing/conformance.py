"""The kit as calls and as pytest parameters: every check of a plugin, run or listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from reds_core.knapsack.solver import Solver
from reds_core.plugin import Plugin
from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry
from reds_core.scoring.scorer import Scorer
from reds_core.testing.pruner_checks import PRUNER_CHECKS, PrunerSubject
from reds_core.testing.report import Report, Settings
from reds_core.testing.runner import Check, CheckRun, as_pytest_parameters
from reds_core.testing.scorer_checks import SCORER_CHECKS, ScorerSubject
from reds_core.testing.solver_answers import CASES, FOUNDATIONS, HONESTY
from reds_core.testing.solver_conduct import CONDUCT, DECLARATIONS
from reds_core.testing.subject import SolverSubject
from reds_core.testing.targets import find_targets

if TYPE_CHECKING:
    import pytest

P = TypeVar("P", bound=Plugin)

SOLVER_CHECKS: tuple[Check[SolverSubject], ...] = (*DECLARATIONS, *FOUNDATIONS, *HONESTY, *CASES, *CONDUCT)
"""Every check of a solver, in the order of the report."""


def _maker(plugin: P | type[P]) -> Callable[[], P]:
    """What makes plugins like `plugin`: a class, or an object whose options are then used for every object made."""
    if isinstance(plugin, type):
        return plugin
    made, options = type(plugin), plugin.options
    return lambda: made(options)


def _solver_run(make: Callable[[], Solver], settings: Settings | None) -> CheckRun[SolverSubject]:
    settings = settings or Settings()
    return CheckRun(lambda: SolverSubject(make, settings), SOLVER_CHECKS, settings)


def _scorer_run(make: Callable[[], Scorer], settings: Settings | None) -> CheckRun[ScorerSubject]:
    settings = settings or Settings()
    return CheckRun(lambda: ScorerSubject(make, settings), SCORER_CHECKS, settings)


def _pruner_run(make: Callable[[], Pruner], settings: Settings | None) -> CheckRun[PrunerSubject]:
    settings = settings or Settings()
    return CheckRun(lambda: PrunerSubject(make, settings), PRUNER_CHECKS, settings)


def check_solver(solver: Solver | type[Solver], settings: Settings | None = None) -> Report:
    """Run every check on a solver: a class, or an object whose options are then used for every object made.

    Raises:
        InputError: if `settings` expects the failure of a check that does not exist.
    """
    return _solver_run(_maker(solver), settings).report(solver.name, Solver.kind)


def check_scorer(scorer: Scorer | type[Scorer], settings: Settings | None = None) -> Report:
    """Run every check on a scorer; arguments and errors as `check_solver`."""
    return _scorer_run(_maker(scorer), settings).report(scorer.name, Scorer.kind)


def check_pruner(pruner: Pruner | type[Pruner], settings: Settings | None = None) -> Report:
    """Run every check on a pruning strategy; arguments and errors as `check_solver`."""
    return _pruner_run(_maker(pruner), settings).report(pruner.name, Pruner.kind)


def solver_conformance(make: Callable[[], Solver], settings: Settings | None = None) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a solver. Needs pytest.

    Args:
        make: the class, or what makes a solver with other options.
        settings: what the author says of it.

    Raises:
        InputError: if `settings` expects the failure of a check that does not exist.
    """
    return as_pytest_parameters(_solver_run(make, settings))


def scorer_conformance(make: Callable[[], Scorer], settings: Settings | None = None) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a scorer; arguments and errors as `solver_conformance`."""
    return as_pytest_parameters(_scorer_run(make, settings))


def pruner_conformance(make: Callable[[], Pruner], settings: Settings | None = None) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a pruning strategy; arguments and errors as `solver_conformance`."""
    return as_pytest_parameters(_pruner_run(make, settings))


def check(target: str, registry: Registry | None = None, settings: Settings | None = None) -> tuple[Report, ...]:
    """Run the conformance kit on a solver, a scorer or a pruner.

    This is what `reds check` does. A name that several kinds of plugins share has a report for each kind.

    Args:
        target: The name of an installed plugin, or `module:Class`.
        registry: The plugins to choose from. By default they are all that are installed.
        settings: What the author says of the plugin.

    Returns:
        One report for each kind. Its attribute `ok` is true if no check failed; `str(report)` lists all checks.

    Raises:
        InputError: If there is no such plugin or class, or it is broken.
        UnavailableError: If the plugin needs a library that is not installed.
        UnsupportedError: If the kit has no checks for this kind of plugin.

    Example:
        >>> (report,) = reds_core.check("greedy")
        >>> report.ok
    """
    return tuple(_check_class(found, settings) for found in find_targets(target, registry))


def _check_class(plugin: type[Plugin], settings: Settings | None) -> Report:
    if issubclass(plugin, Solver):
        return check_solver(plugin, settings)
    if issubclass(plugin, Scorer):
        return check_scorer(plugin, settings)
    assert issubclass(plugin, Pruner)
    return check_pruner(plugin, settings)
