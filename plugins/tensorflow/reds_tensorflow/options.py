"""Options of the framework, in a module that does not import TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorFlowOptions:
    """Settings of `tensorflow`.

    Attributes:
        prune_normalised: whether channels that a layer normalises over (LayerNormalization, softmax and the like) may
            be pruned. The layer then normalises over the channels that are kept, which changes its output, so the
            network needs fine-tuning.
    """

    prune_normalised: bool = False
