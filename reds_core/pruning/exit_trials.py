"""How long networks are trained before those that end at different early exits are compared."""

from __future__ import annotations

TRIAL_SHARE = 0.3
"""The share of the epochs of the training that follows. Deeper networks recover more slowly, and lose the comparison
after too few steps."""


def exit_trial_epochs(epochs: int) -> int:
    """Return the epochs of training before exits are compared, at least one if there is any training.

    Args:
        epochs: The epochs of the training of the network that is chosen.
    """
    return min(max(1, round(TRIAL_SHARE * epochs)), epochs)
