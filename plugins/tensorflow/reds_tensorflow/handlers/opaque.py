"""What cannot be followed: passed with all its channels, or refused by name."""

from __future__ import annotations

from reds_core.dims import Dims, fixed_dims
from reds_tensorflow.calls import Call, Flow


def unknown(call: Call) -> tuple[Dims, ...]:
    """A layer or function that nothing is known of."""
    return call.opaque("is not known to reds")


def preprocessing(call: Call) -> tuple[Dims, ...]:
    """Layers that take data as they come, such as random changes of images: silent where channels are fixed."""
    call.freeze("is made for the network's input", *(axis for dims in call.inputs for axis in dims))
    return tuple(fixed_dims(shape) for shape in call.output_shapes)


def refused(why: str, mend: str) -> Flow:
    """The flow of a layer that cannot be in a model that is copied and saved."""

    def flow(call: Call) -> tuple[Dims, ...]:
        raise call.unsupported(why, mend)

    return flow
