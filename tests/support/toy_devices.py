"""Devices that read the files of the toy framework's targets, and devices that are bad in one way each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from other_machine import toy_program
from toy_framework import ToyFile, ToyFramework
from toy_targets import toy

from reds_core.errors import UnavailableError, UnsupportedError
from reds_core.framework.data import Data
from reds_core.framework.device import Device, Energy, Profile
from reds_core.framework.exported import ExportedFigures, ExportedModel
from reds_core.framework.framework import Framework
from reds_core.framework.task import Task


def loaded(file: ToyFile) -> ToyFile:
    """Read the file now, so that a damaged one is refused."""
    assert file.model.layers
    return file


class ToyDevice(Device):
    """Counts the weights of a file, and answers like the framework."""

    name = "toy-micro"
    reads = ("tflite-int8", "tflite")
    configurations = ("slow", "fast")
    remark = "Latency is made up."

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        model = ToyFramework().load_model(path)
        weights = sum(values.size for values in model.weights.values())
        size, speed = path.stat().st_size, {"slow": 10, "fast": 2}[str(configuration)]
        return Profile(
            latency_ns=float(speed * weights),
            arena=3 * weights,
            arena_head=weights,
            flash=size,
            flash_weights=weights,
            flash_metadata=size - weights,
            operators={"DENSE": len(model.layers)},
            macs=weights,
            energy=Energy(0.5, "rapl", "a toy"),
        )

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        return loaded(ToyFile(toy(framework), path))


class AskingDevice(ToyDevice):
    """Asks a service for its configurations."""

    name = "toy-service"
    configurations = ()

    def known_configurations(self) -> tuple[str, ...]:
        return ("fast", "slow")


class AbsentService(AskingDevice):
    """Asks a service that is not there."""

    def known_configurations(self) -> tuple[str, ...]:
        raise UnavailableError("the toy service cannot be reached", "try again later")


class Portable(ToyDevice):
    """Can be timed on other machines."""

    def counted(self, path: Path, configuration: str | None = None) -> Profile:
        return Profile(flash=path.stat().st_size)

    def timing_script(self, files: Mapping[str, str]) -> str:
        return toy_program(files, self.name)


@dataclass(frozen=True)
class RoundingFile(ToyFile):
    """Answers the first class for one example in five, as if it rounded in another way."""

    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        figures = super().evaluate(data, task)
        assert figures.answers is not None
        answers = np.where(np.arange(figures.examples) % 5 == 0, -1, figures.answers)
        return replace(figures, metric=0.25, answers=answers)


class JoiningDevice(ToyDevice):
    """Takes part in runs."""

    name = "toy-board"
    joins_runs = True

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        return loaded(RoundingFile(toy(framework), path))


class Lacking(JoiningDevice):
    """Cannot run any file."""

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        raise UnsupportedError(f"toy-board has no operator DENSE, which '{path.name}' needs", "use another device")

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        raise UnsupportedError(f"toy-board has no operator DENSE, which '{path.name}' needs", "use another device")


# --- bad in one way ------------------------------------------------------------------------------------------------


class Unread(ToyDevice):
    reads = ()


class Doubled(ToyDevice):
    configurations = ("slow", "slow")


class Idle(Device):
    name = "toy-micro"
    reads = ("tflite-int8",)


class Changed(ToyDevice):
    """Changes the figures of profiles."""

    def changed(self, profile: Profile) -> Any:
        return profile

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        found: Profile = self.changed(super().profile(path, configuration))
        return found


class Real(Changed):
    def changed(self, profile: Profile) -> Any:
        return replace(profile, arena=0.5, arena_head=None)  # type: ignore[arg-type]


class Tipped(Changed):
    def changed(self, profile: Profile) -> Any:
        return replace(profile, arena=1)


class Leaking(Changed):
    def changed(self, profile: Profile) -> Any:
        return replace(profile, flash=7)


class Nameless(Changed):
    def changed(self, profile: Profile) -> Any:
        return replace(profile, energy=Energy(1.0, "measured", "a toy"))


class Trusting(Portable):
    """Writes a program that times whatever it finds."""

    def timing_script(self, files: Mapping[str, str]) -> str:
        return super().timing_script(files).replace("== digest", "!= ''")


class Untyped(Changed):
    def changed(self, profile: Profile) -> Any:
        return {"arena": profile.arena}


class Restless(Changed):
    count = 0

    def changed(self, profile: Profile) -> Any:
        type(self).count += 1
        return replace(profile, cycles=self.count)


class Wrong(ToyDevice):
    def load(self, framework: Framework, path: Path) -> ExportedModel:
        return loaded(WrongFile(toy(framework), path))


@dataclass(frozen=True)
class WrongFile(ToyFile):
    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        figures = super().evaluate(data, task)
        return replace(figures, metric=1 - figures.metric)


class Crashing(ToyDevice):
    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        path.stat()
        return super().profile(path, configuration)


class Printing(Changed):
    def changed(self, profile: Profile) -> Any:
        print("profiled")
        return profile
