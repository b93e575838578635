"""The Python call that mirrors the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_framework import residual_model, toy_arrays
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, QUICK, skip_report

from reds_core.errors import InfeasibleError, InputError
from reds_core.runs.api import prune
from reds_core.runs.dataset import dataset_from_arrays
from reds_core.runs.folder import Mode


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


def test_keywords_are_those_of_the_command_line(tmp_path: Path) -> None:
    data = toy_arrays(residual_model())
    examples = ((data["x_train"], data["y_train"]), (data["x_test"], data["y_test"]))
    options = {"magnitude": {"norm": "l1"}}
    plan = prune(
        residual_model(),
        examples,
        {"macs": [0.8, 0.6]},
        tmp_path,
        scorer="magnitude",
        options=options,
        finetune_epochs=1,
        seed=3,
        settings=QUICK,
        mode="refuse",
        registry=toy_registry(),
    )
    assert [s.name for s in plan.subnetworks] == ["60", "80"]
    assert (plan.scorer, plan.seed, plan.options["finetune"]["epochs"]) == ("magnitude", 3, 1)
    assert plan.options["options"] == options
    with pytest.raises(InputError, match="holds a finished run"):
        prune(residual_model(), examples, out=tmp_path, registry=toy_registry(), mode=Mode.REFUSE)


def test_arrays_that_do_not_fit_are_refused() -> None:
    x = np.zeros((4, 3))
    with pytest.raises(InputError, match="4 examples and 3 labels"):
        dataset_from_arrays((x, np.zeros(3, np.int64)), (x, np.zeros(4, np.int64)))


@pytest.mark.parametrize("data", [[1, 2, 3], {"x_train": 1}, np.zeros((4, 3)), (np.zeros(4), 3), 7])
def test_data_of_another_form_are_refused(data: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"data of type {type(data).__name__} cannot be used as a data set"):
        prune(residual_model(), data, out=tmp_path / "out", settings=NO_TRAINING, registry=toy_registry())
    assert not (tmp_path / "out").exists()


def test_the_share_that_an_unreachable_budget_is_answered_with_can_be_reached(tmp_path: Path) -> None:
    model, registry = residual_model(), toy_registry()

    def narrow(share: float) -> None:
        prune(model, None, {"macs": share}, tmp_path / str(share), settings=NO_TRAINING, registry=registry)

    with pytest.raises(InfeasibleError) as refused:
        narrow(0.001)
    share = re.search(r"to (0\.\d+) of the network", str(refused.value))
    assert share is not None
    narrow(float(share[1]))
