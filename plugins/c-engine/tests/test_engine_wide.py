"""Engines of networks with activations of 16 bits against tflite-micro, value by value."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from reds_c_engine.deploy import generated, written
from reds_c_engine.family import family_of

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

from engines import SANITIZERS, STRICT, KernelObjects, compiler
from int8_graphs import GraphBuilder, examples, tflite_micro_outputs
from wide_graphs import CASES, content

from reds_core.errors import InputError, UnsupportedError


@pytest.mark.parametrize("name", CASES)
def test_operators(name: str, objects: KernelObjects, tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")
    file = content(name)
    x = examples(file, 16)
    found = objects.linked([("full", file)], tmp_path).outputs(0, x)
    assert int((found != tflite_micro_outputs(file, x)).sum()) == 0
    assert len(np.unique(found)) >= 100


def test_what_has_no_kernel_is_named() -> None:
    build = GraphBuilder(bits=16)
    x = build.tensor((1, 8), 0.0003)
    y = build.operator("TANH", [x], build.tensor((1, 8), 1 / 32768))
    with pytest.raises(UnsupportedError, match="there is no kernel for it with activations of 16 bits"):
        family_of([("full", build.content(x, y))])


def test_members_have_activations_of_one_type() -> None:
    files = []
    for bits in (8, 16):
        build = GraphBuilder(bits=bits)
        x = build.tensor((1, 8), 0.003)
        files.append((str(bits), build.content(x, build.operator("RELU", [x], build.tensor((1, 8), 0.003)))))
    with pytest.raises(InputError, match="member '8' has activations of type int8, and the full network of type int16"):
        family_of(files)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_self_tests_run_clean_under_sanitizers(name: str, tmp_path: Path) -> None:
    written(generated([("full", content(name))], examples=4), tmp_path)
    sources = [*map(str, tmp_path.glob("*.c")), str(tmp_path / "test" / "reds_net_test.c")]
    flags = [*STRICT, "-O1", "-g", *SANITIZERS, f"-I{tmp_path}"]
    subprocess.run([compiler(), *flags, *sources, "-o", str(tmp_path / "test.out")], check=True)
    assert subprocess.run([str(tmp_path / "test.out")], check=False).returncode == 0
