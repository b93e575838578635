"""Where channels can be merged: nothing between their computation and their readers may treat them unlike each other.

Copies of one channel can be replaced by one channel if every layer in between computes each channel by itself, in the
same way, and if every reader is linear in the channels, so that the weights of the copies can be summed.
"""

from __future__ import annotations

from reds_core.network import Layer, Network, Weight, WeightKind

# fmt: off
_WITH_WEIGHTS = frozenset((
    "batchnormalization", "bidirectional", "conv1d", "conv1dtranspose", "conv2d", "conv2dtranspose", "conv3d",
    "conv3dtranspose", "dense", "depthwiseconv1d", "depthwiseconv2d", "embedding", "gru", "layerscale", "linear",
    "lstm", "normalization", "prelu", "scale", "separableconv1d", "separableconv2d", "simplernn",
))
_EACH_CHANNEL = frozenset((
    "activation", "activityregularization", "add", "alphadropout", "average", "averagepooling1d", "averagepooling2d",
    "averagepooling3d", "centercrop", "concatenate", "cropping1d", "cropping2d", "cropping3d", "customscalelayer",
    "dropout", "elu", "expanddims", "flatten", "gaussiandropout", "gaussiannoise", "gelu", "globalaveragepooling1d",
    "globalaveragepooling2d", "globalaveragepooling3d", "globalmaxpooling1d", "globalmaxpooling2d",
    "globalmaxpooling3d", "hardsigmoid", "hardsilu", "identity", "leakyrelu", "maximum", "maxpooling1d",
    "maxpooling2d", "maxpooling3d", "minimum", "mish", "multiply", "pad", "permute", "pool", "relu", "relu6",
    "repeatvector", "rescaling", "reshape", "resize", "resizing", "sigmoid", "silu", "softplus", "softsign",
    "spatialdropout1d", "spatialdropout2d", "spatialdropout3d", "squeeze", "stochasticdepth", "subtract", "swapaxes",
    "tanh", "transpose", "upsampling1d", "upsampling2d", "upsampling3d", "zeropadding1d", "zeropadding2d",
    "zeropadding3d",
))
# fmt: on
"""Types of layers in lower case: those with weights, and those that compute each channel by itself."""


def why_not(network: Network, group: str) -> str | None:
    """Return why the channels of a group cannot be merged, as a clause, or None if they can.

    Args:
        network: The description of the network.
        group: The name of the group.
    """
    for call in network.layers:
        weights = [network.weights[index] for index in call.weights]
        held = [weight for weight in weights if _holds(weight, group)]
        read = any(group in network.tensors[index].axis.groups() for index in call.inputs)
        made = any(group in network.tensors[index].axis.groups() for index in call.outputs)
        if held or read or made:
            reason = _reason(call, held, bool(weights), made)
            if reason is not None:
                return f"layer '{call.name}' of type {call.kind} {reason}"
    return None


def _reason(call: Layer, held: list[Weight], has_weights: bool, is_made: bool) -> str | None:
    if any(weight.kind is WeightKind.OTHER for weight in held):
        return "has weights of unknown use"
    if call.kind.lower() not in (_WITH_WEIGHTS if has_weights else _EACH_CHANNEL | _WITH_WEIGHTS):
        return "is not known to treat each channel alike"
    if is_made:
        return "mixes channels" if call.mixes_channels else None
    if not any(weight.kind is WeightKind.KERNEL for weight in held):
        return "reads channels without weights"
    return None


def _holds(weight: Weight, group: str) -> bool:
    return any(group in axis.groups() for axis in weight.axes)
