"""The small networks of benchmarks/encoders.py, which take pixels from 0 to 255."""

from __future__ import annotations

from typing import Any

FEATURES = 64
CODE = 32
PROJECTION = 64
SEED = 0


def resnet8_encoder() -> Any:
    """The trunk of the ResNet8 of MLPerf Tiny for images of 32 x 32 pixels, which returns 64 features."""
    import keras

    keras.utils.set_random_seed(SEED)
    image = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(image)
    x = _normed(x, 16, 1, "stem")
    for index, (channels, stride) in enumerate(((16, 1), (32, 2), (64, 2))):
        name = f"block{index + 1}"
        inner = _normed(x, channels, stride, f"{name}_first")
        inner = _normed(inner, channels, 1, f"{name}_second", is_active=False)
        if stride > 1:
            x = keras.layers.Conv2D(channels, 1, stride, "same", name=f"{name}_shortcut")(x)
        x = keras.layers.ReLU(name=f"{name}_out")(keras.layers.Add(name=f"{name}_add")([x, inner]))
    features = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(image, features, name="encoder")


def _normed(x: Any, channels: int, stride: int, name: str, is_active: bool = True) -> Any:
    import keras

    x = keras.layers.Conv2D(channels, 3, stride, "same", use_bias=False, name=f"{name}_conv")(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if is_active else x


def with_projection(encoder: Any) -> Any:
    """An encoder with the projection head of SimCLR, which is only used in its training."""
    import keras

    keras.utils.set_random_seed(SEED + 1)
    hidden = keras.layers.Dense(FEATURES, "relu", name="projection_hidden")(encoder.output)
    return keras.Model(encoder.input, keras.layers.Dense(PROJECTION, name="projection")(hidden), name="simclr")


def with_classifier(encoder: Any, classes: int = 10) -> Any:
    """An encoder with a linear layer that returns logits of classes."""
    import keras

    keras.utils.set_random_seed(SEED + 1)
    return keras.Model(encoder.input, keras.layers.Dense(classes, name="logits")(encoder.output), name="classifier")


def autoencoder() -> Any:
    """An autoencoder for images of 28 x 28 pixels with a code of 32 numbers, the output of the layer `code`."""
    import keras

    keras.utils.set_random_seed(SEED)
    image = keras.Input((28, 28, 1), name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescaling")(image)
    for index, channels in enumerate((16, 32)):
        x = keras.layers.Conv2D(channels, 3, 2, "same", activation="relu", name=f"encoder{index + 1}")(x)
    code = keras.layers.Dense(CODE, name="code")(keras.layers.Flatten(name="flatten")(x))
    x = keras.layers.Dense(7 * 7 * 32, "relu", name="expand")(code)
    x = keras.layers.Reshape((7, 7, 32), name="maps")(x)
    x = keras.layers.Conv2DTranspose(32, 3, 2, "same", activation="relu", name="decoder1")(x)
    x = keras.layers.Conv2DTranspose(16, 3, 2, "same", activation="relu", name="decoder2")(x)
    x = keras.layers.Conv2D(1, 3, 1, "same", activation="sigmoid", name="decoder3")(x)
    return keras.Model(image, keras.layers.Rescaling(255.0, name="pixels")(x), name="autoencoder")


def up_to(model: Any, layer: str) -> Any:
    """A copy of a model that ends with one of its layers, with the same weights."""
    import keras

    part = keras.Model(model.input, model.get_layer(layer).output, name=layer)
    copy = keras.models.clone_model(part)
    copy.set_weights(part.get_weights())
    return copy
