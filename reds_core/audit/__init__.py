"""Whom compression hurts: classes, single examples and groups, before and after, with the tests of what is chance.

The names here may change with a minor version.
"""

from __future__ import annotations

from reds_core.audit.ablation import (
    ChannelAttribution,
    ablated_margins,
    attribute_margins,
    random_ablations,
    starts_of,
)
from reds_core.audit.answers import Answers, Population, answers_of, true_classes
from reds_core.audit.calibration import calibration
from reds_core.audit.classes import audit_classes, audit_groups
from reds_core.audit.exemplars import exemplars_of, jaccard, modal_labels
from reds_core.audit.prediction import NetworkLoss, predict_losses
from reds_core.audit.records import ClassAudit, ClassFigures, Exemplar, LossPrediction
from reds_core.audit.result import Audit

__all__ = [
    "Answers",
    "Audit",
    "ChannelAttribution",
    "ClassAudit",
    "ClassFigures",
    "Exemplar",
    "LossPrediction",
    "NetworkLoss",
    "Population",
    "ablated_margins",
    "answers_of",
    "attribute_margins",
    "audit_classes",
    "audit_groups",
    "calibration",
    "exemplars_of",
    "jaccard",
    "modal_labels",
    "predict_losses",
    "random_ablations",
    "starts_of",
    "true_classes",
]
