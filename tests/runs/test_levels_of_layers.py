"""Runs that decide levels of layers together with widths, from the settings to the plan."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from reds_pruners import NestedPruner
from toy_framework import ToyFramework, describe, residual_model
from toy_plugins import toy_registry
from toy_runs import Listener, Workplace, contents, settings, without_times
from toy_transforms import ToyBits, ToyTarget, rounded

from reds_core.cost import resources
from reds_core.cost.resources import CostModel
from reds_core.errors import ContractViolation, InfeasibleError, InputError, UnsupportedError
from reds_core.framework.family import Family
from reds_core.framework.training import Training
from reds_core.knapsack.levels import LevelSettings, Nesting
from reds_core.network.description import Network
from reds_core.plan import ExtractionRecord, load_plan
from reds_core.pruning.promise import check_model
from reds_core.pruning.pruner import Decision, PruningState, Step, Tools
from reds_core.registry import Registry
from reds_core.runs import api
from reds_core.runs.checkpoint import load_scores
from reds_core.runs.settings import TRANSFORM_SETTINGS
from reds_core.transforms.describing import described
from reds_core.transforms.transform import Offered

WHAT = "weight_bits"
LEVELS = settings(transforms=("toy-bits",), targets=("toy-device",))
BUDGETS = {"macs": [0.8, 0.5], "weight_bytes": [0.5, 0.3]}


class RisingBits(ToyBits):
    nesting = Nesting.RISING


class EqualBits(ToyBits):
    nesting = Nesting.EQUAL


def registry(bits: type[ToyBits] = ToyBits, target: type[ToyTarget] = ToyTarget) -> Registry:
    return toy_registry(bits, target)


def prune(place: Workplace, bits: type[ToyBits] = ToyBits, **changes: Any) -> Any:
    asked: dict[str, Any] = {"budgets": BUDGETS, "settings": LEVELS, "registry": registry(bits)}
    return place.prune(**(asked | changes))


def test_widths_and_bits_meet_both_budgets(place: Workplace) -> None:
    plan = prune(place)
    assert plan.format == "reds-plan/2"
    assert plan == load_plan(place.out)
    full = plan.full.usage
    for record, macs, weight_bytes in zip(plan.subnetworks, (0.5, 0.8), (0.3, 0.5), strict=True):
        assert record.usage["macs"] <= macs * full["macs"]
        assert record.usage["weight_bytes"] <= weight_bytes * full["weight_bytes"]
        assert record.status == "optimal"
        levels = {site: chosen[WHAT] for site, chosen in record.settings.items()}
        assert levels
        assert set(levels.values()) <= {2, 4, 8}
    assert any(level < 8 for chosen in plan.subnetworks[0].settings.values() for level in chosen.values())
    order = [layer.name for layer in describe(residual_model()).layers]
    assert all(list(r.settings) == [s for s in order if s in r.settings] for r in plan.subnetworks)


def test_saved_models_have_the_weights_that_their_levels_leave(place: Workplace) -> None:
    plan = prune(place)
    framework = ToyFramework()
    for record in plan.subnetworks:
        model = framework.load_model(place.out / record.files["keras"])
        for site, chosen in record.settings.items():
            kernel = model.weights[f"{site}/kernel"].astype(np.float64)
            if chosen[WHAT] < 8:
                assert len(np.unique(kernel)) <= 2 ** chosen[WHAT]
                assert np.allclose(kernel, rounded(kernel, chosen[WHAT]), atol=1e-6)
    whole = framework.load_model(place.out / "nested.keras")
    assert all(len(np.unique(w)) > 16 for name, w in whole.weights.items() if name.endswith("kernel") and w.size > 16)


def test_usage_is_counted_by_bits(place: Workplace) -> None:
    plan = prune(place)
    framework = ToyFramework()
    for record in plan.subnetworks:
        model, total = framework.load_model(place.out / record.files["keras"]), 0
        for name, weight in model.weights.items():
            site, _, kind = name.partition("/")
            bits = record.settings.get(site, {}).get(WHAT, 8) if kind == "kernel" else 8
            total += math.ceil(weight.size * bits / 8)
        assert record.usage["params"] == total


@pytest.mark.parametrize("family", ["auto", "bottom-up", "top-down", "joint"])
@pytest.mark.parametrize("bits", [ToyBits, RisingBits, EqualBits])
def test_families_nest_as_the_transform_says(place: Workplace, bits: type[ToyBits], family: str) -> None:
    changed = dataclasses.replace(LEVELS, options={"nested": {"family": family}})
    small, large = prune(place, bits, settings=changed, budgets={"macs": [0.9, 0.6], "params": [0.5, 0.45]}).subnetworks
    assert all(small.widths[g] <= large.widths[g] for g in small.widths)
    pairs = [(small.settings[site][WHAT], large.settings[site][WHAT]) for site in small.settings]
    if bits is EqualBits:
        assert all(a == b for a, b in pairs)
    if bits is RisingBits:
        assert all(a <= b for a, b in pairs)


def test_each_subnetwork_can_be_trained_alone(place: Workplace) -> None:
    changed = dataclasses.replace(LEVELS, pruner="oneshot")
    plan = prune(place, settings=changed)
    assert [record.name for record in plan.subnetworks] == ["50", "80"]
    assert all(record.settings for record in plan.subnetworks)


def test_values_of_levels_are_measured_losses_at_the_exchange_rate(place: Workplace) -> None:
    prune(place)
    values = load_scores(place.out / "scores.npz").level_values
    assert values
    assert all(each[-1] == 0 and np.all(each <= 0) for each in values.values())
    assert any(each[0] < 0 for each in values.values())
    prune(place, out=place.folder / "other", settings=dataclasses.replace(LEVELS, exchange_rate=1.0))
    other = load_scores(place.folder / "other" / "scores.npz").level_values
    for key, each in values.items():
        assert np.allclose(other[key], 2 * each, atol=1e-4)


def test_plans_of_widths_alone_are_version_1_without_a_word_of_levels(place: Workplace) -> None:
    place.prune()
    content = json.loads((place.out / "plan.json").read_text())
    assert content["format"] == "reds-plan/1"
    assert not {*TRANSFORM_SETTINGS} & content["options"].keys()
    assert all("settings" not in each for each in content["subnetworks"])
    assert set(content["full"]) == {"macs", "params", "peak_ram", "accuracy", "files"}


def test_a_dry_run_chooses_the_same(place: Workplace) -> None:
    preview = prune(place, dry_run=True)
    assert not place.out.exists()
    plan = prune(place)
    assert [each.settings for each in preview.subnetworks] == [each.settings for each in plan.subnetworks]
    assert [each.usage for each in preview.subnetworks] == [each.usage for each in plan.subnetworks]


def test_a_resumed_run_ends_as_one_that_was_not_stopped(place: Workplace, tmp_path: Path) -> None:
    class Stopped(BaseException):
        pass

    class StoppingFramework(ToyFramework):
        stopped = False

        def finetune(self, family: Any, training: Any) -> None:
            if training.settings.epochs and not StoppingFramework.stopped:
                StoppingFramework.stopped = True
                raise Stopped
            super().finetune(family, training)

    whole = prune(place)
    stopping = toy_registry(ToyBits, ToyTarget, framework=StoppingFramework)
    out = place.folder / "stopped"
    with pytest.raises(Stopped):
        prune(place, out=out, registry=stopping)
    resumed = prune(place, out=out, mode="resume")
    assert without_times(resumed) == without_times(whole)
    assert contents(out) == contents(place.out)


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_member_that_is_added_has_levels_too(place: Workplace, epochs: int) -> None:
    prune(place)
    member = api.extract(place.out, {"macs": 0.65, "weight_bytes": 0.4}, finetune_epochs=epochs, registry=registry())
    plan = load_plan(place.out)
    assert plan.format == "reds-plan/2"
    small, added, large = plan.subnetworks
    assert added == member
    assert added.usage["weight_bytes"] <= 0.4 * plan.full.usage["weight_bytes"]
    assert added.extraction == ExtractionRecord("full", epochs)
    assert all(small.widths[g] <= added.widths[g] <= large.widths[g] for g in small.widths)
    model = ToyFramework().load_model(place.out / str(added.files["keras"]))
    assert added.settings
    for site, chosen in added.settings.items():
        kernel = model.weights[f"{site}/kernel"].astype(np.float64)
        assert chosen[WHAT] == 8 or np.allclose(kernel, rounded(kernel, chosen[WHAT]), atol=1e-6)


def test_a_member_that_is_added_nests_with_its_neighbours(place: Workplace) -> None:
    budgets = {"params": [0.6, 0.3]}
    prune(place, RisingBits, budgets=budgets)
    api.extract(place.out, {"params": 0.45}, registry=registry(RisingBits))
    small, added, large = load_plan(place.out).subnetworks
    for site, chosen in added.settings.items():
        assert small.settings[site][WHAT] <= chosen[WHAT] <= large.settings[site][WHAT]


def test_a_budget_that_only_bits_can_meet_is_met(place: Workplace) -> None:
    budgets = {"params": [0.6]}
    narrow = dataclasses.replace(LEVELS.widths, min_width=6)
    with pytest.raises(InfeasibleError):
        place.prune(budgets=budgets, settings=settings(widths=narrow))
    (record,) = prune(place, budgets=budgets, settings=dataclasses.replace(LEVELS, widths=narrow)).subnetworks
    assert any(chosen[WHAT] == 2 for chosen in record.settings.values())


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (LEVELS, settings(), "started with transforms"),
        (settings(), LEVELS, "started with transforms"),
        (settings(), settings(targets=("toy-device",)), "started with targets"),
        (LEVELS, dataclasses.replace(LEVELS, qat=False), "started with qat"),
    ],
)
def test_a_run_is_not_resumed_with_other_transforms(place: Workplace, first: Any, second: Any, why: str) -> None:
    prune(place, settings=first)
    with pytest.raises(InputError, match=why):
        prune(place, settings=second, mode="resume")
    prune(place, settings=first, mode="resume")


def damaged(place: Workplace, change: Callable[[dict[str, Any]], None]) -> None:
    path = place.out / "plan.json"
    content = json.loads(path.read_text())
    change(content["subnetworks"][0]["settings"])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda settings: settings.update(nowhere={WHAT: 4}), "levels of 'nowhere', which is not a layer"),
        (lambda settings: settings["stem"].update({WHAT: 3}), "widths or levels of subnetwork '50' that cannot"),
        (lambda settings: settings["stem"].update({WHAT: 16}), "widths or levels of subnetwork '50' that cannot"),
        (lambda settings: settings["stem"].update({WHAT: "4"}), "is malformed"),
        (lambda settings: settings.update(stem=4), "is malformed"),
    ],
)
def test_damaged_plans_are_refused(place: Workplace, change: Callable[[dict[str, Any]], None], why: str) -> None:
    prune(place)
    damaged(place, change)
    with pytest.raises(InputError, match=why):
        api.extract(place.out, {"macs": 0.65, "weight_bytes": 0.4}, registry=registry())


class AllHalf(ToyBits):
    """Sets the kernels of all layers to 4 bits, without a choice."""

    name = "half"
    what = "kernel_bits"

    @property
    def network_level(self) -> int:
        return int(self.levels[0])

    def offered(self, network: Network, site: str) -> Offered:
        return Offered(self.levels[:1])


class HalfTarget(ToyTarget):
    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        if what == "kernel_bits":
            return None if level == 4 else "kernels have 4 bits"
        return super().refusal(network, site, what, level)

    def usage(self, path: Path) -> dict[str, int]:
        return {}


class SameBits(ToyBits):
    name = "same-bits"


class WholeBits(ToyBits):
    name = "whole-bits"
    what = "whole_bits"
    projects_whole = True


def test_projections_of_whole_kernels_are_not_combined_with_others(place: Workplace) -> None:
    asked = settings(transforms=("toy-bits", "whole-bits"), targets=("toy-device",))
    with pytest.raises(InputError, match="'whole-bits' cannot change kernels that 'toy-bits' changes; use one of them"):
        prune(place, settings=asked, registry=toy_registry(ToyBits, WholeBits))


def test_two_transforms_that_decide_the_same_are_refused(place: Workplace) -> None:
    asked = settings(transforms=("toy-bits", "same-bits"), targets=("toy-device",))
    with pytest.raises(InputError, match="'toy-bits' and 'same-bits' both decide weight_bits; use one of them"):
        prune(place, settings=asked, registry=toy_registry(ToyBits, SameBits, ToyTarget))


def test_a_level_of_all_layers_is_counted_and_stated(place: Workplace) -> None:
    asked = settings(transforms=("half",), targets=("toy-device",), options={"half": {"levels": "4,8"}})
    plan = prune(place, settings=asked, registry=toy_registry(AllHalf, HalfTarget), budgets={"macs": 0.5})
    network = describe(residual_model())
    assert plan.full.usage["params"] < resources.usage(network, network.channels)["params"]
    (member,) = plan.subnetworks
    assert {layer.name for layer in network.layers} == set(member.settings)
    assert {level for chosen in member.settings.values() for level in chosen.values()} == {4}
    other = dataclasses.replace(asked, options={"half": {"levels": "2,8"}})
    with pytest.raises(InputError, match="'half' sets kernel_bits to 2 in all layers: target 'toy-device': kernels"):
        prune(place, settings=other, registry=toy_registry(AllHalf, HalfTarget), mode="overwrite")


class StemHalf(AllHalf):
    """Sets the kernel of one layer to few bits and leaves the others, without a choice."""

    def level_of(self, site: str) -> int:
        return self.network_level if site == "stem" else 8


def test_layers_can_have_levels_of_their_own_without_a_decision(place: Workplace) -> None:
    asked = settings(transforms=("half",), targets=("toy-device",), options={"half": {"levels": "4,8"}})
    plan = prune(place, settings=asked, registry=toy_registry(StemHalf, HalfTarget), budgets={"macs": 0.5})
    network = describe(residual_model())
    stem = next(weight for weight in network.weights if weight.name == "stem/kernel")
    elements = math.prod(axis.full(network.channels) for axis in stem.axes)
    saved = elements - math.ceil(elements / 2)
    assert plan.full.usage["params"] == resources.usage(network, network.channels)["params"] - saved
    (member,) = plan.subnetworks
    assert {site: level for site, chosen in member.settings.items() for level in chosen.values()} == {
        layer.name: 4 if layer.name == "stem" else 8 for layer in network.layers
    }
    other = dataclasses.replace(asked, options={"half": {"levels": "2,8"}})
    with pytest.raises(InputError, match="'half' sets kernel_bits to 2 in layer 'stem': target 'toy-device': kernels"):
        prune(place, settings=other, registry=toy_registry(StemHalf, HalfTarget), mode="overwrite")


# --- training -------------------------------------------------------------------------------------------------------


class Recording(ToyFramework):
    """Remembers the projections of each training."""

    trainings: ClassVar[list[Training]] = []

    def finetune(self, family: Family[Any], training: Training) -> None:
        if training.settings.epochs:
            Recording.trainings.append(training)
        super().finetune(family, training)


@pytest.fixture
def trainings() -> list[Training]:
    Recording.trainings.clear()
    return Recording.trainings


@pytest.mark.parametrize(("qat", "is_projected"), [(None, True), (True, True), (False, False)])
def test_members_are_trained_through_their_projections(
    place: Workplace, trainings: list[Training], qat: bool | None, is_projected: bool
) -> None:
    recording = toy_registry(ToyBits, ToyTarget, framework=Recording)
    plan = prune(place, registry=recording, settings=dataclasses.replace(LEVELS, qat=qat))
    (training,) = trainings
    if not is_projected:
        assert training.projections == ()
        return
    small, large, full = training.projections
    assert full == {}
    network = describe(residual_model())
    for projected, record in zip((small, large), plan.subnetworks, strict=True):
        lowered = {site for site, chosen in record.settings.items() if chosen[WHAT] < 8}
        assert {network.weights[index].name for index in projected} == {f"{site}/kernel" for site in lowered}
        for index, projection in projected.items():
            kernel = np.linspace(-1, 1, 99).reshape(11, 9)
            level = record.settings[network.weights[index].layer][WHAT]
            assert np.array_equal(projection.function(kernel), rounded(kernel, level))


def test_activations_are_rounded_where_members_are_trained_under_quantisation(
    place: Workplace, trainings: list[Training]
) -> None:
    recording = toy_registry(ToyBits, ToyTarget, framework=Recording)
    prune(place, registry=recording, settings=dataclasses.replace(LEVELS, qat_activations=True))
    assert [training.activations for training in trainings] == [(8, 8, None)]


def test_a_network_that_is_trained_alone_has_its_own_projections(place: Workplace, trainings: list[Training]) -> None:
    recording = toy_registry(ToyBits, ToyTarget, framework=Recording)
    plan = prune(place, registry=recording, settings=dataclasses.replace(LEVELS, pruner="oneshot"))
    for training, record in zip(trainings, plan.subnetworks, strict=True):
        (projected,) = training.projections
        assert len(projected) == sum(chosen[WHAT] < 8 for chosen in record.settings.values())


def test_where_no_level_is_lowered_training_is_as_ever(place: Workplace, trainings: list[Training]) -> None:
    recording = toy_registry(ToyBits, ToyTarget, framework=Recording)
    rich = dataclasses.replace(LEVELS, exchange_rate=1e6)
    (record,) = prune(place, registry=recording, settings=rich, budgets={"macs": 0.5}).subnetworks
    assert {chosen[WHAT] for chosen in record.settings.values()} == {8}
    assert [training.projections for training in trainings] == [()]


# --- promises -------------------------------------------------------------------------------------------------------


def breaking(change: Callable[[tuple[Decision, ...]], tuple[Decision, ...]]) -> type[NestedPruner]:
    """A pruner that changes what was decided."""

    class Breaking(NestedPruner):
        name = "breaking"

        def take(self, step: Step, state: PruningState, tools: Tools) -> PruningState:
            found = super().take(step, state, tools)
            if len(found.choices) < len(tools.budgets):
                return found
            return dataclasses.replace(found, choices=change(found.choices))

    return Breaking


def at(level: int) -> Callable[[tuple[Decision, ...]], tuple[Decision, ...]]:
    """Gives all layers of the smallest subnetwork one level."""

    def change(choices: tuple[Decision, ...]) -> tuple[Decision, ...]:
        first, *others = choices
        levels = {site: {WHAT: level} for site in first.settings.levels}
        return (dataclasses.replace(first, settings=LevelSettings(levels)), *others)

    return change


@pytest.mark.parametrize(
    ("bits", "budgets", "level", "why"),
    [
        (ToyBits, BUDGETS, 8, "gave subnetwork '50' weight_bytes .*, which is above"),
        (ToyBits, BUDGETS, 3, "weight_bits 3 in '50', which is not one of the levels"),
        (EqualBits, {"macs": [0.8, 0.5]}, 2, "weight_bits 2 in '50' and 8 in '80', which do not nest"),
    ],
)
def test_pruners_that_break_a_promise_about_levels_are_found_out(
    place: Workplace, bits: type[ToyBits], budgets: Any, level: int, why: str
) -> None:
    broken = toy_registry(bits, ToyTarget, breaking(at(level)))
    with pytest.raises(ContractViolation, match=why):
        prune(place, registry=broken, settings=dataclasses.replace(LEVELS, pruner="breaking"), budgets=budgets)


def test_a_model_that_costs_more_than_was_planned_is_found_out() -> None:
    model, framework, costs = residual_model(), ToyFramework(), CostModel(additional=("weight_bytes",))
    network, bits = framework.inspect(model), [ToyBits()]
    lowered, others = LevelSettings({"stem": {WHAT: 4}}), LevelSettings({"stem": {WHAT: 2}})
    planned = resources.usage(described(network, bits, lowered), network.channels, costs)
    check_model(framework, model, planned, costs, "50", bits, lowered)
    for settings_of_model in (others, LevelSettings()):
        with pytest.raises(ContractViolation, match="report this as a bug in reds"):
            check_model(framework, model, planned, costs, "50", bits, settings_of_model)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pruner", ["uniform", "layerwise", "progressive"])
def test_strategies_that_decide_widths_alone_are_refused(place: Workplace, pruner: str) -> None:
    with pytest.raises(UnsupportedError, match=f"'{pruner}' decides widths alone.*; give pruner nested or oneshot"):
        prune(place, settings=dataclasses.replace(LEVELS, pruner=pruner))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"element_size_bytes": 4}, "1 byte each, not 4; leave out element_size or transforms"),
        ({"latency_table": "t.json"}, "a latency table knows the widths of layers but not"),
        ({"transforms": ("toy-bit",)}, "toy-bit"),
        ({"targets": ("toy-devices",)}, "toy-devices"),
        ({"options": {"toy-bits": {"levels": "3,8"}}}, "has no choice for any layer: target 'toy-device': 3 bits is"),
        ({"options": {"toy-bits": {"levels": "8"}}}, "has no choice for any layer"),
    ],
)
def test_settings_that_cannot_be_combined(place: Workplace, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        prune(place, settings=dataclasses.replace(LEVELS, **changes))
    assert not place.out.exists()


def test_levels_need_data(place: Workplace) -> None:
    changes = {"scorer": "magnitude", "finetune": dataclasses.replace(LEVELS.finetune, epochs=0)}
    with pytest.raises(InputError, match="'toy-bits' is decided by losses on training data; give data"):
        prune(place, data=None, settings=dataclasses.replace(LEVELS, **changes))


def test_options_of_transforms_and_targets_that_take_no_part_are_refused(place: Workplace) -> None:
    with pytest.raises(InputError, match="'toy-bits' takes no part"):
        place.prune(settings=settings(options={"toy-bits": {"levels": "4,8"}}), registry=registry())


def test_nothing_is_warned_of_twice(place: Workplace) -> None:
    listener = Listener()
    prune(place, watcher=listener)
    assert len(listener.warnings) == len(set(listener.warnings))


class OtherDevice(ToyTarget):
    """A target that realises the levels of the other one in all layers but the last."""

    name = "toy-other"
    file = dataclasses.replace(ToyTarget.file, name="toy-other", suffix="-other.npz")

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        assert level < 8, "the last level is never asked about"
        return "weights have 8 bits" if site == "head" else super().refusal(network, site, what, level)


def test_a_warning_names_files_that_lack_levels_of_the_plan(place: Workplace) -> None:
    both = dataclasses.replace(LEVELS, targets=("toy-device", "toy-other"))
    heard = Listener()
    asked = {"settings": both, "registry": toy_registry(ToyBits, ToyTarget, OtherDevice), "watcher": heard}
    (record,) = prune(place, **asked, budgets={"weight_bytes": [0.3]}).subnetworks
    assert record.settings["head"][WHAT] < 8
    assert len([chosen for chosen in record.settings.values() if chosen[WHAT] < 8]) > 1
    assert [warning for warning in heard.warnings if "levels of the plan" in warning] == [
        "'subnet-30-other.npz' does not have all levels of the plan, so it may use more than the plan states "
        "(head: weights have 8 bits)"
    ]


class PlainDevice(OtherDevice):
    """A target of int8 files that realises no levels."""

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        return "weights have 8 bits"


def test_a_warning_names_int8_files_that_have_no_level_of_the_plan(place: Workplace) -> None:
    both = dataclasses.replace(LEVELS, targets=("toy-device", "toy-other"))
    heard = Listener()
    asked = {"settings": both, "registry": toy_registry(ToyBits, ToyTarget, PlainDevice), "watcher": heard}
    prune(place, **asked, budgets={"weight_bytes": [0.3]})
    (warning,) = (text for text in heard.warnings if "levels of the plan" in text)
    assert warning.startswith("'subnet-30-other.npz' does not have all levels of the plan")
