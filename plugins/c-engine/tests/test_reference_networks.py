"""The NumPy reference against tflite-micro on whole networks as the converter of TensorFlow writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from reds_c_engine.reference import run

pytest.importorskip("tensorflow", reason="needs tensorflow")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from int8_graphs import tflite_micro_outputs
from reds_litert.graph import FileGraph, read_graph

ASSETS = Path(__file__).parents[3].parent / "shared" / "assets"
EXAMPLES = 40
pytestmark = pytest.mark.slow


def converted(model: Any, x: npt.NDArray[Any]) -> bytes:
    from reds_tensorflow.export import converted

    from reds_core.framework import Arrays

    return converted(model, "int8", Arrays(x.astype(np.float32), np.zeros(len(x))))


def quantized(graph: FileGraph, x: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    tensor = graph.tensors[graph.inputs[0]]
    return np.clip(np.rint(x / tensor.scale) + tensor.zero_point, -128, 127).astype(np.int8)


def check(model: Any, x: npt.NDArray[Any], values: int = 20) -> set[str]:
    """Compare all outputs, and return the kinds of the operators."""
    content = converted(model, x)
    graph = read_graph(content)
    inputs = quantized(graph, x[:EXAMPLES])
    found, expected = run(graph, inputs), tflite_micro_outputs(content, inputs)
    assert int((found != expected).sum()) == 0
    assert len(np.unique(found)) > values
    return {operator.kind for operator in graph.operators}


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("arm_kws_ds_cnn_s.keras", "speech_commands.npz"),
        ("arm_kws_ds_cnn_m.keras", "speech_commands.npz"),
        ("arm_kws_cnn_s.keras", "speech_commands.npz"),
        ("mlperf_tiny_resnet8_cifar10.h5", "cifar10.npz"),
        ("mlperf_tiny_vww_96.keras", "cifar10.npz"),
    ],
)
def test_real_networks(file: str, data: str) -> None:
    from reds_tensorflow.quiet import importing

    with importing():
        import keras
    if not (ASSETS / "models" / file).exists() or not (ASSETS / "data" / data).exists():
        pytest.skip("needs ../shared/assets")
    model = keras.models.load_model(ASSETS / "models" / file, compile=False)
    with np.load(ASSETS / "data" / data, allow_pickle=False) as archive:
        x = archive["x_test"][:200]
    if model.input_shape[1] == 96:  # the network for which there are no images
        x = np.kron(x, np.ones((1, 3, 3, 1), x.dtype)) / 255
    check(model, x, values=10)


def test_a_network_of_every_layer_that_becomes_operators_of_the_reference() -> None:
    from reds_tensorflow.quiet import importing

    with importing():
        import keras
    layers = keras.layers
    keras.utils.set_random_seed(0)
    source = keras.Input((12, 10, 3))
    x = layers.Rescaling(1 / 3, offset=0.1)(source)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same", groups=2, activation="relu6")(x)
    x = layers.ZeroPadding2D(((1, 0), (0, 2)))(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    halves = layers.MaxPooling2D(2, padding="same")(x), layers.AveragePooling2D(2, padding="same")(x)
    x = layers.Concatenate()(halves)
    gate = layers.Dense(32, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 32))(gate)])
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same")(x)
    x = layers.Activation("hard_swish")(x)
    y = layers.Activation("tanh")(layers.Conv2D(6, 1)(x))
    x = layers.Subtract()([layers.Add()([x, y]), layers.Conv2D(6, 1)(y)])
    spread = keras.initializers.RandomNormal(stddev=10.0)  # so that classes differ
    x = layers.Flatten()(layers.ReLU()(x))
    model = keras.Model(source, layers.Dense(7, "softmax", kernel_initializer=spread)(x))
    kinds = check(model, np.random.default_rng(0).normal(size=(300, 12, 10, 3)))
    assert kinds >= {
        *("ADD", "SUB", "MUL", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "RESHAPE"),
        *("MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN", "CONCATENATION", "PAD", "LEAKY_RELU", "HARD_SWISH"),
        *("LOGISTIC", "TANH", "SOFTMAX"),
    }
