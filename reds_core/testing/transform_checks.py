"""Checks of transforms.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.cost.counting import ELEMENT_SIZES_BYTES
from reds_core.cost.resources import RESOURCES, CostModel, usage
from reds_core.framework.projection import rewritten_kernels
from reds_core.knapsack.levels import Nesting
from reds_core.network.axis import Axis
from reds_core.network.description import Network, Tensor
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.model_subject import narrowed
from reds_core.testing.plugin_checks import check_declaration, imports_nothing_heavy, is_clause
from reds_core.testing.report import Failure, Skip
from reds_core.testing.runner import Check
from reds_core.testing.transform_starts import begins_with_a_projection
from reds_core.testing.transform_subject import TransformSubject, near
from reds_core.transforms.factors import composed
from reds_core.transforms.quantiser import UniformQuantiser
from reds_core.transforms.transform import LayerPart, Stage

SHARES = (1.0, 0.5, 0.01)
"""Shares of the channels of each group at which costs are compared; the last leaves a single channel."""


def _usages(network: Network) -> Iterator[tuple[str, int]]:
    """The usage of each resource at several widths and element sizes, with its name and the unit of the amount."""
    for element_size_bytes in ELEMENT_SIZES_BYTES:
        for share in SHARES:
            found = usage(network, narrowed(network, share), CostModel(element_size_bytes, additional=tuple(RESOURCES)))
            where = f"at {share:.0%} of the channels and {element_size_bytes}-byte elements"
            yield from ((f"{resource} {where}", amount) for resource, amount in found.items())


# --- levels ------------------------------------------------------------------------------------------------------


def declares_what_it_is(subject: TransformSubject) -> None:
    """Discovery relies on these declarations, and plans and problem files store levels under the name `what`."""
    transform = subject.plugin
    check_declaration(transform)
    what = transform.what
    if not isinstance(what, str) or not what.isidentifier() or what != what.lower() or what == "width":
        raise Failure(f"what is {what!r}, not a name in snake case other than 'width'")
    if not isinstance(transform.stage, Stage):
        raise Failure(f"stage is {transform.stage!r}, not a Stage")
    for name, nesting in (("nesting", transform.nesting), ("nests", transform.nests)):
        if not isinstance(nesting, Nesting):
            raise Failure(f"{name} is {nesting!r}, not a Nesting")


def levels_rise(subject: TransformSubject) -> None:
    """The last level is the untouched layer, and nesting compares levels by their order, so levels must rise.

    Levels are a one-dimensional array of int64, which may be empty.
    """
    for site in subject.sites:
        levels = subject.offered(site).levels
        if not isinstance(levels, np.ndarray) or levels.dtype != np.int64 or levels.ndim != 1:
            raise Failure(f"the levels of {site} are {levels!r}, not an array of int64 of one dimension")
        if np.any(np.diff(levels) <= 0):
            raise Failure(f"the levels of {site} do not rise: {levels.tolist()}")


def offers_levels_somewhere(subject: TransformSubject) -> None:
    """The other checks only try levels that are offered, so there must be a layer with at least two levels.

    If none of the layers of the kit suits the transform, give networks with such layers.
    """
    if not subject.cases:
        kinds = sorted({call.kind for network in subject.networks for call in network.layers})
        raise Failure(
            f"offers nothing for layers of type {', '.join(kinds)}: give check_transform or transform_conformance "
            "networks with other layers"
        )


def says_why_there_is_nothing_to_decide(subject: TransformSubject) -> None:
    """`reds inspect` shows users why a layer cannot be compressed, so an offer of fewer than two levels has a reason.

    The reason is a sentence without a full stop.
    """
    for site in subject.sites:
        offered = subject.offered(site)
        if not isinstance(offered.reason, str) or (len(offered.levels) < 2 and not is_clause(offered.reason)):
            raise Failure(f"gives {offered.reason!r} as the reason for offering no levels for {site}")


def offers_the_same_twice(subject: TransformSubject) -> None:
    """A resumed run asks again, so offers may only depend on the network and the options."""
    for site in subject.sites:
        first, again, fresh = (subject.offered(site, made) for made in (None, None, subject.make()))
        if not np.array_equal(first.levels, again.levels) or not np.array_equal(first.levels, fresh.levels):
            raise Failure(f"offers {site} different levels each time: {first.levels.tolist()}, {again.levels.tolist()}")


# --- descriptions ------------------------------------------------------------------------------------------------


def describes_a_layer_that_fits(subject: TransformSubject) -> None:
    """The layer is put back into its network, so its indices must be valid, and other layers still use its tensors.

    The tensors of the part keep their places, axes and positions; tensors of the new layer's own come after them.
    """
    for site, level in subject.levels:
        part = subject.plugin.described(site.part, level)
        if not isinstance(part, LayerPart):
            raise Failure(f"described() of {site} at level {level} is {type(part).__name__}, not a LayerPart")
        for call in part.layers:
            tensors, weights = (*call.inputs, *call.outputs), call.weights
            if not all(0 <= t < len(part.tensors) for t in tensors) or not all(
                0 <= w < len(part.weights) for w in weights
            ):
                raise Failure(f"{site} at level {level} refers to a tensor or weight that its part does not have")
        if [_place(t) for t in part.tensors[: len(site.part.tensors)]] != [_place(t) for t in site.part.tensors]:
            raise Failure(f"{site} at level {level} has other tensors than the rest of the network reads and writes")
        if not _outputs(site.part) <= _outputs(part):
            raise Failure(f"{site} at level {level} does not write all tensors that it wrote before")


def _outputs(part: LayerPart) -> set[int]:
    return {tensor for call in part.layers for tensor in call.outputs}


def _place(tensor: Tensor) -> tuple[int, Axis, int]:
    return tensor.positions, tensor.axis, tensor.dimension


def widths_still_count(subject: TransformSubject) -> None:
    """Widths and levels are decided together, so the costs of a layer at each level must still depend on its widths.

    The axes of the described layer refer to the same groups as before.
    """
    for site, level in subject.levels:
        part = subject.plugin.described(site.part, level)
        for what, groups in (("weights", _weight_groups), ("multiply-accumulates", _macs_groups)):
            if groups(part) != groups(site.part):
                found, expected = sorted(groups(part)), sorted(groups(site.part))
                raise Failure(f"the {what} of {site} at level {level} depend on the groups {found}, not on {expected}")


def _weight_groups(part: LayerPart) -> set[str]:
    return {group for weight in part.weights for axis in weight.axes for group in axis.groups()}


def _macs_groups(part: LayerPart) -> set[str]:
    axes = [axis for call in part.layers for term in call.macs for axis in term.factors]
    return {group for axis in axes for group in axis.groups()}


def last_level_costs_what_the_layer_costs(subject: TransformSubject) -> None:
    """Layers at their last level are left out of plans, so they must cost what the untouched layer costs."""
    for site, level in subject.untouched:
        pairs = zip(_usages(subject.network_at(site, level)), _usages(site.network), strict=True)
        for (resource, found), (_, expected) in pairs:
            if found != expected:
                raise Failure(f"{site} at its last level {level} uses {found} {resource}, untouched {expected}")


def lower_levels_save_something(subject: TransformSubject) -> None:
    """A level is only chosen to meet a budget, so every level but the last must use less of at least one resource."""
    for site, level in subject.lower_levels:
        pairs = zip(_usages(subject.network_at(site, level)), _usages(site.network), strict=True)
        if not any(found < untouched for (_, found), (_, untouched) in pairs):
            raise Failure(f"{site} at level {level} uses no less of any resource than the untouched layer")


# --- projections -------------------------------------------------------------------------------------------------


def projects_to_finite_arrays_of_the_same_shape(subject: TransformSubject) -> None:
    """Projected weights replace those of the model, so they must be finite float64 arrays of the same shape.

    Weights may be zero, because training and pruning produce such channels.
    """
    for site, level in subject.levels:
        for weight, values in site.weights:
            for given in (values, np.zeros_like(values), 1e-30 * values):
                found = subject.project(given, weight, level)
                if not isinstance(found, np.ndarray) or found.shape != given.shape or found.dtype != np.float64:
                    shown = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else repr(found)
                    raise Failure(f"'{weight.name}' at level {level} is {shown}, not float64 {given.shape}")
                if not np.isfinite(found).all():
                    raise Failure(f"'{weight.name}' at level {level} is not finite, where it was {given.ravel()[:2]}")


def projects_narrower_weights(subject: TransformSubject) -> None:
    """Members of a family are projected after channels were removed, so weights come with any number of channels."""
    for site, level in subject.levels:
        for weight, values in site.narrower:
            try:
                found = subject.project(values, weight, level)
            except Exception as error:
                shape = f"'{weight.name}' of shape {values.shape} at level {level}"
                raise Failure(f"raises {type(error).__name__} for {shape}: {error}") from error
            if found.shape != values.shape or not np.isfinite(found).all():
                raise Failure(f"'{weight.name}' of shape {values.shape} at level {level} becomes {found.shape}")


def last_level_leaves_the_weights(subject: TransformSubject) -> None:
    """Layers at their last level are left out of plans, so their weights must stay what they are."""
    for site, level in subject.untouched:
        for weight, values in site.weights:
            if not np.array_equal(subject.project(values, weight, level), values):
                raise Failure(f"'{weight.name}' of {site} is changed at its last level {level}")


def changes_only_the_weights_that_it_names(subject: TransformSubject) -> None:
    """Frameworks do not project weights for which `projects` is false, so `projected` must leave these as they are."""
    for site, level in subject.levels:
        for weight, values in site.weights:
            if not subject.plugin.projects(weight) and not np.array_equal(
                subject.project(values, weight, level), values
            ):
                raise Failure(f"'{weight.name}' changes at level {level}, although projects() is false")


def projecting_twice_changes_nothing(subject: TransformSubject) -> None:
    """Weights are projected during training and again before export, so a second projection must change nothing."""
    for site, level in subject.levels:
        for weight, values in site.weights:
            once = subject.project(values, weight, level)
            if not near(subject.project(once, weight, level), once):
                raise Failure(f"'{weight.name}' changes when it is projected to level {level} for the second time")


def leaves_its_argument_unchanged(subject: TransformSubject) -> None:
    """The weights of a model are projected to many levels in turn, so a projection must not change its argument."""
    for site, level in subject.levels:
        for weight, values in site.weights:
            given = values.copy()
            subject.plugin.projected(given, weight, level)
            if not np.array_equal(given, values):
                raise Failure(f"projecting '{weight.name}' to level {level} changes the array that it is given")


def projects_the_same_twice(subject: TransformSubject) -> None:
    """Exported files and resumed runs must agree, so a projection may only depend on its arguments and the options."""
    for site, level in subject.levels:
        for weight, values in site.weights:
            first, again = (subject.project(values, weight, level) for _ in range(2))
            if not np.array_equal(first, again) or not np.array_equal(
                first, subject.project(values, weight, level, subject.make())
            ):
                raise Failure(f"'{weight.name}' is projected to level {level} differently each time")


def quantiser_agrees_with_the_projection(subject: TransformSubject) -> None:
    """Frameworks train through the quantiser and files hold what `projected` returns, so both must be the same.

    The last level is an exception: its quantiser may be the one that files apply by themselves.
    """
    asked = False
    for site, level in subject.lower_levels:
        for weight, values in [*site.weights, *site.narrower]:
            quantiser = subject.plugin.quantiser(weight, level)
            if quantiser is None:
                continue
            asked = True
            if not isinstance(quantiser, UniformQuantiser):
                raise Failure(f"quantiser() of '{weight.name}' at level {level} is {quantiser!r}")
            found = quantiser.quantised(values, weight.scales_along)
            if not near(found, subject.project(values, weight, level)):
                raise Failure(f"'{weight.name}' at level {level} is projected to other values than by its quantiser")
    if not asked:
        raise Skip("has no quantisers")


def factors_compose_to_the_projection(subject: TransformSubject) -> None:
    """Networks are trained with the projected kernel and exported with the layers that replace it: both must agree.

    The layers that `described` lists have one kernel each, of the shapes that factors() returns. Their names are that
    of the layer that they replace, a slash, and a name of their own.
    """
    if subject.plugin.stage is not Stage.REWRITE:
        raise Skip("replaces no layers")
    for site, level in subject.lower_levels:
        kernels = rewritten_kernels(subject.plugin, level, site.part)
        names = [name for name, _ in kernels]
        if not names or not all(name.startswith(f"{site.name}/") for name in names):
            raise Failure(
                f"{site} at level {level} is replaced by layers named {', '.join(names)}, not '{site.name}/...'"
            )
        for weight, values in site.weights:
            if not subject.plugin.projects(weight):
                continue
            found = subject.plugin.factors(weight, level, None)(values.copy())
            shapes = [factor.shape for factor in found]
            described = [tuple(axis.full(site.network.channels) for axis in kernel.axes) for _, kernel in kernels]
            if shapes != described:
                raise Failure(f"the kernels of {site} at level {level} have the shapes {shapes}, described {described}")
            if not near(composed(found), subject.project(values, weight, level)):
                raise Failure(f"the kernels of {site} at level {level} compute something else than the projection")


def factors_follow_from_what_they_compose(subject: TransformSubject) -> None:
    """Files are made of the composed kernel that a training keeps, so its factors must be those of the training.

    What other transforms make of them, such as integers of a few bits, would differ otherwise.
    """
    if subject.plugin.stage is not Stage.REWRITE:
        raise Skip("replaces no layers")
    for site, level in subject.lower_levels:
        for weight, values in site.weights:
            if not subject.plugin.projects(weight):
                continue
            for inputs in (None, _second_moments(values.shape[-2])):
                found = subject.plugin.factors(weight, level, inputs)(values.copy())
                again = subject.plugin.factors(weight, level, None)(composed(found))
                if not all(np.allclose(a, b, atol=1e-3 * np.abs(b).max()) for a, b in zip(again, found, strict=True)):
                    raise Failure(
                        f"the kernels of {site} at level {level} change when they are made of what they compose"
                    )


def _second_moments(channels: int) -> FloatArray:
    """Second moments of inputs that are correlated and of different sizes."""
    random = np.random.default_rng(channels)
    x = random.normal(size=(4 * channels, channels)) @ random.normal(size=(channels, channels))
    moments: FloatArray = x.T @ x / len(x)
    return moments


def prints_nothing(subject: TransformSubject) -> None:
    """With --json, stdout must contain nothing but JSON, so a plugin must not print."""
    with captured_stdout() as captured:
        for site, level in subject.levels:
            subject.offered(site)
            subject.plugin.described(site.part, level)
            for weight, values in site.weights:
                subject.project(values, weight, level)
                subject.plugin.quantiser(weight, level)
    if captured.text:
        raise Failure(f"printed {captured.text[:80]!r}")


_OFFERS = ("levels_rise", "offers_levels_somewhere")
_FITS = (*_OFFERS, "describes_a_layer_that_fits", "widths_still_count")
_PROJECTS = (*_OFFERS, "projects_to_finite_arrays_of_the_same_shape")
_BEGINS = (
    *_PROJECTS,
    "projects_the_same_twice",
    "projects_narrower_weights",
    "last_level_leaves_the_weights",
    "projecting_twice_changes_nothing",
)
TRANSFORM_CHECKS: tuple[Check[TransformSubject], ...] = (
    Check(declares_what_it_is),
    Check(imports_nothing_heavy),
    Check(levels_rise, ("declares_what_it_is",)),
    Check(offers_levels_somewhere, ("levels_rise",)),
    Check(says_why_there_is_nothing_to_decide, ("levels_rise",)),
    Check(offers_the_same_twice, ("levels_rise",)),
    Check(describes_a_layer_that_fits, _OFFERS),
    Check(widths_still_count, (*_OFFERS, "describes_a_layer_that_fits")),
    Check(last_level_costs_what_the_layer_costs, _FITS),
    Check(lower_levels_save_something, (*_FITS, "last_level_costs_what_the_layer_costs")),
    Check(projects_to_finite_arrays_of_the_same_shape, _OFFERS),
    Check(leaves_its_argument_unchanged, _PROJECTS),
    Check(projects_the_same_twice, _PROJECTS),
    Check(projects_narrower_weights, _PROJECTS),
    Check(last_level_leaves_the_weights, _PROJECTS),
    Check(changes_only_the_weights_that_it_names, (*_PROJECTS, "last_level_leaves_the_weights")),
    Check(projecting_twice_changes_nothing, (*_PROJECTS, "projects_the_same_twice")),
    Check(quantiser_agrees_with_the_projection, _PROJECTS),
    Check(begins_with_a_projection, _BEGINS),
    Check(factors_compose_to_the_projection, (*_PROJECTS, "describes_a_layer_that_fits")),
    Check(factors_follow_from_what_they_compose, (*_PROJECTS, "factors_compose_to_the_projection")),
    Check(prints_nothing, _PROJECTS),
)
"""Every check of a transform, in the order of the report."""
