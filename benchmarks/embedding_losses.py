"""Compares the losses of features for docs/guide/embedding.md.

    python benchmarks/embedding_losses.py                  # about ten minutes of processor time
    python benchmarks/embedding_losses.py --from-records   # only writes the table

The features of MLPerf Tiny's ResNet8, which are what its last layer reads, are pruned to 50 and 25 % of their MACs, and
fine-tuned for a few epochs without labels on images of CIFAR-10. Features are then rated by simple classifiers on
images that were not trained on. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedding_quality import quality_of
from end_to_end import with_part

from reds_core import Registry, prune
from reds_core.report import many
from reds_core.system import RECORDS_FILE, RecordKind, make_folder, read_archive, write_archive, write_text

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT.parent / "shared" / "assets"
KEPT, PAGE = ROOT / "benchmarks" / "records" / "embedding-losses", ROOT / "docs" / "guide" / "embedding.md"
LOSSES = ("cosine_distance", "relative_squared_error", "mean_squared_error")
BUDGETS, SEEDS, EPOCHS = ("50", "25"), (0, 1), 3
TRAINED, MEASURED = 4000, 1500


@dataclass(frozen=True)
class LossRecord:
    """What fine-tuning by a loss reached for one member.

    Attributes:
        loss: The loss; "input" for the input model.
        member: The percent of the MACs; "100" for the input model.
        seed: The seed of the run.
        similarity: The feature similarity on the measured images.
        linear_probe, knn: Accuracies of the classifiers on the measured images.
    """

    loss: str
    member: str
    seed: int
    similarity: float
    linear_probe: float
    knn: float


RECORDS = RecordKind(LossRecord, "a member", "python benchmarks/embedding_losses.py")


def run_all(out: Path) -> None:
    """Run what is not recorded yet."""
    make_folder(out)
    arrays = read_archive(ASSETS / "data" / "cifar10.npz")
    train = arrays["x_train"][:TRAINED], arrays["y_train"][:TRAINED].ravel()
    test = arrays["x_test"][:MEASURED], arrays["y_test"][:MEASURED].ravel()
    images, model = out / "images.npz", out / "features.keras"
    if not images.exists():
        write_archive(images, {"x_train": train[0], "x_test": test[0]})
    encoder = _features()
    if not model.exists():
        encoder.save(model)
    with RECORDS.opened(out) as file:
        known = {(record.loss, record.member, record.seed) for record in file.before}

        def keep(loss: str, member: str, seed: int, similarity: float, found: Any) -> None:
            if (loss, member, seed) not in known:
                quality = quality_of(found, train, test)
                record = LossRecord(loss, member, seed, similarity, quality.linear_probe, quality.knn)
                file.append(record)
                sys.stdout.write(f"{record}\n")
                sys.stdout.flush()

        keep("input", "100", 0, 1.0, encoder)
        for seed in SEEDS:
            for loss in LOSSES:
                if (loss, BUDGETS[0], seed) in known:
                    continue
                plan = prune(
                    model,
                    images,
                    {"macs": [0.5, 0.25]},
                    out=out / "runs" / f"{loss}-{seed}",
                    task="embedding",
                    loss=loss,
                    finetune_epochs=EPOCHS,
                    seed=seed,
                    int8=False,
                    targets="keras",
                    mode="resume",
                    verbose=0,
                )
                for member in plan.subnetworks:
                    keep(loss, member.name, seed, float(member.accuracy.after or 0.0), plan[member.name].load())


def _features() -> Any:
    """ResNet8 up to the layer before its last."""
    import keras

    model = Registry().default_framework().load_model(ASSETS / "models" / "mlperf_tiny_resnet8_cifar10.h5")
    part = keras.Model(model.inputs, model.layers[-2].output, name="features")
    copy = keras.models.clone_model(part)
    copy.set_weights(part.get_weights())
    return copy


def table(records: Sequence[LossRecord]) -> str:
    """A table with a row for each loss and member: means over seeds."""
    lines = [
        "| loss | MACs | feature similarity | linear probe | k-NN |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for loss in ("input", *LOSSES):
        for member in ("100",) if loss == "input" else BUDGETS:
            own = [record for record in records if (record.loss, record.member) == (loss, member)]
            if own:
                name = "the input model" if loss == "input" else f"`{loss}`"
                figures = [_mean(own, take) for take in (_similarity, _probe, _knn)]
                lines.append(f"| {name} | {member} % | {' | '.join(figures)} |")
    return "\n".join(lines)


def _similarity(record: LossRecord) -> float:
    return record.similarity


def _probe(record: LossRecord) -> float:
    return record.linear_probe


def _knn(record: LossRecord) -> float:
    return record.knn


def _mean(records: Sequence[LossRecord], take: Callable[[LossRecord], float]) -> str:
    """The mean in percent, with the range over seeds if there are several."""
    found = [100 * take(record) for record in records]
    spread = f" ({min(found):.1f} to {max(found):.1f})" if len(found) > 1 else ""
    return f"{statistics.mean(found):.1f}{spread}"


def part(records: Sequence[LossRecord]) -> str:
    """Render the section of the page."""
    seeds = len({record.seed for record in records if record.loss != "input"})
    spread = f"; means and ranges over {many(seeds, 'seed')}" if seeds > 1 else ", one seed"
    return (
        f"The features of MLPerf Tiny's ResNet8 for CIFAR-10, pruned and fine-tuned without labels on {TRAINED:,} "
        f"images for {EPOCHS} epochs, in percent on {MEASURED:,} test images{spread}. Made by `python "
        f"benchmarks/embedding_losses.py`:\n\n{table(records)}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/embedding-losses"), help="folder of the runs")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table goes")
    parser.add_argument("--from-records", action="store_true", help="write the table from kept records")
    given = parser.parse_args(arguments)
    if not given.from_records:
        run_all(given.out.resolve())
        make_folder(KEPT)
        write_text(KEPT / RECORDS_FILE, (given.out / RECORDS_FILE).read_text(encoding="utf-8"))
    records = RECORDS.read(KEPT)
    write_text(given.page, with_part(given.page.read_text(encoding="utf-8"), "losses", part(records)))
    sys.stdout.write(table(records) + "\n")


if __name__ == "__main__":
    main()
