"""Residual blocks that members skip: removed equals masked, nothing of them is counted, and runs with such members."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras import layers as L
from keras_precision import precision
from keras_residual import ResidualNetwork
from keras_unrolled import same_choice, unrolled
from reds_litert.kernel_operators import WITH_KERNELS
from reds_litert.kernel_packing import read_packed_graph
from reds_litert.slices import kernel_slices
from reds_tensorflow.extraction import extract, variables_by_index
from reds_tensorflow.framework import TensorFlowFramework
from reds_tensorflow.loading import load_model
from reds_tensorflow.tracing import inspect
from stock_scripts import STOCK_KERAS, STOCK_LITERT

import reds_core
from reds_core import RunSettings, load_plan
from reds_core.cost import CostModel, usage
from reds_core.errors import InputError, UnsupportedError
from reds_core.formulation import WidthRules
from reds_core.framework import FinetuneSettings
from reds_core.network import residual_branches, without_branches

MODELS = Path(__file__).parents[3].parent / "shared" / "assets" / "models"
COSTS = CostModel(additional=("arena", "weight_bytes", "bops"))
NONE = np.zeros(0, np.int64)


def check(seed: int) -> int:
    """Hold everything about a random network without some of its blocks; returns how many blocks it could skip."""
    with precision("float64"):
        rng = np.random.default_rng(seed)
        model = ResidualNetwork(rng).build()
        x = rng.normal(size=(16, *model.input_shape[1:]))
        reference.enliven(model, x, seed=seed)
        network = inspect(model)
        names = list(residual_branches(network).found)
        gone = [name for name in names if rng.random() < 0.7] or names[:1]
        kept = {**reference.random_kept(network, 0.6, seed, ordered=seed % 2 == 0), **dict.fromkeys(gone, NONE)}
        small = extract(model, network, kept)
        plain = unrolled(model)
        (masked,) = reference.masked_outputs(plain, inspect(plain), same_choice(model, plain, kept), x)
        spread = max(float(np.std(masked, axis=0).mean()), 1e-3 * float(np.abs(masked).mean()))
        assert np.abs(np.asarray(small(x, training=False)) - masked).max() <= 1e-9 * spread
        recounted, widths = inspect(small), {group: len(channels) for group, channels in kept.items()}
        assert not {layer.name for layer in recounted.layers} & {
            network.layers[call].name for group in gone for call in residual_branches(network).found[group].calls
        }
        left = without_branches(network, gone).network
        assert usage(left, widths, COSTS) == usage(recounted, recounted.channels, COSTS)
        return len(names)


def test_removed_equals_masked_and_costs_are_counted_again() -> None:
    assert sum(check(seed) for seed in range(4)) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_removed_equals_masked_on_many_random_networks(seed: int) -> None:
    check(seed)


def mobile_net() -> tuple[object, float]:
    """MobileNetV2 with scores as outputs, whose inputs are up to 1."""
    model = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, weights=None, classes=10, classifier_activation=None
    )
    return reference.enliven(model, np.random.default_rng(0).uniform(0, 1, (8, 32, 32, 3)).astype("float32")), 1.0


def res_net() -> tuple[object, float]:
    """ResNet8 of MLPerf Tiny."""
    path = MODELS / "mlperf_tiny_resnet8_cifar10.h5"
    if not path.is_file():
        pytest.skip(f"the real models are not at {MODELS}")
    model = load_model(path)
    model.layers[-1].activation = keras.activations.linear
    return model, 255.0


@pytest.mark.parametrize(("made", "blocks", "constants"), [(res_net, 3, ["add"]), (mobile_net, 10, [])])
def test_known_networks_without_all_their_blocks(made: object, blocks: int, constants: list[str]) -> None:
    model, highest = made()  # type: ignore[operator]
    network = inspect(model)
    names = list(residual_branches(network).found)
    assert len(names) == blocks
    x = np.random.default_rng(0).uniform(0, highest, (8, *model.input_shape[1:])).astype("float32")
    kept = dict.fromkeys(names, NONE)
    small = extract(model, network, kept)
    (masked,) = reference.masked_outputs(model, network, kept, x)
    assert reference.relative_error(np.asarray(small(x, training=False)), np.asarray(masked)) < 1e-4
    added = [layer.name for layer in small.layers if isinstance(layer, L.Rescaling)]
    assert added == constants  # all others became part of a bias or of a batch norm
    recounted = inspect(small)
    left = without_branches(network, names).network
    assert usage(left, {**network.channels, **dict.fromkeys(names, 0)}, COSTS) == usage(
        recounted, recounted.channels, COSTS
    )


def test_groups_outside_of_blocks_keep_a_channel() -> None:
    x = inputs = keras.Input((4, 4, 2))
    x = L.Conv2D(3, 3, name="outside")(x)
    model = keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    with pytest.raises(InputError, match="the channels kept of group 'outside' are not distinct"):
        extract(model, inspect(model), {"outside": NONE})


@pytest.fixture(scope="module")
def model() -> object:
    """A small network for digits with three blocks, one of them with a projection."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 1))
    x = L.ReLU(name="stem_relu")(L.Conv2D(8, 3, padding="same", name="stem")(L.Rescaling(1 / 16)(x)))
    for name, channels in (("a", 8), ("b", 12), ("c", 12)):
        y = L.ReLU(name=f"{name}_relu")(L.BatchNormalization(name=f"{name}_n")(_conv(channels, f"{name}_in")(x)))
        y = L.BatchNormalization(name=f"{name}_m")(_conv(channels, f"{name}_out")(y))
        shortcut = x if name != "b" else L.Conv2D(channels, 1, name="b_short")(x)
        x = L.ReLU(name=f"{name}_end")(L.Add(name=f"{name}_add")([shortcut, y]))
    model = keras.Model(inputs, L.Dense(10, name="head")(L.GlobalAveragePooling2D()(x)))
    train = reds_core.load_data("digits", TensorFlowFramework()).train
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(train.x, train.y, epochs=2, verbose=0)
    return model


def _conv(channels: int, name: str) -> object:
    return L.Conv2D(channels, 3, padding="same", name=name)


@pytest.fixture(scope="module")
def folder(model: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that skips blocks, since their losses count for little."""
    out = tmp_path_factory.mktemp("skipped")
    settings = RunSettings(finetune=FinetuneSettings(epochs=1), widths=WidthRules(skip_blocks=True), exchange_rate=0.1)
    reds_core.prune(model, "digits", {"macs": [0.6, 0.3]}, out, settings=settings)
    return out


def test_plans_say_which_blocks_are_skipped(folder: Path) -> None:
    small, large = load_plan(folder).subnetworks
    skipped = [{group for group, width in each.widths.items() if width == 0} for each in (small, large)]
    assert skipped[0]
    assert skipped[0] >= skipped[1]
    assert all(small.kept[group] == () for group in skipped[0])
    assert all(small.widths[group] <= large.widths[group] for group in small.widths)


def test_members_use_what_the_plan_says(folder: Path) -> None:
    for each in load_plan(folder).subnetworks:
        member = keras.saving.load_model(folder / str(each.files["keras"]))
        assert (reference.count_macs(member), member.count_params()) == (each.usage["macs"], each.usage["params"])
        assert each.usage["macs"] <= each.budget["macs"] * load_plan(folder).full.usage["macs"]


def test_members_share_the_weights_of_the_nested_network_but_for_constants(folder: Path) -> None:
    full = keras.saving.load_model(folder / "nested.keras")
    network = inspect(full)
    shared = variables_by_index(full, network)
    for each in load_plan(folder).subnetworks:
        member = keras.saving.load_model(folder / str(each.files["keras"]))
        for index, variable in variables_by_index(member, network).items():
            weight, own = network.weights[index], np.asarray(variable)
            if weight.kind.value == "kernel":
                assert np.array_equal(np.asarray(shared[index])[tuple(slice(n) for n in own.shape)], own)


def test_files_load_without_reds_and_say_the_same(folder: Path) -> None:
    plan = load_plan(folder)
    models = [str(folder / "nested.keras"), *(str(folder / str(s.files["keras"])) for s in plan.subnetworks)]
    device = [str(folder / str(f)) for s in plan.subnetworks for f in (s.files["tflite"], s.files["tflite_int8"])]
    for script, paths in ((STOCK_KERAS, models), (STOCK_LITERT, device)):
        done = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    for each in plan.subnetworks:
        assert each.accuracy.exported["tflite"] == pytest.approx(each.accuracy.after, abs=0.01)


def test_int8_files_of_members_store_slices_of_the_full_kernels(folder: Path) -> None:
    full = read_packed_graph((folder / "full-int8.tflite").read_bytes())
    for each in load_plan(folder).subnetworks:
        member = read_packed_graph((folder / str(each.files["tflite_int8"])).read_bytes())
        slices = kernel_slices(full, member)
        operators = {at: each for at, each in enumerate(member.operators) if each.kind in WITH_KERNELS}
        assert slices.keys() == operators.keys()
        for at, part in slices.items():
            whole, own = (
                graph.tensors[operator.inputs[1]].data
                for graph, operator in ((full, full.operators[part.operator]), (member, operators[at]))
            )
            np.testing.assert_array_equal(part.cut(operators[at].kind, whole), own)


def test_details_count_no_skipped_layer(folder: Path) -> None:
    details, plan = reds_core.load_details(folder), load_plan(folder)
    assert details is not None
    for network, each in zip(details.networks[1:], plan.subnetworks, strict=True):
        for resource in ("macs", "params"):
            assert sum(cost.usage[resource] for cost in network.layers) == each.usage[resource]
        assert max(step.total_bytes for step in network.memory) == each.usage["peak_ram"]


def test_another_member_can_be_extracted(folder: Path) -> None:
    added = reds_core.extract(folder, {"macs": 0.45})
    small, middle, large = load_plan(folder).subnetworks
    assert middle.name == added.name
    for group in middle.widths:
        assert small.widths[group] <= middle.widths[group] <= large.widths[group]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pruner": "uniform"}, "pruner 'uniform' cannot skip residual blocks"),
        ({"pruner": "oneshot", "realise": "fold"}, "channels cannot be merged where a group keeps none"),
        ({"transforms": "weight-bits"}, "transforms decide levels of layers that"),
        ({"latency_table": "table.json"}, "a latency table does not know"),
        ({"keep": "*_add"}, "no residual block of network .* because layer 'a_add' is among those of keep"),
    ],
)
def test_what_cannot_go_with_skipped_blocks_is_refused(
    model: object, tmp_path: Path, given: dict[str, str], words: str
) -> None:
    with pytest.raises((InputError, UnsupportedError), match=words):
        reds_core.prune(model, "digits", {"macs": 0.5}, tmp_path, skip_blocks=True, **given)
