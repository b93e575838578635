"""What a run tells the framework about training."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from toy_framework import ToyFramework
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, QUICK, Workplace

from reds_core.errors import InputError
from reds_core.framework.data import Arrays
from reds_core.framework.finetuning import FinetuneSettings, Teacher
from reds_core.framework.training import Training
from reds_core.plan import load_plan


def recorded(place: Workplace, **changes: Any) -> list[tuple[Any, Training]]:
    """What a run asks the framework to train, and how."""
    trainings: list[tuple[Any, Training]] = []

    class Recording(ToyFramework):
        def finetune(self, family: Any, training: Training) -> None:
            trainings.append((family, training))
            super().finetune(family, training)

    place.prune(registry=toy_registry(framework=Recording), **changes)
    return trainings


def test_the_network_as_it_was_given_is_the_teacher(place: Workplace) -> None:
    ((family, training),) = recorded(place)
    assert training.teacher is not None
    assert training.teacher is not family.full
    given = ToyFramework().load_model(place.model)
    assert all((given.weights[name] == array).all() for name, array in training.teacher.weights.items())
    assert training.settings == QUICK.finetune
    assert training.validation is not None


def test_networks_that_are_not_trained_are_recalibrated_where_there_is_data(place: Workplace) -> None:
    ((_, training),) = recorded(place, settings=NO_TRAINING)
    assert training.settings.epochs == 0
    assert training.settings.recalibrate
    assert recorded(place, settings=NO_TRAINING, data=None, out=place.folder / "no data") == []


def test_settings_are_checked_before_a_run_begins(place: Workplace) -> None:
    class Strict(ToyFramework):
        def check_finetuning(self, model: Any, data: Arrays, settings: FinetuneSettings) -> None:
            assert len(data) > 0
            raise InputError(f"no {settings.optimizer} here", "take another")

        def gradients(self, *arguments: Any) -> Any:
            raise AssertionError("nothing is scored")

    asked = dataclasses.replace(QUICK, finetune=FinetuneSettings(optimizer="adm"))
    with pytest.raises(InputError, match="no adm here; take another"):
        place.prune(registry=toy_registry(framework=Strict), settings=asked)
    assert not place.out.exists()
    place.prune(registry=toy_registry(framework=Strict), settings=NO_TRAINING)


@pytest.mark.parametrize("who", list(Teacher))
@pytest.mark.parametrize(
    ("pruner", "option", "budgets", "alone"),
    [
        ("oneshot", {}, {"macs": [0.75, 0.5]}, True),
        ("uniform", {}, {"macs": 0.5}, True),
        ("uniform", {"finetune": "alone"}, {"macs": [0.75, 0.5]}, True),
        ("layerwise", {}, {"macs": 0.5}, True),
        ("layerwise", {"finetune": "joint"}, {"macs": 0.5}, False),
        ("progressive", {}, {"macs": 0.5}, True),
        ("progressive", {}, {"macs": [0.75, 0.5]}, False),
        ("nested", {}, {"macs": 0.5}, False),
    ],
)
def test_a_subnetwork_that_trains_alone_is_taught_by_the_full_network_as_it_was_given(
    place: Workplace, pruner: str, option: dict[str, str], budgets: dict[str, Any], alone: bool, who: Teacher
) -> None:
    """There the full network does not learn: without this `full` would be an option that does nothing."""
    asked = dataclasses.replace(
        QUICK, pruner=pruner, options={pruner: option}, finetune=dataclasses.replace(QUICK.finetune, distill=who)
    )
    trainings = [(f, t) for f, t in recorded(place, settings=asked, budgets=budgets) if t.settings.epochs]
    assert trainings
    taught_by = Teacher.INPUT if alone and who is Teacher.FULL else who
    for family, training in trainings:
        assert bool(family.members) is not alone
        assert training.settings.distill is taught_by
        assert training.teacher is not None
    assert load_plan(place.out).options["finetune"]["distill"] == who.value
