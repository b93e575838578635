"""Trains MobileNetV2 0.35 on the CIFAR-10 images of ../shared/assets, as the network that mobilenetv2.py prunes.

    python benchmarks/mobilenetv2_base.py --out FOLDER                 # writes FOLDER/base.keras
    python benchmarks/mobilenetv2_base.py --out FOLDER --penalty 1e-4  # writes FOLDER/slimming.keras

There are only 10,000 training images, so the network is a weak baseline. The last epoch is kept whatever its accuracy,
and the test images are only used once, at the end. A training that was killed resumes after its last finished epoch and
ends with the same weights, since the order and the augmentation of the images depend on the epoch alone. With
--penalty, the sum of the absolute values of all batch-norm scales, times the penalty, is added to the loss, as in
network slimming (Liu et al., arXiv 1708.06519).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.system import make_folder, read_archive, write_text

ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets"
DATA = str(ASSETS / "data" / "cifar10.npz")
ALPHA = 0.35
EPOCHS = 160
WARM_UP_EPOCHS = 5
BATCH_SIZE = 64
LEARNING_RATE = 0.05
WEIGHT_DECAY = 5e-4
SHIFT_PIXELS = 4
SEED = 0
PENALTY = 1e-4
"""The penalty of network slimming for CIFAR-10 in the paper."""


def mobilenetv2(penalty: float = 0.0) -> Any:
    """MobileNetV2 0.35 for images of 32 x 32 pixels with values from 0 to 255. It returns logits of 10 classes.

    It is that of keras.applications apart from two changes: the first convolution has stride 1 instead of 2, as is
    usual for small images, so that the last maps have 2 x 2 pixels; and it rescales its inputs by itself.

    Args:
        penalty: The L1 penalty of all batch-norm scales.
    """
    import keras

    keras.utils.set_random_seed(SEED)
    inputs = keras.Input((32, 32, 3), name="image")
    rescaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(inputs)
    network = keras.applications.MobileNetV2(
        alpha=ALPHA, weights=None, classes=10, classifier_activation=None, input_tensor=rescaled
    )
    keras.utils.set_random_seed(SEED)
    return keras.models.clone_model(network, clone_function=lambda layer: _changed(layer, penalty))


def _changed(layer: Any, penalty: float) -> Any:
    import keras

    config = layer.get_config()
    decay = keras.regularizers.L2(WEIGHT_DECAY)
    if layer.name == "Conv1":
        config["strides"] = (1, 1)
    if isinstance(layer, keras.layers.BatchNormalization) and penalty:
        config["gamma_regularizer"] = keras.regularizers.L1(penalty)
    elif isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
        config["kernel_regularizer"] = decay
    return type(layer).from_config(config)


def augmented(images: npt.NDArray[np.uint8], generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Shift each image by up to 4 pixels along each axis, filled up with 0, and flip every other one.

    Args:
        images: Values from 0 to 255, (N, height, width, channels).
    """
    count, height, width, _ = images.shape
    margin = ((0, 0), (SHIFT_PIXELS, SHIFT_PIXELS), (SHIFT_PIXELS, SHIFT_PIXELS), (0, 0))
    padded = np.pad(images, margin)
    down, right = generator.integers(0, 2 * SHIFT_PIXELS + 1, (2, count))
    flips = generator.integers(0, 2, count).astype(bool)
    columns = np.where(flips[:, None], np.arange(width)[::-1], np.arange(width)) + right[:, None]
    rows = np.arange(height) + down[:, None]
    chosen = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return chosen.astype(np.float32)


def rate_at(step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate of a step: a linear warm-up and then half a cosine."""
    warm_up, total = WARM_UP_EPOCHS * steps_per_epoch, epochs * steps_per_epoch
    if step < warm_up:
        return LEARNING_RATE * (step + 1) / warm_up
    return LEARNING_RATE * 0.5 * (1 + float(np.cos(np.pi * (step - warm_up) / max(total - warm_up, 1))))


def train(out: Path, name: str, penalty: float, epochs: int = EPOCHS, examples: int | None = None) -> Path:
    """Train the network, or resume its training, and return the path of the finished model.

    Args:
        out: The folder of the model and of the state of the training.
        name: The name of the model.
        penalty: The L1 penalty of batch-norm scales.
        epochs: The epochs of the whole training.
        examples: The number of training examples, by default all.
    """
    import keras

    finished, state = out / f"{name}.keras", out / f"{name}-training.keras"
    if finished.exists():
        return finished
    make_folder(out)
    arrays = read_archive(Path(DATA))
    x, y = arrays["x_train"][:examples], arrays["y_train"][:examples].ravel().astype(np.int64)
    counted = out / f"{name}-epoch.txt"
    if state.exists():
        model = keras.models.load_model(state)
    else:
        model = mobilenetv2(penalty)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(LEARNING_RATE, 0.9, nesterov=True), loss, metrics=["accuracy"])
    batches = -(-len(x) // BATCH_SIZE)
    first = int(model.optimizer.iterations.numpy()) // batches
    rates = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: model.optimizer.learning_rate.assign(
            rate_at(int(model.optimizer.iterations.numpy()), batches, epochs)
        )
    )
    for epoch in range(first, epochs):
        began = time.process_time()
        keras.utils.set_random_seed(SEED + epoch)
        generator = np.random.default_rng((SEED, epoch))
        order = generator.permutation(len(x))
        shown = augmented(x[order], generator)
        found = model.fit(shown, y[order], BATCH_SIZE, 1, verbose=0, shuffle=False, callbacks=[rates]).history
        written = state.with_suffix(".new.keras")
        model.save(written)
        written.replace(state)
        spent = time.process_time() - began
        line = f"{name}: epoch {epoch + 1} of {epochs}, loss {found['loss'][0]:.3f}, "
        line += f"accuracy {found['accuracy'][0]:.3f}, {spent:.0f} s of processor time\n"
        write_text(counted, line)
        sys.stdout.write(line)
        sys.stdout.flush()
    plain = without_regularisers(model)
    plain.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    tested = arrays["x_test"].astype(np.float32), arrays["y_test"].ravel().astype(np.int64)
    accuracy = plain.evaluate(*tested, 256, verbose=0)[1]
    write_text(out / f"{name}-accuracy.txt", f"{accuracy:.4f}\n")
    sys.stdout.write(f"{name}: test accuracy {accuracy:.4f}\n")
    plain.save(finished)
    state.unlink(missing_ok=True)
    return finished


def without_regularisers(model: Any) -> Any:
    """The same network with the same weights, without penalties, so that fine-tuning does not repeat them."""
    import keras

    def plain(layer: Any) -> Any:
        config = layer.get_config()
        config.update({key: None for key in config if key.endswith("_regularizer")})
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=plain)
    copy.set_weights(model.get_weights())
    return copy


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the model and of its training")
    parser.add_argument("--penalty", type=float, default=0.0, help="L1 penalty of batch-norm scales")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--examples", type=int, help="number of training examples, by default all")
    given = parser.parse_args(arguments)
    name = "slimming" if given.penalty else "base"
    train(given.out.resolve(), name, given.penalty, given.epochs, given.examples)


if __name__ == "__main__":
    main()
