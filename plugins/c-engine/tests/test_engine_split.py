"""Members of which some read the upper halves of the weights that others read whole."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from reds_c_engine.deploy import generated, written
from reds_c_engine.emulator import CORES, Core, measure, outputs_on_core, unavailable
from reds_c_engine.family import family_of
from reds_c_engine.member_weights import weight_bytes
from reds_c_engine.reference import run

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

from engines import SANITIZERS, STRICT, KernelObjects, compiler
from family_graphs import family
from int8_graphs import examples
from reds_litert.graph import read_graph
from split_graphs import truncated

Contents = list[tuple[str, bytes]]
EXAMPLES = 12


@pytest.fixture(scope="module")
def contents() -> Contents:
    """A network at four widths, each also with all weights truncated, or some of them, and two at full width."""
    by_name = dict(family())
    full = by_name["full"]
    coarse = [("25", truncated(by_name["25"])), ("50", truncated(by_name["50"], {0, 3, 5})), ("75", by_name["75"])]
    return [*coarse, ("full at 4 bits", truncated(full)), ("full", full)]


def check(contents: Contents, objects: KernelObjects, folder: Path) -> None:
    found = objects.linked(contents, folder)
    x = examples(contents[-1][1], EXAMPLES)
    for index, (_, content) in enumerate(contents):
        expected = run(read_graph(content), x)
        assert len(np.unique(expected)) > 4
        assert np.array_equal(found.outputs(index, x), expected)


def test_members_compute_what_the_reference_does(contents: Contents, objects: KernelObjects, tmp_path: Path) -> None:
    check(contents, objects, tmp_path)


def test_weights_of_all_precisions_are_stored_once(contents: Contents) -> None:
    whole, plain = family_of(contents), family_of(family())
    assert whole.own_kernels == ()
    alone = [len(family_of([each]).store) for each in contents]
    assert len(plain.store) <= len(whole.store) <= len(plain.store) + 8  # halves are rounded up to bytes
    assert alone[3] <= 0.51 * alone[4]
    assert sum(alone) > 2.3 * len(whole.store)


def test_members_at_4_bits_read_half_of_the_store(contents: Contents) -> None:
    """Upper halves come first, so that lower ones can be kept where reading them costs more."""
    family = family_of(contents)
    *_, coarse, full = family.members
    kernels = [
        [step.step.settings.kernel for step in member.steps if hasattr(step.step.settings, "kernel")]
        for member in (coarse, full)
    ]
    assert all(kernel.halves is not None and kernel.halves.lower_bytes is None for kernel in kernels[0])
    lower = [kernel.halves.lower_bytes for kernel in kernels[1]]
    assert max(kernel.offset_bytes for kernel in kernels[1]) < min(lower)
    assert min(lower) <= len(family.store) / 2 + 4
    assert weight_bytes(coarse) < 0.62 * weight_bytes(full)


def test_a_family_without_truncated_members_is_stored_as_before() -> None:
    assert "split" not in generated(family(), examples=1).files["reds_net.c"]


def test_truncated_members_without_a_larger_one_have_upper_halves_alone(
    contents: Contents, objects: KernelObjects, tmp_path: Path
) -> None:
    few = [contents[0], contents[3]]
    assert family_of(few).own_kernels == ()
    assert len(family_of(few).store) <= 0.51 * len(family_of(family()).store)
    check(few, objects, tmp_path)


@pytest.mark.slow
def test_they_run_clean_under_sanitizers(contents: Contents, tmp_path: Path) -> None:
    written(generated(contents, examples=3), tmp_path)
    sources = [*map(str, tmp_path.glob("*.c")), str(tmp_path / "test" / "reds_net_test.c")]
    flags = [*STRICT, "-O1", *SANITIZERS, f"-I{tmp_path}"]
    subprocess.run([compiler(), *flags, *sources, "-o", str(tmp_path / "test.out")], check=True)
    assert subprocess.run([str(tmp_path / "test.out")], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
@pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)
def test_they_compute_the_same_on_a_core_and_switching_is_cheap(core: Core, contents: Contents, tmp_path: Path) -> None:
    written(generated(contents, examples=1), tmp_path)
    x = examples(contents[-1][1], 4)
    expected = np.array([run(read_graph(content), x) for _, content in contents])
    assert (outputs_on_core(core, tmp_path, x) != expected.reshape(len(contents), len(x), -1)).sum() == 0
    found = measure(core, tmp_path)
    assert max(found.switch_instructions) < 100
    assert found.switched_instructions == found.run_instructions
