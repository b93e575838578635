"""The linear model's matrix in SciPy's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reds_core.linear import LinearModel

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def csr_matrix(model: LinearModel) -> csr_array[np.float64]:
    """A of the model as a float64 CSR array (rows, columns)."""
    from scipy.sparse import csr_array

    coefficients = model.coefficient.astype(np.float64)
    return csr_array((coefficients, model.column, model.row_starts()), shape=(model.rows, model.columns))
