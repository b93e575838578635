"""Families whose members read the upper halves of weights: one store, the same bytes everywhere, the same values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from engine_runs import Run, check_bytes, check_values, odd_network, pruned
from engines import CompiledEngine, compiled, compiler
from reds_c_engine.engine_device import CEngine
from reds_c_engine.family import family_of

import reds_core
from reds_core.transforms import truncated_codes

pytestmark = pytest.mark.slow
BUDGETS: Mapping[str, list[float]] = {"macs": [0.8, 0.3], "weight_bytes": [0.6, 0.22]}


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A family of odd widths, with factors of batch norms of both signs."""
    compiler()
    model, data = odd_network()
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape) * rng.choice([-1, 1], layer.gamma.shape))
    return pruned(model, data, BUDGETS, tmp_path_factory.mktemp("truncated") / "run", ["truncated-bits"], {})


@pytest.fixture(scope="module")
def engine(family: Run, tmp_path_factory: pytest.TempPathFactory) -> CompiledEngine:
    return compiled(family.contents, tmp_path_factory.mktemp("truncated_engine"))


def test_levels_rise_from_member_to_member(family: Run) -> None:
    small, large = (member.settings for member in family.plan.subnetworks)
    assert {levels["truncated_bits"] for levels in large.values()} == {4, 8}
    assert all(small[site]["truncated_bits"] <= large[site]["truncated_bits"] for site in small)


def test_all_members_share_one_store(family: Run, engine: CompiledEngine) -> None:
    found = engine.engine.family
    assert found.own_kernels == ()
    alone = [len(family_of([each]).store) for each in family.contents]
    assert len(found.store) <= alone[-1] + 6  # halves are rounded up to bytes
    assert sum(alone) > 1.3 * len(found.store)


def test_bytes_and_values_agree(family: Run, engine: CompiledEngine) -> None:
    check_bytes(family, engine)
    check_values(family, engine, 12)


def test_members_hold_their_parts_of_the_truncated_weights_of_the_full_network(family: Run) -> None:
    """The scale of a channel is that of the full network, so that members of all widths read the same halves."""
    import keras

    member = family.plan.subnetworks[0]
    full = keras.models.load_model(family.folder / "nested.keras")
    small = keras.models.load_model(family.folder / str(member.files["keras"]))
    found, whole = (np.asarray(each.get_layer("mixed").kernel) for each in (small, full))
    assert member.settings["mixed"]["truncated_bits"] == 4
    scales = np.abs(whole).max((0, 1, 2)) / 127
    codes = truncated_codes(np.rint(whole / scales)) * scales
    np.testing.assert_allclose(found, codes[..., : found.shape[2], : found.shape[3]], rtol=1e-5)


def test_other_targets_do_not_offer_truncated_weights(family: Run) -> None:
    network = reds_core.Registry().default_framework().inspect(odd_network()[0])
    target = reds_core.Registry().create(reds_core.framework.Target, "tflite-int8")
    assert target.refusal(network, "mixed", "truncated_bits", 4) is not None
    assert CEngine().refusal(network, "mixed", "truncated_bits", 4) is None
