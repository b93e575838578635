"""A generated engine on emulated Cortex-M cores and on this machine: equal to the reference, and measured."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from reds_c_engine.emulator import CORES, Core, measure, outputs_on_core, outputs_on_host, unavailable
from reds_c_engine.reference import run
from slow_cases import slow_except

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

from int8_graphs import ACTIVATIONS, SAME, VALID, GraphBuilder, examples, integers, options
from reds_c_engine.deploy import Engine, generated, written
from reds_litert.graph import read_graph

needs_tools = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
each_core = pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)

INPUTS, FIRST, SECOND, CLASSES = 3, 13, 21, 7
"""Channels of the full network; odd, so that blocks of several channels have a rest."""


@dataclass(frozen=True, eq=False)
class DeployedFamily:
    """An engine in a folder, and what its members shall compute."""

    engine: Engine
    folder: Path
    inputs: npt.NDArray[np.int8]
    outputs: npt.NDArray[np.int8]


def network(first: int, second: int) -> bytes:
    """A network of seven kinds of layers, whose kernels are those of the full one with the first channels of each."""
    rng = np.random.default_rng(0)
    build = GraphBuilder()

    def layer(kind: str, x: int, shape: tuple[int, ...], used: tuple[int, ...], y: tuple[int, ...]) -> int:
        axis = 3 if kind.startswith("Depthwise") else 0
        scales = rng.uniform(0.003, 0.02, shape[axis]).astype(np.float32)[: used[axis]]
        kernel = np.ascontiguousarray(integers(rng, shape)[tuple(slice(n) for n in used)])
        bias = rng.integers(-2000, 2000, shape[axis]).astype(np.int32)[: used[axis]]
        inputs = [x, build.tensor(used, scales, data=kernel, axis=axis), build.tensor(bias.shape, data=bias)]
        of = {"Conv2D": "CONV_2D", "DepthwiseConv2D": "DEPTHWISE_CONV_2D", "FullyConnected": "FULLY_CONNECTED"}[kind]
        settings = options(f"{kind}Options", fusedActivationFunction=ACTIVATIONS["none" if len(y) == 2 else "relu"])
        if kind != "FullyConnected":
            stride = 2 if shape[-1] == INPUTS else 1
            settings.padding, settings.strideH, settings.strideW = SAME, stride, stride
            settings.dilationHFactor = settings.dilationWFactor = 1
        if kind.startswith("Depthwise"):
            settings.depthMultiplier = 1
        return build.operator(of, inputs, build.tensor(y, float(rng.uniform(0.2, 0.3)), -11), settings)

    x = build.tensor((1, 11, 9, INPUTS), 0.05, 3)
    a = layer("Conv2D", x, (FIRST, 3, 3, INPUTS), (first, 3, 3, INPUTS), (1, 6, 5, first))
    b = layer("DepthwiseConv2D", a, (1, 3, 3, FIRST), (1, 3, 3, first), (1, 6, 5, first))
    c = layer("Conv2D", b, (FIRST, 1, 1, FIRST), (first, 1, 1, first), (1, 6, 5, first))
    total = build.operator("ADD", [a, c], build.tensor((1, 6, 5, first), 0.3, 5), options("AddOptions"))
    d = layer("Conv2D", total, (SECOND, 1, 1, FIRST), (second, 1, 1, first), (1, 6, 5, second))
    pooling = options("Pool2DOptions", padding=VALID, strideH=6, strideW=5, filterHeight=6, filterWidth=5)
    like = build.graph.tensors[d].quantization
    pooled = build.tensor((1, 1, 1, second), np.asarray(like.scale), int(like.zeroPoint[0]))
    build.operator("AVERAGE_POOL_2D", [d], pooled, pooling)
    logits = layer("FullyConnected", pooled, (CLASSES, SECOND), (CLASSES, second), (1, CLASSES))
    y = build.operator(
        "SOFTMAX", [logits], build.tensor((1, CLASSES), 1 / 256, -128), options("SoftmaxOptions", beta=0.3)
    )
    return build.content(x, y)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> DeployedFamily:
    folder = tmp_path_factory.mktemp("engine")
    contents = [("25", network(5, 8)), ("75", network(10, 17)), ("full", network(FIRST, SECOND))]
    engine = generated(contents, examples=1)
    written(engine, folder)
    x = examples(contents[-1][1], 12)
    outputs = np.array([run(read_graph(content), x) for _, content in contents])
    assert len(np.unique(outputs)) > 20
    return DeployedFamily(engine, folder, x, outputs)


def test_members_share_the_weights_of_the_full_network(family: DeployedFamily) -> None:
    assert family.engine.family.own_kernels == ()


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_members_equal_the_reference_on_this_machine_with_sanitizers(family: DeployedFamily) -> None:
    assert (outputs_on_host(family.folder, family.inputs) != family.outputs).sum() == 0


@needs_tools
@each_core
def test_members_equal_the_reference_on_a_core(core: Core, family: DeployedFamily) -> None:
    assert (outputs_on_core(core, family.folder, family.inputs) != family.outputs).sum() == 0


@needs_tools
@pytest.mark.parametrize(
    "core",
    slow_except([CORES["cortex-m4"]], CORES.values(), lambda core: core.name),
)
def test_switching_takes_few_instructions_and_changes_those_of_no_run(core: Core, family: DeployedFamily) -> None:
    found = measure(core, family.folder)
    assert found.switched_instructions == found.run_instructions
    assert found.run_instructions[0] < found.run_instructions[-1]
    assert 0 < min(found.switch_instructions) <= max(found.switch_instructions) < 100
    assert all(100 < stack < 2048 for stack in found.stack_bytes)
    for layers, member, whole in zip(
        found.layer_instructions, family.engine.family.members, found.run_instructions, strict=True
    ):
        assert len(layers) == len(member.steps)
        assert 0.9 * whole < sum(layers) < whole
    assert found.ram_bytes > max(member.arena_bytes for member in family.engine.family.members)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_sanitizers_end_a_program_that_leaves_its_arrays(family: DeployedFamily, tmp_path: Path) -> None:
    broken = tmp_path / "engine"
    shutil.copytree(family.folder, broken)
    header = broken / "reds_net.h"
    arena = max(member.arena_bytes for member in family.engine.family.members)
    text = header.read_text().replace(f"REDS_NET_ARENA_SIZE {arena}", f"REDS_NET_ARENA_SIZE {arena // 2}")
    header.write_text(text)
    with pytest.raises(RuntimeError, match=r"Sanitizer|runtime error"):
        outputs_on_host(broken, family.inputs)
