"""Trains networks without labels, or with few, prunes them, and measures their features, for docs/results/encoders.md.

    python benchmarks/encoders.py                        # all three networks
    python benchmarks/encoders.py --only simclr          # or semi-supervised, or autoencoder
    python benchmarks/encoders.py --from-records         # only writes the page

- simclr: the trunk of ResNet8, trained on CIFAR-10 images by the contrastive loss of SimCLR, without labels. It is
  pruned and fine-tuned as an embedding.
- semi-supervised: ResNet8 trained on a tenth of the labels of CIFAR-10, and then on these and on its own confident
  answers for the other images (pseudo-labels: Lee, 2013). It is pruned and fine-tuned as an embedding as well, whose
  features are its logits, so without any label.
- autoencoder: a convolutional autoencoder of Fashion-MNIST, pruned and fine-tuned by reconstruction.

Networks are written to OUT as simclr.keras, semi-supervised.keras and autoencoder.keras, and the images and labels that
the second one was trained on as semi-supervised-labelled.npz. A run that was killed goes on after its last finished
epoch, and ends with the same weights. Test images are only used to measure.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from embedding_quality import quality_of
from encoder_networks import autoencoder, resnet8_encoder, up_to, with_classifier, with_projection
from encoder_page import page
from encoder_records import KEPT, RECORDS, EncoderRecord
from encoder_training import Plan, Trained, train
from encoder_views import nt_xent, paired, shifted

from reds_core import prune
from reds_core.system import make_folder, read_archive, write_archive, write_text

ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets" / "data"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "encoders.md"
EPOCHS, FINETUNE_EPOCHS = 40, 10
BATCH = 128
BUDGETS = {"macs": [0.5, 0.25]}
LABELLED = "semi-supervised-labelled.npz"
"""The file of the training images that have labels, be it their own or those that a network gave them."""
LABELLED_SHARE, CONFIDENCE, REPEATS = 0.1, 0.9, 4
"""The share of the training images whose labels are used, the probability from which an answer counts as a label, and
how often an epoch shows each labelled image."""

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Data:
    """Images with their class numbers."""

    train: Images
    train_y: npt.NDArray[np.int64]
    test: Images
    test_y: npt.NDArray[np.int64]

    @staticmethod
    def read(name: str, examples: int | None) -> Data:
        """Read a data set of the assets, and of its training and test images only the first ones if asked."""
        arrays = read_archive(ASSETS / name)
        x, y, test, test_y = (arrays[key][:examples] for key in ("x_train", "y_train", "x_test", "y_test"))
        return Data(x, y.ravel().astype(np.int64), test, test_y.ravel().astype(np.int64))


@dataclass(frozen=True)
class Network:
    """A network of the experiment.

    Attributes:
        name: Its name, which is that of its file.
        data: The file of its data.
        task: The task of its fine-tuning.
        features: The layer whose outputs are its features.
        train: Trains it: data, epochs and the folder give the finished network and its last training.
        labelled: Another file that the training writes, if any.
    """

    name: str
    data: str
    task: str
    features: str
    train: Callable[[Data, int, Path], tuple[Any, Trained]]
    labelled: str | None = None


def train_simclr(data: Data, epochs: int, out: Path) -> tuple[Any, Trained]:
    """Train the encoder by the contrastive loss, without labels."""

    def epoch(generator: np.random.Generator) -> tuple[Images, npt.NDArray[np.float32]]:
        views = paired(data.train[generator.permutation(len(data.train))], BATCH, generator)
        return views, np.zeros(len(views), np.float32)

    examples = len(data.train) // BATCH * BATCH * 2
    plan = Plan(
        "simclr", lambda: with_projection(resnet8_encoder()), nt_xent, epoch, examples, 2 * BATCH, epochs, rate=2e-3
    )
    trained = train(plan, out)
    return up_to(trained.model, "features"), trained


def train_semi_supervised(data: Data, epochs: int, out: Path) -> tuple[Any, Trained]:
    """Train a classifier on a tenth of the labels, and another one on these and on the answers of the first."""
    labelled = _labelled(data.train_y)
    first = train(_classifier("semi-supervised-first", data.train, data.train_y, labelled, epochs), out).model
    others = np.setdiff1d(np.arange(len(data.train)), labelled)
    logits = first.predict(data.train[others], batch_size=256, verbose=0).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    sure = shares.max(axis=1) >= CONFIDENCE
    labels = data.train_y.copy()
    labels[others] = shares.argmax(axis=1)
    used = np.sort(np.concatenate([labelled, others[sure]]))
    test = {"x_test": data.test, "y_test": data.test_y}
    write_archive(out / LABELLED, {"x_train": data.train[used], "y_train": labels[used], **test})
    plan = _classifier("semi-supervised", data.train, labels, labelled, epochs, others[sure])
    trained = train(plan, out)
    return _plain(trained.model), trained


def _labelled(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The indices of the images whose labels are used: the same share of each class."""
    generator, found = np.random.default_rng(0), []
    for number in np.unique(labels):
        own = generator.permutation(np.flatnonzero(labels == number))
        found.append(own[: max(round(LABELLED_SHARE * len(own)), 1)])
    return np.sort(np.concatenate(found))


def _classifier(
    name: str,
    images: Images,
    labels: npt.NDArray[np.int64],
    labelled: npt.NDArray[np.int64],
    epochs: int,
    pseudo: npt.NDArray[np.int64] | None = None,
) -> Plan:
    """The training of a classifier on labelled images, shown several times an epoch, and on others with pseudo-labels.

    Args:
        name: The name of its files.
        images, labels: All training images, with labels where they are used.
        labelled, pseudo: The indices of these images; None for no others.
        epochs: The epochs of the training.
    """
    import keras

    shown = np.concatenate([np.repeat(labelled, REPEATS), *(() if pseudo is None else (pseudo,))])

    def epoch(generator: np.random.Generator) -> tuple[Images, npt.NDArray[np.int64]]:
        order = generator.permutation(shown)
        return shifted(images[order], generator), labels[order]

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Plan(name, lambda: with_classifier(resnet8_encoder()), loss, epoch, len(shown), BATCH, epochs, rate=2e-3)


def train_autoencoder(data: Data, epochs: int, out: Path) -> tuple[Any, Trained]:
    """Train the autoencoder on the mean squared error of its pixels."""

    def epoch(generator: np.random.Generator) -> tuple[Images, npt.NDArray[np.float32]]:
        x = data.train[generator.permutation(len(data.train))]
        return x, x.astype(np.float32)

    plan = Plan("autoencoder", autoencoder, "mean_squared_error", epoch, len(data.train), BATCH, epochs, rate=2e-3)
    trained = train(plan, out)
    return _plain(trained.model), trained


def _plain(model: Any) -> Any:
    """A copy of a model with the same weights that is not compiled."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


NETWORKS = {
    network.name: network
    for network in (
        Network("simclr", "cifar10.npz", "embedding", "features", train_simclr),
        Network("semi-supervised", "cifar10.npz", "embedding", "features", train_semi_supervised, LABELLED),
        Network("autoencoder", "fashion_mnist.npz", "reconstruction", "code", train_autoencoder),
    )
}


@dataclass(frozen=True)
class Size:
    """How much of an experiment is run.

    Attributes:
        epochs: The epochs of each training.
        finetune_epochs: The epochs of fine-tuning.
        examples: The number of training and of test images; None for all.
    """

    epochs: int = EPOCHS
    finetune_epochs: int = FINETUNE_EPOCHS
    examples: int | None = None


def run(network: Network, size: Size, out: Path, known: Sequence[EncoderRecord]) -> list[EncoderRecord]:
    """Train a network, prune it, and return the records that are new."""
    import keras

    data, path = Data.read(network.data, size.examples), out / f"{network.name}.keras"
    done = {(record.member, record.finetune_epochs) for record in known if record.network == network.name}
    found = []
    if not path.exists() or ("input", 0) not in done:
        began = datetime.now(UTC).isoformat(timespec="seconds")
        model, trained = network.train(data, size.epochs, out)
        model.save(path.with_suffix(".new.keras"))
        path.with_suffix(".new.keras").replace(path)
        found.append(
            dataclasses.replace(
                _measured(network, model, data, "input", 0),
                started_at=began,
                epochs=size.epochs,
                first_loss=trained.losses[0],
                last_loss=trained.losses[-1],
                seconds_per_epoch=float(np.median(trained.seconds)),
            )
        )
    elif network.labelled is not None and not (out / network.labelled).exists():
        network.train(data, size.epochs, out)  # it is finished, and only writes the file
    images = out / f"{network.name}-images.npz"
    if not images.exists():
        write_archive(images, {"x_train": data.train, "x_test": data.test})
    for epochs in (0, size.finetune_epochs):
        if ("50", epochs) in done:
            continue
        plan = prune(
            path,
            images,
            BUDGETS,
            out=out / "runs" / f"{network.name}-{epochs}",
            task=network.task,
            finetune_epochs=epochs,
            int8=False,
            targets="keras",
            mode="resume",
            verbose=0,
        )
        for member in plan.subnetworks:
            model = keras.models.load_model(plan[member.name].path())
            record = _measured(network, model, data, member.name, epochs)
            found.append(
                dataclasses.replace(record, metric=member.accuracy.after, macs=member.usage["macs"], epochs=size.epochs)
            )
    return found


def _measured(network: Network, model: Any, data: Data, member: str, epochs: int) -> EncoderRecord:
    """What is measured of a network and of its features on test images."""
    quality = quality_of(up_to(model, network.features), (data.train, data.train_y), (data.test, data.test_y))
    outputs = model.predict(data.test, batch_size=256, verbose=0)
    accuracy = float((outputs.argmax(axis=1) == data.test_y).mean()) if network.name == "semi-supervised" else None
    error = float(np.square(outputs - data.test).mean()) if network.name == "autoencoder" else None
    return EncoderRecord(
        network.name, member, epochs, linear_probe=quality.linear_probe, knn=quality.knn, accuracy=accuracy, error=error
    )


def run_all(names: Sequence[str], size: Size, out: Path) -> None:
    """Run the networks one after the other, and record what is not recorded yet."""
    make_folder(out)
    with RECORDS.opened(out) as file:
        records = list(file.before)
        for name in names:
            for record in run(NETWORKS[name], size, out, records):
                records.append(record)
                file.append(record)
                sys.stdout.write(f"{record}\n")
                sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(NETWORKS), action="append", help="a network, in place of all")
    parser.add_argument("--out", type=Path, default=Path("out/encoders"), help="folder of the networks and runs")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each training")
    parser.add_argument("--finetune-epochs", type=int, default=FINETUNE_EPOCHS)
    parser.add_argument("--examples", type=int, help="the number of training and of test images, by default all")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page goes")
    parser.add_argument("--from-records", action="store_true", help="write the page from kept records")
    given = parser.parse_args(arguments)
    out, size = given.out.resolve(), Size(given.epochs, given.finetune_epochs, given.examples)
    folder = KEPT
    if not given.from_records:
        run_all(given.only or tuple(NETWORKS), size, out)
        is_whole = size == Size()
        folder = KEPT if is_whole else out
        if is_whole:
            make_folder(KEPT)
            write_text(KEPT / "records.jsonl", (out / "records.jsonl").read_text(encoding="utf-8"))
    write_text(given.page, page(RECORDS.read(folder)))


if __name__ == "__main__":
    main()
