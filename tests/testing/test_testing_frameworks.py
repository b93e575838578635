"""The conformance kit for frameworks: the toy framework passes, each bad one fails exactly the check meant for it."""

from __future__ import annotations

from collections.abc import Callable

import mock_frameworks as mocks
import pytest
from kit_reports import failed
from toy_framework import ToyFramework, toy_samples
from toy_plugins import PluginModule, toy_registry

from reds_core.errors import UnsupportedError
from reds_core.framework.framework import Framework
from reds_core.registry import Registry
from reds_core.testing import (
    FRAMEWORK_CHECKS,
    CheckOutcome,
    check,
    check_framework,
    framework_conformance,
)
from reds_core.testing.kits import KITS
from reds_core.testing.tiny import TinyFramework

BAD: list[tuple[type[Framework], str, str]] = [
    (mocks.Unversioned, "declares_what_it_is", "library_versions is {'toy': 1.0}"),
    (mocks.WithoutSamples, "offers_samples_that_can_tell", "offers no sample models"),
    (mocks.DeadSamples, "offers_samples_that_can_tell", "hardly vary over its examples"),
    (mocks.OneSidedSamples, "offers_samples_that_can_tell", "finds one class in all its examples"),
    (mocks.RestlessSamples, "offers_samples_that_can_tell", "other weights or data each time it is built"),
    (mocks.Turned, "describes_every_weight", "described as"),
    (mocks.Anxious, "describes_every_weight", "with a warning: layer 'pool' is not known"),
    (mocks.Possessive, "knows_its_models", "owns() is true for an object that is not a model"),
    (mocks.Flat, "knows_its_models", "is (4,), but its examples have shape (3, 4)"),
    (mocks.Normalising, "answers_alike_in_batches_of_any_size", "in batches of 7: outputs differ by"),
    (mocks.Deaf, "losses_follow_the_weights", "does not change with its weights"),
    (mocks.Swapped, "losses_follow_the_weights", "under its own weights are"),
    (mocks.Stubborn, "assigned_weights_take_effect", "does not have the values that were assigned"),
    (mocks.Lenient, "assigned_weights_take_effect", "takes values of another shape"),
    (mocks.Doubled, "gradients_are_those_of_the_loss", "but the loss rises by"),
    (mocks.Summed, "gradients_are_those_of_the_loss", "is not the mean over its batches"),
    (mocks.MovingStatistics, "gradients_are_those_of_the_loss", "has a gradient that is not zero"),
    (mocks.Signed, "activation_statistics_are_those_of_the_data", "are not those of its examples"),
    (mocks.Traceback, "refuses_what_is_no_model_file", "raises ValueError, not InputError, for a missing file"),
    (mocks.Credulous, "refuses_data_that_do_not_fit", "takes examples of shape (3, 12)"),
    (mocks.Percent, "accuracy_is_a_share", "of its predictions are correct"),
    (mocks.Collecting, "takes_data_in_batches", "of sample 'residual' into Arrays"),
    (mocks.Hasty, "takes_data_in_batches", "if its examples are a stream"),
    (mocks.Rereading, "takes_data_in_batches", "reads a stream 4 times in 2 epochs"),
    (mocks.Meddling, "leaves_the_model_unchanged", "inspect changes the weights"),
    (mocks.Draining, "leaves_the_model_unchanged", "export changes the weights"),
    (mocks.Sorting, "permuted_equals_original", "with its channels in another order: outputs differ by"),
    (mocks.Prefix, "removed_equals_masked", "where it is masked"),
    (mocks.Rescaling, "removed_equals_masked", "where it is masked"),
    (mocks.Boastful, "skipped_blocks_equal_masked", "no sample has a residual block that can be skipped"),
    (mocks.FixedCosts, "costs_equal_an_independent_count", "counted in the smaller network"),
    (mocks.Miscounting, "costs_equal_an_independent_count", "counted by hand"),
    (mocks.Forgetful, "save_and_load_give_the_same_model", "different weights after it was saved and loaded"),
    (mocks.Renaming, "save_and_load_give_the_same_model", "described with different layers"),
    (mocks.Crude, "exported_equals_model", "exported as"),
    (mocks.Optimistic, "exported_equals_model", "scores 0.9 where the model scores"),
    (mocks.Quantising, "exported_equals_model", "int8 scores"),
    (mocks.Separate, "slices_train_back_into_the_full_weights", "is not a slice of the full one's"),
    (mocks.Ascending, "training_lowers_the_loss", "two epochs took the loss"),
    (mocks.Silent, "training_lowers_the_loss", "reported the end of epochs []"),
    (mocks.SharedStatistics, "statistics_of_members_are_their_own", "the statistics of the full network"),
    (mocks.Unseeded, "the_same_seed_trains_the_same", "trained twice under one seed"),
    (mocks.Unbiased, "replaced_layers_compute_the_same", "with layers replaced: outputs differ by"),
    (mocks.Printing, "prints_nothing", "printed 'Epoch 1/2"),
]


pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize(("framework", "name", "reason"), BAD, ids=lambda x: getattr(x, "__name__", None))
def test_a_bad_framework_fails_the_check_meant_for_it(framework: type[Framework], name: str, reason: str) -> None:
    found = failed(check_framework(framework, registry=toy_registry()))
    assert list(found) == [name], found
    assert reason in found[name]


BLOCKS = "skipped_blocks_equal_masked"
"""The check that is skipped for frameworks that do not remove residual blocks, as the toy framework."""


def test_every_check_has_a_framework_that_fails_it() -> None:
    assert {b[1] for b in BAD} | {"imports_nothing_heavy"} == {c.name for c in FRAMEWORK_CHECKS}


def test_every_check_says_why() -> None:
    names = [c.name for c in FRAMEWORK_CHECKS]
    for each in FRAMEWORK_CHECKS:
        assert len(each.reason) > 40, each.name
        assert set(each.after) <= set(names[: names.index(each.name)])


@framework_conformance(ToyFramework, registry=toy_registry())
def test_the_toy_framework_passes(check: Callable[[], None]) -> None:
    check()


def test_samples_may_be_given_instead() -> None:
    (residual, _) = toy_samples()
    report = check_framework(mocks.WithoutSamples(), samples=[residual], registry=toy_registry())
    assert report.ok
    assert [check.name for check in report.with_outcome(CheckOutcome.SKIPPED)] == [BLOCKS]
    assert len(report.with_outcome(CheckOutcome.PASSED)) == len(FRAMEWORK_CHECKS) - 1


def test_a_framework_need_not_write_files_for_devices() -> None:
    report = check_framework(mocks.Deviceless, registry=toy_registry())
    assert report.ok
    skipped = {check.name: check.reason for check in report.with_outcome(CheckOutcome.SKIPPED)}
    assert skipped.pop(BLOCKS) == "the framework does not remove residual blocks"
    assert skipped == {"exported_equals_model": "writes no files for devices"}


def test_check_finds_frameworks_by_name() -> None:
    (report,) = check("toy", toy_registry())
    assert (report.plugin, report.kind, report.ok) == ("toy", "framework", True)


def test_a_kind_without_a_kit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reds_core.testing.finding.KITS", [kit for kit in KITS if kit.base is not Framework])
    wanted = "'toy': there are no checks for a framework; name a solver, scorer, pruner,"
    with pytest.raises(UnsupportedError, match=wanted):
        check("toy", Registry([PluginModule("toys", (ToyFramework,))]))


def test_a_framework_without_samples_is_refused() -> None:
    wanted = "framework 'tiny' offers no sample models to check it on; return some from its method samples"
    with pytest.raises(UnsupportedError, match=wanted):
        check("tiny", Registry([PluginModule("tinies", (TinyFramework,))]))
