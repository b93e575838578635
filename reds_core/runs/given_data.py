"""Data that is given as objects in Python: which parts there are, and which of them is what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike, fspath
from typing import Any

from reds_core.errors import InputError
from reds_core.framework.data import Arrays
from reds_core.framework.examples import is_array, is_columns
from reds_core.framework.framework import Framework
from reds_core.runs.dataset import (
    ARRAYS,
    GIVE_DATA,
    STREAM,
    Dataset,
    Reading,
    dataset_from_arrays,
    dataset_of,
    read_data,
)
from reds_core.runs.image_stream import ImageStream
from reds_core.runs.settings import RunSettings


@dataclass(frozen=True, eq=False)
class Splits:
    """Training and test data, of which at least one must be read by a framework.

    Attributes:
        train: (x, y), (x, y, sample_weight), or an object that yields batches of these.
        test: The same, or None.
        name: The name in records of the run.
    """

    train: Any
    test: Any | None
    name: str = STREAM


def given_data(data: Any, labelled: bool = True) -> str | Dataset | Splits | None:
    """Find out in which form data is given.

    It is the name or path of a data set, a `Dataset`, training data alone, or a pair of training and test data. Each of
    these is (x, y), (x, y, sample_weight), or an object that yields batches of these.

    Args:
        data: What the user gives.
        labelled: Whether it has labels. Otherwise a part may also be x or (x,), and labels are left out.

    Raises:
        InputError: If it is none of these.
    """
    if isinstance(data, str | Dataset | None):
        return data
    if isinstance(data, PathLike):
        return str(fspath(data))
    train, test = _parts(data) if labelled else _parts_without_labels(data)
    if isinstance(train, tuple | list) and isinstance(test, tuple | list | None):
        return dataset_from_arrays(train, test, ARRAYS)
    return Splits(train, test)


def _parts_without_labels(data: Any) -> tuple[Any, Any | None]:
    """The training data and the test data, as (x,) or (x, None, sample_weight) where they are arrays.

    Raises:
        InputError: If `data` is neither training data nor a pair of training and test data.
    """
    is_pair = isinstance(data, tuple | list) and len(data) == 2
    train, test = data if is_pair else (data, None)
    if not all(_is_source(part) or _is_unlabelled(part) for part in (train, test) if part is not None):
        raise InputError(
            f"data of type {type(data).__name__} cannot be used as a data set",
            "give the name or path of a data set, x_train, (x_train, x_test), or objects that yield batches",
        )
    return _without_labels(train), None if test is None else _without_labels(test)


def _without_labels(part: Any) -> Any:
    if is_array(part) or isinstance(part, Mapping):
        return (part,)
    return (part[0], None, *part[2:]) if isinstance(part, tuple | list) else part


def _is_unlabelled(part: Any) -> bool:
    """Whether `part` may be x, (x,), (x, y) or (x, y, sample_weight), where y may be None."""
    if is_array(part) or isinstance(part, Mapping):
        return True
    is_examples = isinstance(part, tuple | list) and len(part) in (1, 2, 3)
    return is_examples and all(_is_values(each) or (each is None and at == 1) for at, each in enumerate(part))


def _parts(data: Any) -> tuple[Any, Any | None]:
    """The training data and the test data.

    Raises:
        InputError: If `data` is neither training data nor a pair of training and test data.
    """
    if _is_source(data):
        return data, None
    if isinstance(data, tuple | list) and len(data) == 2:
        first, second = data
        if _is_source(first) or _is_source(second) or second is None:
            if all(_is_source(part) or _is_examples(part) for part in (first, second) if part is not None):
                return first, second
        elif _is_examples(first) and _is_examples(second) and not _are_columns_of_one(first, second):
            return first, second
    if isinstance(data, tuple | list) and len(data) in (2, 3) and all(map(_is_values, data)):
        return tuple(data), None
    parts = f" (its parts: {_kinds(data)})" if isinstance(data, tuple | list) else ""
    raise InputError(f"data of type {type(data).__name__} cannot be used as a data set{parts}", GIVE_DATA)


def _kinds(parts: tuple[Any, ...] | list[Any]) -> str:
    """The types of the first parts, with the shapes of arrays."""
    named = [f"{type(p).__name__}{p.shape if is_array(p) else ''}" for p in parts[:4]]
    return ", ".join(named) + (", ..." if len(parts) > 4 else "") if named else "none"


def _is_source(part: Any) -> bool:
    """Whether `part` may yield batches. Frameworks find out later whether it does."""
    if isinstance(part, tuple | list | set | frozenset | str | bytes | Mapping) or is_array(part):
        return False
    return callable(part) or any(hasattr(part, name) for name in ("__iter__", "__next__", "__getitem__"))


def _is_values(part: Any) -> bool:
    """Whether `part` may hold the examples, the labels or the weights of a data set."""
    return is_array(part) or isinstance(part, list | tuple | Mapping)


def _is_examples(part: Any) -> bool:
    """Whether `part` may be (x, y) or (x, y, sample_weight)."""
    return isinstance(part, tuple | list) and len(part) in (2, 3) and all(map(_is_values, part))


def _are_columns_of_one(first: Any, second: Any) -> bool:
    """Whether two lists are the inputs and the outputs of one set of examples, not a training set and a test set.

    Tuples are sets of examples, and so are lists with different numbers of examples.
    """
    if isinstance(first, tuple) or isinstance(second, tuple):
        return False
    if not (is_columns(first) and is_columns(second)):
        return all(not is_array(part) for part in (*first, *second))
    return len({len(array) for array in (*first, *second)}) == 1


def read_given(
    data: str | Dataset | Splits, validation: Any | None, framework: Framework, model: Any | None, settings: RunSettings
) -> Dataset:
    """Read data in whichever form it is given. Images that are read from disk in each pass are split for validation.

    Args:
        data: What `given_data` returned.
        validation: Validation data in the form of a part of a `Splits`, or None.
        framework: Reads its own data objects.
        model: The model that takes the examples, or None if one is to be trained.
        settings: The settings of the run.

    Raises:
        InputError: If the data is missing, damaged, invalid or too large for memory.
        UnavailableError: If a library that is needed to read it is not installed.
    """
    batch_size, labelled = settings.finetune.batch_size, settings.task.is_labelled
    reading = Reading(framework, model, batch_size, settings.seed, settings.stream, labelled)
    if isinstance(data, str):
        dataset = read_data(data, reading)
    elif isinstance(data, Splits):
        test = None if data.test is None else reading.part(data.test, "test data")
        dataset = dataset_of(data.name, reading.part(data.train, "training data"), test)
    elif labelled or not isinstance(data.train, Arrays):
        dataset = data
    else:
        test = None if data.test is None else reading.part(data.test, "test data")
        dataset = dataset_of(data.name, reading.part(data.train, "training data"), test)
    if validation is None:
        if isinstance(dataset.train, ImageStream) and settings.holdout:
            train, held_back = dataset.train.split(settings.holdout, settings.seed)
            return replace(dataset, train=train, validation=held_back)
        return dataset
    if not (_is_source(validation) or (_is_examples(validation) if labelled else _is_unlabelled(validation))):
        raise InputError(
            f"validation_data of type {type(validation).__name__} cannot be used",
            "give (x, y), (x, y, sample_weight), or an object that yields batches of these",
        )
    return replace(dataset, validation=reading.part(validation, "validation data"))
