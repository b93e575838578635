"""What a device keeps of the weights, counted on descriptions, against int8 files that were really written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from keras import layers
from reds_litert.usage import usage_of
from reds_tensorflow.export import converted
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.cost import RESOURCES, CostModel
from reds_core.framework import Arrays

ASSETS = Path(__file__).parents[4] / "shared" / "assets" / "models"
FRAMEWORK = TensorFlowFramework()
OPERATOR = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
KERNELS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
INT8 = schema.TensorType.INT8


def counted_in(path: Path) -> int:
    """Bytes of quantised constants in a file, with one float32 scale for each output channel of kernels.

    Scalars, such as the smallest variance of a normalisation, are not weights.
    """
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    sizes: dict[int, int] = {}
    for operator in (graph.Operators(i) for i in range(graph.OperatorsLength())):
        code = model.OperatorCodes(operator.OpcodeIndex())
        name = OPERATOR[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        for index in (int(i) for i in operator.InputsAsNumpy() if i >= 0):
            tensor = graph.Tensors(index)
            size, quantisation = model.Buffers(tensor.Buffer()).DataLength(), tensor.Quantization()
            if size and tensor.ShapeLength() and quantisation is not None and quantisation.ScaleLength():
                scales = quantisation.ScaleLength() if name in KERNELS and tensor.Type() == INT8 else 0
                sizes[index] = size + 4 * scales
    return sum(sizes.values())


def described(model: Any) -> int:
    network = FRAMEWORK.inspect(model)
    return RESOURCES["weight_bytes"].form(network, CostModel()).at(network.channels)


def exported(model: Any, folder: Path) -> Path:
    rng = np.random.default_rng(0)
    path = folder / "model.tflite"
    examples = rng.normal(0, 1, (4, *model.input_shape[1:])).astype(np.float32)
    path.write_bytes(converted(model, "int8", Arrays(examples, np.zeros(4, np.int64))))
    return path


def chain(shape: tuple[int, ...], *parts: Any) -> Any:
    return with_weights(keras.Sequential([keras.Input(shape), *parts]))


def with_weights(model: Any) -> Any:
    """Give a model random weights, since converters leave out batch norms that change nothing."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        values = rng.normal(0, 0.5, weight.shape)
        weight.assign(np.abs(values) + 0.3 if "variance" in weight.path else values)
    return model


def branches() -> Any:
    """A convolution whose output is read by a batch norm and by an addition, which a batch norm follows."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    x = layers.Add()([x, layers.BatchNormalization()(x)])
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dense(3)(layers.Flatten()(layers.Conv2D(5, 3, use_bias=False)(x)))
    return with_weights(keras.Model(inputs, x))


def called_twice() -> Any:
    inputs = keras.Input((8, 8, 4))
    convolution = layers.Conv2D(4, 3, padding="same")
    return with_weights(keras.Model(inputs, convolution(convolution(inputs))))


IMAGE, VECTOR = (8, 8, 3), (6,)


def norm() -> Any:
    return layers.BatchNormalization()


MODELS = {
    "convolutions without biases": lambda: chain(
        IMAGE, layers.Conv2D(4, 3, use_bias=False), layers.ReLU(), layers.Conv2D(4, 3, use_bias=False), layers.ReLU()
    ),
    "a norm after an activation": lambda: chain(IMAGE, layers.Conv2D(4, 3), layers.ReLU(), norm(), layers.Conv2D(5, 3)),
    "a norm after a layer's own activation": lambda: chain(IMAGE, layers.Conv2D(4, 3, activation="relu"), norm()),
    "a norm after an identity": lambda: chain(IMAGE, layers.Conv2D(4, 3), layers.Activation("linear"), norm()),
    "a norm first": lambda: chain(IMAGE, norm(), layers.Conv2D(4, 3)),
    "norms in a row": lambda: chain(IMAGE, layers.Conv2D(4, 3, use_bias=False), norm(), norm(), layers.ReLU(), norm()),
    "a norm after pooling": lambda: chain(IMAGE, layers.GlobalAveragePooling2D(), norm(), layers.Dense(3)),
    "a depth multiplier": lambda: chain(
        IMAGE, layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False), norm(), layers.Conv2D(4, 1, groups=2)
    ),
    "separable": lambda: chain(
        IMAGE, layers.SeparableConv2D(6, 3, use_bias=False), layers.ReLU(), layers.SeparableConv2D(6, 3), norm()
    ),
    "transposed": lambda: chain(
        IMAGE, layers.Conv2DTranspose(4, 3, use_bias=False), layers.ReLU(), layers.Conv2DTranspose(5, 3), norm()
    ),
    "one dimension": lambda: chain((10, 3), layers.Conv1D(4, 3, use_bias=False), norm(), layers.Conv1D(5, 3)),
    "dense layers in a row": lambda: chain(VECTOR, layers.Dense(5), layers.Dense(4), layers.Dense(3)),
    "dropout between dense layers": lambda: chain(VECTOR, layers.Dense(5), layers.Dropout(0.3), layers.Dense(3)),
    "dense layers with activations": lambda: chain(VECTOR, layers.Dense(5, activation="relu"), layers.Dense(3)),
    "a norm between dense layers": lambda: chain(VECTOR, layers.Dense(5), norm(), layers.Dense(3)),
    "a norm and an activation between dense layers": lambda: chain(
        VECTOR, layers.Dense(5, use_bias=False), norm(), layers.ReLU(), layers.Dense(3)
    ),
    "a norm before a dense layer without bias": lambda: chain(
        VECTOR, layers.Dense(5), layers.ReLU(), norm(), layers.Dense(3, use_bias=False)
    ),
    "dense layers over positions": lambda: chain((7, 3), layers.Dense(6), layers.ReLU(), layers.Dense(5), norm()),
    "branches": branches,
    "called twice": called_twice,
}


@pytest.mark.parametrize("name", MODELS)
def test_weights_count_as_in_the_file(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    path = exported(model, tmp_path)
    assert described(model) == counted_in(path) == usage_of(path)["weight_bytes"]


@pytest.mark.parametrize(
    "name",
    [
        "mlperf_tiny_resnet8_cifar10.h5",
        "arm_kws_ds_cnn_s.keras",
        "arm_kws_cnn_s.keras",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("arm_kws_ds_cnn_m.keras", "mlperf_tiny_vww_96.keras")),
        "arm_kws_dnn_s.keras",
    ],
)
def test_weights_of_real_models_count_as_in_their_files(name: str, tmp_path: Path) -> None:
    if not (ASSETS / name).exists():
        pytest.skip(f"{ASSETS / name} is missing")
    model = FRAMEWORK.load_model(ASSETS / name)
    path = exported(model, tmp_path)
    assert described(model) == counted_in(path) == usage_of(path)["weight_bytes"]
