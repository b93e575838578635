"""Runs with a transform that replaces layers: what is trained, what files hold, and what is counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from toy_framework import ToyFramework
from toy_models import forward
from toy_plugins import toy_registry
from toy_runs import Listener, Workplace, settings
from toy_transforms import ToyBits, ToyMask, ToyRank, ToyTarget, rounded

from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.family import Family
from reds_core.framework.framework import Framework
from reds_core.framework.training import Training
from reds_core.network.description import Network, Weight
from reds_core.plan import load_plan
from reds_core.registry import Registry
from reds_core.runs import api
from reds_core.transforms.start import Start
from reds_core.transforms.transform import Offered, Transform

RANKS = settings(transforms=("toy-rank",), targets=("toy-device",))
BUDGETS = {"macs": [0.7, 0.4]}


class Accepting(ToyTarget):
    """Files that can have any level."""

    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        return None


def registry(framework: type[ToyFramework] = ToyFramework) -> Registry:
    return toy_registry(ToyRank, ToyMask, ToyBits, Accepting, framework=framework)


def prune(place: Workplace, **changes: Any) -> Any:
    return place.prune(**({"budgets": BUDGETS, "settings": RANKS, "registry": registry()} | changes))


def lowered(record: Any, what: str = "rank", whole: int = 100) -> dict[str, int]:
    return {site: chosen[what] for site, chosen in record.settings.items() if chosen[what] < whole}


@pytest.mark.parametrize("epochs", [0, 2])
def test_files_hold_the_layers_that_replace_others(place: Workplace, epochs: int) -> None:
    finetune = dataclasses.replace(RANKS.finetune, epochs=epochs)
    plan = prune(place, settings=dataclasses.replace(RANKS, finetune=finetune))
    framework, replaced = ToyFramework(), 0
    for record in plan.subnetworks:
        model = framework.load_model(place.out / record.files["keras"])
        linear = [layer.name for layer in model.layers if layer.kind == "linear"]
        assert linear == [f"{site}/first" for site in lowered(record)]
        for site, rank in lowered(record).items():
            assert (
                model.weights[f"{site}/first/kernel"].shape[1]
                == model.weights[f"{site}/second/kernel"].shape[0]
                == rank
            )
            replaced += 1
        assert sum(weight.size for weight in model.weights.values()) == record.usage["params"]
    assert replaced
    whole = framework.load_model(place.out / "nested.keras")
    assert all(layer.kind != "linear" for layer in whole.layers)


def test_files_with_other_layers_share_no_integers_and_a_warning_says_so(place: Workplace) -> None:
    heard = Listener()
    plan = prune(place, watcher=heard)
    own = [text for text in heard.warnings if "are its own, since it has other layers in place" in text]
    replaced = [record.name for record in plan.subnetworks if lowered(record)]
    assert replaced
    assert [text.split("'")[1] for text in own] == replaced


def test_kernels_that_replace_another_have_the_bits_that_were_chosen(place: Workplace) -> None:
    both = dataclasses.replace(RANKS, transforms=("toy-rank", "toy-bits"), widths=WidthRules(keep=("*",)))
    plan = prune(place, settings=both, budgets={"macs": [0.8, 0.6], "weight_bytes": [0.85, 0.8]})
    framework, tried = ToyFramework(), 0
    for record in plan.subnetworks:
        model = framework.load_model(place.out / record.files["keras"])
        for site in lowered(record):
            bits = record.settings[site]["weight_bits"]
            for name in (f"{site}/first", f"{site}/second") if bits < 8 else ():
                kernel = model.weights[f"{name}/kernel"].astype(np.float64)
                assert np.allclose(kernel, rounded(kernel, bits), atol=1e-6)
                tried += 1
    assert tried


def test_a_member_that_is_added_is_replaced_as_well(place: Workplace) -> None:
    prune(place)
    api.extract(place.out, {"macs": 0.5}, registry=registry())
    record = next(each for each in load_plan(place.out).subnetworks if each.extraction is not None)
    model = ToyFramework().load_model(place.out / record.files["keras"])
    assert lowered(record)
    assert {f"{site}/first" for site in lowered(record)} < {layer.name for layer in model.layers}
    assert record.usage["params"] == sum(weight.size for weight in model.weights.values())


def test_masks_of_members_are_nested_where_nothing_is_trained(place: Workplace) -> None:
    finetune = dataclasses.replace(RANKS.finetune, epochs=0)
    masks = dataclasses.replace(RANKS, transforms=("toy-mask",), finetune=finetune)
    plan = prune(place, settings=masks, budgets={"weight_bytes": [0.5, 0.25]})
    small, large = (ToyFramework().load_model(place.out / record.files["keras"]) for record in plan.subnetworks)
    compared = 0
    for name in lowered(plan.subnetworks[1], "density"):
        inner, outer = (model.weights[f"{name}/kernel"] != 0 for model in (small, large))
        rows, columns = inner.shape
        assert not np.any(inner & ~outer[:rows, :columns])
        compared += 1
    assert compared


class Refusing(ToyFramework):
    """Replaces no layer."""

    rewrite_refusal = Framework.rewrite_refusal


def test_a_framework_that_replaces_no_layers_says_so(place: Workplace) -> None:
    with pytest.raises(InputError, match="'toy-rank' has no choice for any layer: framework 'toy' does not replace"):
        prune(place, registry=registry(Refusing))
    place.prune()  # without the transform


def test_a_replaced_network_computes_what_it_was_trained_to(place: Workplace) -> None:
    plan = prune(place, budgets={"macs": 0.4})
    (record,) = plan.subnetworks
    model = ToyFramework().load_model(place.out / record.files["keras"])
    x = np.random.default_rng(0).normal(size=(5, *model.input_shape)).astype(np.float32)
    merged = dict(model.weights)
    for site in lowered(record):
        first, second = f"{site}/first/kernel", f"{site}/second/kernel"
        merged[second] = merged[first] @ merged[second]
        merged[first] = np.eye(len(merged[second]), dtype=np.float32)
    other, last = dataclasses.replace(model, weights=merged), model.layers[-1].name
    assert np.allclose(forward(model, x)[last], forward(other, x)[last], atol=1e-5)


class Seeing(ToyMask):
    """Lists the starts of projections."""

    starts: ClassVar[list[Start]] = []

    def begun(self, start: Start, of: Weight, level: int) -> Callable[[FloatArray, float], FloatArray]:
        self.starts.append(start)
        return super().begun(start, of, level)


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_member_that_is_added_is_trained_from_whole_weights_and_else_nests_with_smaller_ones(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    finetune = dataclasses.replace(RANKS.finetune, epochs=0)
    masks = dataclasses.replace(RANKS, transforms=("toy-mask",), finetune=finetune)
    plugins, trained = toy_registry(Seeing, Accepting), list[Any]()
    prune(place, settings=masks, registry=plugins, budgets={"weight_bytes": [0.6, 0.25]})
    train = ToyFramework.finetune

    def listening(self: ToyFramework, family: Family[Any], training: Training) -> None:
        if training.settings.epochs:
            trained.append(family.full.copy())
        train(self, family, training)

    monkeypatch.setattr(ToyFramework, "finetune", listening)
    Seeing.starts.clear()
    api.extract(place.out, {"weight_bytes": 0.4}, registry=plugins, finetune_epochs=epochs)
    records = load_plan(place.out).subnetworks
    assert [record.extraction is None for record in records] == [True, False, True]
    masked, smaller = lowered(records[1], "density"), lowered(records[0], "density")
    assert masked
    first, after = Seeing.starts[: len(masked)], Seeing.starts[len(masked) :]
    assert [[each.level for each in start.smaller] for start in first] == [[smaller[site]] for site in masked]
    assert [start.smaller for start in after] == [()] * (len(masked) if epochs else 0)
    assert len(trained) == epochs
    assert all(model.weights[f"{site}/kernel"].all() for model in trained for site in masked)


class ToyThreshold(ToyMask):
    """Sets the density of each layer by its weights."""

    name = "toy-threshold"
    network_level = 50
    levels: Mapping[str, int] = {}

    def prepared(self, network: Network, weights: Sequence[npt.NDArray[Any]]) -> Transform:
        kernels = zip(network.weights, weights, strict=True)
        return self._with({w.layer: 25 + int(1e6 * abs(v).sum()) % 50 for w, v in kernels if self.projects(w)})

    def restored(self, levels: Mapping[str, int]) -> Transform:
        return self._with(levels)

    def _with(self, levels: Mapping[str, int]) -> Transform:
        found = ToyThreshold(self.options)
        found.levels = dict(levels)
        return found

    def level_of(self, site: str) -> int | None:
        return self.levels.get(site, self.whole)

    def offered(self, network: Network, site: str) -> Offered:
        return Offered.nothing("one threshold decides")


def test_a_member_that_is_added_has_the_levels_that_the_run_set_without_a_decision(place: Workplace) -> None:
    plugins = toy_registry(ToyThreshold, ToyRank, Accepting)
    plan = prune(place, settings=dataclasses.replace(RANKS, transforms=("toy-threshold",)), registry=plugins)
    assert len({level["density"] for level in plan.subnetworks[0].settings.values()}) > 2
    api.extract(place.out, {"macs": 0.5}, registry=plugins)
    settings = [record.settings for record in load_plan(place.out).subnetworks]
    assert len(settings) == 3
    assert settings[0] == settings[1] == settings[2]


def test_levels_that_are_set_by_weights_are_refused_where_layers_are_replaced(place: Workplace) -> None:
    plugins = toy_registry(ToyThreshold, ToyRank, Accepting)
    with pytest.raises(InputError, match="'toy-threshold' sets density by the weights of each layer, and transform"):
        prune(place, settings=dataclasses.replace(RANKS, transforms=("toy-threshold", "toy-rank")), registry=plugins)
    assert not place.out.exists()
