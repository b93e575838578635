"""How the density of a kernel falls in the course of a training."""

from __future__ import annotations

from reds_sparsity.patterns import GROUP, Pattern


def gradual_density(density_percent: int, progress: float, ramp: float, pattern: Pattern) -> int:
    """Return the percentage of weights that stay at some point of a training.

    The sparsity rises along the cubic curve of Zhu & Gupta (2017, arXiv 1710.01878), fast at first and slowly where few
    weights are left, and has reached its final value when a share of `ramp` of the steps is done.

    Args:
        density_percent: The percentage of weights that stay in the end.
        progress: The share of the steps of the training that are done, 0 to 1.
        ramp: The share of the steps in which the sparsity rises, above 0 and at most 1.
        pattern: The pattern of the kernel. N of 4 takes steps of 25 %.
    """
    left = max(0.0, 1.0 - progress / ramp)
    density = density_percent + int((100 - density_percent) * left**3)
    step = 100 // GROUP if pattern is Pattern.N_OF_FOUR else 1
    return -(-density // step) * step
