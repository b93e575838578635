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
        input_shape: shape without the batch dimension for inputs whose sizes a model file leaves open, such as
            "224,224,3", or "image=224,224,3;audio=16000,1" for several inputs. A network is counted and exported for
            one shape.
    """

    prune_normalised: bool = False
    input_shape: str = ""
