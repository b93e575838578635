"""Early exits of Keras models: heads, parts that end at an exit, and families whose members end at different ones."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from reds_tensorflow.checking import check_data
from reds_tensorflow.exits import ending_at, finetune_exits, with_exits
from reds_tensorflow.framework import TensorFlowFramework
from reds_tensorflow.tracing import inspect
from slow_cases import slow_except

import reds_core
from reds_core.cost import parse_budgets, usage
from reds_core.errors import InfeasibleError, InputError, UnsupportedError
from reds_core.framework import Arrays, FinetuneSettings, Task, Teacher, Training
from reds_core.network import WeightKind, exit_names
from reds_core.plan import load_plan

COUNT, TESTED, CLASSES = 192, 64, 3
BLOCKS = ("relu0", "sum1", "relu2")


def labelled(count: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Images whose class is the channel of the brightest corner."""
    x = np.random.default_rng(seed).uniform(0, 1, (count, 8, 8, 3)).astype(np.float32)
    return x, x[:, :4, :4].mean(axis=(1, 2)).argmax(axis=1).astype(np.int64)


TRAIN, TEST = labelled(COUNT, 0), labelled(TESTED, 1)


def residual(last: str | None = "softmax") -> Any:
    """conv - relu, a residual block, conv - relu, and a classifier."""
    image = keras.Input((8, 8, 3), name="image")
    x = image
    for index, channels in enumerate((6, 6, 10)):
        start = keras.initializers.HeNormal(seed=index)
        y = keras.layers.Conv2D(channels, 3, 1, "same", name=f"conv{index}", kernel_initializer=start)(x)
        y = keras.layers.BatchNormalization(name=f"norm{index}")(y)
        y = keras.layers.ReLU(name=f"relu{index}")(y)
        x = keras.layers.Add(name="sum1")([x, y]) if index == 1 else y
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    start = keras.initializers.GlorotUniform(seed=5)
    x = keras.layers.Dense(CLASSES, activation=last, name="classes", kernel_initializer=start)(x)
    return keras.Model(image, x, name="small")


class Spied:
    """What is trained and compared.

    Attributes:
        trainings: each training with its family; measurements of statistics alone are left out.
        losses: each model whose loss is measured, with its loss.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trainings, self.losses = list[tuple[Any, Training]](), list[tuple[Any, float]]()
        finetune, loss = TensorFlowFramework.finetune, TensorFlowFramework.loss

        def spied_finetune(framework: TensorFlowFramework, family: Any, training: Training) -> None:
            if training.settings.epochs:
                self.trainings.append((family, training))
            finetune(framework, family, training)

        def spied_loss(framework: TensorFlowFramework, model: Any, data: Any, task: Task) -> float:
            found = loss(framework, model, data, task)
            self.losses.append((model, found))
            return found

        monkeypatch.setattr(TensorFlowFramework, "finetune", spied_finetune)
        monkeypatch.setattr(TensorFlowFramework, "loss", spied_loss)


def with_two(last: str | None = "softmax") -> Any:
    return with_exits(residual(last), ("relu0", "sum1"), 3)


def test_exits_do_not_change_the_output_and_end_with_its_activation() -> None:
    model = residual()
    exits = with_exits(model, ("relu0", "sum1"), 3)
    first, second, last = exits.predict(TEST[0], verbose=0)
    assert np.array_equal(last, model.predict(TEST[0], verbose=0))
    assert np.allclose(first.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(second.sum(axis=1), 1, atol=1e-6)
    assert exit_names(inspect(exits)) == ("exit_1", "exit_2")
    logits = with_two(None).predict(TEST[0], verbose=0)[0]
    assert not np.allclose(logits.sum(axis=1), 1)


def test_a_head_is_the_mean_over_positions_and_a_dense_layer() -> None:
    exits = with_two(None)
    features = keras.Model(exits.input, exits.get_layer("sum1").output).predict(TEST[0], verbose=0).astype(np.float64)
    kernel, bias = (np.asarray(w, np.float64) for w in exits.get_layer("exit_2").weights)
    wanted = features.mean(axis=(1, 2)) @ kernel + bias
    assert np.allclose(exits.predict(TEST[0], verbose=0)[1], wanted, atol=1e-5)


@pytest.mark.parametrize(("exit", "place"), [("exit_1", 0), ("exit_2", 1), (None, 2)])
def test_a_part_computes_its_exit_with_the_layers_that_it_needs(exit: str | None, place: int) -> None:
    exits = with_two()
    part = ending_at(exits, exit)
    assert np.array_equal(part.predict(TEST[0], verbose=0), exits.predict(TEST[0], verbose=0)[place])
    whole, own = inspect(exits), inspect(part)
    needed = {"exit_1": {"conv0"}, "exit_2": {"conv0", "conv1"}, None: {"conv0", "conv1", "conv2"}}[exit]
    assert {layer.name for layer in own.layers if layer.name.startswith("conv")} == needed
    heads = {layer.name for layer in own.layers if layer.kind == "Dense"}
    assert heads == {exit or "classes"}
    assert set(own.channels.items()) <= set(whole.channels.items())
    assert usage(own, own.channels)["params"] == part.count_params()


def test_models_that_cannot_have_exits_are_refused() -> None:
    image = keras.Input((8, 8, 3))
    features = keras.Model(image, keras.layers.Conv2D(2, 1, name="conv")(image), name="features")
    with pytest.raises(UnsupportedError, match="does not have one output that is a vector for each example"):
        with_exits(features, ("conv",))
    with pytest.raises(UnsupportedError, match="does not have one output"):
        with_exits(with_two(), ("relu2",))
    with pytest.raises(InputError, match="has no exit 'exit_7'"):
        ending_at(with_two(), "exit_7")


def test_training_heads_changes_nothing_else() -> None:
    model = residual()
    exits = with_exits(model, ("relu0", "sum1"), 3)
    before = {v.path: np.asarray(v) for v in exits.weights}
    settings = FinetuneSettings(epochs=2, learning_rate=0.05, distill=Teacher.INPUT, batch_size=32)
    finetune_exits(exits, Training(Arrays(*TRAIN), settings, 0, lambda _: None, teacher=model))
    changed = {v.path.split("/")[-2] for v in exits.weights if not np.array_equal(before[v.path], np.asarray(v))}
    assert changed == {"exit_1", "exit_2"}
    assert all(layer.trainable for layer in exits.layers)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run whose smaller budget is below what the last exit can meet."""
    folder = tmp_path_factory.mktemp("exits")
    with_two().save(folder / "model.keras")
    return reds_core.prune(
        folder / "model.keras",
        (TRAIN, TEST),
        {"macs": ["2k", 0.5]},
        out=folder / "run",
        finetune_epochs=1,
        targets="tflite",
        batch_size=64,
        verbose=0,
    )


def test_a_budget_that_only_an_early_exit_meets_is_met_by_one(finished: Any) -> None:
    """Two thousand MACs are less than the narrowest networks take that end later."""
    small = finished["2k"]
    assert small.exit == "exit_1"
    assert set(small.widths) == {"conv0"}
    assert small.usage["macs"] <= 2000
    model = small.load()
    assert [layer.name for layer in model.layers if layer.name.startswith("conv")] == ["conv0"]
    network = inspect(model)
    assert usage(network, network.channels).items() <= dict(small.usage).items()


def test_members_have_the_weights_of_the_full_network_that_their_exit_needs(finished: Any) -> None:
    full = keras.models.load_model(finished.folder / "nested.keras")
    assert len(full.outputs) == 3
    for member in finished.subnetworks:
        model = member.load()
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                own, whole = np.asarray(layer.kernel), np.asarray(full.get_layer(layer.name).kernel)
                assert np.array_equal(own, whole[tuple(slice(n) for n in own.shape)])
        outputs = model.predict(TEST[0], verbose=0)
        assert member.accuracy.after == pytest.approx((outputs.argmax(axis=1) == TEST[1]).mean())


def test_the_full_network_is_measured_at_its_last_exit(finished: Any) -> None:
    full = keras.models.load_model(finished.folder / "nested.keras")
    answers = full.predict(TEST[0], verbose=0)[-1].argmax(axis=1)
    assert finished.full.accuracy.after == pytest.approx((answers == TEST[1]).mean())


def test_shared_groups_only_grow(finished: Any) -> None:
    smaller, larger = finished.subnetworks
    for group in smaller.widths.keys() & larger.widths.keys():
        assert smaller.widths[group] <= larger.widths[group]
        kept = smaller.kept[group]
        assert larger.kept[group][: len(kept)] == kept


def test_the_plan_states_the_exit_and_only_where_there_is_one(finished: Any) -> None:
    plan = json.loads((finished.folder / "plan.json").read_text())
    stated = [member.get("exit") for member in plan["subnetworks"]]
    assert stated == [member.exit for member in finished.subnetworks]
    assert "exit" not in plan["subnetworks"][1] or plan["subnetworks"][1]["exit"] is not None


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"pruner": "progressive"}, "pruner 'progressive' does not decide at which exit"),
        ({"pruner": "progressive", "dry_run": True}, "pruner 'progressive' does not decide at which exit"),
        (
            {"budgets": None, "max_drop": 1, "finetune_epochs": 1},
            "max_drop does not decide at which exit of the model a subnetwork ends",
        ),
        ({"options": {"nested": {"family": "joint"}}}, "a joint family are decided together"),
    ],
)
def test_strategies_that_decide_no_exits_are_refused(tmp_path: Path, settings: dict[str, Any], why: str) -> None:
    settings = {"budgets": {"macs": 0.5}, "finetune_epochs": 0, **settings}
    with pytest.raises(UnsupportedError, match=why):
        reds_core.prune(with_two(), (TRAIN, TEST), out=tmp_path / "run", verbose=0, **settings)


def test_widths_are_thinned_beside_kernel_scores(tmp_path: Path) -> None:
    """The price of thinning is computed for each exit, which lacks groups that are joined in the whole network."""
    plan = reds_core.prune(
        with_two(),
        (TRAIN, TEST),
        {"macs": ["2k", 0.5]},
        out=tmp_path / "run",
        score_level="kernel",
        max_options=3,
        finetune_epochs=0,
        dry_run=True,
        verbose=0,
    )
    assert plan["2k"].exit == "exit_1"


def test_an_exit_behind_layers_without_levels_is_no_error() -> None:
    """Sparsity needs kernels of a size that those of the first exit and of its head do not have."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 1, name="small", activation="relu")(image)
    y = keras.layers.Conv2D(16, 3, name="middle", activation="relu")(x)
    z = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(16, 3, name="large", activation="relu")(y))
    model = with_exits(keras.Model(image, keras.layers.Dense(CLASSES, activation="softmax")(z)), ("small", "middle"), 3)
    given: dict[str, Any] = {"scorer": "magnitude", "transforms": "sparsity", "targets": "c-engine", "verbose": 0}
    for exit in ("exit_1", None):
        problem = reds_core.formulate_model(model, (TRAIN, TEST), {"macs": 0.9}, exit=exit, **given).problem
        assert problem.has_levels == (exit is None)


@pytest.fixture
def copied(finished: Any, tmp_path: Path) -> Path:
    """A copy of the run, to which members can be added."""
    shutil.copytree(finished.folder, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("budget", ["1.8k", "4k", "90%"])
def test_one_more_member_lies_between_its_neighbours(copied: Path, budget: str) -> None:
    capacity = parse_budgets([f"macs={budget}"])[0].amounts["macs"].capacity(load_plan(copied).full.usage["macs"])
    place = sum(member.usage["macs"] <= capacity for member in load_plan(copied).subnetworks)
    member = reds_core.extract(copied, {"macs": budget}, data=(TRAIN, TEST), verbose=0)
    plan = load_plan(copied)
    assert plan.subnetworks[place].name == member.name
    for smaller, larger in itertools.combinations(plan.subnetworks, 2):
        for group in smaller.widths.keys() & larger.widths.keys():
            assert set(smaller.kept[group]) <= set(larger.kept[group])
    model = member.load()
    network = inspect(model)
    assert usage(network, network.channels).items() <= dict(member.usage).items()
    assert member.usage["macs"] <= capacity
    full = keras.models.load_model(copied / "nested.keras")
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            own, whole = np.asarray(layer.kernel), np.asarray(full.get_layer(layer.name).kernel)
            assert np.array_equal(own, whole[tuple(slice(n) for n in own.shape)])
    answers = model.predict(TEST[0], verbose=0).argmax(axis=1)
    assert member.accuracy.after == pytest.approx((answers == TEST[1]).mean())


@pytest.mark.parametrize("epochs", [0, 4])
def test_one_more_member_ends_where_its_loss_is_smallest(
    epochs: int, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without training it is compared with the weights that it gets, else after a part of the epochs."""
    spied = Spied(monkeypatch)
    member = reds_core.extract(copied, {"macs": "60%"}, data=(TRAIN, TEST), finetune_epochs=epochs, verbose=0)
    compared = {model.output_names[0]: found for model, found in spied.losses}
    assert set(compared) == {"exit_1", "exit_2", "classes"}
    best = min(compared, key=lambda name: compared[name])
    assert (member.exit or "classes") == best
    trained = [(family.full.output_names[0], training.settings.epochs) for family, training in spied.trainings]
    assert trained == ([("exit_1", 1), ("exit_2", 1), ("classes", 1), (best, 4)] if epochs else [])
    if not epochs:
        given = {model.output_names[0]: model for model, _ in spied.losses}[best]
        np.testing.assert_array_equal(member.load().predict(TEST[0]), given.predict(TEST[0]))


def test_one_more_member_ends_last_without_data(copied: Path) -> None:
    assert reds_core.extract(copied, {"macs": "60%"}, verbose=0).exit is None


def test_one_more_member_below_every_exit_is_refused(copied: Path) -> None:
    with pytest.raises(InfeasibleError, match="the least that can be reached is"):
        reds_core.extract(copied, {"macs": "1k"}, data=(TRAIN, TEST), verbose=0)


@pytest.mark.parametrize("exit", ["exit_1", "exit_2", None])
def test_the_problem_of_each_exit_counts_what_it_needs(exit: str | None) -> None:
    model = with_two()
    problem = reds_core.formulate_model(model, TRAIN, {"macs": 0.5}, exit=exit, verbose=0).problem
    part, whole = inspect(ending_at(model, exit)), inspect(model)
    assert [group.name for group in problem.groups] == [group.name for group in part.groups]
    full = problem.evaluate([group.options - 1 for group in problem.groups])
    assert full.usage["macs"] == usage(part, part.channels)["macs"]
    assert problem.resources[0].capacity == usage(whole, whole.channels)["macs"] // 2


def with_block() -> Any:
    """An exit after the first convolution, and a residual block behind it."""
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(6, 3, 1, "same", activation="relu", name="conv0")(image)
    y = keras.layers.Conv2D(4, 3, 1, "same", activation="relu", name="inner")(x)
    y = keras.layers.Conv2D(6, 3, 1, "same", name="conv1")(y)
    x = keras.layers.Add(name="sum1")([x, y])
    x = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Conv2D(5, 3, name="conv2")(x))
    return with_exits(
        keras.Model(image, keras.layers.Dense(CLASSES, activation="softmax", name="classes")(x)), ("conv0",), 3
    )


@pytest.mark.parametrize("settings", [{"score_level": "kernel"}, {"skip_blocks": True}])
@pytest.mark.parametrize(("exit", "groups"), [("exit_1", ["conv0"]), (None, ["conv0", "inner", "conv2"])])
def test_problems_of_exits_leave_out_what_they_do_not_need(
    exit: str | None, groups: list[str], settings: dict[str, Any]
) -> None:
    """Neither kernels behind the first exit nor the block there, which can be skipped, are part of its problem."""
    heard = Heard()
    asked = {"macs": 0.5}
    problem = reds_core.formulate_model(with_block(), TRAIN, asked, exit=exit, watcher=heard, **settings).problem
    assert [group.name for group in problem.groups] == groups
    assert not [warning for warning in heard.warnings if "does not bind" in warning]


class Heard(reds_core.Watcher):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings = list[str]()

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_an_exit_that_the_model_lacks_is_named() -> None:
    with pytest.raises(InputError, match="exit"):
        reds_core.formulate_model(with_two(), None, {"macs": 0.5}, scorer="magnitude", exit=["exit_1"], verbose=0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no early exit 'exit_9'; its exits are exit_1, exit_2"):
        reds_core.formulate_model(with_two(), TRAIN, {"macs": 0.5}, exit="exit_9", verbose=0)
    with pytest.raises(InputError, match="it has no early exits, which"):
        reds_core.formulate_model(residual(), TRAIN, {"macs": 0.5}, exit="exit_1", verbose=0)


@pytest.mark.slow
def test_a_member_that_ends_early_has_its_own_levels(tmp_path: Path) -> None:
    """Bits are decided of the layers that a member executes, and its file holds the weights that they leave."""
    plan = reds_core.prune(
        with_two(),
        (TRAIN, TEST),
        {"macs": ["2k", 0.5], "weight_bytes": [0.2, 0.5]},
        out=tmp_path / "run",
        transforms="weight-bits",
        targets="tflite-int8",
        finetune_epochs=1,
        verbose=0,
    )
    small = plan["2k"]
    assert small.exit == "exit_1"
    assert small.settings is not None
    assert set(small.settings) == {"conv0"}
    check_levels(small)
    more = reds_core.extract(tmp_path / "run", {"weight_bytes": 0.3}, data=(TRAIN, TEST), verbose=0)
    check_levels(more)


def check_levels(member: Any) -> None:
    """Kernels in the file of a member have no more values than the bits of their layers allow."""
    for name, levels in member.settings.items():
        kernel = np.asarray(member.load().get_layer(name).kernel, np.float64)
        columns = kernel.reshape(-1, kernel.shape[-1]).T
        assert all(len(np.unique(np.abs(column))) <= 2 ** (levels["weight_bits"] - 1) for column in columns)


KINDS_OF_TRAINING = [(*kind, t) for kind in (("nested", False), ("oneshot", True)) for t in ((), ("weight-bits",))]


@pytest.mark.parametrize(
    ("pruner", "is_apart", "transforms"), slow_except([("nested", False, ("weight-bits",))], KINDS_OF_TRAINING)
)
def test_exits_are_compared_after_the_kind_of_training_that_the_run_has(
    pruner: str, is_apart: bool, transforms: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A family that shares its weights compares exits with shared weights, and takes the one with the smallest loss."""
    spied = Spied(monkeypatch)
    plan = reds_core.prune(
        with_two(),
        (TRAIN, TEST),
        {"macs": 0.5, "weight_bytes": 0.5} if transforms else {"macs": 0.5},
        out=tmp_path / "run",
        pruner=pruner,
        transforms=transforms,
        targets="tflite-int8" if transforms else "tflite",
        qat=is_apart or None,
        finetune_epochs=7,
        batch_size=64,
        verbose=0,
    )
    trained = [(len(family.members), training.settings.epochs) for family, training in spied.trainings]
    assert trained == ([(0, 2)] * 3 + [(0, 7)] if is_apart else [(3, 2), (1, 7)])
    assert [training.first_pass for _, training in spied.trainings] == ([0, 2, 4, 6] if is_apart else [0, 2])
    for family, training in spied.trainings if is_apart and transforms else ():
        weights = inspect(family.full).weights
        kernels = {i for i, weight in enumerate(weights) if weight.kind is WeightKind.KERNEL}
        assert set(training.projections[0]) <= kernels, "projections of another part of the network"
        assert training.projections[0]
    compared = {model.output_names[0]: found for model, found in spied.losses[-3:]}
    assert set(compared) == {"exit_1", "exit_2", "classes"}
    assert (plan.subnetworks[0].exit or "classes") == min(compared, key=lambda name: compared[name])


@pytest.mark.slow
def test_exits_are_compared_with_the_weights_that_they_were_trained_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The codes of truncated bits are those of the full network, from which projecting a part of it would differ."""
    pytest.importorskip("reds_c_engine")
    trained, measured = list[Any](), list[Any]()
    finetune, loss = TensorFlowFramework.finetune, TensorFlowFramework.loss

    def kernels(model: Any) -> dict[str, Any]:
        return {layer.name: np.array(layer.kernel.numpy()) for layer in model.layers if hasattr(layer, "kernel")}

    def spied_finetune(self: TensorFlowFramework, family: Any, training: Training) -> None:
        finetune(self, family, training)
        if training.settings.epochs:
            trained.append([kernels(member) for member in family.members])

    def spied_loss(self: TensorFlowFramework, model: Any, data: Any, task: Task) -> float:
        measured.append(kernels(model))
        return loss(self, model, data, task)

    monkeypatch.setattr(TensorFlowFramework, "finetune", spied_finetune)
    monkeypatch.setattr(TensorFlowFramework, "loss", spied_loss)
    reds_core.prune(
        with_two(),
        (TRAIN, TEST),
        {"macs": 0.5, "weight_bytes": 0.4},
        out=tmp_path / "run",
        transforms="truncated-bits",
        targets="c-engine",
        finetune_epochs=4,
        batch_size=64,
        verbose=0,
    )
    compared = trained[0]
    assert len(compared) == 3
    for before, after in zip(compared, measured[-3:], strict=True):
        assert before.keys() == after.keys()
        for name, kernel in before.items():
            np.testing.assert_allclose(after[name], kernel, rtol=1e-6, atol=1e-7)


def test_a_budget_below_every_exit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match="the least that can be reached is"):
        reds_core.prune(with_two(), (TRAIN, TEST), {"macs": "1k"}, out=tmp_path / "run", finetune_epochs=0, verbose=0)


def test_exits_are_added_to_a_file(tmp_path: Path) -> None:
    residual().save(tmp_path / "model.keras")
    given: dict[str, Any] = {"data": (TRAIN, TEST), "epochs": 1, "verbose": 0}
    found = reds_core.exits(tmp_path / "model.keras", "auto", tmp_path / "exits.keras", **given)
    assert [exit.after for exit in found] == ["relu0", "sum1", None]
    assert [exit.name for exit in found] == ["exit_1", "exit_2", "classes"]
    assert found[-1].macs_share == 1
    model = keras.models.load_model(tmp_path / "exits.keras")
    for exit, outputs in zip(found, model.predict(TEST[0], verbose=0), strict=True):
        assert exit.accuracy == pytest.approx((outputs.argmax(axis=1) == TEST[1]).mean())
    with pytest.raises(InputError, match=r"exits\.keras' exists already"):
        reds_core.exits(tmp_path / "model.keras", "auto", tmp_path / "exits.keras", **given)
    with pytest.raises(InputError, match="has early exits already"):
        reds_core.exits(tmp_path / "exits.keras", "auto", tmp_path / "more.keras", verbose=0)


@pytest.mark.parametrize(
    ("at", "out", "why"),
    [
        ("auto", "exits.txt", r"exits\.txt' has no suffix of a model file"),
        ("auto", "nowhere/exits.keras", r"folder '.*nowhere' does not exist"),
        (3, "exits.keras", "at"),
    ],
)
def test_exits_that_cannot_be_written_are_refused_before_any_training(
    at: Any, out: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TensorFlowFramework, "finetune_exits", lambda *_: pytest.fail("it trains"))
    with pytest.raises(InputError, match=why):
        reds_core.exits(residual(), at, tmp_path / out, data=(TRAIN, TEST), epochs=1, verbose=0)
    assert not list(tmp_path.iterdir())


def test_outputs_with_tasks_of_their_own_are_not_taken_for_exits() -> None:
    other = (TRAIN[1] + 1) % CLASSES
    with pytest.raises(InputError, match="taken for early exits, which have the same labels"):
        check_data(with_two(), Arrays(TRAIN[0], (other, TRAIN[1], TRAIN[1])), Task(), "training data")
    once = check_data(with_two(), Arrays(TRAIN[0], (TRAIN[1],) * 3), Task(), "training data")
    assert np.array_equal(once.y, TRAIN[1])


def test_frozen_layers_stay_frozen_after_heads_were_trained() -> None:
    exits = with_two()
    exits.get_layer("conv1").trainable = False
    finetune_exits(exits, Training(Arrays(*TRAIN), FinetuneSettings(epochs=1), 0, lambda _: None))
    frozen = [layer.name for layer in exits.layers if not layer.trainable]
    assert frozen == ["conv1"]


def test_a_layer_with_the_name_of_an_exit_is_named() -> None:
    image = keras.Input((8,))
    hidden = keras.layers.Dense(4, name="exit_1")(image)
    model = keras.Model(image, keras.layers.Dense(3, name="classes")(keras.layers.Dense(4, name="next")(hidden)))
    with pytest.raises(InputError, match="has a layer named 'exit_1' already"):
        with_exits(model, ("next",))


@pytest.mark.parametrize(
    ("settings", "error", "why"),
    [
        ({"loss": ["sparse_categorical_crossentropy"] * 3}, UnsupportedError, "the loss is given for each output"),
        ({"metrics": "accuracy,accuracy,accuracy"}, UnsupportedError, "the metric is given for each output"),
    ],
)
def test_losses_of_each_output_are_refused(
    tmp_path: Path, settings: dict[str, Any], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        reds_core.prune(
            with_two(), (TRAIN, TEST), {"macs": 0.5}, out=tmp_path / "run", finetune_epochs=0, verbose=0, **settings
        )


def test_losses_of_exits_may_be_weighted(tmp_path: Path) -> None:
    plan = reds_core.prune(
        with_two(),
        (TRAIN, TEST),
        {"macs": "2k"},
        out=tmp_path / "run",
        loss_weights=[0.2, 0.3, 0.5],
        finetune_epochs=0,
        targets="keras",
        verbose=0,
    )
    assert plan["2k"].exit == "exit_1"
