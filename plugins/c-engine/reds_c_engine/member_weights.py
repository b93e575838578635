"""What the weights of a member take, counted as budgets count them."""

from __future__ import annotations

import math

from reds_c_engine.records import Arithmetic, Convolution, Kernel, Member

WORD_BYTES = 4
"""The size of a bias and of a multiplier."""


def weight_bytes(member: Member) -> int:
    """Return the size of the weights of a member, whether it shares them with others or not.

    These are its kernels as they are packed, a bias and a multiplier of 4 bytes for each output channel, and constants
    of sums and products with a value for each channel. Kernels that several layers read are counted once.
    """
    kernels: dict[Kernel, int] = {}
    constants = 0
    for placed in member.steps:
        settings = placed.step.settings
        if isinstance(settings, Convolution):
            kernels[settings.kernel] = _kernel_bytes(placed.step.kernel, settings)
        elif isinstance(settings, Arithmetic) and settings.constant is not None and len(settings.constant) > 1:
            constants += len(settings.constant)
    return sum(kernels.values()) + constants


def _kernel_bytes(function: str, settings: Convolution) -> int:
    channels = 1 if "depthwise" in function else settings.in_channels
    elements = settings.kernel_height * settings.kernel_width * channels * settings.out_channels
    return math.ceil(elements * settings.kernel.bits / 8) + 2 * WORD_BYTES * settings.out_channels
