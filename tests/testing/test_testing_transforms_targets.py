"""The conformance kits for transforms and targets: honest ones pass, each bad one fails the check meant for it."""

from __future__ import annotations

from collections.abc import Callable

import mock_targets
import mock_transforms
import pytest
from kit_reports import failed
from toy_framework import ToyFramework
from toy_plugins import PluginModule, ToyBits, ToyTarget
from toy_transforms import ToyMask, ToyRank

from reds_core.errors import UnsupportedError
from reds_core.framework.exported import ExportedModel
from reds_core.framework.target import Target
from reds_core.registry import Registry
from reds_core.testing import (
    TARGET_CHECKS,
    TRANSFORM_CHECKS,
    CheckOutcome,
    check,
    check_target,
    check_transform,
    target_conformance,
    transform_conformance,
)
from reds_core.testing.sample_networks import sample_networks
from reds_core.transforms.transform import Transform

TOYS = Registry([PluginModule("toys", (ToyFramework, ToyBits, ToyTarget))])
BAD_TRANSFORMS: list[tuple[type[Transform], str, str]] = [
    (mock_transforms.Spaced, "declares_what_it_is", "what is 'Weight Bits'"),
    (mock_transforms.Unstaged, "declares_what_it_is", "stage is 4, not a Stage"),
    (mock_transforms.Thawed, "declares_what_it_is", "not an object of the frozen dataclass Options"),
    (mock_transforms.Falling, "levels_rise", "do not rise: [8, 4, 2]"),
    (mock_transforms.Fractional, "levels_rise", "not an array of int64"),
    (mock_transforms.Idle, "offers_levels_somewhere", "offers nothing for layers of type Add, BatchNormalization"),
    (mock_transforms.Silent, "says_why_there_is_nothing_to_decide", "gives '' as the reason"),
    (mock_transforms.Moody, "offers_the_same_twice", "different levels each time"),
    (mock_transforms.Overreaching, "describes_a_layer_that_fits", "a tensor or weight that its part does not have"),
    (mock_transforms.Moving, "describes_a_layer_that_fits", "other tensors than the rest of the network"),
    (mock_transforms.Unwritten, "describes_a_layer_that_fits", "does not write all tensors"),
    (mock_transforms.Fixing, "widths_still_count", "the weights of layer 'stem' of the network 'convolutional' at"),
    (mock_transforms.Costly, "last_level_costs_what_the_layer_costs", "at its last level 8 uses"),
    (mock_transforms.Useless, "lower_levels_save_something", "uses no less of any resource"),
    (
        mock_transforms.Flat,
        "projects_to_finite_arrays_of_the_same_shape",
        "is float64 (324,), not float64 (3, 3, 3, 12)",
    ),
    (mock_transforms.Single, "projects_to_finite_arrays_of_the_same_shape", "is float32"),
    (mock_transforms.Dividing, "projects_to_finite_arrays_of_the_same_shape", "is not finite"),
    (mock_transforms.Spoiling, "leaves_its_argument_unchanged", "changes the array that it is given"),
    (mock_transforms.Noisy, "projects_the_same_twice", "differently each time"),
    (mock_transforms.FullWidth, "projects_narrower_weights", "raises ValueError for"),
    (mock_transforms.Restless, "last_level_leaves_the_weights", "is changed at its last level 8"),
    (mock_transforms.Unnamed, "changes_only_the_weights_that_it_names", "although projects() is false"),
    (mock_transforms.Shrinking, "projecting_twice_changes_nothing", "for the second time"),
    (mock_transforms.Disagreeing, "quantiser_agrees_with_the_projection", "other values than by its quantiser"),
    (mock_transforms.Drifting, "begins_with_a_projection", "changes when it is projected for the second time"),
    (mock_transforms.Halving, "begins_with_a_projection", "begun with a smaller network at level 25"),
    (mock_transforms.Unmasked, "begins_with_a_projection", "projected and then begun, changes again"),
    (mock_transforms.Unequal, "factors_compose_to_the_projection", "compute something else than the projection"),
    (mock_transforms.Turning, "factors_follow_from_what_they_compose", "change when they are made of what they"),
    (mock_transforms.Printing, "prints_nothing", "printed 'offering"),
]
BAD_TARGETS: list[tuple[type[Target], str, str]] = [
    (mock_targets.Strayed, "declares_what_it_is", "is made from 'lightning', but is checked with 'toy'"),
    (mock_targets.Misnamed, "declares_what_it_is", "not a FileKind with the name 'toy-device'"),
    (mock_targets.Bare, "declares_what_it_is", "the suffix of its files is ''"),
    (mock_targets.Littering, "exports_one_file", "leaves residual-device.log beside"),
    (mock_targets.Refusing, "exports_one_file", "refuses to export every sample"),
    (mock_targets.Overwriting, "writes_atomically", "writes into an older file"),
    (mock_targets.Crashing, "writes_atomically", "raises FileNotFoundError, not InputError"),
    (mock_targets.Spoiling, "leaves_the_model_unchanged", "exporting changes the weights of sample"),
    (mock_targets.Careless, "works_without_calibration_or_says_so", "raises AttributeError, not InputError"),
    (mock_targets.Pretending, "works_without_calibration_or_says_so", "writes no file"),
    (mock_targets.Undeclared, "works_without_calibration_or_says_so", "are not declared as calibrated"),
    (mock_targets.Overdeclared, "works_without_calibration_or_says_so", "are declared as calibrated"),
    (mock_targets.Negating, "answers_like_the_model", "scores 0, its model 1"),
    (mock_targets.Skipping, "answers_like_the_model", "has ExportedFigures"),
    (mock_targets.Permissive, "refuses_data_that_do_not_fit", "takes examples of shape"),
    (mock_targets.Trusting, "refuses_damaged_files", "load() raises FileNotFoundError, not InputError, for a missing"),
    (mock_targets.Forgiving, "refuses_damaged_files", "usage() accepts a missing file"),
    (mock_targets.Overcounting, "usage_equals_the_described_network", "params, but its description"),
    (mock_targets.Averaging, "usage_equals_the_described_network", "has 2.5 cycles, not a whole number"),
    (mock_targets.Agreeing, "refuses_levels_with_a_reason", "answers None to level 1 of 'no_such_decision'"),
    (mock_targets.Verbose, "refuses_levels_with_a_reason", "not a clause that says why not"),
    (mock_targets.Noting, "notes_are_sentences", "not a tuple of texts of one line"),
    (mock_targets.Deaf, "holds_the_levels_that_it_accepts", "params, but its description"),
    (mock_targets.Zeroing, "holds_the_levels_that_it_accepts", "its model"),
    (mock_targets.Breaking, "holds_the_levels_that_it_accepts", "at levels that it accepts: weights have 8 bits"),
    (mock_targets.Printing, "prints_nothing", "printed 'exported"),
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("transform", "name", "reason"), BAD_TRANSFORMS, ids=lambda x: getattr(x, "__name__", None))
def test_a_bad_transform_fails_the_check_meant_for_it(transform: type[Transform], name: str, reason: str) -> None:
    found = failed(check_transform(transform))
    assert list(found) == [name], found
    assert reason in found[name]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("target", "name", "reason"), BAD_TARGETS, ids=lambda x: getattr(x, "__name__", None))
def test_a_bad_target_fails_the_check_meant_for_it(target: type[Target], name: str, reason: str) -> None:
    found = failed(check_target(target, make_framework=ToyFramework, registry=TOYS))
    assert list(found) == [name], found
    assert reason in found[name]


def test_every_check_has_a_plugin_that_fails_it() -> None:
    shared = {"imports_nothing_heavy"}
    assert {b[1] for b in BAD_TRANSFORMS} | shared == {c.name for c in TRANSFORM_CHECKS}
    assert {b[1] for b in BAD_TARGETS} | shared | {"has_samples_to_export"} == {c.name for c in TARGET_CHECKS}


@pytest.mark.parametrize("checks", [TRANSFORM_CHECKS, TARGET_CHECKS], ids=["transforms", "targets"])
def test_every_check_says_why(checks: tuple[object, ...]) -> None:
    names = [c.name for c in checks]  # type: ignore[attr-defined]
    for each in checks:
        assert len(each.reason) > 40, each.name  # type: ignore[attr-defined]
        assert set(each.after) <= set(names[: names.index(each.name)])  # type: ignore[attr-defined]


@transform_conformance(ToyBits)
def test_an_honest_transform_passes(check: Callable[[], None]) -> None:
    check()


@pytest.mark.usefixtures("quick")
def test_an_honest_transform_with_a_quantiser_passes_on_given_networks() -> None:
    report = check_transform(mock_transforms.Quantising, networks=sample_networks()[1:])
    others = {each.name: each.outcome for each in report.results if each.outcome is not CheckOutcome.PASSED}
    assert others == {
        "factors_compose_to_the_projection": CheckOutcome.SKIPPED,
        "factors_follow_from_what_they_compose": CheckOutcome.SKIPPED,
    }, str(report)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("transform", [ToyMask, ToyRank])
def test_honest_transforms_that_start_or_replace_layers_pass(transform: type[Transform]) -> None:
    report = check_transform(transform)
    assert {each.outcome for each in report.results} <= {CheckOutcome.PASSED, CheckOutcome.SKIPPED}, str(report)


@target_conformance(ToyTarget, registry=TOYS)
def test_an_honest_target_passes(check: Callable[[], None]) -> None:
    check()


@pytest.mark.usefixtures("quick")
def test_a_target_without_samples_fails_before_anything_is_exported() -> None:
    report = check_target(ToyTarget, samples=(), registry=TOYS)
    assert list(failed(report)) == ["has_samples_to_export"]
    assert len(report.with_outcome(CheckOutcome.SKIPPED)) > 5


@pytest.mark.usefixtures("quick")
def test_a_target_whose_files_cannot_be_run_here_is_checked_otherwise() -> None:
    class Elsewhere(ToyTarget):
        def load(self, framework: object, path: object) -> ExportedModel:
            raise UnsupportedError("the device is elsewhere", "go there")

    report = check_target(Elsewhere, registry=TOYS)
    assert failed(report) == {}
    skipped = {r.name: r.reason for r in report.with_outcome(CheckOutcome.SKIPPED)}
    loading = {"answers_like_the_model", "refuses_data_that_do_not_fit", "holds_the_levels_that_it_accepts"}
    assert set(skipped) == loading
    assert skipped["answers_like_the_model"] == "cannot run its files here: the device is elsewhere"


@pytest.mark.usefixtures("quick")
def test_a_transform_with_one_level_for_the_network_is_not_held_against_the_untouched_network() -> None:
    report = check_transform(mock_transforms.Doubling)
    assert failed(report) == {}
    skipped = {r.name for r in report.with_outcome(CheckOutcome.SKIPPED)}
    assert {"last_level_costs_what_the_layer_costs", "last_level_leaves_the_weights"} <= skipped
    found = failed(check_transform(mock_transforms.DoublingShapes))
    assert list(found) == ["describes_a_layer_that_fits"]


def test_check_finds_transforms_and_targets_by_name_and_the_framework_of_a_target() -> None:
    for name, kind in (("toy-bits", "transform"), ("toy-device", "target")):
        (report,) = check(name, TOYS)
        assert (report.plugin, report.kind, report.ok) == (name, kind, True), str(report)
