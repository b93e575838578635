"""The whole of Fashion-MNIST, and the DS-CNN S of the REDS paper trained on it.

    python benchmarks/fashion_mnist.py --archives FOLDER --out FOLDER [--epochs 12]

FOLDER of --archives holds the four .gz files of Fashion-MNIST; Debian's package `dataset-fashion-mnist` has them in
usr/share/datasets/fashion-mnist. Writes OUT/fashion_mnist.npz and OUT/ds_cnn_s.keras. A killed training goes on after
its last finished epoch.
"""

from __future__ import annotations

import argparse
import gzip
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reds_core.archive import write_archive

FILTERS = 64
BLOCKS = 4
BATCH_SIZE = 64
LEARNING_RATE = 2e-3
SEED = 0


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """An array of unsigned bytes in the IDX format: two zeros, type 8, rank, sizes in big-endian, data."""
    content = gzip.decompress(path.read_bytes())
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def write_data(archives: Path, path: Path) -> None:
    """The whole data set as `reds prune --data` takes it."""
    arrays = {}
    for part, stem in (("train", "train"), ("test", "t10k")):
        arrays[f"x_{part}"] = read_idx(archives / f"{stem}-images-idx3-ubyte.gz")[..., None]
        arrays[f"y_{part}"] = read_idx(archives / f"{stem}-labels-idx1-ubyte.gz").astype(np.int64)
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


def train(data: Path, out: Path, epochs: int) -> None:
    """Train on the training images alone; the test images are looked at once, at the end."""
    import keras

    with np.load(data, allow_pickle=False) as arrays:
        x_train, y_train, x_test, y_test = (arrays[k] for k in ("x_train", "y_train", "x_test", "y_test"))
    model = ds_cnn_s(x_train.shape[1:], 10)
    steps = epochs * math.ceil(len(x_train) / BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    backup = keras.callbacks.BackupAndRestore(str(out / "backup"))
    model.fit(x_train.astype(np.float32), y_train, BATCH_SIZE, epochs, verbose=2, callbacks=[backup])
    print("test accuracy", model.evaluate(x_test.astype(np.float32), y_test, 256, verbose=0)[1])
    model.save(out / "ds_cnn_s.keras")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    data = arguments.out / "fashion_mnist.npz"
    if not data.exists():
        write_data(arguments.archives, data)
    if not (arguments.out / "ds_cnn_s.keras").exists():
        train(data, arguments.out, arguments.epochs)


if __name__ == "__main__":
    main()
