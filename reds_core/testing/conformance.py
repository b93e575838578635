"""Functions that run all checks of a plugin, or parametrise a test with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from reds_core.errors import UnsupportedError
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
from reds_core.testing import kits
from reds_core.testing.finding import find_plugins
from reds_core.testing.kits import Given, Kit, kit_for
from reds_core.testing.report import Report, Settings
from reds_core.testing.runner import CheckRun, as_pytest_parameters
from reds_core.transforms.realisation import Realisation
from reds_core.transforms.transform import Transform

if TYPE_CHECKING:
    import pytest

P = TypeVar("P", bound=Plugin)


def _maker(plugin: P | type[P]) -> Callable[[], P]:
    """A function that makes plugins: `plugin` itself if it is a class, otherwise its class with its options."""
    if isinstance(plugin, type):
        return plugin
    made, options = type(plugin), plugin.options
    return lambda: made(options)


def _run(kit: Kit[P], make: Callable[[], P], settings: Settings | None, given: Given | None = None) -> CheckRun[Any]:
    settings, given = settings or Settings(), given or Given()
    return CheckRun(lambda: kit.make_subject(make, settings, given), kit.checks, settings)


def _report(kit: Kit[P], plugin: P | type[P], settings: Settings | None, given: Given | None = None) -> Report:
    checked = plugin if isinstance(plugin, type) else type(plugin)
    if (given is None or given.samples is None) and kit.lacks_samples(checked):
        raise UnsupportedError(
            f"{kit.noun} '{checked.name}' offers no sample models to check it on",
            "return some from its method samples()",
        )
    return _run(kit, _maker(plugin), settings, given).report(checked.name, kit.base.kind)


def check_solver(solver: Solver | type[Solver], settings: Settings | None = None) -> Report:
    """Run every check on a solver: a class, or an object whose options are then used for every object made.

    Raises:
        InputError: if `settings` expects the failure of a check that does not exist.
    """
    return _report(kits.SOLVERS, solver, settings)


def check_scorer(scorer: Scorer | type[Scorer], settings: Settings | None = None) -> Report:
    """Run every check on a scorer; arguments and errors are those of `check_solver`."""
    return _report(kits.SCORERS, scorer, settings)


def check_pruner(pruner: Pruner | type[Pruner], settings: Settings | None = None) -> Report:
    """Run every check on a pruning strategy; arguments and errors are those of `check_solver`."""
    return _report(kits.PRUNERS, pruner, settings)


def check_framework(
    framework: Framework | type[Framework],
    settings: Settings | None = None,
    samples: Sequence[SampleModel] | None = None,
    registry: Registry | None = None,
) -> Report:
    """Run every check on a framework.

    Args:
        framework: a class, or an object whose options are then used for every object made.
        settings: the expectations that the author states, such as known failures.
        samples: the models that it is tested on; by default those that it offers.
        registry: where its targets are looked up; the installed plugins by default.

    Raises:
        InputError: if `settings` expects the failure of a check that does not exist.
        UnsupportedError: if there are no samples.
    """
    return _report(kits.FRAMEWORKS, framework, settings, Given(samples, registry=registry))


def check_layers(
    layers: LayerPlugin | type[LayerPlugin],
    settings: Settings | None = None,
    samples: Sequence[SampleModel] | None = None,
    make_framework: Callable[[], Framework] | None = None,
    registry: Registry | None = None,
) -> Report:
    """Run every check on a plugin of layers.

    Args:
        layers: a class, or an object whose options are then used for every object made.
        settings: the expectations that the author states, such as known failures.
        samples: models that hold the layers; by default those that the plugin offers.
        make_framework: makes the framework that uses the layers; by default the installed one that the plugin names.
        registry: where that framework and its targets are looked up; the installed plugins by default.

    Raises:
        InputError: if `settings` expects the failure of a check that does not exist.
        UnsupportedError: if there are no samples.
    """
    return _report(kits.LAYERS, layers, settings, Given(samples, make_framework, registry))


def check_transform(
    transform: Transform | type[Transform],
    settings: Settings | None = None,
    networks: Sequence[Network] | None = None,
) -> Report:
    """Run every check on a transform.

    Args:
        transform: A class, or an object whose options are then used for every object made.
        settings: The expectations that the author states, such as known failures.
        networks: The descriptions of networks that it is tested on. By default they are small networks of dense layers
            and of convolutions.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return _report(kits.TRANSFORMS, transform, settings, Given(networks=networks))


def check_realisation(
    realisation: Realisation | type[Realisation],
    settings: Settings | None = None,
    networks: Sequence[Network] | None = None,
) -> Report:
    """Run every check on a realisation.

    Args:
        realisation: A class, or an object whose options are then used for every object made.
        settings: The expectations that the author states, such as known failures.
        networks: The descriptions of networks that it is tested on. By default they are small networks of dense layers
            and of convolutions.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return _report(kits.REALISATIONS, realisation, settings, Given(networks=networks))


def check_target(
    target: Target | type[Target],
    settings: Settings | None = None,
    samples: Sequence[SampleModel] | None = None,
    make_framework: Callable[[], Framework] | None = None,
    registry: Registry | None = None,
) -> Report:
    """Run every check on a target.

    Args:
        target: A class, or an object whose options are then used for every object made.
        settings: The expectations that the author states, such as known failures.
        samples: The models that it exports. By default they are those of its framework.
        make_framework: Makes the framework of these models. By default it is the installed one that `made_from` names.
        registry: Where that framework, and the transforms whose levels are tried, are looked up. By default it holds
            the installed plugins.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return _report(kits.TARGETS, target, settings, Given(samples, make_framework, registry))


def check_governor(
    governor: Governor | type[Governor], settings: Settings | None = None, registry: Registry | None = None
) -> Report:
    """Run every check on a governor.

    Args:
        governor: A class, or an object whose options are then used for every object made.
        settings: The expectations that the author states, such as known failures.
        registry: Where the plugins that it uses are looked up. By default it holds the installed plugins.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return _report(kits.GOVERNORS, governor, settings, Given(registry=registry))


def check_device(
    device: Device | type[Device],
    settings: Settings | None = None,
    samples: Sequence[SampleModel] | None = None,
    make_framework: Callable[[], Framework] | None = None,
    registry: Registry | None = None,
) -> Report:
    """Run every check on a device that writes no files; for a target that writes files, see `check_target`.

    Args:
        device: A class, or an object whose options are then used for every object made.
        settings: The expectations that the author states, such as known failures.
        samples: The models of which it is given files. By default they are those of the framework.
        make_framework: Makes the framework of these models. By default it is the installed one that is needed.
        registry: Where a target that writes files for the device, and its framework, are looked up. By default it
            holds the installed plugins.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return _report(kits.DEVICES, device, settings, Given(samples, make_framework, registry))


def solver_conformance(make: Callable[[], Solver], settings: Settings | None = None) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a solver. Needs pytest.

    Args:
        make: the class, or a function that makes a solver with other options.
        settings: the expectations that the author states, such as known failures.

    Raises:
        InputError: if `settings` expects the failure of a check that does not exist.
    """
    return as_pytest_parameters(_run(kits.SOLVERS, make, settings))


def scorer_conformance(make: Callable[[], Scorer], settings: Settings | None = None) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a scorer; arguments and errors are those of `solver_conformance`."""
    return as_pytest_parameters(_run(kits.SCORERS, make, settings))


def pruner_conformance(make: Callable[[], Pruner], settings: Settings | None = None) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a pruner; arguments and errors are those of `solver_conformance`."""
    return as_pytest_parameters(_run(kits.PRUNERS, make, settings))


def framework_conformance(
    make: Callable[[], Framework],
    settings: Settings | None = None,
    samples: Sequence[SampleModel] | None = None,
    registry: Registry | None = None,
) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a framework. Needs pytest.

    Args:
        make: the class, or a function that makes a framework with other options.
        settings: the expectations that the author states, such as known failures.
        samples: the models that it is tested on; by default those that it offers.
        registry: where its targets are looked up; the installed plugins by default.

    Raises:
        InputError: if `settings` expects the failure of a check that does not exist.
    """
    return as_pytest_parameters(_run(kits.FRAMEWORKS, make, settings, Given(samples, registry=registry)))


def layer_conformance(
    make: Callable[[], LayerPlugin],
    settings: Settings | None = None,
    samples: Sequence[SampleModel] | None = None,
    make_framework: Callable[[], Framework] | None = None,
    registry: Registry | None = None,
) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a plugin of layers. Needs pytest.

    Args:
        make: the class, or a function that makes a plugin with other options.
        settings: the expectations that the author states, such as known failures.
        samples: models that hold the layers; by default those that the plugin offers.
        make_framework: makes the framework that uses the layers; by default the installed one that the plugin names.
        registry: where that framework and its targets are looked up; the installed plugins by default.

    Raises:
        InputError: if `settings` expects the failure of a check that does not exist.
    """
    return as_pytest_parameters(_run(kits.LAYERS, make, settings, Given(samples, make_framework, registry)))


def transform_conformance(
    make: Callable[[], Transform],
    settings: Settings | None = None,
    networks: Sequence[Network] | None = None,
) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a transform. Needs pytest.

    Args:
        make: The class, or a function that makes a transform with other options.
        settings: The expectations that the author states, such as known failures.
        networks: The descriptions of networks that it is tested on. By default they are small networks of dense layers
            and of convolutions.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return as_pytest_parameters(_run(kits.TRANSFORMS, make, settings, Given(networks=networks)))


def realisation_conformance(
    make: Callable[[], Realisation],
    settings: Settings | None = None,
    networks: Sequence[Network] | None = None,
) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a realisation. Needs pytest.

    Args:
        make: The class, or a function that makes a realisation with other options.
        settings: The expectations that the author states, such as known failures.
        networks: The descriptions of networks that it is tested on. By default they are small networks of dense layers
            and of convolutions.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return as_pytest_parameters(_run(kits.REALISATIONS, make, settings, Given(networks=networks)))


def governor_conformance(
    make: Callable[[], Governor], settings: Settings | None = None, registry: Registry | None = None
) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a governor. Needs pytest.

    Args:
        make: The class, or a function that makes a governor with other options.
        settings: The expectations that the author states, such as known failures.
        registry: Where the plugins that it uses are looked up. By default it holds the installed plugins.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return as_pytest_parameters(_run(kits.GOVERNORS, make, settings, Given(registry=registry)))


def target_conformance(
    make: Callable[[], Target],
    settings: Settings | None = None,
    samples: Sequence[SampleModel] | None = None,
    make_framework: Callable[[], Framework] | None = None,
    registry: Registry | None = None,
) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a target. Needs pytest.

    Args:
        make: The class, or a function that makes a target with other options.
        settings: The expectations that the author states, such as known failures.
        samples: The models that it exports. By default they are those of its framework.
        make_framework: Makes the framework of these models. By default it is the installed one that `made_from` names.
        registry: Where that framework, and the transforms whose levels are tried, are looked up. By default it holds
            the installed plugins.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return as_pytest_parameters(_run(kits.TARGETS, make, settings, Given(samples, make_framework, registry)))


def device_conformance(
    make: Callable[[], Device],
    settings: Settings | None = None,
    samples: Sequence[SampleModel] | None = None,
    make_framework: Callable[[], Framework] | None = None,
    registry: Registry | None = None,
) -> pytest.MarkDecorator:
    """Parametrise a test with every check of a device. Needs pytest; the other arguments are those of `check_device`.

    Args:
        make: The class, or a function that makes a device with other options.
        settings: The expectations that the author states, such as known failures.
        samples: The models of which it is given files.
        make_framework: Makes the framework of these models.
        registry: Where a target that writes files for the device, and its framework, are looked up.

    Raises:
        InputError: If `settings` expects the failure of a check that does not exist.
    """
    return as_pytest_parameters(_run(kits.DEVICES, make, settings, Given(samples, make_framework, registry)))


def check(plugin: str, registry: Registry | None = None, settings: Settings | None = None) -> tuple[Report, ...]:
    """Run the conformance kit on a plugin.

    This is what `reds check` does. A name that several kinds of plugins share has a report for each kind.

    Args:
        plugin: The name of an installed plugin, or `module:Class`.
        registry: The plugins to choose from. By default they are all that are installed.
        settings: The expectations that the author states, such as known failures.

    Returns:
        One report for each kind. Its attribute `ok` is true if no check failed; `str(report)` lists all checks.

    Raises:
        InputError: If there is no such plugin or class, or it is broken.
        UnavailableError: If the plugin needs a library that is not installed.
        UnsupportedError: If the kit has no checks for this kind of plugin, or needs sample models and
            the plugin offers none.

    Example:
        >>> (report,) = reds_core.check("greedy")
        >>> report.ok
    """
    reports = []
    for found in find_plugins(plugin, registry):
        kit = kit_for(found)
        if kit is None:
            raise UnsupportedError(
                f"there are no checks for plugins like {found.kind} '{found.name}'", "check a plugin of another kind"
            )
        reports.append(_report(kit, found, settings, Given(registry=registry)))
    return tuple(reports)
