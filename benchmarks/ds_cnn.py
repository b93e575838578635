"""Trains the DS-CNN S of the REDS paper on all of Fashion-MNIST or on the CIFAR-10 of ../shared/assets.

    python benchmarks/ds_cnn.py --data fashion-mnist --archives FOLDER [--epochs 12] [--out out/ds-cnn/fashion-mnist]
    python benchmarks/ds_cnn.py --data cifar10 [--epochs 60] [--out out/ds-cnn/cifar10]

FOLDER of --archives must contain the four .gz files of Fashion-MNIST; Debian's package `dataset-fashion-mnist` has them
in usr/share/datasets/fashion-mnist. The script writes OUT/ds_cnn_s.keras, and Fashion-MNIST as OUT/data.npz. Images of
CIFAR-10 are flipped and shifted in training, since there are few of them. A killed training resumes after its last
finished epoch.
"""

from __future__ import annotations

import argparse
import gzip
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reds_core.system import write_archive

ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets"
EPOCHS = {"fashion-mnist": 12, "cifar10": 60}
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


def write_fashion_mnist(archives: Path, path: Path) -> None:
    """Write the whole data set in the format of `reds prune --data`."""
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
    parser.add_argument("--archives", type=Path, help="of Fashion-MNIST")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    out = given.out or Path("out/ds-cnn", given.data)
    out.mkdir(parents=True, exist_ok=True)
    of_few = given.data == "cifar10"
    data = ASSETS / "data" / "cifar10.npz" if of_few else out / "data.npz"
    if not data.exists() and not of_few:
        if given.archives is None:
            parser.error("--data fashion-mnist needs --archives FOLDER")
        write_fashion_mnist(given.archives, data)
    if not (out / "ds_cnn_s.keras").exists():
        train(data, out, given.epochs or EPOCHS[given.data], augmented=of_few)


if __name__ == "__main__":
    main()
