"""An audit with everything that an audit can have."""

from __future__ import annotations

import dataclasses

import numpy as np

from reds_core.audit.answers import Population
from reds_core.audit.classes import audit_classes, audit_groups
from reds_core.audit.exemplars import exemplar_figures, exemplars_of, flips_of, modal_labels, overlaps_of
from reds_core.audit.prediction import NetworkLoss, predict_losses
from reds_core.audit.records import AttributionRecord, BeforeAudit, MemberAudit, MethodRecord, PopulationFigures
from reds_core.audit.result import Audit

EXAMPLES = 120
NAMES = ("cat", "dog <b>", "7")


def sample_audit() -> Audit:
    """Two members of three runs by two methods; the smaller one loses class `cat`."""
    random = np.random.default_rng(0)
    truth = np.arange(EXAMPLES) % 3
    before = _networks(random, truth, (0.95, 0.9, 0.9))
    after = {"25": _networks(random, truth, (0.2, 0.8, 0.85)), "50": _networks(random, truth, (0.8, 0.85, 0.88))}
    modal, places = modal_labels(before), np.arange(EXAMPLES)
    members = []
    for name, own in after.items():
        changed = modal_labels(own) != modal
        cause = np.where(own.labels[0] == truth, 1.0, 0.0) + random.normal(size=EXAMPLES)
        loss = NetworkLoss(12, before.labels[0] == truth, own.labels[0] == truth, random.normal(size=EXAMPLES), cause)
        members.append(
            MemberAudit(
                name,
                tuple(f"../run-{number}/subnet-{name}.model" for number in range(3)),
                _figures(own, truth),
                flips_of(np.tile(modal, (3, 1)), own, truth),
                "welch",
                exemplar_figures(changed, before, own, truth),
                predict_losses([loss], 0),
            )
        )
    methods = {name: {"scorer taylor": [0, 1], "scorer random": [2]} for name in after}
    return Audit(
        folders=("run-0", "run-1", "run-2"),
        data="data.npz",
        examples=EXAMPLES,
        before=BeforeAudit("seeds", ("seeds/seed-0.model",) * 3, _figures(before, truth)),
        members=tuple(members),
        classes=audit_classes(before, after, truth, NAMES),
        exemplars=tuple(e for name, own in after.items() for e in exemplars_of(modal, own, truth, name, places)),
        groups=audit_groups(before, after, truth, ["night", "day"] * (EXAMPLES // 2)),
        methods=(MethodRecord("scorer taylor", ("run-0", "run-1")), MethodRecord("scorer random", ("run-2",))),
        overlaps=overlaps_of(modal, after, methods),
        attribution=AttributionRecord(256, 0.05, 120, False, 40, 51, 0.7),
        notes=("The run in 'run-3' has no subnetwork '50'.",),
        versions={"python": "3.11"},
        data_sha256="0" * 64,
    )


def single_audit() -> Audit:
    """The audit of a single run, without exemplars, groups, intervals of populations and attribution."""
    found = sample_audit()
    members = tuple(
        dataclasses.replace(m, files=m.files[:1], test="mcnemar", exemplars=None, prediction=None)
        for m in found.members
    )
    return dataclasses.replace(
        found, members=members, exemplars=(), groups=(), overlaps=(), attribution=None, methods=found.methods[:1]
    )


def _networks(random: np.random.Generator, truth: np.ndarray, shares: tuple[float, ...]) -> Population:
    rows = [np.where(random.random(EXAMPLES) < np.array(shares)[truth], truth, (truth + 1) % 3) for _ in range(3)]
    labels = np.stack(rows)
    return Population(labels, np.full(labels.shape, 0.8), np.ones(labels.shape))


def _figures(population: Population, truth: np.ndarray) -> PopulationFigures:
    return PopulationFigures(float((population.labels == truth).mean()), (0.5, 0.9), 0.1, 0.8, 1.0)
