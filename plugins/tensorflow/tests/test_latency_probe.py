"""Segments of Keras networks, timed as exported files; the command; a run under a latency budget."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from reds_litert.latency import LiteRtProbe, timed
from reds_tensorflow.extraction import extract
from reds_tensorflow.framework import TensorFlowFramework
from reds_tensorflow.handlers.table import IN_PLACE
from reds_tensorflow.reading import STOCK
from reds_tensorflow.segments import KerasSegmenter
from reds_tensorflow.tracing import inspect

import reds_core
from reds_core import RunSettings, measure_latency
from reds_core.cli import run
from reds_core.cost import LatencySettings, load_latency_table, wanted_samples
from reds_core.errors import InputError
from reds_core.framework import Numbers

layers = keras.layers
FLOAT = LatencySettings(element_size_bytes=4, repeats=10, points=2, checks=1)


def residual() -> Any:
    """conv - norm - relu, a nested block, added to what came before it, pooled, dense."""
    keras.utils.set_random_seed(0)
    inside = keras.Input((8, 8, 6))
    x = layers.Conv2D(5, 3, padding="same", name="inner")(inside)
    block = keras.Model(inside, layers.Conv2D(6, 1, name="outer")(layers.ReLU(name="inner_relu")(x)), name="block")
    image = keras.Input((8, 8, 3))
    stem = layers.Conv2D(6, 3, padding="same", name="stem")(image)
    stem = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(stem))
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([stem, block(stem)]))
    return keras.Model(image, layers.Dense(4, name="logits")(layers.GlobalAveragePooling2D(name="pool")(x)))


def chain() -> Any:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), name="image")
    x = layers.ReLU(name="first_relu")(layers.Conv2D(4, 3, name="first")(image))
    return keras.Model(image, layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D(name="pool")(x)))


def test_segments_are_what_the_device_fuses() -> None:
    model = residual()
    network = inspect(model)
    segments = KerasSegmenter().segments(extract(model, network, {}), network)
    assert [s.layers for s in segments] == [
        ("stem", "norm", "relu"),
        ("block/inner", "block/inner_relu", "block/outer"),
        ("sum", "sum_relu"),
        ("pool",),
        ("logits",),
    ]
    assert sorted(call for s in segments for call in s.calls) == list(range(len(network.layers)))
    stem, inner = (next(g.name for g in network.groups if layer in g.layers) for layer in ("stem", "block/inner"))
    assert [s.groups for s in segments] == [(stem,), (stem, inner), (stem,), (stem,), (stem,)]


def test_layers_of_plugins_are_fused_as_their_handlers_say() -> None:
    @keras.saving.register_keras_serializable("tests")
    class Mine(layers.ReLU):  # a class of its own, which this package does not know
        pass

    image = keras.Input((8, 8, 1))
    x = layers.GlobalAveragePooling2D(name="pool")(Mine(name="mine")(layers.Conv2D(4, 3, name="first")(image)))
    model = keras.Model(image, layers.Dense(3, name="logits")(x))
    reading = replace(STOCK, handlers={**STOCK.handlers, Mine: IN_PLACE})
    network = inspect(model, reading)
    segments = KerasSegmenter(reading).segments(extract(model, network, {}, reading), network)
    assert [s.layers for s in segments] == [("first", "mine"), ("pool",), ("logits",)]


def test_every_segment_can_be_timed_alone_as_float_and_as_int8() -> None:
    model = residual()
    network = inspect(model)
    small = extract(model, network, {g.name: np.arange(3) for g in network.groups})
    numbers: Numbers
    for size, numbers in ((1, "int8"), (4, "float32")):
        found = LiteRtProbe(TensorFlowFramework(), numbers, LatencySettings(size, repeats=10)).parts(small, range(5))
        assert all(t.ns > 0 and t.spread_ns >= 0 and t.runs == 10 for t in found)


def test_a_timing_is_the_lower_decile() -> None:
    seconds = iter(range(1000))
    assert timed(lambda: next(seconds), 50).runs == 50
    assert next(seconds) == 60  # those that warm up do not count


def test_a_stopped_measurement_goes_on(tmp_path: Path) -> None:
    path, out = tmp_path / "chain.keras", tmp_path / "table.json"
    chain().save(path)

    class Killed(Exception):
        pass

    def stop(done: int, of: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        measure_latency(path, out, FLOAT, told=stop)
    begun = load_latency_table(out)
    assert begun.samples
    assert not begun.complete
    finished = measure_latency(path, out, FLOAT)
    assert finished == load_latency_table(out)
    assert finished.complete
    assert finished.samples[: len(begun.samples)] == begun.samples
    wanted = wanted_samples(finished.segments, finished.channels, FLOAT.points)
    assert sorted((s.segment, s.widths) for s in finished.samples) == sorted(wanted)
    assert [c.widths.keys() == finished.channels.keys() for c in finished.checks] == [True]
    with pytest.raises(InputError, match="measured with other settings; choose another file"):
        measure_latency(path, out, LatencySettings(element_size_bytes=4, repeats=11, points=2, checks=1))
    other = chain()
    other.layers[1].kernel.assign(other.layers[1].kernel + 1)
    other.save(tmp_path / "other.keras")
    with pytest.raises(InputError, match="of another model"):
        measure_latency(tmp_path / "other.keras", out, FLOAT)


def test_the_command_makes_a_table_that_a_run_meets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "chain.keras", tmp_path / "table.json"
    chain().save(path)
    arguments = ["--element-size", "4", "--repeats", "10", "--points", "2", "--checks", "1"]
    assert run(["latency", str(path), "--out", str(out), *arguments]) == 0
    printed = capsys.readouterr().out
    assert "first, first_relu" in printed
    assert "check 1" in printed
    # times are made up, so that the test does not depend on the machine: the convolution takes 100 ns a channel
    content = json.loads(out.read_text())
    content["overhead"]["ns"], content["full"]["ns"], content["narrow"]["ns"] = 0.0, 400.0, 100.0
    for sample in content["samples"]:
        alone = content["segments"][sample["segment"]]["layers"][0] == "first"
        sample["timing"]["ns"] = 100.0 * sample["widths"][0] if alone else 0.0
    out.write_text(json.dumps(content))
    settings = RunSettings(latency_table=str(out), element_size_bytes=4, scorer="magnitude")
    plan = reds_core.prune(
        path, None, {"latency": ["300ns", 0.5]}, out=tmp_path / "run", settings=settings, finetune_epochs=0
    )
    assert [s.usage["latency"] for s in plan.subnetworks] == [200, 300]
    assert all(s.latency_measured_ns is not None and s.latency_measured_ns > 0 for s in plan.subnetworks)
    assert plan.full.usage["latency"] == 400
    assert "latency" in json.loads((tmp_path / "run" / "plan.json").read_text())["subnetworks"][0]["usage"]
    problem = tmp_path / "p.npz"
    command = ["formulate", str(path), "--scorer", "magnitude", "--budget", "latency=0.5", "--out", str(problem)]
    assert run([*command, "--latency-table", str(out), "--element-size", "4"]) == 0
    assert run(["solve", str(problem), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["usage"] == {"latency": 200}
    assert run(command) == 2
    assert "a latency budget needs measurements" in capsys.readouterr().err
