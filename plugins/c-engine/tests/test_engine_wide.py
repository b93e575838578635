"""Engines of networks with activations of 16 bits against tflite-micro, value by value."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from reds_c_engine.deploy import generated, written
from reds_c_engine.emulator import CORES, Core, unavailable
from reds_c_engine.emulator.families import outputs_on_core
from reds_c_engine.engine_device import CEngine, EngineOptions
from reds_c_engine.family import family_of
from reds_c_engine.member_weights import weight_bytes
from reds_c_engine.reference import run
from reds_c_engine.wide_records import WideConvolution

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

from engines import SANITIZERS, STRICT, KernelObjects, compiler
from family_graphs import family
from int8_graphs import GraphBuilder, examples, options, tflite_micro_outputs
from reds_litert.graph import read_graph
from split_graphs import truncated
from wide_graphs import CASES, content

from reds_core.errors import UnsupportedError

needs_tools = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))


@pytest.mark.parametrize("name", CASES)
def test_operators(name: str, objects: KernelObjects, tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")
    file = content(name)
    x = examples(file, 16)
    found = objects.linked([("full", file)], tmp_path).outputs(0, x)
    assert int((found != tflite_micro_outputs(file, x)).sum()) == 0
    assert len(np.unique(found)) >= 100


@pytest.fixture(scope="module")
def members() -> list[tuple[str, bytes]]:
    return family(activation_bits=16)


def test_members_compute_what_tflite_micro_does(
    members: list[tuple[str, bytes]], objects: KernelObjects, tmp_path: Path
) -> None:
    pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")
    engine = objects.linked(members, tmp_path)
    assert engine.engine.family.own_kernels == ()
    assert engine.engine.family.store == family_of(family()).store  # there is one copy of each weight
    for index, (_, file) in enumerate(members):
        x = examples(file, 24)
        found = engine.outputs(index, x)
        assert int((found != tflite_micro_outputs(file, x)).sum()) == 0
        assert len(np.unique(found)) >= 100


def test_weights_of_a_member_have_biases_of_64_bits(members: list[tuple[str, bytes]]) -> None:
    wide, narrow = family_of(members).members[-1], family_of(family()).members[-1]
    settings = [placed.step.settings for placed in wide.steps]
    channels = {each.kernel: each.out_channels for each in settings if isinstance(each, WideConvolution)}
    assert len(channels) > 2
    assert weight_bytes(wide) == weight_bytes(narrow) + 2 * sum(channels.values())  # 8 and 2 bytes, not 4 and 4


def test_the_type_of_inputs_and_outputs_is_in_the_header(members: list[tuple[str, bytes]]) -> None:
    headers = {bits: generated(family(activation_bits=bits), examples=1).files["reds_net.h"] for bits in (8, 16)}
    for bits, header in headers.items():
        assert f"typedef int{bits}_t reds_net_value;" in header
        assert f"const int{bits}_t *net_run(const int{bits}_t *input);" in header
        assert f"int{bits}_t *net_input(void);" in header
    files = {name for name in generated(members, examples=1).files if name.startswith("reds_wide_")}
    assert "reds_wide_mean.c" not in files  # the kernels in use and no others
    assert "reds_wide_pool.c" in files


def test_places_are_even_and_arenas_hold_twice_the_bytes(members: list[tuple[str, bytes]]) -> None:
    wide, narrow = family_of(members), family_of(family())
    for each, half in zip(wide.members, narrow.members, strict=True):
        assert each.arena_bytes == 2 * half.arena_bytes
        assert all(placed.output % 2 == 0 for placed in each.steps)


def test_what_has_no_kernel_is_named() -> None:
    build = GraphBuilder(bits=16)
    x = build.tensor((1, 8), 0.0003)
    y = build.operator("TANH", [x], build.tensor((1, 8), 1 / 32768))
    with pytest.raises(UnsupportedError, match="there is no kernel for it with activations of 16 bits"):
        family_of([("full", build.content(x, y))])


@pytest.mark.parametrize("kind", ["RELU", "QUANTIZE", "SOFTMAX"])
def test_scales_that_are_too_far_apart_are_refused(kind: str) -> None:
    build = GraphBuilder(bits=16)
    x = build.tensor((1, 8), 1000.0)
    settings = options("SoftmaxOptions", beta=1.0) if kind == "SOFTMAX" else None
    y = build.operator(kind, [x], build.tensor((1, 8), 1 / 32768), settings)
    with pytest.raises(UnsupportedError, match=r"too far apart|too large"):
        family_of([("full", build.content(x, y))])


def mixed() -> list[tuple[str, bytes]]:
    """Each network with activations of 8 and of 16 bits."""
    pairs = zip(family(), family(activation_bits=16), strict=True)
    return [each for (name, narrow), (_, wide) in pairs for each in ((name, narrow), (f"{name}-16", wide))]


def test_members_of_both_activations_share_their_weights(objects: KernelObjects, tmp_path: Path) -> None:
    files = mixed()
    engine = objects.linked(files, tmp_path)
    found = engine.engine.family
    assert found.own_kernels == ()
    assert found.store == family_of(family()).store
    assert [member.bits for member in found.members] == [8, 16] * 4
    assert found.bits == 16
    order = [index for index in range(len(files)) for _ in range(2)] + list(range(len(files)))
    for index in order:  # each one after itself and after others
        file = files[index][1]
        x = examples(file, 3)
        assert np.array_equal(engine.outputs(index, x), run(read_graph(file), x))


def test_upper_halves_are_not_shared_with_activations_of_16_bits(objects: KernelObjects, tmp_path: Path) -> None:
    """Kernels of 16-bit activations read weights in one piece."""
    files = [("coarse", truncated(family()[-1][1])), *mixed()[-2:]]
    engine = objects.linked(files, tmp_path)
    assert [own.member for own in engine.engine.family.own_kernels] == ["coarse"]
    for index, (_, file) in enumerate(files):
        x = examples(file, 3)
        assert np.array_equal(engine.outputs(index, x), run(read_graph(file), x))


@pytest.mark.slow
def test_the_self_test_covers_members_of_both_activations(tmp_path: Path) -> None:
    run_self_test(mixed(), tmp_path)


@pytest.mark.slow
def test_members_run_clean_under_sanitizers(members: list[tuple[str, bytes]], tmp_path: Path) -> None:
    run_self_test(members, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_self_tests_run_clean_under_sanitizers(name: str, tmp_path: Path) -> None:
    run_self_test([("full", content(name))], tmp_path)


@pytest.mark.slow
@needs_tools
@pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)
def test_cores_compute_the_same(members: list[tuple[str, bytes]], core: Core, tmp_path: Path) -> None:
    written(generated(members, examples=1), tmp_path)
    x = examples(members[0][1], 6)
    found = outputs_on_core(core, tmp_path, x)
    for index, (_, file) in enumerate(members):
        assert np.array_equal(found[index], run(read_graph(file), x).reshape(len(x), -1))


@pytest.mark.slow
@needs_tools
@pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)
@pytest.mark.parametrize("name", CASES)
def test_operators_on_cores(name: str, core: Core, tmp_path: Path) -> None:
    file = content(name)
    written(generated([("full", file)], examples=1), tmp_path)
    x = examples(file, 4)
    found = outputs_on_core(core, tmp_path, x)[0]
    assert np.array_equal(found, run(read_graph(file), x).reshape(len(x), -1))


def run_self_test(contents: list[tuple[str, bytes]], tmp_path: Path) -> None:
    written(generated(contents, examples=4), tmp_path)
    sources = [*map(str, tmp_path.glob("*.c")), str(tmp_path / "test" / "reds_net_test.c")]
    flags = [*STRICT, "-O1", "-g", *SANITIZERS, f"-I{tmp_path}"]
    subprocess.run([compiler(), *flags, *sources, "-o", str(tmp_path / "test.out")], check=True)
    assert subprocess.run([str(tmp_path / "test.out")], check=False).returncode == 0


@pytest.mark.parametrize(
    ("activations", "kinds"),
    [("any", ("c-engine", "tflite-int8", "tflite-16x8")), ("8", ("c-engine", "tflite-int8")), ("16", ("tflite-16x8",))],
)
def test_an_option_chooses_the_files_of_a_run(activations: str, kinds: tuple[str, ...]) -> None:
    assert CEngine(EngineOptions(activations=activations)).kinds == kinds  # type: ignore[arg-type]
