"""Labels that are features: noise on the outputs of an encoder, so that its loss has a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.framework.data import each

NOISE = 0.1
"""The length of the noise, as a share of that of the features."""


def noisy_features(features: Any, seed: int = 0) -> Any:
    """Return features with Gaussian noise, in proportion to their length for each example.

    The loss between the features of a network and themselves has its minimum of 0 there, so its gradient says nothing.
    Against these labels, the gradient of an example is the noise times the derivatives of its features. Its mean over
    the noise is zero, and the mean of its square is proportional to the second-order rise of the loss.

    Args:
        features: An array (N, ...), or a tuple with one for each output.
        seed: The seed of the noise.

    Returns:
        float32 arrays of the same shapes.
    """
    generator = np.random.default_rng(seed)

    def noisy(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        rows = array.reshape(len(array), -1).astype(np.float32)
        noise = generator.standard_normal(rows.shape, np.float32) / np.sqrt(np.float32(max(rows.shape[1], 1)))
        found = rows + NOISE * np.linalg.norm(rows, axis=1, keepdims=True) * noise
        return np.asarray(found.reshape(array.shape), np.float32)

    return each(noisy, features)
