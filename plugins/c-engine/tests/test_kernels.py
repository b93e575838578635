"""Each C kernel against straightforward NumPy, on random shapes and settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from c_kernels import STRICT, C, Case, KernelLibrary, call, compiler, sources
from case_files import program
from kernel_cases import everything
from reds_c_engine.reference import run
from reds_litert.graph import read_graph
from softmax_file import softmax_case, softmax_file


def check(kernels: KernelLibrary, case: Case) -> None:
    np.testing.assert_array_equal(kernels.run(case), case.expected, err_msg=f"{case.kernel} {case.settings}")


@pytest.mark.parametrize("kind", everything())
def test_kernel_is_bit_exact(kernels: KernelLibrary, kind: str) -> None:
    random = np.random.default_rng(len(kind))
    for _ in range(3 if "large" in kind else 25):
        check(kernels, everything()[kind](random))


@pytest.mark.parametrize(
    ("scale", "beta"), [(0.1, 1.0), (0.02, 1.0), (0.5, 1.0), (0.0037, 2.0), (3.0, 0.25), (20.0, 1.0)]
)
def test_softmax_is_that_of_tflite_micro(kernels: KernelLibrary, scale: float, beta: float) -> None:
    runtime = pytest.importorskip("tflite_micro").runtime
    random = np.random.default_rng(5)
    for rows, classes in ((1, 1), (3, 2), (50, 10), (4, 300)):
        values = np.clip(np.round(random.normal(0, 40, (rows, classes))), -128, 127).astype(np.int8)
        interpreter = runtime.Interpreter.from_bytes(softmax_file(rows, classes, scale, beta))
        interpreter.set_input(values, 0)
        interpreter.invoke()
        check(kernels, softmax_case(values, scale, beta, interpreter.get_output(0)))


@pytest.mark.parametrize("classes", [500, 1000, 2100, 4095])
def test_probabilities_of_many_classes_are_rounded_to_zero(kernels: KernelLibrary, classes: int) -> None:
    """Of about the same inputs, for which assertions of tflite-micro end the process."""
    values = np.random.default_rng(5).integers(-2, 3, (2, classes)).astype(np.int8)
    expected = np.exp(0.004 * values.astype(np.float64))
    expected = np.rint(256 * expected / expected.sum(axis=1, keepdims=True)) - 128
    check(kernels, softmax_case(values, 0.004, 1.0, expected.astype(np.int8)))
    assert np.array_equal(run(read_graph(softmax_file(2, classes, 0.004, 1.0)), values), expected)


@pytest.mark.slow
def test_kernels_have_no_undefined_behaviour(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    cases = [make(random) for kind, make in everything().items() for _ in range(2 if "large" in kind else 40)]
    values = random.integers(-128, 128, (3, 10)).astype(np.int8)
    for scale in (0.0037, 0.1, 20.0):
        expected = run(read_graph(softmax_file(1, 10, scale, 1.0)), values)
        cases.append(softmax_case(values, scale, 1.0, expected))
    alike = np.zeros((1, 4095), np.int8)
    cases.append(softmax_case(alike, 0.1, 1.0, np.full_like(alike, -128)))
    (tmp_path / "cases.c").write_text(program(cases))
    files = map(str, [tmp_path / "cases.c", *sources()])
    sanitizers = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    call(compiler(), *STRICT, "-g", *sanitizers, f"-I{C}", *files, "-o", str(tmp_path / "cases"))
    call(str(tmp_path / "cases"))


@pytest.mark.slow
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "cortex-m7", "cortex-m55"])
@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3", "-Os"])
def test_kernels_compile_without_warnings(tmp_path: Path, core: str, level: str) -> None:
    for source in sources():
        gcc = compiler("arm-none-eabi-gcc")
        call(gcc, f"-mcpu={core}", "-mthumb", level, *STRICT, "-c", str(source), "-o", str(tmp_path / "kernel.o"))
