"""The kernels as compiled for microcontrollers, in an emulator, against the outputs that NumPy computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from arm_boards import BOARDS, M4, Board, run_on_board
from case_files import program
from kernel_cases import everything


@pytest.mark.parametrize(
    "board",
    [pytest.param(b, id=b.core, marks=() if b is M4 else pytest.mark.slow) for b in BOARDS],
)
def test_kernels_of_a_core_are_bit_exact(tmp_path: Path, board: Board) -> None:
    random = np.random.default_rng(3)
    makers = everything().items()
    cases = [make(random) for kind, make in makers for _ in range(12 if "convolve" in kind or "wise" in kind else 3)]
    (tmp_path / "cases.c").write_text(program(cases))
    run_on_board(board, tmp_path, [tmp_path / "cases.c"])
