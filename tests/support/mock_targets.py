"""Targets for the toy framework that are bad in one way each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from toy_transforms import ToyTarget, rounded

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework.data import Arrays, Data
from reds_core.framework.exported import ExportedFigures, ExportedModel
from reds_core.framework.framework import Framework
from reds_core.framework.loaded_model import LoadedModel
from reds_core.framework.target import ExportSource
from reds_core.framework.task import Task
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Network

NO_EXAMPLES = Arrays(np.zeros((0, 1), np.float32), np.zeros(0, np.int64))


class Changing(ToyTarget):
    """Base of targets that change what is exported or written."""

    def before(self, model: Any) -> Any:
        return model

    def after(self, path: Path) -> None:
        pass

    def export(self, source: ExportSource, path: Path) -> None:
        super().export(replace(source, model=self.before(source.model)), path)
        self.after(path)


class Strayed(ToyTarget):
    made_from = "lightning"


class Misnamed(ToyTarget):
    file = replace(ToyTarget.file, name="another")


class Bare(ToyTarget):
    file = replace(ToyTarget.file, suffix="")


class Littering(Changing):
    def after(self, path: Path) -> None:
        path.with_suffix(".log").write_text("exported")


class Refusing(Changing):
    def before(self, model: Any) -> Any:
        raise UnsupportedError("it is Sunday", "try tomorrow")


class Overwriting(ToyTarget):
    def export(self, source: ExportSource, path: Path) -> None:
        hidden = path.with_name("hidden")
        super().export(source, hidden)
        path.write_bytes(hidden.read_bytes())
        hidden.unlink()


class Crashing(ToyTarget):
    def export(self, source: ExportSource, path: Path) -> None:
        path.parent.stat()
        super().export(source, path)


class Spoiling(Changing):
    def before(self, model: Any) -> Any:
        for values in model.weights.values():
            values[...] = rounded(values.astype(np.float64), 8)
        return model


class Careless(ToyTarget):
    def export(self, source: ExportSource, path: Path) -> None:
        super().export(replace(source, calibration=Arrays(source.calibration.x, source.calibration.y)), path)  # type: ignore[union-attr]


class Pretending(ToyTarget):
    def export(self, source: ExportSource, path: Path) -> None:
        if source.calibration is not None:
            super().export(source, path)


class Undeclared(ToyTarget):
    file = replace(ToyTarget.file, element_size_bytes=None, is_calibrated=False)


class Overdeclared(ToyTarget):
    def export(self, source: ExportSource, path: Path) -> None:
        super().export(replace(source, calibration=source.calibration or NO_EXAMPLES), path)


class Negating(Changing):
    def before(self, model: Any) -> Any:
        copy = model.copy()
        for name in (f"{model.layers[-1].name}/kernel", f"{model.layers[-1].name}/bias"):
            copy.weights[name] = -copy.weights[name]
        return copy


@dataclass(frozen=True)
class Halved(LoadedModel):
    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        figures = super().evaluate(data, task)
        return replace(figures, examples=figures.examples // 2)


@dataclass(frozen=True)
class Open(LoadedModel):
    def check_data(self, data: Data, what: str) -> Data:
        return data


class Skipping(ToyTarget):
    def load(self, framework: Framework, path: Path) -> ExportedModel:
        loaded = super().load(framework, path)
        assert isinstance(loaded, LoadedModel)
        return Halved(framework, loaded.model)


class Permissive(ToyTarget):
    def load(self, framework: Framework, path: Path) -> ExportedModel:
        loaded = super().load(framework, path)
        assert isinstance(loaded, LoadedModel)
        return Open(framework, loaded.model)


class Trusting(ToyTarget):
    def load(self, framework: Framework, path: Path) -> ExportedModel:
        np.load(path)
        return super().load(framework, path)


class Forgiving(ToyTarget):
    def usage(self, path: Path) -> Mapping[str, int]:
        try:
            return super().usage(path)
        except InputError:
            return {}


class Overcounting(ToyTarget):
    def usage(self, path: Path) -> Mapping[str, int]:
        return {name: amount + 1 for name, amount in super().usage(path).items()}


class Averaging(ToyTarget):
    def usage(self, path: Path) -> Mapping[str, int]:
        return {**super().usage(path), "cycles": 2.5}  # type: ignore[dict-item]


class Agreeing(ToyTarget):
    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        return None


class Verbose(ToyTarget):
    def refusal(self, network: Network, site: str, what: str, level: int) -> str | None:
        found = super().refusal(network, site, what, level)
        return None if found is None else f"{found}."


class Noting(ToyTarget):
    def notes(self, framework: Framework, model: Any) -> tuple[str, ...]:
        return "the file is large"  # type: ignore[return-value]


class Printing(Changing):
    def after(self, path: Path) -> None:
        print("exported", path.name)


class Deaf(ToyTarget):
    def export(self, source: ExportSource, path: Path) -> None:
        super().export(replace(source, settings=LevelSettings()), path)


class Zeroing(ToyTarget):
    def export(self, source: ExportSource, path: Path) -> None:
        held = source.model.copy()
        for site in source.settings.levels:
            held.weights[f"{site}/kernel"] *= 0
        super().export(replace(source, model=held), path)


class Breaking(ToyTarget):
    def export(self, source: ExportSource, path: Path) -> None:
        if source.settings:
            raise UnsupportedError("weights have 8 bits", "leave out the transform")
        super().export(source, path)
