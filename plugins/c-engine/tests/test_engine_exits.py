"""Engines of networks with early exits: what each exit computes, what is shared, and what is not executed."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from reds_c_engine.deploy import generated, written
from reds_c_engine.emulator import CORES, measure, unavailable
from reds_c_engine.engine_device import CEngine, EngineOptions
from reds_c_engine.family import family_of
from reds_c_engine.reference import outputs_of

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

from engines import SANITIZERS, STRICT, CompiledEngine, KernelObjects, compiler
from family_graphs import KernelSource, NetworkBuilder
from int8_graphs import examples, options
from reds_litert.graph import read_graph

from reds_core.errors import InputError

EXITS = {"25": "output_0", "50": "output_1"}
"""The members of `contents` that end early."""
WIDTH, CLASSES = 8, 5


def network(source: KernelSource, width: int, seed: int, outputs: tuple[int, ...] = (0, 1, 2)) -> bytes:
    """A network of two residual blocks with an exit before each, of which only some outputs are computed."""
    net = NetworkBuilder(source, seed)
    build, shape = net.build, (1, 6, 5, width)
    image = net.activation((1, 6, 5, 2), 0.05, -4)
    x = net.conv("stem", (image, (1, 6, 5, 2)), (WIDTH, 3, 3, 2), width)
    results = []
    for place in range(3):
        if place in outputs:
            logits, _ = net.dense(f"exit_{place}", net.pool(x, 0.05, -128), WIDTH, CLASSES)
            y = build.tensor((1, CLASSES), 1 / 32768 if net.is_wide else 1 / 256, 0 if net.is_wide else -128)
            results.append(build.operator("SOFTMAX", [logits], y, options("SoftmaxOptions", beta=0.4)))
        if place < max(outputs):
            inner = net.conv(f"block_{place}", x, (WIDTH, 3, 3, WIDTH), width)
            total = net.activation(shape, 0.05, -128)
            x = build.operator("ADD", [x[0], inner[0]], total, options("AddOptions")), shape
    return build.content(image, *results)


def contents(bits: int = 8) -> list[tuple[str, bytes]]:
    """Members of several widths with all exits, one that is a file of a single output, and the full network."""
    source = KernelSource(activation_bits=bits)
    plain = network(source, 4, 3, outputs=(1,))
    made = [("25", network(source, 5, 1)), ("plain", plain), ("50", network(source, 6, 2))]
    return [*made, ("full", network(source, WIDTH, 0))]


@dataclass(frozen=True)
class ExitingEngine:
    """An engine whose members have exits."""

    compiled: CompiledEngine

    def by_exits(self, member: int, x: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """The output at each exit of a member."""
        library = self.compiled.library
        for name in ("net_begin", "net_continue"):
            getattr(library, name).restype = ctypes.c_void_p
        library.net_begin.argtypes = library.net_margin.argtypes = [ctypes.c_void_p]
        assert library.net_select(member) == 0
        content, outputs = np.ascontiguousarray(x), []
        found = library.net_begin(content.ctypes.data)
        library.net_select(0)  # which concerns later runs only
        while found is not None:
            assert (library.net_member(), library.net_exit()) == (member, len(outputs))
            outputs.append(np.frombuffer(ctypes.string_at(found, CLASSES * x.dtype.itemsize), x.dtype))
            ordered = np.sort(outputs[-1].astype(np.int64))
            assert library.net_margin(found) == ordered[-1] - ordered[-2]
            found = library.net_continue()
        return outputs


def linked(bits: int, objects: KernelObjects, folder: Path, exits: Mapping[str, str]) -> ExitingEngine:
    return ExitingEngine(objects.linked(contents(bits), folder, exits))


@pytest.mark.parametrize("bits", [8, 16])
def test_members_compute_what_the_reference_does_at_each_exit(
    bits: int, objects: KernelObjects, tmp_path: Path
) -> None:
    engine, files = linked(bits, objects, tmp_path, EXITS), contents(bits)
    x = examples(files[0][1], 6)
    ends = [int(EXITS.get(name, "2")[-1]) + 1 for name, _ in files]
    assert ends == [1, 3, 2, 3]
    for index, ((_, content), end) in enumerate(zip(files, ends, strict=True)):
        expected = outputs_of(read_graph(content), x)[:end]
        assert len(np.unique(expected[-1])) > 4
        for one, example in enumerate(x):
            found = engine.by_exits(index, example)
            assert len(found) == len(expected)
            assert all(np.array_equal(a, b[one]) for a, b in zip(found, expected, strict=True))
        assert np.array_equal(engine.compiled.outputs(index, x), expected[-1])


def test_members_that_end_early_share_all_weights_and_execute_what_they_need() -> None:
    family = family_of(contents(), EXITS)
    assert family.own_kernels == ()
    assert len(family.store) == len(family_of(contents()[-1:]).store)
    by_name = {member.name: member for member in family.members}
    assert {name: len(member.exits) for name, member in by_name.items()} == {"25": 1, "plain": 1, "50": 2, "full": 3}
    assert not any("block" in placed.step.layer for placed in by_name["25"].steps)
    for member in family.members:
        assert sum(each.section.trunk + each.section.head for each in member.exits) == len(member.steps)
        assert member.exits[-1].section.head == 0
        assert all(each.section.head == 3 for each in member.exits[:-1])  # pooling, a dense layer, softmax


def test_a_member_that_ends_early_needs_no_more_memory_than_its_own_file() -> None:
    source = KernelSource()
    (alone,) = family_of([("full", network(source, WIDTH, 0, outputs=(0,)))]).members
    (cut,) = family_of([("full", network(source, WIDTH, 0))], {"full": "output_0"}).members
    assert cut.arena_bytes == alone.arena_bytes
    assert [placed.step.kernel for placed in cut.steps] == [placed.step.kernel for placed in alone.steps]


def test_files_that_end_at_different_exits_share_what_is_before_them(objects: KernelObjects, tmp_path: Path) -> None:
    """As without the full network, where no file has all outputs."""
    source = KernelSource()
    files = [("25", network(source, 5, 1, outputs=(0,))), ("50", network(source, 6, 2, outputs=(2,)))]
    engine, x = objects.linked(files, tmp_path), examples(files[0][1], 4)
    (own,) = engine.engine.family.own_kernels
    assert (own.member, len(own.layers)) == ("25", 1)  # its head
    for index, (_, content) in enumerate(files):
        assert np.array_equal(engine.outputs(index, x), outputs_of(read_graph(content), x)[-1])


def test_members_of_both_activations_have_exits(objects: KernelObjects, tmp_path: Path) -> None:
    pairs = zip(contents(8), contents(16), strict=True)
    files = [each for (name, a), (_, b) in pairs for each in ((name, a), (f"{name}-16", b))]
    engine = ExitingEngine(objects.linked(files, tmp_path))
    assert engine.compiled.engine.family.own_kernels == ()
    for index, (_, content) in enumerate(files):
        x = examples(content, 2)
        for one, example in enumerate(x):
            expected = outputs_of(read_graph(content), x)
            assert np.array_equal(engine.by_exits(index, example), [output[one] for output in expected])


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 16])
def test_the_self_test_covers_all_exits_under_sanitizers(bits: int, tmp_path: Path) -> None:
    written(generated(contents(bits), examples=3, exits=EXITS), tmp_path)
    sources = [*map(str, tmp_path.glob("*.c")), str(tmp_path / "test" / "reds_net_test.c")]
    program, vectors = tmp_path / "test.out", tmp_path / "test" / "reds_net_vectors.h"
    command = [compiler(), *STRICT, "-O1", *SANITIZERS, f"-I{tmp_path}", *sources, "-o", str(program)]
    subprocess.run(command, check=True)
    assert subprocess.run([str(program)], check=False).returncode == 0
    start, rest = vectors.read_text("utf-8").split("= {\n")
    first, *others = rest.split(",")
    vectors.write_text(f"{start}= {{\n{-int(first) - 1},{','.join(others)}", "utf-8")
    subprocess.run(command, check=True)
    assert subprocess.run([str(program)], check=False).returncode == 1


@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
def test_instructions_by_exit_on_a_core(tmp_path: Path) -> None:
    written(generated(contents(), examples=1, exits=EXITS), tmp_path)
    found = measure(CORES["cortex-m4"], tmp_path)
    assert max(found.switch_instructions) < 100
    for by_exit, whole in zip(found.exit_instructions, found.run_instructions, strict=True):
        assert list(by_exit) == sorted(by_exit)
        assert (by_exit[-1] > whole + 500) == (len(by_exit) > 1)  # heads on the way
    assert found.switched_instructions == found.run_instructions


def test_families_without_early_exits_have_no_code_for_them() -> None:
    made = generated([("full", network(KernelSource(), WIDTH, 0, outputs=(2,)))], examples=1)
    assert "exit" not in (made.files["reds_net.h"] + made.files["reds_net.c"]).replace("net_exit_1", "")


def test_unknown_exits_are_refused() -> None:
    with pytest.raises(InputError, match="member '25' has no output 'exit_9'; choose from: output_0, output_1"):
        family_of(contents(), {"25": "exit_9"})


def test_profiles_tell_what_it_takes_up_to_each_exit(tmp_path: Path) -> None:
    path = tmp_path / "full-int8.tflite"
    path.write_bytes(contents()[-1][1])
    found = CEngine(EngineOptions(powercap=str(tmp_path))).profile(path, "host")
    assert [each.exit for each in found.exits] == ["output_0", "output_1", "output_2"]
    assert all(each.latency_ns is not None and each.latency_ns > 0 for each in found.exits)
    path.write_bytes(network(KernelSource(), WIDTH, 0, outputs=(2,)))
    assert CEngine(EngineOptions(powercap=str(tmp_path))).profile(path, "host").exits == ()
