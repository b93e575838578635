"""Plugins for tests, and registries that hold exactly the plugins a test names."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reds_pruners import LayerwisePruner, NestedPruner, OneShotPruner, ProgressivePruner, UniformPruner
from reds_scorers import reds_scorers
from toy_framework import ToyFramework
from toy_targets import ToyFloat, ToyInt8
from toy_transforms import ToyBits as ToyBits
from toy_transforms import ToyTarget as ToyTarget

from reds_core import hookimpl
from reds_core.framework.device import Device
from reds_core.framework.framework import Framework
from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer, Limit, Status
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver
from reds_core.plugin import Plugin
from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry
from reds_core.runtime.governor import Governor
from reds_core.scoring.scorer import Scorer
from reds_core.testing.oracle import all_choices, usages_of, values_of
from reds_core.transforms.compression import Compression


class BruteSolver(Solver):
    """Looks at every choice."""

    name = "brute"
    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    controls = Control.NONE
    auto_rank = 1
    memory_bounds_work = True

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        choices = all_choices(problem)
        used = usages_of(problem, choices)
        fits = [i for i in range(len(choices)) if all(used[r.name][i] <= r.capacity for r in problem.resources)]
        if not fits:
            return Answer(Status.INFEASIBLE)
        values = values_of(problem, choices)
        best = max(fits, key=lambda i: int(values[i]))
        return Answer(Status.OPTIMAL, tuple(int(k) for k in choices[best]), int(values[best]))


class HalfwaySolver(BruteSolver):
    """Stops at a bound that is one above the optimum, if the gap allows it."""

    name = "halfway"
    controls = Control.GAP

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        best = super().solve(problem, controls)
        value = 0 if best.bound is None else best.bound
        if best.choice is None or not controls.is_close_enough(value, value + 1):
            return best
        return Answer(Status.FEASIBLE, best.choice, value + 1, Limit.GAP)


class IdleSolver(Solver):
    """Never finds anything."""

    name = "idle"
    features = Feature.ALL
    claims = Claim.NONE
    controls = Control.NONE

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.NO_SOLUTION)


@dataclass(frozen=True)
class PluginModule:
    """An entry point and the module behind it."""

    name: str
    classes: tuple[type[Plugin], ...]
    error: Exception | None = None
    dist: Any = None

    @property
    def value(self) -> str:
        return f"module_{self.name}"

    module = value

    def load(self) -> Any:
        if self.error is not None:
            raise self.error
        module = types.SimpleNamespace(__name__=self.value)
        for hook, base in (
            ("reds_solvers", Solver),
            ("reds_scorers", Scorer),
            ("reds_pruners", Pruner),
            ("reds_frameworks", Framework),
            ("reds_layers", LayerPlugin),
            ("reds_transforms", Compression),
            ("reds_governors", Governor),
            ("reds_targets", Device),
        ):
            found = [c for c in self.classes if issubclass(c, base)]
            if found:
                setattr(module, hook, _hook(hook, found))
        return module


def _hook(name: str, found: Sequence[type[Plugin]]) -> Any:
    def implementation() -> Sequence[type[Plugin]]:
        return found

    implementation.__name__ = name
    return hookimpl(implementation)


PRUNERS: tuple[type[Pruner], ...] = (NestedPruner, LayerwisePruner, ProgressivePruner, OneShotPruner, UniformPruner)
FIRST_PARTY: tuple[type[Plugin], ...] = (*PRUNERS, *reds_scorers(), BruteSolver, ToyFloat, ToyInt8)


def toy_registry(*more: type[Plugin], framework: type[Framework] = ToyFramework) -> Registry:
    """The first-party scorers and pruners, an exact solver, the toy framework, and `more`, such as `ToyBits`."""
    return Registry([PluginModule("toy", (*FIRST_PARTY, framework, *more))])
