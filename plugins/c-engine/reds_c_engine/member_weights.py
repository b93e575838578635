"""What the weights of a member take, counted as budgets count them."""

from __future__ import annotations

import math

from reds_c_engine.records import Arithmetic, Convolution, Kernel, Member
from reds_c_engine.sizes import element_bytes, element_type
from reds_c_engine.wide_records import WideArithmetic, WideConvolution


def weight_bytes(member: Member) -> int:
    """Return the size of the weights of a member, whether it shares them with others or not.

    These are its kernels as they are packed, a bias and a multiplier for each output channel, which take 4 bytes each,
    or 8 and 2 with activations of 16 bits, and constants of sums and products with a value for each channel. Kernels
    that several layers read are counted once.
    """
    kernels: dict[Kernel, int] = {}
    constants = 0
    for placed in member.steps:
        settings = placed.step.settings
        if isinstance(settings, Convolution | WideConvolution):
            kernels[settings.kernel] = _kernel_bytes(placed.step.kernel, settings)
        elif isinstance(settings, Arithmetic | WideArithmetic) and settings.constant and len(settings.constant) > 1:
            constants += len(settings.constant) * element_bytes(element_type(settings.structure, "constant"))
    return sum(kernels.values()) + constants


def _kernel_bytes(function: str, settings: Convolution | WideConvolution) -> int:
    channels = 1 if "depthwise" in function else settings.in_channels
    elements = settings.kernel_height * settings.kernel_width * channels * settings.out_channels
    of_channel = sum(element_bytes(element_type(settings.structure, field)) for field in ("bias", "multiplier"))
    return math.ceil(elements * settings.kernel.bits / 8) + of_channel * settings.out_channels
