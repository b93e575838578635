"""The page of benchmarks/encoders.py."""

from __future__ import annotations

from collections.abc import Sequence

from encoder_records import EncoderRecord

from reds_core.report import many

_ABOUT = {
    "simclr": (
        "An encoder without labels",
        "The trunk of ResNet8, trained on the 10,000 images by the contrastive loss of SimCLR (Chen et al., arXiv "
        "2002.05709), and pruned and fine-tuned with `--task embedding`: no label is used but for the probes.",
    ),
    "semi-supervised": (
        "A classifier from a tenth of the labels",
        "ResNet8 was trained on 1,000 labelled images, and then on these and on its own answers for the other 9,000 "
        "wherever it was at least 90 % sure (pseudo-labels). Its logits were pruned and fine-tuned with `--task "
        "embedding`, so without any label: the similarity is that of logits, and the two classifiers are fitted to "
        "what is before the last layer.",
    ),
    "autoencoder": (
        "An autoencoder",
        "A convolutional autoencoder of Fashion-MNIST with a code of 32 numbers, pruned and fine-tuned with `--task "
        "reconstruction`. Features are its code. Pixels have values from 0 to 255.",
    ),
}

COMPLETE, EPOCHS = 15, 40
"""How many records the whole experiment has, and the epochs of its trainings. Conclusions are about these alone."""
FOUND = """\
- **Without labels, little is lost.** At a quarter of the MACs, a linear classifier on the features of the SimCLR
  encoder is 1.3 points less accurate than on those of the input model, and k-NN 2.8 points, after ten epochs in which
  the pruned network only learned to give the same features. Pruning with labels was not tried for comparison.
- **A classifier can be pruned without labels as well.** With a half and a quarter of its MACs, the semi-supervised
  network has an accuracy of 50.6 and 49.0 %, and the one that it was cut from 48.4 %. The linear probe loses 2.1 points
  at a quarter. On 3,000 test images, differences of 2 points may be chance.
- **Good features do not need a good output.** Without fine-tuning, the autoencoder at a quarter of its MACs returns
  images with ten times the error, but its code is as good for both classifiers as that of the input model. Fine-tuning
  brings the error back to within 5 %.
- **Before fine-tuning, the similarity of features overstates how good they are:** 88 % at a half of the MACs of the
  SimCLR encoder go with a loss of 9 to 11 points."""


def page(records: Sequence[EncoderRecord]) -> str:
    """Render the page."""
    parts = [
        "# Encoders, semi-supervised classifiers and autoencoders",
        "Networks that were trained without labels, or with few, are pruned to 50 and 25 % of their MACs and "
        "fine-tuned [without labels](../guide/embedding.md). How good their features are is told by two simple "
        "classifiers on them: the *linear probe* is a logistic regression, and *k-NN* is the vote of the 20 training "
        "images whose features have the highest cosine similarity. Both are fitted to all training images with their "
        "labels, of which the networks saw none or a tenth, and their accuracy is that on test images.",
    ]
    for name, (title, about) in _ABOUT.items():
        own = [record for record in records if record.network == name]
        if own:
            parts += [f"## {title}", about, _training(own), _table(own)]
    if len(records) == COMPLETE and all(record.epochs == EPOCHS for record in records):
        parts += ["## What may be concluded", FOUND]
    parts.append(
        "All figures are of one seed. This page was written by `python benchmarks/encoders.py` on a machine of two "
        "cores without a GPU, on data of ../shared/assets."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _training(records: Sequence[EncoderRecord]) -> str:
    given = next((record for record in records if record.member == "input"), None)
    if given is None or given.first_loss is None or given.last_loss is None:
        return ""
    return (
        f"It was trained for {given.epochs} epochs of {given.seconds_per_epoch:.0f} s each (the median), in which its "
        f"training loss fell from {given.first_loss:.4g} to {given.last_loss:.4g}."
    )


def _table(records: Sequence[EncoderRecord]) -> str:
    has_accuracy = any(record.accuracy is not None for record in records)
    has_error = any(record.error is not None for record in records)
    figure = "mean squared error" if has_error else "feature similarity"
    columns = ["network", "fine-tuning", figure, *(["accuracy"] if has_accuracy else []), "linear probe", "k-NN"]
    lines = [f"| {' | '.join(columns)} |", "| --- | --- |" + " ---: |" * (len(columns) - 2)]
    for record in sorted(records, key=lambda r: (r.member != "input", -float(r.member if r.member != "input" else 0))):
        is_input = record.member == "input"
        own = _number(record.error) if has_error else _percent(1.0 if is_input else record.metric)
        cells = [
            "input model" if is_input else f"{record.member} % of MACs",
            "–" if is_input else many(record.finetune_epochs, "epoch"),
            own,
            *([_percent(record.accuracy)] if has_accuracy else []),
            _percent(record.linear_probe),
            _percent(record.knn),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(figure: float | None) -> str:
    return "–" if figure is None else f"{100 * figure:.1f} %"


def _number(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.4g}"
