"""Runs that merge channels: what each group got, what is measured, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from reds_merging import Fold, FoldOptions
from toy_framework import ToyFramework, describe, residual_model
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, QUICK, Listener, Workplace, contents, settings, without_times
from toy_transforms import ToyBits, ToyTarget

from reds_core.cost import resources
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.realised import realised
from reds_core.plan import load_plan
from reds_core.report.merged_channels import merged_groups, merging_sentences, realised_width
from reds_core.runs import api
from reds_core.runs.dataset import load_data
from reds_core.transforms.joining import Joining
from reds_core.transforms.realisation import Narrowing

FOLD = {"realise": "fold", "registry": toy_registry(Fold)}
BEST = {"realise": "best", "registry": toy_registry(Fold)}


def test_a_run_merges_channels_and_trains_each_subnetwork_by_itself(place: Workplace) -> None:
    plan = place.prune(**FOLD)
    assert plan.pruner == "oneshot"
    assert plan.options["realise"] == "fold"
    assert load_plan(place.out) == plan
    toy, model = ToyFramework(), residual_model()
    network = describe(model)
    nested = toy.load_model(place.out / "nested.keras")
    x = np.random.default_rng(0).normal(size=(5, *model.input_shape))
    np.testing.assert_allclose(toy.predict(nested, x), toy.predict(model, x), atol=1e-5)
    for record in plan.subnetworks:
        assert record.realised is not None
        assert record.merged is not None
        narrower = {group for group, width in record.widths.items() if width < network.channels[group]}
        assert {group for group, by in record.realised.items() if by == "fold"} == narrower == record.merged.keys()
        own = describe(toy.load_model(place.out / str(record.files["keras"])))
        assert resources.usage(own, own.channels) == record.usage
        for group, clusters in record.merged.items():
            assert set(clusters) == set(range(record.widths[group]))
            assert [clusters[channel] for channel in record.kept[group]] == list(range(record.widths[group]))
        assert "merged" in repr(record)


def test_the_accuracy_before_training_is_that_of_the_merged_network(place: Workplace) -> None:
    plan = place.prune(**FOLD)
    toy, model = ToyFramework(), residual_model()
    network, data = describe(model), load_data(str(place.data), toy)
    record = plan.subnetworks[0]
    found = {
        group: Fold().joined(Narrowing(network, toy.weights(model, network), group, width, np.arange(width)))
        for group, width in record.widths.items()
    }
    raw = realised(toy, model, network, found)
    assert record.accuracy.before == toy.accuracy(raw, data.test, QUICK.task)


def test_statistics_are_measured_where_there_is_data(place: Workplace) -> None:
    """Without training, the only difference to the network as it was merged is in the statistics of its norms."""
    plan = place.prune(settings=NO_TRAINING, **FOLD)
    toy, model, network = ToyFramework(), residual_model(), describe(residual_model())
    record = plan.subnetworks[1]
    weights = toy.weights(model, network)
    found = {
        group: Fold(FoldOptions()).joined(Narrowing(network, weights, group, width, np.arange(network.channels[group])))
        for group, width in record.widths.items()
    }
    raw, saved = realised(toy, model, network, found), toy.load_model(place.out / str(record.files["keras"]))
    changed = {name for name in raw.weights if not np.allclose(raw.weights[name], saved.weights[name])}
    assert changed
    assert changed <= {"norm/mean", "norm/variance"}
    approximate = place.prune(
        settings=NO_TRAINING, out=place.folder / "again", options={"fold": {"repair": "approximate"}}, **FOLD
    )
    saved = toy.load_model(place.folder / "again" / str(approximate.subnetworks[1].files["keras"]))
    assert all(np.allclose(raw.weights[name], saved.weights[name]) for name in raw.weights)


def test_no_data_is_needed(place: Workplace) -> None:
    plan = place.prune(settings=NO_TRAINING, data=None, **FOLD)
    assert all(record.merged for record in plan.subnetworks)


def test_a_stopped_run_is_resumed_with_the_same_result(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = place.prune(out=place.folder / "whole", **BEST)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("reds_core.runs.run.finish", stop)
        with pytest.raises(KeyboardInterrupt):
            place.prune(**BEST)
    resumed = place.resume(**BEST)
    assert without_times(resumed).subnetworks == without_times(expected).subnetworks
    for name, content in contents(place.folder / "whole").items():
        if name.endswith((".keras", ".tflite")):
            assert (place.out / name).read_bytes() == content


def test_the_best_of_both_has_the_lower_loss_on_training_data(place: Workplace) -> None:
    plan = place.prune(settings=settings(scorer="random"), **BEST)
    toy, model = ToyFramework(), residual_model()
    network, data = describe(model), load_data(str(place.data), toy)
    assert data.train is not None
    found = {by for record in plan.subnetworks for by in (record.realised or {}).values()}
    assert found <= {"drop", "fold"}
    record = plan.subnetworks[0]
    for group, by in (record.realised or {}).items():
        if by == "drop" and record.widths[group] < network.channels[group]:
            kept = np.array(record.kept[group])
            assert not Joining.dropping(network.channels[group], kept).merges
            assert group not in (record.merged or {})
    assert model.weights.keys() == residual_model().weights.keys()


def test_a_dry_run_tells_how_widths_are_realised(place: Workplace) -> None:
    dry = place.prune(settings=NO_TRAINING, dry_run=True, **FOLD)
    assert not place.out.exists()
    run = place.prune(settings=NO_TRAINING, **FOLD)
    assert [record.merged for record in dry.subnetworks] == [record.merged for record in run.subnetworks]


def test_int8_files_are_quantised_by_themselves(place: Workplace) -> None:
    plan = place.prune(**FOLD)
    assert all(record.files["tflite_int8"] for record in plan.subnetworks)
    assert not any(record.shares_weights for record in plan.subnetworks)


def test_levels_are_decided_beside_merged_channels(place: Workplace) -> None:
    plugins = toy_registry(Fold, ToyBits, ToyTarget)
    plan = place.prune(transforms="toy-bits", targets="toy-device", realise="fold", registry=plugins)
    assert all(record.merged and record.settings for record in plan.subnetworks)


def test_statistics_are_left_as_merged_beside_levels_if_none_are_to_be_measured(place: Workplace) -> None:
    plugins = {"registry": toy_registry(Fold, ToyBits, ToyTarget), "transforms": "toy-bits", "targets": "toy-device"}
    given = {**plugins, "budgets": {"params": 0.3}, "qat": False}
    toy, found = ToyFramework(), {}
    for repair in ("none", "data"):
        out = place.folder / repair
        plan = place.prune(settings=NO_TRAINING, realise="fold", out=out, options={"fold": {"repair": repair}}, **given)
        weights = toy.load_model(out / str(plan.subnetworks[0].files["keras"])).weights
        found[repair] = weights["norm/mean"]
        bits = [levels["weight_bits"] for levels in (plan.subnetworks[0].settings or {}).values()]
        assert min(bits) < 8, "weights are projected, behind which statistics may be measured"
    model, network = residual_model(), describe(residual_model())
    record = plan.subnetworks[0]
    joinings = {
        group: Fold(FoldOptions(repair="none")).joined(
            Narrowing(network, toy.weights(model, network), group, width, np.arange(network.channels[group]))
        )
        for group, width in record.widths.items()
    }
    merged = realised(toy, model, network, joinings).weights["norm/mean"]
    np.testing.assert_allclose(found["none"], merged, rtol=1e-6)
    assert not np.allclose(found["data"], merged)


def test_dropping_leaves_the_plan_as_it_was(place: Workplace) -> None:
    place.prune(realise="drop")
    content = json.loads((place.out / "plan.json").read_text())
    assert content["options"]["pruner"] == "nested"
    assert "realise" not in content["options"]
    assert not {"realised", "merged"} & set(content["subnetworks"][0])


@pytest.mark.parametrize(
    ("pruner", "budgets", "options"),
    [
        ("nested", {"macs": 0.5}, {}),
        ("layerwise", {"macs": 0.5}, {}),
        ("uniform", {"macs": [0.5, 0.25]}, {}),
    ],
)
def test_strategies_that_share_weights_are_refused(
    place: Workplace, pruner: str, budgets: Any, options: dict[str, dict[str, str]]
) -> None:
    with pytest.raises(UnsupportedError, match=f"pruner '{pruner}' shares weights.*not realised by fold") as error:
        place.prune(pruner=pruner, budgets=budgets, options=options, **FOLD)
    assert error.value.fix == 'use pruner="oneshot", or realise="drop"'
    assert not place.out.exists()


def test_a_uniform_family_that_is_trained_alone_can_be_merged(place: Workplace) -> None:
    plan = place.prune(pruner="uniform", options={"uniform": {"finetune": "alone"}}, **FOLD)
    assert all(record.merged for record in plan.subnetworks)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"realise": "flod"}, "unknown realisation 'flod'; did you mean 'fold'\\? give one of drop, best, fold"),
        ({"realise": "toy-bits"}, "transform 'toy-bits' offers levels of layers; say transforms=\"toy-bits\""),
        ({"transforms": "fold"}, "transform 'fold' says how the widths of groups are realised; say realise=\"fold\""),
        ({"options": {"fold": {"repair": "none"}}}, "transform 'fold' takes no part"),
        ({"realise": "fold", "options": {"fold": {"method": "magic"}}}, "option fold.method cannot be 'magic'"),
    ],
)
def test_what_is_no_realisation_is_refused(place: Workplace, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        place.prune(registry=toy_registry(Fold, ToyBits), **asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"realise": "best"}, 'realise="best" compares losses on training data; give data, or choose one of drop and'),
        ({"realise": "fold", "options": {"fold": {"repair": "data"}}}, "the options of 'fold' ask for statistics"),
    ],
)
def test_data_is_asked_for_where_it_is_needed(place: Workplace, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        place.prune(settings=NO_TRAINING, data=None, registry=toy_registry(Fold), **asked)


def test_best_needs_something_to_choose_from(place: Workplace) -> None:
    with pytest.raises(InputError, match="no plugin is installed that merges channels"):
        place.prune(realise="best")


def test_groups_that_cannot_be_merged_are_named(place: Workplace) -> None:
    class Mixing(ToyFramework):
        def inspect(self, model: Any) -> Any:
            network = super().inspect(model)
            layers = [dataclasses.replace(c, mixes_channels=c.name == "inside_relu") for c in network.layers]
            return dataclasses.replace(network, layers=tuple(layers))

    listener = Listener()
    plan = place.prune(realise="fold", registry=toy_registry(Fold, framework=Mixing), watcher=listener)
    assert all(record.realised and record.realised["inside"] == "drop" for record in plan.subnetworks)
    reason = "layer 'inside_relu' of type relu mixes channels"
    assert any(f"group 'inside' are dropped, not merged, since {reason}" in warning for warning in listener.warnings)


@pytest.mark.parametrize("realise", ["fold", "best"])
@pytest.mark.parametrize("epochs", [0, 1])
def test_a_member_that_is_added_later_is_merged_as_well(place: Workplace, realise: str, epochs: int) -> None:
    registry = toy_registry(Fold)
    place.prune(realise=realise, registry=registry, settings=NO_TRAINING)
    added = api.extract(place.out, {"macs": 0.6}, finetune_epochs=epochs, registry=registry)
    record = load_plan(place.out).subnetworks[2]
    assert (record.name, added.name) == ("60", "60")
    assert record.merged is not None
    toy, model = ToyFramework(), residual_model()
    for group, clusters in record.merged.items():
        assert [clusters[channel] for channel in record.kept[group]] == list(range(record.widths[group]))
    if realise == "fold" and not epochs:
        kept = {group: np.array(channels) for group, channels in record.kept.items()}
        network, weights = describe(model), toy.weights(model, describe(model))
        for group, width in record.widths.items():
            again = Fold().joined(Narrowing(network, weights, group, width, np.arange(network.channels[group])))
            assert set(again.kept.tolist()) == set(kept[group].tolist())


def test_the_report_and_the_model_card_say_what_was_merged(place: Workplace) -> None:
    plan = place.prune(budgets={"macs": 0.5}, **FOLD)
    card = (place.out / "README.md").read_text(encoding="utf-8")
    assert "whose channels were merged, each with weights of its own" in card
    (record,) = plan.subnetworks
    (sentence,) = merging_sentences(plan.subnetworks)
    assert f"merged rather than dropped in {len(record.merged or {})} of {len(record.widths)} groups in 50" in sentence
    assert merged_groups(record).startswith("stem (fold)")
    assert realised_width(record, "stem") == f"{record.widths['stem']} (fold)"
    assert "channels merged" in str(plan["50"])


def test_statistics_are_not_asked_for_and_ruled_out_at_once(place: Workplace) -> None:
    options = {"fold": {"repair": "data"}}
    how = dataclasses.replace(NO_TRAINING, finetune=dataclasses.replace(NO_TRAINING.finetune, recalibrate=False))
    with pytest.raises(InputError, match="ask for statistics that recalibrate=False leaves as they are; leave it out"):
        place.prune(settings=how, realise="fold", registry=toy_registry(Fold), options=options)
