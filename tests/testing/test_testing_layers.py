"""The conformance kit for plugins of layers: an honest one passes, each bad one fails the check meant for it alone."""

from __future__ import annotations

from collections.abc import Callable

import mock_layers as mocks
import pytest
from kit_reports import failed
from toy_framework import ToyFramework
from toy_plugins import PluginModule, toy_registry

from reds_core.errors import UnsupportedError
from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.registry import Registry
from reds_core.testing import LAYER_CHECKS, check, check_layers, layer_conformance

BAD: list[tuple[type[LayerPlugin], str, str]] = [
    (mocks.Strayed, "declares_what_it_is", "names framework 'lightning', but is checked with 'toy'"),
    (mocks.Named, "names_layer_types", "has keys ['Mix'], not the types of layers"),
    (mocks.Fickle, "names_layer_types", "a new object has handlers for other layers"),
    (mocks.SamplesLeftOut, "offers_samples_that_can_tell", "offers no sample models"),
    (mocks.Failing, "offers_samples_that_can_tell", "layer 'mix' of type Mix is not supported"),
    (mocks.Transposed, "describes_every_weight", "weight 'mix/mix' of sample 'mixed' has shape (6, 7), described as"),
    (mocks.Untried, "samples_hold_every_layer", "no sample has a layer of type Center"),
    (mocks.Numbering, "permuted_equals_original", "with its channels in another order: outputs differ by"),
    (mocks.Centring, "removed_equals_masked", "where it is masked"),
    (mocks.Halved, "costs_equal_an_independent_count", "counted by hand"),
    (mocks.Chatting, "prints_nothing", "printed 'handlers of mixes"),
]
OF_FRAMEWORKS = {
    "imports_nothing_heavy",
    "leaves_the_model_unchanged",
    "save_and_load_give_the_same_model",
    "exported_equals_model",
    "slices_train_back_into_the_full_weights",
}
"""Checks that frameworks share; bad frameworks fail them."""


pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize(("layers", "name", "reason"), BAD, ids=lambda x: getattr(x, "__name__", None))
def test_a_bad_plugin_of_layers_fails_the_check_meant_for_it(layers: type[LayerPlugin], name: str, reason: str) -> None:
    found = failed(check_layers(layers, make_framework=ToyFramework, registry=toy_registry()))
    assert list(found) == [name], found
    assert reason in found[name]


def test_every_check_has_a_plugin_that_fails_it() -> None:
    assert {b[1] for b in BAD} | OF_FRAMEWORKS == {c.name for c in LAYER_CHECKS}


def test_every_check_says_why() -> None:
    names = [c.name for c in LAYER_CHECKS]
    for each in LAYER_CHECKS:
        assert len(each.reason) > 40, each.name
        assert set(each.after) <= set(names[: names.index(each.name)])


@layer_conformance(mocks.HonestLayers, make_framework=ToyFramework, registry=toy_registry())
def test_an_honest_plugin_of_layers_passes(check: Callable[[], None]) -> None:
    check()


@layer_conformance(mocks.SamplesLeftOut, samples=[mocks.MIXED], make_framework=ToyFramework, registry=toy_registry())
def test_samples_may_be_given_instead(check: Callable[[], None]) -> None:
    check()


def test_check_finds_plugins_of_layers_by_name_and_the_framework_that_they_teach() -> None:
    registry = toy_registry(mocks.HonestLayers)
    (report,) = check("mixes", registry)
    assert (report.plugin, report.kind, report.ok) == ("mixes", "layers", True)


def test_a_plugin_of_layers_without_samples_is_refused() -> None:
    class Acme(LayerPlugin):
        name = "acme-layers"
        framework = "toy"

        def handlers(self) -> dict[type, object]:
            return {}

    with pytest.raises(UnsupportedError, match="plugin of layers 'acme-layers' offers no sample models"):
        check("acme-layers", Registry([PluginModule("acme", (ToyFramework, Acme))]))
