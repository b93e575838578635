"""The kernels as compiled for microcontrollers, in an emulator, against the outputs that NumPy computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from c_kernels import C, sources
from case_files import program
from kernel_cases import everything
from reds_c_engine.emulator import CORES, Core, run_on, unavailable
from slow_cases import slow_except

M3 = Core("cortex-m3", "mps2-an385", "soft", 25_000_000)
"""A core without instructions for signal processing, so with the plain path."""
FAST = CORES["cortex-m4"]


@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
@pytest.mark.parametrize("core", slow_except([FAST], (M3, *CORES.values()), lambda core: core.name))
def test_kernels_of_a_core_are_bit_exact(tmp_path: Path, core: Core) -> None:
    random = np.random.default_rng(3)
    cases = []
    for kind, make in everything().items():
        often = ("convolve" in kind or "wise" in kind) and "large" not in kind
        cases += [make(random) for _ in range(8 if often else 1)]
    (tmp_path / "cases.c").write_text(program(cases))
    emulation = run_on(core, tmp_path, [tmp_path / "cases.c", *sources()], include=[C], counting=False)
    assert emulation.status == 0, emulation.output
