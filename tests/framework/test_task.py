"""Tasks: their defaults, and what records state of them."""

from __future__ import annotations

from typing import Any

import pytest

from reds_core.framework.task import Task, TaskKind
from reds_core.report.facts import metric_of
from reds_core.system.records import from_plain, to_plain


def test_defaults_belong_to_the_kind_and_are_only_filled_in_for_use() -> None:
    task = Task(kind=TaskKind.EMBEDDING)
    assert (task.loss, task.metric) == (None, None)
    assert (task.filled.loss, task.filled.metric) == ("cosine_distance", "feature_similarity")
    assert Task("mse", kind=TaskKind.EMBEDDING).filled.loss == "mse"
    assert Task().filled == Task()
    assert Task(kind=TaskKind.RECONSTRUCTION).filled.loss == "mean_squared_error"
    assert [Task(kind=kind).is_labelled for kind in TaskKind] == [True, False, False]


def test_records_of_supervised_tasks_do_not_name_the_kind() -> None:
    """So runs from before there were other kinds can be resumed."""
    assert to_plain(Task().described()) == {"loss": None, "metric": None, "loss_weights": None}


@pytest.mark.parametrize("kind", list(TaskKind))
def test_described_tasks_are_read_back(kind: TaskKind) -> None:
    described = Task(kind=kind).described()
    assert from_plain(Task, to_plain(described)) == described


class Named:
    name = "mean_absolute_error"


@pytest.mark.parametrize(
    ("metric", "name", "is_share"),
    [
        (None, "accuracy", True),
        ("acc", "accuracy", True),
        ("SparseCategoricalAccuracy", "accuracy", True),
        ("binary_accuracy[threshold=0.7]", "accuracy", True),
        ("sparse_top_k_categorical_accuracy[k=5]", "sparse_top_k_categorical_accuracy[k=5]", True),
        ("TopKCategoricalAccuracy", "TopKCategoricalAccuracy", True),
        ("masked_acc", "masked_acc", True),
        ("inaccuracy", "inaccuracy", False),
        ("accumulated_error", "accumulated_error", False),
        (Named(), "mean_absolute_error", False),
        (["accuracy", "mae"], "accuracy, mae", False),
        ({"cls": "accuracy", "reg": "mae"}, "cls: accuracy, reg: mae", False),
        ({"a": "acc", "b": "accuracy"}, "accuracy", True),
        (["acc", "top_k_categorical_accuracy[k=2, x=3]"], "acc, top_k_categorical_accuracy[k=2, x=3]", True),
    ],
)
def test_only_accuracies_are_shares(metric: Any, name: str, is_share: bool) -> None:
    """Of several outputs, all of them; objects are told by their names, before and after they are recorded."""
    for found in (metric_of({"metric": metric}), metric_of(to_plain(Task(metric=metric).described()))):
        assert (found.name, found.is_share) == (name, is_share)


def test_the_metric_of_embeddings_is_a_share_with_a_name_and_a_meaning() -> None:
    metric = metric_of(to_plain(Task(kind=TaskKind.EMBEDDING).described()))
    assert (metric.name, metric.heading, metric.is_share) == ("feature similarity", "similarity", True)
    assert "cosine similarity" in metric.meaning
    assert "of the input model" in metric.meaning
    assert "accuracy" not in metric.meaning
    labelled = metric_of(to_plain(Task(metric="feature_similarity").described()))
    assert "and the labels of the same example" in labelled.meaning, "there is no teacher"
