"""Each C kernel against straightforward NumPy, on random shapes and settings."""

from __future__ import annotations

import numpy as np
import pytest
from c_kernels import Case, KernelLibrary
from kernel_cases import everything


def check(kernels: KernelLibrary, case: Case) -> None:
    np.testing.assert_array_equal(kernels.run(case), case.expected, err_msg=f"{case.kernel} {case.settings}")


@pytest.mark.parametrize("kind", everything())
def test_kernel_is_bit_exact(kernels: KernelLibrary, kind: str) -> None:
    random = np.random.default_rng(len(kind))
    for _ in range(40):
        check(kernels, everything()[kind](random))
