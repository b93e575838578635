"""The kernels with which TensorFlow computes on processors."""

from __future__ import annotations

import os
import platform

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""The variable that TensorFlow reads when it is imported."""


def use_onednn() -> None:
    """Have TensorFlow use oneDNN on every x86-64 processor, unless the environment says whether it should.

    By itself it does so only on processors with instructions for neural networks, such as AVX512_VNNI. On others its
    own kernels take longer for a training, and cannot compute layers with data_format="channels_first" at all.

    It has no effect after TensorFlow is imported.
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault(ONEDNN, "1")
