"""Compares whom dropping, merging and masking hurt: classes, single examples, and what predicts it.

    python benchmarks/bias.py [--cells 'resnet8-*-50-*']
    python benchmarks/bias.py --plan
    python benchmarks/bias.py --from-records

A given network is trained further with several seeds, which makes a population of networks that are not compressed.
Each of them is then compressed in several ways to several sizes, without training and with it, and what every network
says about every test example is kept. The same command resumes where it stopped. With --from-records the page
docs/results/bias.md is written from benchmarks/records/bias. The cells are in benchmarks/bias_cells.py, and the page is
written by benchmarks/bias_page.py. The statistics are those of `reds audit`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bias_cells import BASE, METHODS, NETWORKS, RECORDS, BiasCell, BiasRecord, cells
from bias_page import page
from cell_runs import CellRuns

from reds_core import Registry, prune
from reds_core.audit import (
    Answers,
    ChannelAttribution,
    NetworkLoss,
    Population,
    ablated_margins,
    answers_of,
    attribute_margins,
    calibration,
    predict_losses,
    random_ablations,
    starts_of,
    true_classes,
)
from reds_core.framework import Arrays, Family, Framework, Task, Training
from reds_core.plan import SubnetworkRecord
from reds_core.scoring import LossMeasurement
from reds_core.system import make_folder, read_archive, write_text

REPOSITORY = Path(__file__).resolve().parents[1]
ABLATIONS, ABLATED, EXAMPLES = 256, 0.05, 1000
"""How many ablations attribute margins to channels, the share of the channels in each, and on how many examples."""
REPAIR_EXAMPLES = 512
"""On how many training examples the batch norms of each ablation are measured again, as those of all networks are."""


@dataclasses.dataclass(frozen=True)
class CellRun:
    """A cell that runs.

    Attributes:
        out: The folder of the study.
        framework: Reads and runs the models.
        cell: The cell that runs.
    """

    out: Path
    framework: Framework
    cell: BiasCell

    @cached_property
    def data(self) -> Mapping[str, npt.NDArray[Any]]:
        """The training and the test set, as arrays."""
        return read_archive(Path(NETWORKS[self.cell.network].data))

    @property
    def base(self) -> Path:
        """The file of the network that is compressed."""
        return self.out / "bases" / f"{self.cell.network}-seed{self.cell.seed}.keras"

    @property
    def compressed(self) -> Path:
        """The file of what is compressed: the base, or the encoder below its classifier."""
        network = NETWORKS[self.cell.network]
        return Path(network.model) if network.is_encoder else self.base

    def classifier(self, model: Any) -> Any:
        """Return a compressed model with the classifier of the base on it, if it is an encoder."""
        if not NETWORKS[self.cell.network].is_encoder:
            return model
        return _with_head(model, self.framework.load_model(self.base).layers[-1].get_weights())

    def answers(self, model: Any) -> tuple[Answers, npt.NDArray[np.int64]]:
        """Return what a model answers to the test set, and the true classes."""
        outputs = self.framework.predict(model, self.data["x_test"].astype(np.float32))
        truth = true_classes(self.data["y_test"], outputs.shape[1])
        return answers_of(outputs, truth), truth

    def train_base(self) -> None:
        """Train the given network further with the seed of the cell, or a linear classifier on its features."""
        network = NETWORKS[self.cell.network]
        model = self.framework.load_model(Path(network.model))
        arrays = self.data
        make_folder(self.base.parent)
        if network.is_encoder:
            features = self.framework.predict(model, arrays["x_train"].astype(np.float32))
            head = _linear_classifier(features, arrays["y_train"].ravel(), self.cell.seed)
            self.framework.save_model(_with_head(model, head), self.base)
            return
        settings = dataclasses.replace(network.finetune, epochs=self.cell.epochs).alone()
        data = Arrays(arrays["x_train"], arrays["y_train"].ravel())
        self.framework.finetune(Family(model, (), ()), Training(data, settings, self.cell.seed, lambda _: None))
        self.framework.save_model(model, self.base)

    def attribute(self, model: Any, intact: Answers, truth: npt.NDArray[np.int64]) -> float | None:
        """Attribute the margins of some test examples to the channels of the base, and keep that for its other cells.

        Returns:
            The correlation with margins that the attribution did not see.
        """
        network = self.framework.inspect(model)
        chosen = _chosen(len(truth))
        arrays = self.data
        x = arrays["x_test"][chosen].astype(np.float32)
        ablations = random_ablations(sum(network.channels.values()), ABLATIONS, ABLATED, self.cell.seed)
        train = Arrays(arrays["x_train"][:REPAIR_EXAMPLES].astype(np.float32), arrays["y_train"][:REPAIR_EXAMPLES])
        repair = LossMeasurement(self.framework, model, network, train, train, Task(), self.cell.seed).recalibrated
        found = ablated_margins(
            self.framework, model, network, x, truth[chosen], ablations, lambda done, count: None, repair
        )
        attribution = attribute_margins(network.channels, ablations, found, intact.margins[chosen])
        np.savez_compressed(self._attribution, effects=attribution.effects)
        return attribution.correlation

    def attribution(self) -> ChannelAttribution:
        """Return the attribution of the base."""
        channels = self.framework.inspect(self.framework.load_model(self.base)).channels
        with np.load(self._attribution) as kept:
            return ChannelAttribution(starts_of(channels), kept["effects"], 0, None)

    @property
    def _attribution(self) -> Path:
        return self.base.with_suffix(".npz")


def _chosen(count: int) -> npt.NDArray[np.int64]:
    """The test examples whose margins are attributed, the same for all networks."""
    return np.sort(np.random.default_rng(0).permutation(count)[:EXAMPLES])


def perform(cell: BiasCell, out: Path) -> BiasRecord:
    """Run a cell, and return its record."""
    began, processor = time.perf_counter(), time.process_time()
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    registry = Registry()
    framework = registry.default_framework()
    run, found = CellRun(out, framework, cell), dict[str, Any]()
    if cell.method == BASE:
        if not run.base.exists():
            run.train_base()
        model = framework.load_model(run.base)
        answers, truth = run.answers(model)
        found["correlation"] = run.attribute(model, answers, truth)
        found["parameters"] = 1.0
    else:
        folder = out / "runs" / cell.name
        make_folder(folder.parent)
        given = {"out": folder, "settings": cell.settings, "mode": "resume" if folder.exists() else "refuse"}
        plan = prune(run.compressed, NETWORKS[cell.network].data, registry=registry, verbose=0, **given)
        (member,) = plan.subnetworks
        model = run.classifier(framework.load_model(member.path("keras")))
        base = framework.load_model(run.base)
        answers, truth = run.answers(model)
        found |= {"parameters": _nonzero(model) / _nonzero(base), "widths": dict(member.widths)}
        found |= _losses(run, base, answers, truth, member)
    labels = f"{cell.name}.npz"
    np.savez_compressed(out / labels, labels=answers.labels.astype(np.uint8))
    np.savez_compressed(out / f"{cell.network}-truth.npz", labels=truth.astype(np.uint8))
    sure = calibration(Population.of([answers]), truth)
    return BiasRecord(
        **dataclasses.asdict(cell),
        started_at=started_at,
        accuracy=float((answers.labels == truth).mean()),
        ece=sure.ece,
        confidence=sure.confidence,
        margin=sure.margin,
        predictions=labels,
        wall_s=time.perf_counter() - began,
        cpu_s=time.process_time() - processor,
        **found,
    )


def _losses(
    run: CellRun, base: Any, answers: Answers, truth: npt.NDArray[np.int64], member: SubnetworkRecord
) -> dict[str, Any]:
    """Which examples a compressed network loses, and how well that was predicted, as fields of a record."""
    before, _ = run.answers(base)
    was, is_now = before.labels == truth, answers.labels == truth
    found: dict[str, Any] = {"lost": int((was & ~is_now).sum()), "won": int((~was & is_now).sum())}
    if METHODS[run.cell.method].is_masking:
        return found
    channels = run.framework.inspect(base).channels
    removed = {group: np.setdiff1d(np.arange(channels[group]), kept) for group, kept in member.kept.items()}
    chosen = _chosen(len(truth))
    removal = NetworkLoss(
        sum(map(len, removed.values())),
        was[chosen],
        is_now[chosen],
        before.margins[chosen],
        run.attribution().predicted(removed),
    )
    found["removed"] = removal.removed
    prediction = predict_losses([removal], run.cell.seed)
    if prediction is not None:
        equal = prediction.at_equal_margin
        found |= {
            "attribution_auc": prediction.attribution.auc,
            "margin_auc": prediction.baseline.auc,
            "both_auc": prediction.both.auc,
            "equal_margin_auc": None if equal is None else equal.auc,
        }
    return found


def _linear_classifier(
    features: npt.NDArray[np.float32], labels: npt.NDArray[Any], seed: int
) -> list[npt.NDArray[np.float32]]:
    """The kernel and the bias of a linear classifier on a bootstrap sample of the training images."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    drawn = np.random.default_rng(seed).integers(0, len(labels), len(labels))
    scaler = StandardScaler().fit(features)
    found = LogisticRegression(max_iter=1000).fit(scaler.transform(features[drawn]), labels[drawn])
    kernel = found.coef_.T / scaler.scale_[:, None]
    bias = found.intercept_ - scaler.mean_ @ kernel
    return [kernel.astype(np.float32), bias.astype(np.float32)]


def _with_head(encoder: Any, head: list[npt.NDArray[np.float32]]) -> Any:
    """An encoder with a linear classifier on its features."""
    import keras

    layer = keras.layers.Dense(head[0].shape[1], name="classifier")
    model = keras.Model(encoder.input, layer(encoder.output))
    layer.set_weights(head)
    return model


def _nonzero(model: Any) -> int:
    return sum(int(np.count_nonzero(np.asarray(weight))) for weight in model.trainable_weights)


def write(records: Sequence[BiasRecord], folder: Path, path: Path) -> None:
    """Write the page from the records and the folder of what networks say."""
    write_text(path, page(records, folder))


STUDY = CellRuns(
    records=RECORDS,
    cells=lambda records, epochs: cells(),
    perform=perform,
    write=write,
    page=REPOSITORY / "docs" / "results" / "bias.md",
    kept=REPOSITORY / "benchmarks" / "records" / "bias",
    out=Path("out", "bias"),
    takes_epochs=False,
)

if __name__ == "__main__":
    STUDY.main(__doc__)
