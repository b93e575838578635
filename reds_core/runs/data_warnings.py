"""Warnings about data that a run can use, but that is too thin, or is not what the model was made for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.framework.data import (
    SAMPLE_BYTES,
    SAMPLE_EXAMPLES,
    Arrays,
    Data,
    Stream,
    columns,
    each,
    example_bytes,
    sampled,
)
from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.network.exits import exit_names

FEWEST_EXAMPLES = 100
"""With fewer test examples, a single one changes the accuracy by more than one point."""
_SCALE_EXAMPLES = 128
"""The number of examples whose values are compared."""
_SCALE_FACTOR = 8.0
"""How many times as much, or as little, test examples may vary as training examples without a warning."""
_EXAMPLES_PER_CLASS = 20
"""A sample with fewer examples per class may lack a class by chance."""
_MOST_NAMED = 5


def data_warnings(
    framework: Framework,
    model: Any,
    network: Network,
    train: Data,
    validation: Data | None,
    test: Data | None,
    *,
    labelled: bool = True,
) -> list[str]:
    """Warnings about too few examples, missing classes and values of an unexpected scale, one sentence each.

    Streams are judged by the sample that they keep in memory.

    Args:
        framework: The framework of the model.
        model: The input model.
        network: Its description.
        train: The training data, as `check_data` returns it.
        validation: The part of it that is held back, or other validation data; None if there is neither.
        test: The test data; None if there is none.
        labelled: Whether labels come from the data, so that they may be classes.
    """
    held_back = validation if isinstance(train, Arrays) and isinstance(validation, Arrays) else None
    parts = [_part_of("training data", train, held_back)]
    if test is not None:
        parts.append(_part_of("test data", test))
    warnings: list[str] = []
    for part in parts:
        warnings += (*part.size_warnings(), *(part.class_warnings(network) if labelled else ()))
    examples = _examples(train)
    warnings += framework.input_notes(model, examples.x)
    if test is not None:
        warnings += _scale_warnings(examples, _examples(test))
    return warnings


def evaluation_warnings(
    framework: Framework, model: Any, network: Network | None, test: Data, *, labelled: bool = True
) -> list[str]:
    """Warnings about the test data on which a model is measured, one sentence each.

    Args:
        framework: The framework of the model.
        model: The model.
        network: Its description; None if it cannot be described, so that nothing is said about classes.
        test: The test data, as `check_data` returns it.
        labelled: Whether labels come from the data, so that they may be classes.
    """
    part = _part_of("test data", test)
    classes = () if network is None or not labelled else part.class_warnings(network)
    return [*part.size_warnings(), *classes, *framework.input_notes(model, _examples(test).x)]


@dataclass(frozen=True, eq=False)
class _Part:
    """The training data or the test data, as far as it is in memory.

    Attributes:
        name: Its name in messages.
        labels: The labels of each output, as arrays that together hold those of all examples.
        is_whole: Whether these are all of its examples.
    """

    name: str
    labels: tuple[tuple[npt.NDArray[Any], ...], ...]
    is_whole: bool

    @property
    def count(self) -> int:
        """The number of examples."""
        return sum(map(len, self.labels[0]))

    def size_warnings(self) -> Iterator[str]:
        """A warning if there are few examples."""
        if self.is_whole and self.count < FEWEST_EXAMPLES:
            some = f"{self.count} example{'s' * (self.count != 1)}"
            yield f"the {self.name} has only {some}, so the results depend on chance; give at least {FEWEST_EXAMPLES}"

    def class_warnings(self, network: Network) -> Iterator[str]:
        """Warnings for each output for which there is only one class, or some have no example."""
        seen = f"the {self.name}" if self.is_whole else f"the first {self.count:,} examples of the {self.name}"
        has = "has" if self.is_whole else "have"
        outputs = network.outputs[-1:] if exit_names(network) else network.outputs  # exits have the same labels
        for labels, tensor in zip(self.labels, outputs, strict=True):
            where = f" for output '{_producer(network, tensor)}'" if len(self.labels) > 1 else ""
            found = [_found_classes(array, network.tensors[tensor].axis.full(network.channels)) for array in labels]
            if not all(f is not None for f in found):
                continue
            present = np.any([f for f in found if f is not None], axis=0)
            missing = np.flatnonzero(~present)
            has_one_class = all(map(_is_one_class_each, labels))
            enough = self.is_whole or self.count >= _EXAMPLES_PER_CLASS * len(present)
            if present.sum() == 1 and (has_one_class or labels[0].dtype.kind == "i"):
                only = int(np.argmax(present))
                yield f"all labels of {seen}{where} are of class {only}; give examples of the other classes as well"
            elif len(missing) and enough and (has_one_class or labels[0].dtype.kind != "i"):
                yield (
                    f"{seen} {has} no example of {_listed(missing, len(present))}{where}; check that the labels are "
                    "those that the model was made for"
                )


def _part_of(name: str, data: Data, more: Arrays | None = None) -> _Part:
    if isinstance(data, Arrays):
        arrays = [data] if more is None else [data, more]
        return _Part(name, tuple(zip(*(columns(part.y) for part in arrays), strict=True)), True)
    seen = data.sample(SAMPLE_EXAMPLES)
    is_whole = len(seen) < SAMPLE_EXAMPLES and (len(seen) + 1) * example_bytes(seen) <= SAMPLE_BYTES
    return _Part(name, tuple((labels,) for labels in columns(seen.y)), is_whole)


def _producer(network: Network, tensor: int) -> str:
    return next((layer.name for layer in network.layers if tensor in layer.outputs), "input")


def _found_classes(labels: npt.NDArray[Any], width: int) -> npt.NDArray[np.bool_] | None:
    """Which classes have an example, bool (classes,); None if labels are not classes.

    Args:
        labels: Labels of one output, as `check_data` returns them: class numbers, rows of zeros and ones, or others.
        width: The number of the network's outputs.
    """
    if labels.dtype.kind == "i":
        classes = max(width, 2)
        inside = labels[(labels >= 0) & (labels < classes)]  # the loss ignores others
        counts: npt.NDArray[np.int64] = np.bincount(inside.ravel(), minlength=classes)
        return counts > 0
    if labels.ndim == 2 and labels.shape[1] > 1 and bool(np.all((labels == 0) | (labels == 1))):
        return np.asarray(labels.any(axis=0))
    return None


def _is_one_class_each(labels: npt.NDArray[Any]) -> bool:
    """Whether each example has one class, in contrast to one for each position, or several at once."""
    return labels.ndim == 1 or (labels.dtype.kind != "i" and bool(np.all(labels.sum(axis=1) == 1)))


def _listed(classes: Sequence[int] | npt.NDArray[np.int64], total: int) -> str:
    """Some classes in words: class 3; classes 3 and 4; 900 of 1,000 classes, such as 3, 4 and 5."""
    named = [str(int(number)) for number in classes[:_MOST_NAMED]]
    told = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    if len(classes) > _MOST_NAMED:
        return f"{len(classes):,} of {total:,} classes, such as {told}"
    return f"class{'es' * (len(named) > 1)} {told}"


def _examples(data: Data) -> Arrays:
    """Some examples, drawn at random from those that are in memory."""
    seen = data.sample(SAMPLE_EXAMPLES) if isinstance(data, Stream) else data
    return sampled(seen, _SCALE_EXAMPLES, 0)


def _scale_warnings(train: Arrays, test: Arrays) -> Iterator[str]:
    """Warnings for each input whose test examples are scaled differently from the training examples."""
    spreads = [[float(column.std()) for column in columns(each(_as_float, part.x))] for part in (train, test)]
    for first, second in zip(*spreads, strict=True):
        if not (first and second) or 1 / _SCALE_FACTOR <= second / first <= _SCALE_FACTOR:
            continue
        times = f"{second / first:,.0f} times" if second > first else f"1/{first / second:,.0f}"
        yield (
            f"the values of the test data vary about {times} as much as those of the training data; scale both in the "
            "same way"
        )


def _as_float(array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return array.astype(np.float64)
