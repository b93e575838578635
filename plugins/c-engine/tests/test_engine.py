"""Generated engines against tflite-micro, value by value, and what is in their files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from reds_c_engine.deploy import generated, written
from reds_c_engine.emulator import unavailable
from reds_c_engine.engine_device import CEngine, EngineOptions
from reds_c_engine.family import family_of
from reds_c_engine.member_weights import weight_bytes
from reds_c_engine.reference import run

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

from engines import SANITIZERS, STRICT, CompiledEngine, KernelObjects, compiled, compiler
from family_graphs import KernelSource, family, member
from int8_graphs import GraphBuilder, examples, integers, options, tflite_micro_outputs
from rapl_trees import PowercapTree
from reds_litert.graph import read_graph

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import MemberFile

EXAMPLES = 24
MACS = 8 * 7 * (8 * 18 + 8 * 8 + 6 * 72 + 10 * 8 + 16 * 9) + 4 * 4 * 8 * (9 * 16 + 9) + 5 * 32
"""The multiply-accumulates of the full network of `family`."""
Contents = Sequence[tuple[str, bytes]]


@pytest.fixture(scope="module")
def eight_bits() -> Contents:
    return family()


@pytest.fixture(scope="module")
def engine(eight_bits: Contents, tmp_path_factory: pytest.TempPathFactory) -> CompiledEngine:
    return compiled(eight_bits, tmp_path_factory.mktemp("engine"))


def check(engine: CompiledEngine, contents: Contents, *, switching: bool = False) -> None:
    """Compare all values of random inputs with those of tflite-micro, or of the reference without it."""
    x = examples(contents[0][1], EXAMPLES)
    try:
        expected = [tflite_micro_outputs(content, x) for _, content in contents]
    except ImportError:
        expected = [run(read_graph(content), x) for _, content in contents]
    assert min(len(np.unique(each)) for each in expected) > 4
    if switching:
        order = [(i, k) for k in range(EXAMPLES) for i in range(len(contents))]
        assert all(np.array_equal(engine.outputs(i, x[k : k + 1])[0], expected[i][k]) for i, k in order)
    else:
        for index, each in enumerate(expected):
            assert int((engine.outputs(index, x) != each).sum()) == 0


def test_members_compute_what_tflite_micro_does(engine: CompiledEngine, eight_bits: Contents) -> None:
    check(engine, eight_bits)
    check(engine, eight_bits, switching=True)


@pytest.mark.slow
def test_members_run_clean_under_sanitizers(eight_bits: Contents, tmp_path: Path) -> None:
    engine = generated(eight_bits, examples=4)
    written(engine, tmp_path)
    sources = [*map(str, tmp_path.glob("*.c")), str(tmp_path / "test" / "reds_net_test.c")]
    flags = [*STRICT, "-O1", "-g", *SANITIZERS, f"-I{tmp_path}"]
    subprocess.run([compiler(), *flags, *sources, "-o", str(tmp_path / "test.out")], check=True)
    assert subprocess.run([str(tmp_path / "test.out")], check=False).returncode == 0


def test_weights_are_stored_once(engine: CompiledEngine, eight_bits: Contents) -> None:
    full = read_graph(eight_bits[-1][1])
    kernels = [full.tensors[o.inputs[1]] for o in full.operators if o.kind in ("CONV_2D", "FULLY_CONNECTED")]
    kernels += [full.tensors[o.inputs[1]] for o in full.operators if o.kind == "DEPTHWISE_CONV_2D"]
    assert engine.engine.sizes.weights_bytes == sum(kernel.size_bytes for kernel in kernels)
    assert engine.engine.family.own_kernels == ()


def test_a_kernel_that_is_no_slice_gets_a_copy_and_is_named(
    eight_bits: Contents, objects: KernelObjects, tmp_path: Path
) -> None:
    other = member(KernelSource(_kernels={"inner": integers(np.random.default_rng(9), (8, 1, 1, 8))}), (4, 3, 5), 2)
    contents = [("50", other), eight_bits[-1]]
    found = objects.linked(contents, tmp_path)
    check(found, contents)
    (own,) = found.engine.family.own_kernels
    assert str(own) == f"the weights of layer '{own.layers[0]}' of member '50' are not shared"
    assert f"The weights of layer '{own.layers[0]}'" in found.engine.files["README.md"]
    assert len(found.engine.family.store) == len(family_of(eight_bits).store) + 16


def test_packed_weights(objects: KernelObjects, tmp_path: Path) -> None:
    """tflite-micro runs no dense layer with weights of 4 bits and a scale for each channel; the reference does."""
    contents = family(bits=4)
    found = objects.linked(contents, tmp_path)
    x = examples(contents[0][1], EXAMPLES)
    for index, (_, content) in enumerate(contents):
        assert np.array_equal(found.outputs(index, x), run(read_graph(content), x))
    assert found.engine.sizes.weights_bytes <= 0.52 * len(family_of(family()).store)


def test_members_share_with_each_other_what_they_do_not_share_with_the_full_network(
    eight_bits: Contents, objects: KernelObjects, tmp_path: Path
) -> None:
    """The kernels of three members have 4 bits; those of the smaller two are parts of those of the largest."""
    contents = [*family(bits=4)[:-1], eight_bits[-1]]
    found = objects.linked(contents, tmp_path)
    x = examples(contents[0][1], EXAMPLES)
    for index, (_, content) in enumerate(contents):
        assert np.array_equal(found.outputs(index, x), run(read_graph(content), x))
    assert [own.member for own in found.engine.family.own_kernels] == ["75"]
    alone = [len(family_of([each]).store) for each in contents[-2:]]
    assert len(found.engine.family.store) == sum(alone)


def test_a_kernel_that_two_operators_read_is_stored_once(objects: KernelObjects, tmp_path: Path) -> None:
    build = GraphBuilder()
    image = x = build.tensor((1, 4, 4, 3))
    kernel = integers(np.random.default_rng(0), (3, 3, 3, 3))
    weights = build.tensor(kernel.shape, np.full(3, 0.01, np.float32), data=kernel)
    for _ in range(2):
        settings = options("Conv2DOptions", padding=0, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
        x = build.operator("CONV_2D", [x, weights], build.tensor((1, 4, 4, 3), 0.3, 2), settings)
    contents = [("full", build.content(image, x))]
    found = objects.linked(contents, tmp_path)
    check(found, contents)
    assert len(found.engine.family.store) == kernel.size
    assert weight_bytes(found.engine.family.members[0]) == kernel.size + 3 * (4 + 4)


def test_the_text_is_the_same_each_time_and_compiles_without_warnings(eight_bits: Contents, tmp_path: Path) -> None:
    first, second = (generated(eight_bits).files for _ in range(2))
    assert first == second
    assert max(len(line) for name, text in first.items() if "net" in name for line in text.splitlines()) <= 120
    arm = shutil.which("arm-none-eabi-gcc")
    if arm is None:
        pytest.skip("there is no arm-none-eabi-gcc")
    written(generated(eight_bits), tmp_path)
    for path in tmp_path.glob("*.c"):
        subprocess.run(
            [arm, *STRICT, "-mcpu=cortex-m4", "-O1", "-c", str(path), "-o", str(tmp_path / "x.o")], check=True
        )


def test_the_arena_holds_the_input_and_what_lives_at_the_same_time(engine: CompiledEngine) -> None:
    for each in engine.engine.family.members:
        assert each.input_place == 0
        for placed in each.steps:
            assert placed.output + 1 <= each.arena_bytes
    arenas = [each.arena_bytes for each in engine.engine.family.members]
    assert arenas == sorted(arenas)
    assert arenas[-1] == 8 * 7 * (6 + 10 + 16)  # both branches and the tensor that joins them


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_sums_and_products_take_the_place_of_an_input(kind: str, objects: KernelObjects, tmp_path: Path) -> None:
    """First of their second input, since the first is needed again, then of their first."""
    build = GraphBuilder()
    shape = (1, 4, 4, 3)
    image = build.tensor(shape)
    window = options("Pool2DOptions", strideW=1, strideH=1, filterWidth=3, filterHeight=3)
    pooled = build.operator("MAX_POOL_2D", [image], build.tensor(shape), window)
    x = build.operator(kind, [image, pooled], build.tensor(shape, 0.04, 3), options(f"{kind.title()}Options"))
    x = build.operator(kind, [x, image], build.tensor(shape, 0.05, -4), options(f"{kind.title()}Options"))
    contents = [("full", build.content(image, x))]
    found = objects.linked(contents, tmp_path)
    check(found, contents)
    assert found.engine.family.members[0].arena_bytes == 2 * np.prod(shape)


@pytest.mark.parametrize("layout", ["plain", "arduino", "zephyr"])
def test_layouts(layout: str, eight_bits: Contents, tmp_path: Path) -> None:
    files = []
    for name, content in eight_bits:
        (tmp_path / f"{name}.tflite").write_bytes(content)
        files.append(MemberFile(name, tmp_path / f"{name}.tflite"))
    out = tmp_path / "out"
    out.mkdir()
    made = CEngine(EngineOptions(layout=layout, examples=2)).deploy(files, out)  # type: ignore[arg-type]
    assert sorted(made.files) == sorted(path for path in out.rglob("*") if path.is_file())
    names = {path.relative_to(out).as_posix() for path in made.files}
    own = {"plain": {"Makefile", "CMakeLists.txt", "reds_net.c"},
           "arduino": {"library.properties", "src/reds_net.c"},
           "zephyr": {"zephyr/module.yml", "Kconfig", "CMakeLists.txt", "src/reds_net.c"}}[layout]  # fmt: skip
    assert own | {"README.md", "test/reds_net_test.c", "test/reds_net_vectors.h"} <= names
    assert not any("@" in path.read_text() for path in made.files if path.suffix not in {".c", ""})
    assert set(made.arena_bytes) == {"25", "50", "75", "full"}
    if layout == "plain":
        assert shutil.which("make"), "make is missing"
        subprocess.run(["make", "-s", "test", "CFLAGS=-O0"], cwd=out, check=True)


def test_the_full_network_is_left_out_where_asked(eight_bits: Contents, tmp_path: Path) -> None:
    files = []
    for name, content in eight_bits:
        (tmp_path / f"{name}.tflite").write_bytes(content)
        files.append(MemberFile(name, tmp_path / f"{name}.tflite"))
    whole, without = tmp_path / "whole", tmp_path / "without"
    for out in (whole, without):
        out.mkdir()
    with_full = CEngine(EngineOptions(examples=2)).deploy(files, whole)
    made = CEngine(EngineOptions(examples=2, full=False)).deploy(files, without)
    assert set(made.arena_bytes) == {"25", "50", "75"}
    assert "REDS_NET_MEMBERS 3 " in (without / "reds_net.h").read_text()
    assert f"REDS_NET_ARENA_SIZE {made.arena_bytes['75']} " in (without / "reds_net.h").read_text()
    assert made.arena_bytes["75"] < with_full.arena_bytes["full"]
    assert made.weights_bytes < with_full.weights_bytes  # those of the largest member
    assert made.notes == ()
    subprocess.run(["make", "-s", "test", "CFLAGS=-O0"], cwd=without, check=True)
    with pytest.raises(InputError, match="no member is left for an engine without the full network"):
        CEngine(EngineOptions(full=False)).deploy(files[-1:], without)


def refused(build: GraphBuilder, x: int, y: int) -> str:
    with pytest.raises(UnsupportedError) as error:
        family_of([("full", build.content(x, y))])
    return str(error.value)


def test_what_the_engine_cannot_run_is_named() -> None:
    build = GraphBuilder()
    x = build.tensor((1, 8))
    y = build.operator("SIN", [x], build.tensor((1, 8)))
    assert refused(build, x, y) == (
        "the C engine cannot run operator SIN of layer 'tensor1': there is no kernel for it; "
        "replace the layer, or deploy the .tflite files"
    )
    build = GraphBuilder()
    x = build.tensor((1, 3, 4, 2))
    axes = build.tensor((1,), data=np.array([3], np.int32))
    y = build.operator("MEAN", [x, axes], build.tensor((1, 3, 4)), options("ReducerOptions"))
    assert "operator MEAN of layer 'tensor2': it is not a mean over all positions" in refused(build, x, y)
    build = GraphBuilder()
    x = build.tensor((1, 3, 4, 2), 0.05)
    joined = build.tensor((1, 3, 4, 4), 0.07)
    y = build.operator("CONCATENATION", [x, x], joined, options("ConcatenationOptions", axis=3))
    assert "its inputs have different scales" in refused(build, x, y)
    build = GraphBuilder()
    x = build.tensor((2, 8))
    y = build.operator("TANH", [x], build.tensor((2, 8), 1 / 128))
    assert "a batch of 2 inputs" in refused(build, x, y)
    build = GraphBuilder()
    x = build.tensor((1, 70_000, 1, 1))
    axes = build.tensor((2,), data=np.array([1, 2], np.int32))
    y = build.operator("REDUCE_MAX", [x, axes], build.tensor((1, 1)), options("ReducerOptions"))
    assert "its in_height is 70000, which is too large" in refused(build, x, y)


def test_an_operator_in_floating_point_is_named_rather_than_the_conversions_around_it() -> None:
    build = GraphBuilder()
    x = build.tensor((1, 8))
    real = build.operator("DEQUANTIZE", [x], build.tensor((1, 8), bits=32))
    real = build.operator("ELU", [real], build.tensor((1, 8), bits=32))
    y = build.operator("QUANTIZE", [real], build.tensor((1, 8)))
    assert "operator ELU of layer 'tensor2': there is no kernel for it" in refused(build, x, y)


def test_files_in_floating_point_are_refused(eight_bits: Contents, tmp_path: Path) -> None:
    build = GraphBuilder()
    x = build.tensor((1, 4), bits=32)
    kernel = build.tensor((2, 4), data=np.ones((2, 4), np.float32), bits=32)
    y = build.operator("FULLY_CONNECTED", [x, kernel], build.tensor((1, 2), bits=32))
    assert "cannot run files in floating point: tensor 'tensor0' has the type float32" in refused(build, x, y)
    with pytest.raises(UnsupportedError, match=r"in floating point: .* \(member '25'\)"):
        family_of([("25", build.content(x, y)), eight_bits[-1]])


def test_a_file_that_is_not_litert_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"model\.keras' cannot be read as a LiteRT model; give an int8 \.tflite file"):
        CEngine().profile(path, "host")


def test_damaged_files_are_refused(eight_bits: Contents) -> None:
    content = eight_bits[-1][1]
    name = content.index(b"tensor")
    build = GraphBuilder()
    x = build.tensor((1, 4))
    no_such_tensor = build.content(x, build.operator("TANH", [77], build.tensor((1, 4))))
    for damaged in (content[:name] + b"\xff" + content[name + 1 :], content[: len(content) // 2], no_such_tensor):
        with pytest.raises(InputError, match="cannot be read as a LiteRT model"):
            family_of([("full", damaged)])


def test_kernels_for_packed_weights_are_left_out_where_no_weights_are_packed(eight_bits: Contents) -> None:
    assert not [name for name in generated(eight_bits).files if "packed" in name]
    assert "reds_packed_dot.c" in generated(family(bits=4)).files


def test_objects_of_another_compiler_are_built_again(eight_bits: Contents, tmp_path: Path) -> None:
    compiler()
    written(generated(eight_bits), tmp_path)

    def made(*flags: str) -> bool:
        done = subprocess.run(["make", *flags], cwd=tmp_path, check=True, capture_output=True, text=True)
        return "reds_net.c" in done.stdout

    assert made("CFLAGS=-O0")
    assert not made("CFLAGS=-O0")
    assert made("CFLAGS=-O0 -DOTHER")


def test_scales_that_are_too_far_apart_are_refused() -> None:
    build = GraphBuilder()
    x = build.tensor((1, 4), 1.0)
    y = build.operator("RELU", [x], build.tensor((1, 4), 1e-9))
    assert "operator RELU of layer 'tensor1': its scales are too far apart" in refused(build, x, y)
    build = GraphBuilder()
    x, y = build.tensor((1, 4), 1.0), build.tensor((1, 2), 1e-12)
    weights = build.tensor((2, 4), 1.0, data=np.ones((2, 4), np.int8))
    build.operator("FULLY_CONNECTED", [x, weights], y, options("FullyConnectedOptions"))
    assert "operator FULLY_CONNECTED of layer 'tensor1': its scales are too far apart" in refused(build, x, y)


def test_files_of_two_families_are_refused(eight_bits: Contents) -> None:
    build = GraphBuilder()
    x = build.tensor((1, 4), 0.05)
    y = build.operator("TANH", [x], build.tensor((1, 4), 1 / 128))
    with pytest.raises(InputError, match="member '25' has inputs and outputs of the shapes"):
        family_of([("25", build.content(x, y)), eight_bits[-1]])
    with pytest.raises(InputError, match="cannot be read as a LiteRT model"):
        family_of([("25", b"nothing"), eight_bits[-1]])


def test_profiles_on_this_machine(eight_bits: Contents, tmp_path: Path) -> None:
    compiler()
    path = tmp_path / "full.tflite"
    path.write_bytes(eight_bits[-1][1])
    found = CEngine().profile(path, "host")
    assert found.latency_ns is not None
    assert found.latency_ns > 0
    assert (found.instructions, found.flash, found.flash_weights) == (None, None, len(family_of(eight_bits).store))
    assert found.arena == found.arena_head == 8 * 7 * (6 + 10 + 16)
    assert found.operators["CONV_2D"] == 5
    assert found.macs == MACS


def test_a_profile_on_this_machine_says_why_it_has_no_energy(eight_bits: Contents, tmp_path: Path) -> None:
    compiler()
    path, tree = tmp_path / "full.tflite", PowercapTree(tmp_path / "powercap")
    path.write_bytes(eight_bits[-1][1])
    tree.zone("intel-rapl:0", "package-0")
    found = CEngine(EngineOptions(powercap=str(tree.root))).profile(path, "host")
    assert found.energy is None
    (note,) = found.notes
    assert note.startswith("energy is not measured: the energy counter of package-0 did not rise in ")


@pytest.mark.slow
def test_profiles_on_an_emulated_core(eight_bits: Contents, tmp_path: Path) -> None:
    reason = unavailable()
    if reason is not None:
        pytest.skip(reason)
    path = tmp_path / "full.tflite"
    path.write_bytes(eight_bits[-1][1])
    found = CEngine().profile(path, "cortex-m4")
    assert found.latency_ns is None
    assert found.instructions is not None
    assert MACS < found.instructions < 30 * MACS
    assert found.flash is not None
    assert found.flash_weights is not None
    assert found.flash_weights < found.flash < found.flash_weights + 12_000
