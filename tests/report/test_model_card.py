"""The model card: a header that hubs read, figures of the plan, and no file of a user that is replaced."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_runs import Workplace

from reds_core.plan import Accuracy, load_plan
from reds_core.report.model_card import MARKER, is_model_card, model_card, write_model_card
from reds_core.runs.folder import Mode


def header_of(card: str) -> dict[str, Any]:
    _, header, _ = card.split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(header)
    return found


def test_a_run_writes_a_card_with_the_figures_of_its_plan(place: Workplace) -> None:
    place.prune(budgets={"macs": [0.5, 0.8]})
    plan, card = load_plan(place.out), (place.out / "README.md").read_text(encoding="utf-8")
    assert is_model_card(place.out / "README.md")
    header = header_of(card)
    assert "license" not in header
    assert "reds" in header["tags"]
    values = {m["name"]: m["results"][0]["metrics"][0]["value"] for m in header["model-index"]}
    wanted = {f"subnet-{s.name}": s.accuracy.after for s in plan.subnetworks} | {"full": plan.full.accuracy.after}
    assert values == {name: pytest.approx(figure, abs=1e-6) for name, figure in wanted.items()}
    for record in plan.subnetworks:
        for name in record.files.values():
            assert name is None or f"]({name})" in card
    assert card == model_card(plan, place.out), "the same plan and files give the same card"


def test_tables_hold_any_name(place: Workplace) -> None:
    place.prune(budgets={"macs": 0.5})
    plan = load_plan(place.out)
    card = model_card(replace(plan, options={**plan.options, "task": {"metric": "f1|<macro>"}}), place.out)
    assert "| f1\\|\\<macro\\> |" in card


def test_a_card_says_what_the_accuracies_were_measured_on_if_there_are_any(place: Workplace) -> None:
    place.prune(budgets={"macs": 0.5})
    plan, said = load_plan(place.out), "The accuracies were measured on the test data of the run"
    assert said in model_card(plan, place.out)
    bare = Accuracy(None, None, {})
    full, subnetworks = replace(plan.full, accuracy=bare), [replace(m, accuracy=bare) for m in plan.subnetworks]
    assert said not in model_card(replace(plan, full=full, subnetworks=tuple(subnetworks)), place.out)


@pytest.mark.skipif(importlib.util.find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed")
def test_the_hub_reads_the_header(place: Workplace) -> None:
    from huggingface_hub import ModelCard

    place.prune(budgets={"macs": 0.5})
    data = ModelCard.load(place.out / "README.md", ignore_metadata_errors=False).data
    assert {result.metric_name for result in data.eval_results} == {"accuracy"}


def test_a_readme_of_the_user_is_neither_replaced_nor_removed(place: Workplace) -> None:
    place.out.mkdir()
    (place.out / "README.md").write_text("mine")
    plan = place.prune(budgets={"macs": 0.5})
    assert write_model_card(plan, place.out) is None
    place.prune(mode=Mode.OVERWRITE, budgets={"macs": 0.6})
    assert (place.out / "README.md").read_text() == "mine"


def test_a_card_whose_marker_was_removed_is_the_users(place: Workplace) -> None:
    plan = place.prune(budgets={"macs": 0.5})
    path = place.out / "README.md"
    path.write_text(path.read_text(encoding="utf-8").replace(MARKER, ""), encoding="utf-8")
    assert write_model_card(plan, place.out) is None
    assert not is_model_card(Path(place.out / "none.md"))
