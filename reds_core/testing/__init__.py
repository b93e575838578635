"""The conformance kit checks whether a plugin behaves as reds expects, with a reason for each check.

    from reds_core.testing import Settings, check_solver, solver_conformance

    report = check_solver(MySolver())               # without pytest
    print(report)

    @solver_conformance(MySolver)                   # with pytest: one test for each check
    def test_conformance(check):
        check()

There are kits for scorers, pruners, frameworks, plugins of layers, transforms, realisations, targets, devices and
governors as well. The command is `reds check NAME` or `reds check module:Class`. Only the `*_conformance` functions
need pytest, and only generated problems need hypothesis.
"""

from __future__ import annotations

from reds_core.testing.conformance import (
    check,
    check_device,
    check_framework,
    check_governor,
    check_layers,
    check_pruner,
    check_realisation,
    check_scorer,
    check_solver,
    check_target,
    check_transform,
    device_conformance,
    framework_conformance,
    governor_conformance,
    layer_conformance,
    pruner_conformance,
    realisation_conformance,
    scorer_conformance,
    solver_conformance,
    target_conformance,
    transform_conformance,
)
from reds_core.testing.device_checks import DEVICE_CHECKS
from reds_core.testing.framework_checks import FRAMEWORK_CHECKS
from reds_core.testing.governor_checks import GOVERNOR_CHECKS
from reds_core.testing.kits import SOLVER_CHECKS
from reds_core.testing.layer_checks import LAYER_CHECKS
from reds_core.testing.pruner_checks import PRUNER_CHECKS
from reds_core.testing.realisation_checks import REALISATION_CHECKS
from reds_core.testing.report import CheckOutcome, Report, Result, Settings
from reds_core.testing.scorer_checks import SCORER_CHECKS
from reds_core.testing.target_checks import TARGET_CHECKS
from reds_core.testing.transform_checks import TRANSFORM_CHECKS

__all__ = [
    "DEVICE_CHECKS",
    "FRAMEWORK_CHECKS",
    "GOVERNOR_CHECKS",
    "LAYER_CHECKS",
    "PRUNER_CHECKS",
    "REALISATION_CHECKS",
    "SCORER_CHECKS",
    "SOLVER_CHECKS",
    "TARGET_CHECKS",
    "TRANSFORM_CHECKS",
    "CheckOutcome",
    "Report",
    "Result",
    "Settings",
    "check",
    "check_device",
    "check_framework",
    "check_governor",
    "check_layers",
    "check_pruner",
    "check_realisation",
    "check_scorer",
    "check_solver",
    "check_target",
    "check_transform",
    "device_conformance",
    "framework_conformance",
    "governor_conformance",
    "layer_conformance",
    "pruner_conformance",
    "realisation_conformance",
    "scorer_conformance",
    "solver_conformance",
    "target_conformance",
    "transform_conformance",
]
