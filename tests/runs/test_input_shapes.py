"""Shapes of inputs that a model file leaves open, given to calls and commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from toy_framework import ToyFramework, residual_model
from toy_latency import TimedToyFramework
from toy_plugins import FIRST_PARTY, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Workplace

import reds_core
from reds_core.errors import InputError
from reds_core.plan import load_plan
from reds_core.runs.input_shapes import input_shape_text
from reds_core.runs.recipe import load_recipe


@dataclass(frozen=True)
class ShapeOptions:
    """Options of a framework.

    Attributes:
        input_shape: Shapes of open inputs.
    """

    input_shape: str = ""


class Shaped(TimedToyFramework):
    """A framework that notes the shapes with which model files are read."""

    Options = ShapeOptions
    shapes: tuple[str, ...] = ()

    def load_model(self, path: Path) -> Any:
        Shaped.shapes += (self.options.input_shape,)
        return super().load_model(path)


NAME = ToyFramework.name


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    Shaped.shapes = ()
    yield
    Shaped.shapes = ()


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("224,224,3", "224,224,3"),
        ((224, 224, 3), "224,224,3"),
        ([16], "16"),
        ({"image": (8, 8, 1), "audio": "16000,1"}, "image=8,8,1;audio=16000,1"),
    ],
)
def test_a_shape_may_be_written_in_several_forms(shape: Any, text: str) -> None:
    assert input_shape_text(shape) == text


@pytest.mark.parametrize("command", ["inspect", "formulate", "latency", "prune"])
def test_commands_read_the_model_with_the_shape(reds: Reds, place: Workplace, command: str) -> None:
    reds.install(PluginModule("toy", (*FIRST_PARTY, Shaped)))
    given = {
        "inspect": (),
        "formulate": ("--scorer", "magnitude", "--budget", "macs=0.5", "--out", place.folder / "p.npz"),
        "latency": ("--points", 2, "--repeats", 10, "--checks", 0, "--out", place.folder / "t.json"),
        "prune": ("--data", place.data, "--finetune-epochs", 0, "--out", place.out),
    }[command]
    done = reds(command, place.model, *given, "--input-shape", "image=4", "--input-shape", "audio=2,1")
    assert done.status == 0, done.err
    assert Shaped.shapes[0] == "image=4;audio=2,1"


def test_the_shape_is_kept_in_the_recipe_and_when_a_run_is_resumed(place: Workplace) -> None:
    registry = toy_registry(framework=Shaped)
    plan = place.prune(settings=NO_TRAINING, input_shape=(4,), registry=registry)
    assert plan.options["options"] == {NAME: {"input_shape": "4"}}
    assert load_recipe(place.out / "recipe.yaml").settings.options == {NAME: {"input_shape": "4"}}
    assert place.resume(settings=NO_TRAINING, registry=registry) == load_plan(place.out)
    with pytest.raises(InputError, match="was started with options"):
        place.resume(settings=NO_TRAINING, input_shape=(5,), registry=registry)


def test_a_model_object_has_shapes_of_its_own() -> None:
    with pytest.raises(InputError, match="input_shape is given for a model object"):
        reds_core.inspect(residual_model(), input_shape=(4,), registry=toy_registry())


def test_a_framework_without_such_an_option_says_so(place: Workplace) -> None:
    with pytest.raises(InputError, match=f"framework '{NAME}' has no option 'input_shape'"):
        reds_core.inspect(place.model, input_shape=(4,), registry=toy_registry())
