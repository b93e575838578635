"""How a network, its scores and its costs become a knapsack problem."""

from __future__ import annotations

from reds_core.formulation.formulation import FULL_VALUE, Formulation, channel_order, formulate
from reds_core.formulation.infeasibility import check_reachable
from reds_core.formulation.skipping import skipping_warnings, unskippable, with_skipping
from reds_core.formulation.space import DecisionSpace, NotOffered, Offer, decision_space
from reds_core.formulation.statement import Excess, Statement
from reds_core.formulation.width_rules import OfferedWidths, WidthRules, thinned_places

__all__ = [
    "FULL_VALUE",
    "DecisionSpace",
    "Excess",
    "Formulation",
    "NotOffered",
    "Offer",
    "OfferedWidths",
    "Statement",
    "WidthRules",
    "channel_order",
    "check_reachable",
    "decision_space",
    "formulate",
    "skipping_warnings",
    "thinned_places",
    "unskippable",
    "with_skipping",
]
