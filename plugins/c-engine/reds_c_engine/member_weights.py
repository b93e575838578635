"""What the weights of a member take. With activations of 8 bits, they are counted as budgets count them."""

from __future__ import annotations

from reds_litert.kernel_packing import KernelPacking

from reds_c_engine.kernel_records import Arithmetic, Convolution, Kernel
from reds_c_engine.records import Member
from reds_c_engine.wide_records import WideArithmetic, WideConvolution

CHANNEL_BYTES = 4 + 4
"""The size of the bias and the multiplier of an output channel."""
WIDE_CHANNEL_BYTES = 8 + 2
"""The same with activations of 16 bits."""
WIDE_BYTES = 2
"""The size of an element of a constant with activations of 16 bits."""


def weight_bytes(member: Member) -> int:
    """Return the size of the weights of a member, whether it shares them with others or not.

    These are its kernels as they are packed, with codebooks and masks, a bias and a multiplier for each output channel,
    and constants of sums and products with a value for each channel. Kernels that several layers read are counted once.
    """
    kernels: dict[Kernel, int] = {}
    constants = 0
    for placed in member.steps:
        settings = placed.step.settings
        if isinstance(settings, Convolution | WideConvolution):
            kernels[settings.kernel] = _kernel_bytes(placed.step.kernel, settings)
        elif isinstance(settings, Arithmetic | WideArithmetic) and settings.constant and len(settings.constant) > 1:
            constants += len(settings.constant) * (WIDE_BYTES if isinstance(settings, WideArithmetic) else 1)
    return sum(kernels.values()) + constants


def _kernel_bytes(function: str, settings: Convolution | WideConvolution) -> int:
    of_channel = WIDE_CHANNEL_BYTES if isinstance(settings, WideConvolution) else CHANNEL_BYTES
    channels = 1 if "depthwise" in function else settings.in_channels
    elements = settings.kernel_height * settings.kernel_width * channels * settings.out_channels
    coding = settings.kernel.coding
    halves = settings.kernel.halves
    bits = settings.kernel.bits * (2 if halves is not None and halves.lower_bytes is not None else 1)
    packing = KernelPacking(bits) if coding is None else coding.packing
    return packing.size_bytes(elements, settings.out_channels) + of_channel * settings.out_channels
