"""The table of kits: the checks for each kind of plugin, and a function that makes the subject that they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from reds_core.framework.device import Device
from reds_core.framework.framework import Framework
from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.framework.sample import SampleModel
from reds_core.framework.target import Target
from reds_core.knapsack.solver import Solver
from reds_core.network.description import Network
from reds_core.plugin import Plugin
from reds_core.pruning.pruner import Pruner
from reds_core.registry import Registry
from reds_core.runtime.governor import Governor
from reds_core.scoring.scorer import Scorer
from reds_core.testing.device_checks import DEVICE_CHECKS, DeviceSubject
from reds_core.testing.framework_checks import FRAMEWORK_CHECKS, FrameworkSubject
from reds_core.testing.governor_checks import GOVERNOR_CHECKS, GovernorSubject
from reds_core.testing.layer_checks import LAYER_CHECKS, LayerSubject
from reds_core.testing.pruner_checks import PRUNER_CHECKS, PrunerSubject
from reds_core.testing.realisation_checks import REALISATION_CHECKS, RealisationSubject
from reds_core.testing.report import Settings
from reds_core.testing.runner import Check
from reds_core.testing.scorer_checks import SCORER_CHECKS, ScorerSubject
from reds_core.testing.solver_answers import CASES, FOUNDATIONS, HONESTY
from reds_core.testing.solver_conduct import CONDUCT, DECLARATIONS
from reds_core.testing.subject import SolverSubject
from reds_core.testing.target_checks import TARGET_CHECKS
from reds_core.testing.target_subject import TargetSubject
from reds_core.testing.transform_checks import TRANSFORM_CHECKS
from reds_core.testing.transform_subject import TransformSubject
from reds_core.transforms.realisation import Realisation
from reds_core.transforms.transform import Transform

P = TypeVar("P", bound=Plugin)

SOLVER_CHECKS: tuple[Check[SolverSubject], ...] = (*DECLARATIONS, *FOUNDATIONS, *HONESTY, *CASES, *CONDUCT)
"""Every check of a solver, in the order of the report."""


@dataclass(frozen=True)
class Given:
    """Further arguments of a kit besides the plugin and its settings.

    Attributes:
        samples: sample models; None means those that the plugin, or for targets its framework, offers.
        make_framework: makes the framework with which a plugin of layers or a target is tested; None means the
            installed one that the plugin names.
        registry: the plugins among which that framework, the targets, for targets all transforms, and for governors
            the solvers are looked up; None means those that are installed.
        networks: descriptions of networks on which transforms and realisations are tested; None means those of the kit.
    """

    samples: Sequence[SampleModel] | None = None
    make_framework: Callable[[], Framework] | None = None
    registry: Registry | None = None
    networks: Sequence[Network] | None = None

    def framework(self, name: str) -> Framework:
        """Make the framework: the given one, or the installed one of this name."""
        if self.make_framework is not None:
            return self.make_framework()
        return (self.registry or Registry()).create(Framework, name)

    def transforms(self) -> list[Transform]:
        """Make every transform of the registry that can be used."""
        registry = self.registry or Registry()
        return [registry.create(Transform, name) for name in registry.available(Transform)]


@dataclass(frozen=True)
class Kit(Generic[P]):
    """The checks for one kind of plugin.

    Attributes:
        base: the base class of that kind.
        noun: the name of this kind of plugin in messages.
        checks: in the order of the report.
        make_subject: makes the argument of the checks.
        on_samples: whether the checks need sample models, which the plugin must offer.
    """

    base: type[P]
    noun: str
    checks: tuple[Check[Any], ...]
    make_subject: Callable[[Callable[[], P], Settings, Given], Any]
    on_samples: bool = False

    def lacks_samples(self, plugin: type[Plugin]) -> bool:
        """Whether the checks need sample models of `plugin`, which does not offer any."""
        return self.on_samples and getattr(plugin, "samples", None) is getattr(self.base, "samples", None)


def _framework_subject(make: Callable[[], Framework], settings: Settings, given: Given) -> FrameworkSubject:
    return FrameworkSubject(make, settings, make, given.samples, given.registry)


def _layer_subject(make: Callable[[], LayerPlugin], settings: Settings, given: Given) -> LayerSubject:
    def make_framework() -> Framework:
        plugin = make()
        framework = given.framework(plugin.framework)
        framework.layer_plugins = (plugin,)
        return framework

    return LayerSubject(make, settings, make_framework, given.samples, given.registry)


def _transform_subject(make: Callable[[], Transform], settings: Settings, given: Given) -> TransformSubject:
    return TransformSubject(make, settings, given.networks)


def _realisation_subject(make: Callable[[], Realisation], settings: Settings, given: Given) -> RealisationSubject:
    return RealisationSubject(make, settings, given.networks)


def _target_subject(make: Callable[[], Target], settings: Settings, given: Given) -> TargetSubject:
    return TargetSubject(make, settings, lambda: given.framework(make().made_from), given.samples, given.transforms())


def _device_subject(make: Callable[[], Device], settings: Settings, given: Given) -> DeviceSubject:
    def make_files() -> TargetSubject | None:
        registry = given.registry or Registry()
        known = registry.available(Target)
        target = next((known[name] for name in make().reads if name in known), None)
        return (
            None if target is None else _target_subject(lambda: registry.create(Target, target.name), Settings(), given)
        )

    return DeviceSubject(make, settings, make_files)


def _governor_subject(make: Callable[[], Governor], settings: Settings, given: Given) -> GovernorSubject:
    return GovernorSubject(make, settings, given.registry or Registry())


SOLVERS = Kit(Solver, "solver", SOLVER_CHECKS, lambda make, settings, given: SolverSubject(make, settings))
SCORERS = Kit(Scorer, "scorer", SCORER_CHECKS, lambda make, settings, given: ScorerSubject(make, settings))
PRUNERS = Kit(Pruner, "pruner", PRUNER_CHECKS, lambda make, settings, given: PrunerSubject(make, settings))
FRAMEWORKS: Kit[Framework] = Kit(Framework, "framework", FRAMEWORK_CHECKS, _framework_subject, on_samples=True)
LAYERS: Kit[LayerPlugin] = Kit(LayerPlugin, "plugin of layers", LAYER_CHECKS, _layer_subject, on_samples=True)
TRANSFORMS: Kit[Transform] = Kit(Transform, "transform", TRANSFORM_CHECKS, _transform_subject)
REALISATIONS: Kit[Realisation] = Kit(Realisation, "realisation", REALISATION_CHECKS, _realisation_subject)
TARGETS: Kit[Target] = Kit(Target, "target", TARGET_CHECKS, _target_subject)
DEVICES: Kit[Device] = Kit(Device, "device", DEVICE_CHECKS, _device_subject)
GOVERNORS: Kit[Governor] = Kit(Governor, "governor", GOVERNOR_CHECKS, _governor_subject)

KITS: tuple[Kit[Any], ...] = (
    *(SOLVERS, SCORERS, PRUNERS, FRAMEWORKS, LAYERS, TRANSFORMS, REALISATIONS, TARGETS, DEVICES),
    GOVERNORS,
)
"""Every kit. A new kind of plugin is checked once it has an entry here. The first that fits is used."""


def kit_for(plugin: type[Plugin]) -> Kit[Any] | None:
    """The kit for the kind of `plugin`, or None if there is none."""
    return next((kit for kit in KITS if issubclass(plugin, kit.base)), None)


def nouns() -> str:
    """The kinds that can be checked, as messages list them."""
    *first, last = [kit.noun for kit in KITS]
    return f"{', '.join(first)} or {last}"
