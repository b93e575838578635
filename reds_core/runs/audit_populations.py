"""The populations of an audit: the networks of finished runs, what they answer, and what comes of comparing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os.path import relpath
from pathlib import Path

import numpy as np

from reds_core.arrays import IntArray
from reds_core.audit.answers import Answers, Population
from reds_core.audit.calibration import calibration
from reds_core.audit.classes import audit_classes, audit_groups, choose_test, recalls
from reds_core.audit.exemplars import (
    LEAST_NETWORKS,
    exemplar_figures,
    exemplars_of,
    flips_of,
    modal_labels,
    overlaps_of,
)
from reds_core.audit.records import BeforeAudit, LossPrediction, MemberAudit, MethodRecord, PopulationFigures
from reds_core.audit.result import Audit
from reds_core.audit.sheet import are_images, remove_pictures, save_pictures, shown_exemplars
from reds_core.audit.statistics import share_interval
from reds_core.errors import InputError, argument
from reds_core.framework.framework import Framework
from reds_core.runs.audit_attribution import AttributionSettings, LossAttribution
from reds_core.runs.audit_data import AuditData
from reds_core.runs.audit_seeds import train_seeds, training_notes
from reds_core.runs.audited_runs import (
    AuditedMember,
    AuditedRun,
    InputModels,
    members_of,
    methods_of,
    missing_notes,
)
from reds_core.runs.provenance import file_hash
from reds_core.watcher import Watcher

SEEDS, INPUT_MODEL, INPUT_MODELS = "seeds", "input model", "input models"
"""Where the uncompressed networks come from."""


@dataclass(frozen=True, eq=False)
class Populations:
    """The networks of finished runs.

    Attributes:
        runs: The runs.
        framework: Reads and runs the models.
        inputs: The input models of the runs.
        data: The data.
        folder: The folder of the results.
        seed: The seed of ablations and of resampling, and the first seed of trainings.
        watcher: Notified of progress and warnings.
    """

    runs: tuple[AuditedRun, ...]
    framework: Framework
    inputs: InputModels
    data: AuditData
    folder: Path
    seed: int
    watcher: Watcher

    @cached_property
    def members(self) -> dict[str, AuditedMember]:
        """The members of all runs by name.

        Raises:
            InputError: If no model file of a member was written.
        """
        found = members_of(self.runs, self.framework)
        if not found:
            raise InputError("the runs wrote no model files of their subnetworks", "audit other runs")
        return found

    def trained(self, seeds: int, epochs: int | None) -> tuple[Path, ...]:
        """Train the input model with several seeds, and return the files of the networks.

        Args:
            seeds: How many networks are trained.
            epochs: For how many epochs; None for as many as the first run.
        """
        first, source = self.runs[0], self.inputs.files[0]
        if epochs is not None:
            finetune = replace(first.settings.finetune, epochs=epochs)
            first = replace(first, settings=replace(first.settings, finetune=finetune))
        digest = first.plan.hashes.model or file_hash(source)
        return train_seeds(
            seeds, first, source, digest, self.framework, self.data, self.seed, self.folder, self.watcher
        )

    def audit(
        self, trained: tuple[Path, ...] | None, attribution: AttributionSettings, versions: Mapping[str, str]
    ) -> Audit:
        """Measure all networks, and compare them.

        Args:
            trained: The files of the uncompressed networks if these are not the input models.
            attribution: How channels are attributed to margins.
            versions: The versions of the software that measures.

        Raises:
            InputError: If no model file of a member was written, or networks have different numbers of classes.
        """
        inputs = [self._answers(path) for path in self.inputs.files]
        files = self.inputs.files if trained is None else trained
        before = Population.of(inputs if trained is None else [self._answers(path) for path in trained])
        after = {name: Population.of([self._answers(f) for f in each.files]) for name, each in self.members.items()}
        attributing = LossAttribution(
            self.runs, self.framework, self.inputs, self.data, attribution, self.seed, self.watcher
        )
        predicted = attributing.predictions(inputs, after, self.members)
        truth, places, modal = self.data.truth, self.data.places, modal_labels(before)
        references = None if trained is not None else np.stack([each.labels for each in inputs])
        members = tuple(
            self._member(name, before, after[name], references, predicted.members.get(name)) for name in self.members
        )
        known = {each.name: after[each.name] for each in members if each.exemplars is not None}
        methods = methods_of(self.runs)
        by_method = {name: self._by_method(each, methods) for name, each in self.members.items()}
        several = INPUT_MODEL if len(files) == 1 else INPUT_MODELS
        return Audit(
            folders=tuple(str(run.folder) for run in self.runs),
            data=self.data.dataset.name,
            examples=len(truth),
            before=BeforeAudit(several if trained is None else SEEDS, self._names(files), self._figures(before)),
            members=members,
            classes=audit_classes(before, after, truth, self.data.names),
            exemplars=tuple(e for name, own in known.items() for e in exemplars_of(modal, own, truth, name, places)),
            groups=() if self.data.groups is None else audit_groups(before, after, truth, self.data.groups),
            methods=methods,
            overlaps=overlaps_of(modal, known, by_method),
            attribution=predicted.record,
            notes=(
                *missing_notes(self.runs, self.framework),
                *(() if trained is None else training_notes(self.runs)),
                *_population_notes(before, after, trained is not None),
                *predicted.notes,
            ),
            versions=versions,
            seed=self.seed,
            data_sha256=self.data.dataset.digest,
        )

    def save_pictures(self, audit: Audit) -> None:
        """Write a picture of each exemplar that the page shows, if examples are images."""
        remove_pictures(self.folder)
        indices = sorted(each.index for each in shown_exemplars(audit))
        if not indices:
            return
        images = self.data.taken(np.searchsorted(self.data.places, indices)).x
        if not are_images(images):
            return
        try:
            save_pictures(images, indices, self.folder)
        except ImportError:
            self.watcher.warn("no pictures of exemplars are shown, since Pillow is not installed; pip install pillow")

    def _answers(self, path: Path) -> Answers:
        self.watcher.stage(f"measuring {path.name} of {path.parent.name}")
        return self.data.answers(self.framework, self.framework.load_model(path), path)

    def _member(
        self,
        name: str,
        before: Population,
        after: Population,
        inputs: IntArray | None,
        prediction: LossPrediction | None,
    ) -> MemberAudit:
        """Return what comes of comparing a member with the uncompressed networks.

        Args:
            name: The name of the member.
            before: What the uncompressed networks answer.
            after: What the networks of the member answer.
            inputs: The classes that the input models say, one row for each, if they are the uncompressed networks.
            prediction: Whether channel attributions predict what it loses; None if that was not measured.
        """
        member, truth, modal = self.members[name], self.data.truth, modal_labels(before)
        exemplars = None
        if min(len(before), len(after)) >= LEAST_NETWORKS:
            exemplars = exemplar_figures(modal_labels(after) != modal, before, after, truth)
        own = [self.inputs.of_runs[number] for number in member.runs]
        references = np.tile(modal, (len(after), 1)) if inputs is None else inputs[own]
        return MemberAudit(
            name,
            self._names(member.files),
            self._figures(after),
            flips_of(references, after, truth),
            choose_test(before, after),
            exemplars,
            prediction,
        )

    def _names(self, files: Sequence[Path]) -> tuple[str, ...]:
        """Paths of files relative to the folder of the audit, with "/" between folders."""
        names = []
        for file in files:
            try:
                names.append(Path(relpath(file, self.folder)).as_posix())
            except ValueError:  # another drive of Windows
                names.append(file.absolute().as_posix())
        return tuple(names)

    def _figures(self, population: Population) -> PopulationFigures:
        truth = self.data.truth
        shares = recalls(population, truth, np.ones(len(truth), bool))
        sure, interval = calibration(population, truth), share_interval(shares, len(truth))
        return PopulationFigures(float(shares.mean()), interval, sure.ece, sure.confidence, sure.margin)

    def _by_method(self, member: AuditedMember, methods: Sequence[MethodRecord]) -> dict[str, list[int]]:
        """The networks of a member by method, as numbers in its population."""
        folders = [str(self.runs[number].folder) for number in member.runs]
        return {
            method.name: [place for place, folder in enumerate(folders) if folder in method.folders]
            for method in methods
        }


def _population_notes(before: Population, after: Mapping[str, Population], is_trained: bool) -> list[str]:
    """Sentences that say why there are no exemplars, if there are none."""
    if len(before) < LEAST_NETWORKS:
        seeds = argument("seeds")
        fix = f"give {seeds} 2 or more" if is_trained else f"give {seeds}, or runs of different input models"
        return [f"Exemplars need several uncompressed networks, and there is one; {fix}."]
    return [
        f"Exemplars of subnetwork '{name}' need several compressed networks, and there is one; give more run folders."
        for name, population in after.items()
        if len(population) < LEAST_NETWORKS
    ]
