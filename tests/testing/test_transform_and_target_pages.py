"""The examples of docs/extend/transforms.md and docs/extend/targets.md work, together as well, and the pages leave no
member out."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_framework import ToyFramework, residual_model
from toy_plugins import PluginModule, ToyBits, toy_registry
from toy_runs import Workplace, settings

from reds_core.cost.resources import CostModel, usage
from reds_core.framework.device import Device
from reds_core.framework.target import ExportSource, Target
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.axis import Channels, Fixed
from reds_core.network.description import Network, Weight, WeightKind
from reds_core.registry import Registry
from reds_core.testing import CheckOutcome, check_device, check_realisation, check_target, check_transform
from reds_core.testing.sample_networks import sample_networks
from reds_core.transforms.describing import described
from reds_core.transforms.realisation import Realisation
from reds_core.transforms.start import Smaller, Start
from reds_core.transforms.transform import Stage, Transform

DOCS = Path(__file__).parents[2] / "docs" / "extend"


class LikeTensorFlow(ToyFramework):
    """A quick framework in place of the one that the page names."""

    name = "tensorflow"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def names_of(name: str) -> dict[str, Any]:
    """What the Python blocks of a page define."""
    names: dict[str, Any] = {"__name__": f"example_of_{name}"}
    for block in re.findall(r"```python\n(.*?)```", page(name), re.DOTALL):
        exec(compile(block, name, "exec", dont_inherit=True), names)
    return names


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reds_core.testing.plugin_checks.imports_of", lambda module: set())


def sum_of_macs(network: Network, site: str) -> int:
    """The multiply-accumulates of a layer at full width."""
    others = replace(network, layers=tuple(layer for layer in network.layers if layer.name == site))
    return usage(others, network.channels, CostModel(1))["macs"]


def test_the_transform_keeps_its_contract() -> None:
    names = names_of("transforms")
    (powers,) = names["reds_transforms"]()
    report = check_transform(powers)
    assert report.ok, str(report)
    assert check_transform(powers(names["PowersOptions"](bits=2))).ok
    (mark,) = names["test_conformance"].pytestmark
    assert mark.name == "parametrize"


def test_the_transform_that_removes_weights_keeps_its_contract_and_its_masks_nest() -> None:
    names = names_of("transforms")
    report = check_transform(names["Rows"])
    assert report.ok, str(report)
    kernel = Weight("conv/kernel", "conv", WeightKind.KERNEL, (Fixed(3), Fixed(3), Fixed(2), Channels("conv")), 3, True)
    values = np.zeros((3, 3, 2, 2))
    values[1, ..., 0], values[2, ..., 1] = 1, 5  # the smaller member has the first channel alone
    inner = Smaller(1, (np.arange(3), np.arange(3), np.arange(2), np.arange(1)))
    alone, within = (names["Rows"]().begun(Start(values, smaller=s), kernel, 1) for s in ((), (inner,)))
    assert [list(np.flatnonzero(f(values + 1, 0.5).sum(axis=(1, 2, 3)))) for f in (alone, within)] == [[2], [1]]


def test_the_realisation_keeps_its_contract() -> None:
    report = check_realisation(names_of("transforms")["Remainder"])
    assert report.ok, str(report)


def test_rows_and_bits_are_counted_together() -> None:
    network = next(each for each in sample_networks() if each.name == "convolutional")
    (site,) = {layer.name for layer in network.layers if layer.kind == "Conv2D"} & {"stem"}
    levels = LevelSettings({site: {"kernel_rows": 1, "weight_bits": 4}})
    costs = CostModel(1, additional=("weight_bytes", "bops"))
    full, rows, both = (
        usage(described(network, transforms, levels), network.channels, costs)
        for transforms in ((), (names_of("transforms")["Rows"](),), (names_of("transforms")["Rows"](), ToyBits()))
    )
    elements = math.prod(next(w.shape for w in network.weights if w.layer == site and w.kind is WeightKind.KERNEL))
    assert full["weight_bytes"] - rows["weight_bytes"] == elements * 2 // 3
    assert rows["weight_bytes"] - both["weight_bytes"] == elements // 3 // 2
    assert 3 * (full["macs"] - rows["macs"]) == 2 * sum_of_macs(network, site)
    assert both["macs"] == rows["macs"]


def test_the_target_keeps_its_contract_and_holds_what_the_transform_makes(tmp_path: Path) -> None:
    (half,) = names_of("targets")["reds_targets"]()
    report = check_target(half, make_framework=LikeTensorFlow)
    assert report.ok, str(report)
    (powers,) = names_of("transforms")["reds_transforms"]()
    framework, model, transform, target = LikeTensorFlow(), residual_model(), powers(), half()
    network = framework.inspect(model)
    sites = [w.layer for w in network.weights if w.kind is WeightKind.KERNEL]
    for weight in network.weights:
        projected = transform.projected(model.weights[weight.name].astype(np.float64), weight, 4)
        model.weights[weight.name] = projected.astype(np.float32)
    assert all(target.refusal(network, site, transform.what, 4) is None for site in sites)
    path = tmp_path / target.file.file_name("model")
    settings = LevelSettings({site: {transform.what: 4} for site in sites})
    target.export(ExportSource(framework, model, network, settings), path)
    held = target.load(framework, path).model.weights
    kernels = [f"{site}/kernel" for site in sites]
    assert all(np.array_equal(held[name], model.weights[name]) for name in kernels)
    assert all(np.all(np.isin(np.abs(held[n]), [0, *np.exp2(np.arange(-12.0, 3))])) for n in kernels)
    assert not np.array_equal(held["norm/gamma"], model.weights["norm/gamma"])


def test_the_device_keeps_its_contract() -> None:
    names = names_of("targets")
    (half,), board = names["reds_targets"](), names["Board"]
    report = check_device(board, registry=Registry([PluginModule("toys", (LikeTensorFlow, half, board))]))
    assert report.ok, str(report)
    assert report.with_outcome(CheckOutcome.PASSED)[2].name == "profiles_files"


def test_a_run_decides_levels_of_the_transform_for_files_of_the_target(place: Workplace) -> None:
    (half,) = names_of("targets")["reds_targets"]()
    (powers,) = names_of("transforms")["reds_transforms"]()
    of_toys = type("HalfOfToys", (half,), {"made_from": "toy"})
    plan = place.prune(
        registry=toy_registry(powers, of_toys),
        settings=settings(transforms=("powers",), targets=("half",)),
        budgets={"macs": [0.8], "params": [0.55]},
    )
    (member,) = plan.subnetworks
    levels = {site: chosen["exponent_bits"] for site, chosen in member.settings.items()}
    assert {4} <= set(levels.values()) <= {4, 8}
    assert member.usage["params"] <= 0.55 * plan.full.usage["params"]
    held = ToyFramework().load_model(place.out / member.files["half"])
    for site in (site for site, level in levels.items() if level == 4):
        exponents = np.log2(np.abs(held.weights[f"{site}/kernel"][held.weights[f"{site}/kernel"] != 0]))
        assert np.array_equal(exponents, np.rint(exponents))


PAGES = [("transforms", Transform), ("transforms", Realisation), ("targets", Target), ("targets", Device)]


@pytest.mark.parametrize(("name", "base"), PAGES)
def test_the_pages_explain_every_member(name: str, base: type) -> None:
    own = {*vars(base), *getattr(base, "__annotations__", {})}
    members = {m for m in own if not m.startswith("_")} - {"kind", "declares", "setting"}
    assert {m for m in members if not re.search(rf"`{m}[`(]", page(name))} == set()
    assert len(members) >= 3


def test_the_page_names_every_stage_and_nesting() -> None:
    assert {stage.name for stage in Stage if f"`{stage.name}`" not in page("transforms")} == set()
