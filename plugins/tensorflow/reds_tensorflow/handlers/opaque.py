"""Layers that cannot be followed: their channels are not pruned, or the model is refused."""

from __future__ import annotations

import math

from reds_core.network import Dims, Fixed, fixed_dims
from reds_tensorflow.calls import Call, Flow


def unknown(call: Call) -> tuple[Dims, ...]:
    """A layer or function that reds does not know."""
    return call.opaque("is not known to reds")


def code_of_users(call: Call) -> tuple[Dims, ...]:
    """Lambda: files with it are written, but they can only be loaded by users who trust its code."""
    return call.opaque(
        "calls a function that reds does not know (stock Keras loads the files with safe_mode=False only, and `reds"
        " extract` does not load them)"
    )


def preprocessing(call: Call) -> tuple[Dims, ...]:
    """Preprocessing layers, such as random augmentation. There is a warning only if they touch prunable channels."""
    call.freeze("is made for the network's input", *(axis for dims in call.inputs for axis in dims))
    return tuple(fixed_dims(shape) for shape in call.output_shapes)


def mel_spectrogram(call: Call) -> tuple[Dims, ...]:
    """MelSpectrogram: its product with the mel filter bank is a fixed cost."""
    call.fixed_work()
    return preprocessing(call)


def stft_spectrogram(call: Call) -> tuple[Dims, ...]:
    """STFTSpectrogram: convolutions of each input channel with the basis of the transform, which is not pruned."""
    kernels = call.layer.weights
    for kernel in kernels:
        call.kernel(kernel, fixed_dims(kernel.shape), None)
    bins = kernels[0].shape[-1] * (2 if call.layer.mode == "stft" else 1)
    call.count(math.prod(call.output_shape) // bins, Fixed(sum(math.prod(kernel.shape) for kernel in kernels)))
    return preprocessing(call)


def refused(why: str, fix: str) -> Flow:
    """Return the flow of a layer that a model which is copied and saved cannot contain."""

    def flow(call: Call) -> tuple[Dims, ...]:
        raise call.unsupported(why, fix)

    return flow
