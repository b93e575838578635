"""Compares the time of an epoch of fine-tuning with one of plain Keras: `python benchmarks/training_time.py`.

For each network, the family of four at 25, 50, 75 and 100 % of its MACs is trained on random data, and the network
itself by `fit` of Keras. Times are CPU milliseconds of a step over all threads of the process, without the tracing of
graphs: the minimum over the epochs after the first. Numbers in brackets are ratios to plain Keras. With --write, the
table is written into docs/guide/finetuning.md. With --process-settings, the family of ResNet8 is trained in batches
of 64 in four processes: with and without keeping memory that is freed, and with oneDNN and with TensorFlow's own
kernels. On processors with instructions for neural networks, TensorFlow uses oneDNN by itself.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ds_cnn import ds_cnn_s
from end_to_end import with_part

import reds_core
from reds_core import FinetuneSettings, Registry
from reds_core.framework import Arrays, Family, Framework, Training, TrainingObjects
from reds_core.system import this_machine, write_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "finetuning.md"
ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets"
RESNET8 = ASSETS / "models" / "mlperf_tiny_resnet8_cifar10.h5"
SETTINGS = FinetuneSettings(learning_rate=1e-4)
WAYS = ("plain Keras", "all members", "one member a step")


@dataclass(frozen=True)
class Case:
    """A network with the shape of its examples, its number of classes, and how much is trained on."""

    name: str
    build: Callable[[], Any]
    shape: tuple[int, ...]
    classes: int
    batch_size: int
    batches: int


def cases() -> list[Case]:
    """The networks, of which ResNet8 is left out if its file is missing."""
    import keras

    framework = Registry().default_framework()
    mobilenet = keras.applications.MobileNetV2
    found = [Case("DS-CNN S, 28 x 28", lambda: ds_cnn_s((28, 28, 1), 10), (28, 28, 1), 10, 64, 20)]
    if RESNET8.exists():
        found.append(Case("ResNet8, 32 x 32", lambda: framework.load_model(RESNET8), (32, 32, 3), 10, 32, 20))
    small = {"input_shape": (96, 96, 3), "alpha": 0.35, "weights": None, "classes": 10}
    found.append(Case("MobileNetV2 0.35, 96 x 96", lambda: mobilenet(**small), (96, 96, 3), 10, 32, 6))
    return found


def family_of(framework: Framework, model: Any) -> Family[Any]:
    """The family that the knapsack chooses by the magnitudes of weights."""
    network = framework.inspect(model)
    with tempfile.TemporaryDirectory() as folder:
        settings = reds_core.RunSettings(scorer="magnitude", finetune=replace(SETTINGS, epochs=0))
        plan = reds_core.prune(model, None, {"macs": [0.25, 0.5, 0.75]}, Path(folder) / "run", settings=settings)
    widths = tuple(dict(subnetwork.widths) for subnetwork in plan.subnetworks)
    kept = [{group: np.arange(width) for group, width in member.items()} for member in widths]
    return Family(model, tuple(framework.extract(model, network, one) for one in kept), widths)


def milliseconds(train: Callable[[Any, int], Any], batches: int, epochs: int) -> float:
    """CPU ms of a step: the minimum over epochs but the first, in which graphs are traced.

    Args:
        train: trains with a Keras callback for a number of epochs.
        batches: number of steps in an epoch.
        epochs: number of epochs that count.
    """
    import keras

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        begun = 0.0
        spent: list[float] = []  # noqa: RUF012

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.begun = time.process_time()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.spent.append(time.process_time() - self.begun)

    clock = Clock()
    train(clock, epochs + 1)
    return min(clock.spent[1:]) / batches * 1e3


def examples(case: Case) -> Arrays:
    """Random examples."""
    generator = np.random.default_rng(0)
    count = case.batch_size * case.batches
    return Arrays(generator.normal(size=(count, *case.shape)).astype(np.float32), generator.integers(0, 10, count))


def measure(case: Case, epochs: int, names: Sequence[str] = WAYS) -> dict[str, float]:
    """CPU ms of a step by way of training."""
    import keras

    framework = Registry().default_framework()
    data = examples(case)

    def plainly(clock: Any, total: int) -> None:
        model = case.build()
        model.compile(keras.optimizers.Adam(1e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(data.x, data.y, batch_size=case.batch_size, epochs=total, verbose=0, callbacks=[clock])

    def together(members_per_step: int | None) -> Callable[[Any, int], None]:
        def train(clock: Any, total: int) -> None:
            family, teacher = family_of(framework, case.build()), case.build()
            how = replace(SETTINGS, epochs=total, batch_size=case.batch_size, members_per_step=members_per_step)
            objects = TrainingObjects((clock,))
            framework.finetune(family, Training(data, how, 0, lambda _: None, teacher=teacher, objects=objects))

        return train

    ways = dict(zip(WAYS, (plainly, together(None), together(1)), strict=True))
    return {name: milliseconds(ways[name], case.batches, epochs) for name in names}


def alone(case: Case, epochs: int) -> dict[str, float]:
    """CPU ms of a step of each network of the family when it is trained by itself, without a teacher."""
    framework = Registry().default_framework()
    data = examples(case)
    family = family_of(framework, case.build())

    def train(model: Any, clock: Any, total: int) -> None:
        how = replace(SETTINGS, epochs=total, batch_size=case.batch_size)
        training = Training(data, how, 0, lambda _: None, objects=TrainingObjects((clock,)))
        framework.finetune(Family(model, (), ()), training)

    models = dict(zip(("25 %", "50 %", "75 %", "100 %"), (*family.members, family.full), strict=True))
    return {name: milliseconds(partial(train, model), case.batches, epochs) for name, model in models.items()}


def family_step(epochs: int) -> float:
    """CPU ms of a step of the family of ResNet8 in batches of 64, over the user and the system."""
    Registry().default_framework().load_model(RESNET8)  # before Keras is imported, as in `reds prune`
    (case,) = (replace(case, batch_size=64, batches=10) for case in cases() if case.name.startswith("ResNet8"))
    return measure(case, epochs, ("all members",))["all members"]


def process_settings(epochs: int) -> str:
    """The CPU ms of that step without what reds sets in its process, with each setting, and with both.

    Each is measured in a process of its own, and ratios are those to neither.
    """
    command = [sys.executable, __file__, "--family-step", "--epochs", str(epochs)]
    # any setting of the allocator keeps reds from changing it, and no limit of arenas is the default
    returned, own_kernels = {"MALLOC_ARENA_MAX": "0"}, {"TF_ENABLE_ONEDNN_OPTS": "0"}
    ways = {"neither": returned | own_kernels, "kept memory": own_kernels, "oneDNN": returned, "both": {}}
    found = {}
    for name, environment in ways.items():
        run = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)
        found[name] = float(run.stdout)
    return ", ".join(f"{name} {ms:.0f} ms ({ms / found['neither']:.2f})" for name, ms in found.items())


def table(found: dict[str, dict[str, float]]) -> str:
    """A row for each network."""
    names = list(next(iter(found.values())))
    lines = [f"| network | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for network, times in found.items():
        plain = times["plain Keras"]
        cells = [f"{t:.0f}" + ("" if name == "plain Keras" else f" ({t / plain:.2f})") for name, t in times.items()]
        lines.append(f"| {network} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6, help="epochs of which the fastest counts")
    parser.add_argument("--write", action="store_true", help="write the table into docs/guide/finetuning.md")
    parser.add_argument("--alone", action="store_true", help="time each network of the families by itself instead")
    parser.add_argument("--process-settings", action="store_true", help="compare what reds sets in its process instead")
    parser.add_argument("--family-step", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.process_settings:
        sys.stdout.write(process_settings(given.epochs) + "\n")
        return
    if given.family_step:
        sys.stdout.write(f"{family_step(given.epochs)}\n")
        return
    if given.alone:
        for case in cases():
            figures = ", ".join(f"{name} {ms:.1f}" for name, ms in alone(case, given.epochs).items())
            sys.stdout.write(f"{case.name}: {figures}\n")
        return
    found = table({case.name: measure(case, given.epochs) for case in cases()})
    sys.stdout.write(found + "\n")
    if given.write:
        text = (
            "CPU milliseconds of a training step with the teacher's outputs computed once, and in brackets the ratio "
            "to `fit` of the full network alone, made by `python benchmarks/training_time.py --write` on "
            f"{this_machine().cpu}.\n\n{found}"
        )
        write_text(PAGE, with_part(PAGE.read_text(encoding="utf-8"), "training time", text))


if __name__ == "__main__":
    main()
