"""A target under test, with a framework and the sample models that are exported."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from reds_core.errors import UnsupportedError
from reds_core.framework.data import Arrays
from reds_core.framework.exported import ExportedModel
from reds_core.framework.framework import Framework
from reds_core.framework.projection import projections
from reds_core.framework.sample import SampleModel
from reds_core.framework.target import ExportSource, Target
from reds_core.knapsack.levels import Dimension, LevelSettings
from reds_core.network.description import Network
from reds_core.testing.model_subject import ModelSubject, Trial, chosen
from reds_core.testing.report import Settings, Skip
from reds_core.transforms.transform import Transform


class TargetSubject(ModelSubject[Target]):
    """A target under test, with a framework and its sample models.

    Args:
        make: Makes a target with its options.
        settings: The expectations that the author states.
        make_framework: Makes the framework whose models the target exports.
        samples: The sample models; None means those of the framework.
        transforms: The transforms whose levels are tried.
    """

    def __init__(
        self,
        make: Callable[[], Target],
        settings: Settings,
        make_framework: Callable[[], Framework],
        samples: Sequence[SampleModel] | None = None,
        transforms: Sequence[Transform] = (),
    ) -> None:
        framework = make_framework()
        super().__init__(make, settings, lambda: framework, framework.samples() if samples is None else samples)
        self.transforms = [transform for transform in transforms if transform.network_level is None]
        self._files: dict[str, bytes | None] = {}

    def path(self, trial: Trial, folder: Path) -> Path:
        """The path of the file of `trial` in a folder."""
        return folder / self.plugin.file.file_name(trial.sample.name)

    def export(self, trial: Trial, path: Path, calibration: Arrays | None) -> None:
        """Export the model of `trial`."""
        self.plugin.export(ExportSource(self.framework, trial.model, trial.network, calibration=calibration), path)

    def content(self, trial: Trial) -> bytes | None:
        """The file of `trial`, exported once, or None if the target cannot express the model."""
        name = trial.sample.name
        if name not in self._files:
            self._files[name] = self._exported(trial)
        return self._files[name]

    def _exported(self, trial: Trial) -> bytes | None:
        with tempfile.TemporaryDirectory() as folder:
            path = self.path(trial, Path(folder))
            try:
                self.export(trial, path, trial.data)
            except UnsupportedError:
                return None
            return path.read_bytes()

    @cached_property
    def expressed(self) -> list[tuple[Trial, bytes]]:
        """The trials that the target can express, with their files."""
        found = [(trial, self.content(trial)) for trial in self.trials]
        return [(trial, content) for trial, content in found if content is not None]

    @contextlib.contextmanager
    def written(self, trial: Trial, content: bytes) -> Iterator[Path]:
        """The path of a file with this content under the name of the file of `trial`, in a folder of its own."""
        with tempfile.TemporaryDirectory() as folder:
            path = self.path(trial, Path(folder))
            path.write_bytes(content)
            yield path

    def cut(self, trial: Trial) -> Trial:
        """The trial with a model of about half of the channels."""
        model = self.framework.extract(trial.model, trial.network, chosen(trial.network, 0.5, 0))
        return replace(trial, model=model, network=self.framework.inspect(model))

    @property
    def together(self) -> list[list[Transform]]:
        """The transforms that a run can have together: those of whole kernels are not combined with others."""
        combined = [transform for transform in self.transforms if not transform.projects_whole]
        alone = [[transform] for transform in self.transforms if transform.projects_whole]
        return [*([combined] if combined else []), *alone]

    def lowest_levels(self, network: Network, transforms: Sequence[Transform]) -> LevelSettings:
        """The lowest level that files can have of each layer and transform, without layers that stay as they are."""
        found = []
        for transform in transforms:
            for site in dict.fromkeys(call.name for call in network.layers):
                levels = map(int, transform.offered(network, site).levels[:-1])
                accepted = (n for n in levels if self.plugin.refusal(network, site, transform.what, n) is None)
                found += [(Dimension(site, transform.what), level) for level in itertools.islice(accepted, 1)]
        return LevelSettings.of(found)

    def projected(self, trial: Trial, transforms: Sequence[Transform], settings: LevelSettings) -> Trial:
        """The trial with a model whose weights are projected onto the levels of `settings`."""
        model, weights = self.framework.extract(trial.model, trial.network, {}), self.weights(trial)
        for index, projection in projections(trial.network, transforms, settings).items():
            weights[index] = projection.function(weights[index].astype(np.float64)).astype(weights[index].dtype)
        self.framework.assign(model, trial.network, weights)
        return replace(trial, model=model)

    def load(self, path: Path) -> ExportedModel:
        """The file at `path`, read by a new object.

        Raises:
            Skip: If the target cannot run its files on this machine.
        """
        try:
            return self.make().load(self.framework, path)
        except UnsupportedError as error:
            raise Skip(f"cannot run its files here: {error.what}") from error
