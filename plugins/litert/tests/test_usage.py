"""What is counted in files is what is counted in the descriptions of the models, to the byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reds_litert.targets import Int8Target
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.cost import CostModel, usage
from reds_core.errors import InputError
from reds_core.framework import Arrays, ExportSource

MODELS = Path(__file__).parents[3] / ".." / "shared" / "assets" / "models"
NAMES = [
    "mlperf_tiny_resnet8_cifar10.h5",
    "arm_kws_ds_cnn_s.keras",
    "arm_kws_ds_cnn_m.keras",
    "arm_kws_cnn_s.keras",
    "mlperf_tiny_vww_96.keras",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_files_and_descriptions_of_real_networks_agree(name: str, tmp_path: Path) -> None:
    if not (MODELS / name).exists():
        pytest.skip(f"{MODELS / name} is missing")
    framework, path = TensorFlowFramework(), tmp_path / "m-int8.tflite"
    model = framework.load_model(MODELS / name)
    network = framework.inspect(model)
    x = np.random.default_rng(0).normal(size=(2, *framework.input_shape(model))).astype(np.float32)
    Int8Target().export(ExportSource(framework, model, network, calibration=Arrays(x, np.zeros(2))), path)
    described = usage(network, network.channels, CostModel(additional=("arena", "weight_bytes")))
    assert Int8Target().usage(path) == {name: described[name] for name in ("weight_bytes", "arena")}


@pytest.mark.parametrize("content", [None, b"", bytes(64), b"nonsenseTFL3" * 9])
def test_damaged_files_are_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "m-int8.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="does not exist" if content is None else "cannot be read as a LiteRT model"):
        Int8Target().usage(path)
