"""Runs with weights of 4 bits: what the plan says is what LiteRT finds in the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

import reds_core
from reds_core import cli

L = keras.layers


def network() -> Any:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            L.Conv2D(8, 3, name="stem"),
            L.BatchNormalization(),
            L.ReLU(),
            L.DepthwiseConv2D(3, name="depthwise"),
            L.BatchNormalization(),
            L.ReLU(),
            L.Conv2D(12, 1, activation="relu", name="pointwise"),
            L.GlobalAveragePooling2D(),
            L.Dense(10, activation="softmax", name="head"),
        ]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    reds_core.prune(
        network(),
        "digits",
        {"macs": 0.5, "weight_bytes": 0.35},
        out=out,
        transforms="weight-bits",
        targets=["tflite-int8", "tflite-16x8", "tflite-float16", "tflite-dynamic"],
        finetune_epochs=1,
        verbose=0,
    )
    return out


def test_litert_alone_finds_4_bits_where_the_plan_says_so(folder: Path) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["format"] == "reds-plan/2"
    for member in plan["subnetworks"]:
        low = [site for site, levels in member["settings"].items() if levels["weight_bits"] == 4]
        assert low, "a budget of so few bytes needs weights of 4 bits"
        file = folder / member["files"]["tflite-int8"]
        graph = schema.Model.GetRootAs(file.read_bytes()).Subgraphs(0)
        types = [graph.Tensors(i).Type() for i in range(graph.TensorsLength())]
        assert types.count(schema.TensorType.INT4) == len(low)
        interpreter = Interpreter(model_path=str(file))
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.zeros((1, 8, 8, 1), np.int8))
        interpreter.invoke()
        assert "head" not in low, "tflite-micro runs no Dense layers with weights of 4 bits"


def test_every_target_has_a_file_that_can_be_evaluated(folder: Path) -> None:
    plan = reds_core.load_plan(folder)
    for member in plan:
        assert list(member.files) == ["keras", "tflite-int8", "tflite-16x8", "tflite-float16", "tflite-dynamic"]
        for kind, accuracy in member.accuracy.exported.items():
            device = member.devices.get(kind)  # devices that join the run have an accuracy beside those of the files
            path, on = (member.path(kind), None) if device is None else (folder / device.file, kind)
            assert reds_core.evaluate(path, "digits", on=on).value == pytest.approx(accuracy)
            assert accuracy == pytest.approx(member.accuracy.after, abs=0.15)


def test_an_option_of_a_target_is_given_on_the_command_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.keras"
    network().save(path)
    command = ["inspect", str(path), "--transform", "weight-bits", "--target", "tflite-int8", "--json"]
    assert cli.run(command) == 0
    assert "tflite-micro cannot run Dense layers with 4-bit weights" in capsys.readouterr().out
    assert cli.run([*command, "--option", "tflite-int8.micro=false"]) == 0
    assert "tflite-micro" not in capsys.readouterr().out
