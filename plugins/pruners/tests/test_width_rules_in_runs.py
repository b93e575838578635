"""Every strategy under rules on widths, by scores of every form: whole runs of a toy model, and one more member."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from toy_framework import describe, residual_model
from toy_plugins import toy_registry
from toy_runs import QUICK, Workplace

from reds_core import RunSettings, Watcher, extract
from reds_core.formulation import WidthRules
from reds_core.framework import FinetuneSettings
from reds_core.plugin import PluginOptions
from reds_core.scoring import ScoreLevel

NETWORK = describe(residual_model())
CHANNELS = NETWORK.channels
BASE = dataclasses.replace(QUICK, finetune=FinetuneSettings(epochs=0))
SCORES = {
    "channels": dataclasses.replace(BASE, scorer="taylor"),
    "kernels": dataclasses.replace(BASE, scorer="magnitude", score_level=ScoreLevel.KERNEL),
    "curves": dataclasses.replace(BASE, scorer="sensitivity"),
}
PRUNERS: dict[str, PluginOptions] = {
    "nested": {},
    "nested, bottom-up": {"nested": {"family": "bottom-up"}},
    "nested, joint": {"nested": {"family": "joint"}},
    "layerwise": {"layerwise": {"order": "forward"}},
    "layerwise, local": {"layerwise": {"horizon": "local", "order": "sensitivity"}},
    "progressive": {"progressive": {"steps": "2"}},
    "uniform": {},
}
RULES = {
    "kept": WidthRules(keep=("inside",)),
    "multiples of 2": WidthRules(align=2),
    "thinned to two": WidthRules(max_options=2),
    "one option": WidthRules(min_width=6),
    "all": WidthRules(keep=("inside_*",), align=2, min_width=2, max_options=2),
}


@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("pruner", PRUNERS)
def test_every_width_keeps_the_rules(place: Workplace, pruner: str, scores: str) -> None:
    for name, rules in RULES.items():
        settings: RunSettings = dataclasses.replace(
            SCORES[scores], pruner=pruner.partition(",")[0], options=PRUNERS[pruner], widths=rules
        )
        out = place.folder / name
        if name == "one option":
            assert place.prune(settings=settings, budgets={"macs": 1}, out=out).subnetworks[0].widths == CHANNELS
            continue
        plan = place.prune(settings=settings, budgets={"macs": [0.95, 0.7]}, out=out)
        members = [*plan.subnetworks, extract(out, ("macs=0.8",), registry=toy_registry(), watcher=Watcher())]
        members.sort(key=lambda m: m.usage["macs"])
        for group, member in itertools.product(NETWORK.groups, members):
            assert member.widths[group.name] in rules.widths(group), name
        for small, large in itertools.pairwise(members):
            assert all(set(small.kept[g]) <= set(large.kept[g]) for g in small.kept), name
        assert members[0].widths != CHANNELS
