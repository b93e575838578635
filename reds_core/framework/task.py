"""What networks are trained for and measured by: a loss and a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from reds_core.system.records import LEFT_OUT

FEATURE_SIMILARITY = "feature_similarity"
"""The metric of embeddings: the mean cosine similarity of an example's features with those of the input model."""


class TaskKind(Enum):
    """Where the labels come from with which outputs are compared.

    `supervised`: from the data. `embedding`: they are the outputs of the input model for the same example, so that
    encoders need no labels (feature distillation: Romero et al., arXiv 1412.6550). `reconstruction`: they are the
    examples themselves, as for autoencoders.
    """

    SUPERVISED = "supervised"
    EMBEDDING = "embedding"
    RECONSTRUCTION = "reconstruction"


@dataclass(frozen=True)
class Defaults:
    """The loss and the metric of a kind of task; None if they follow from the labels."""

    loss: str | None = None
    metric: str | None = None


DEFAULTS = {
    TaskKind.SUPERVISED: Defaults(),
    TaskKind.EMBEDDING: Defaults("cosine_distance", FEATURE_SIMILARITY),
    TaskKind.RECONSTRUCTION: Defaults("mean_squared_error", "mean_squared_error"),
}


@dataclass(frozen=True)
class Task:
    """How outputs are compared with labels.

    Frameworks compute with `filled`. For embeddings, they know the losses `cosine_distance` and
    `relative_squared_error` and the metric `feature_similarity`, which compare the outputs of an example as one vector.

    From Python, losses and metrics may also be functions or objects of the framework and, for models of several
    outputs, lists in the order of the outputs or dicts by name of the output.

    Attributes:
        loss: The name of a loss of the framework, with arguments in brackets if it needs any. None means the
            crossentropy that fits the labels and the last activation, the cosine distance for embeddings, and the mean
            squared error for reconstructions. A last softmax means probabilities, any other activation logits.
        metric: The name of a metric of the framework, with arguments in brackets if it needs any. None means accuracy,
            the feature similarity for embeddings, and the mean squared error for reconstructions.
        loss_weights: The weight of the loss of each output in the total loss, in the order of the outputs or by their
            names. None means 1 for all.
        kind: What outputs are compared with: the labels of the data, the features that the input model has for the same
            example, or the example itself. Only supervised tasks need labels; others ignore them.
    """

    loss: Any = None
    metric: Any = None
    loss_weights: Any = None
    kind: TaskKind = field(default_factory=lambda: TaskKind.SUPERVISED, metadata={LEFT_OUT: True})

    @property
    def filled(self) -> Task:
        """The same task with the default loss and metric of its kind where none is given."""
        own = DEFAULTS[self.kind]
        loss, metric = (
            (own.loss if self.loss is None else self.loss),
            (own.metric if self.metric is None else self.metric),
        )
        return replace(self, loss=loss, metric=metric)

    @property
    def is_labelled(self) -> bool:
        """Whether the labels come from the data."""
        return self.kind is TaskKind.SUPERVISED

    def described(self) -> Task:
        """Return the same task, filled, with texts in place of objects, for records."""
        own = self.filled
        return Task(as_text(own.loss), as_text(own.metric), as_text(own.loss_weights), own.kind)


def as_text(value: Any) -> Any:
    """Return a loss, a metric or weights for records: objects by their names, all else as it is.

    Those of several outputs are one text, such as `cls: accuracy, reg: mae`.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {as_text(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(as_text(one)) for one in value)
    return str(getattr(value, "__name__", None) or getattr(value, "name", None) or type(value).__name__)
