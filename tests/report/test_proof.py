"""What a report says of how optimal a choice is."""

from __future__ import annotations

import pytest
from sample_plans import (
    DS_CNN_S,
    THIN,
    proven,
    subnetwork,
)

from reds_core.plan import FamilyRecord, SubnetworkRecord
from reds_core.report.proof import Proof, family_sentence, prove, width_rules


def alone(record: SubnetworkRecord) -> Proof:
    return prove(record, has_smaller=False, has_larger=False)


def test_an_optimum_is_called_proven() -> None:
    proof = prove(proven(0.5, DS_CNN_S), has_smaller=True, has_larger=False)
    assert proof.is_optimal
    assert proof.badge == "optimal"
    assert proof.sentence == (
        "Proven optimal: no other choice of widths within the budget that contains the smaller subnetworks "
        "keeps more importance."
    )
    assert f"costs at most 0.33{THIN}% of its value" in proof.nesting
    assert proof.price == pytest.approx(0.0033, abs=1e-5)


@pytest.mark.parametrize(
    ("has_smaller", "has_larger", "limits"),
    [
        (True, False, "that contains the smaller subnetworks"),
        (False, True, "that lies within the larger ones"),
        (True, True, "that contains the smaller subnetworks and lies within the larger ones"),
    ],
)
def test_a_proof_speaks_of_what_fits_between_the_neighbours(has_smaller: bool, has_larger: bool, limits: str) -> None:
    for bound in (10, 11, None):
        record = proven(0.5, DS_CNN_S, value=10, bound=bound, gap=None, status="feasible", bound_independent=20)
        proof = prove(record, has_smaller, has_larger)
        assert limits in proof.sentence
        assert f"costs at most 100.0{THIN}% of its value" in proof.nesting
        assert proof.price == 1


@pytest.mark.parametrize(("has_smaller", "has_larger"), [(True, False), (False, True), (True, True)])
def test_a_proof_that_needs_no_neighbours_names_none(has_smaller: bool, has_larger: bool) -> None:
    record = proven(0.5, DS_CNN_S, value=10, bound=10, bound_independent=10)
    proof = prove(record, has_smaller, has_larger)
    assert proof.sentence == "Proven optimal: no other choice of widths within the budget keeps more importance."
    assert (
        proof.nesting
        == "Sharing its weights with the other members costs nothing: a network of its own could not keep more."
    )
    assert proof.price == 0


def test_a_lone_subnetwork_pays_nothing_for_nesting_and_is_told_nothing_of_it() -> None:
    proof = alone(proven(0.5, DS_CNN_S))
    assert (proof.nesting, proof.price) == ("", None)
    assert "smaller" not in proof.sentence
    assert "larger" not in proof.sentence


def test_a_gap_is_said_in_percent() -> None:
    proof = alone(proven(0.5, DS_CNN_S, status="feasible", value=1000, bound=1003, gap=0.003))
    assert not proof.is_optimal
    assert proof.badge == f"gap 0.3{THIN}%"
    assert proof.sentence == (
        f"Within 0.3{THIN}% of the best possible: no choice of widths within the budget can be better by more."
    )


def test_multiples_are_named_beside_the_gap() -> None:
    close = {"status": "feasible", "value": 1000, "bound": 1001, "gap": 0.001}
    assert "possible, with widths in multiples of 4: no" in alone(proven(0.5, DS_CNN_S, align=4, **close)).sentence
    assert "multiples" not in alone(proven(0.5, DS_CNN_S, align=1, **close)).sentence


def test_a_gap_that_was_asked_for_is_named() -> None:
    close = {"status": "feasible", "value": 1000, "bound": 1001, "gap": 0.001}
    at_gap = alone(proven(0.5, DS_CNN_S, limit="gap", **close)).sentence
    assert at_gap.endswith("can be better by more. The search stopped there, at the gap asked for.")
    assert "asked" not in alone(proven(0.5, DS_CNN_S, limit="time", **close)).sentence


def test_no_bound_is_no_proof_and_names_the_solver() -> None:
    proof = prove(subnetwork(0.5, DS_CNN_S), has_smaller=True, has_larger=False)
    assert not proof.is_optimal
    assert proof.badge == "no bound"
    assert proof.sentence.startswith("No proof: solver greedy gives no bound")
    assert proof.nesting.startswith("How much the family costs this network is unknown")
    assert proof.price is None


def test_a_bound_that_is_met_is_a_proof_whatever_the_status() -> None:
    assert alone(subnetwork(0.5, DS_CNN_S, value=7, bound=7)).is_optimal


def test_no_gap_at_value_zero_but_the_bound_is_told() -> None:
    proof = alone(subnetwork(0.5, DS_CNN_S, value=0, bound=1234))
    assert proof.badge == "bounded"
    assert f"above 1{THIN}234" in proof.sentence


def test_without_a_search_nothing_is_claimed() -> None:
    record = subnetwork(0.5, DS_CNN_S, value=None, status=None, solver=None)
    proof = prove(record, has_smaller=True, has_larger=True)
    assert proof.sentence == "No search was recorded for this subnetwork."
    assert proof.nesting == ""
    assert not proof.is_optimal


@pytest.mark.parametrize(
    ("order", "bound", "limit", "sentence"),
    [
        (
            "bottom-up",
            1000,
            None,
            "The subnetworks were chosen from the smallest up: it is proven that no family within these budgets "
            "has a larger sum of values.",
        ),
        (
            "around 50",
            1003,
            "time",
            f"The subnetworks were chosen from 50 outwards: their sum of values is within 0.3{THIN}% of that of the "
            "best possible family. The search for a better one stopped at the time limit.",
        ),
        (
            "joint",
            None,
            None,
            "The subnetworks were chosen all at once. How much better another family could be is unknown.",
        ),
    ],
)
def test_a_family_says_how_it_was_chosen_and_what_is_proven(
    order: str, bound: int | None, limit: str | None, sentence: str
) -> None:
    gap = None if bound is None else (bound - 1000) / 1000
    assert family_sentence(FamilyRecord(order, 1000, bound, gap, limit)) == sentence


def test_the_proof_of_a_family_says_that_it_is_limited_to_multiples() -> None:
    said = family_sentence(FamilyRecord("bottom-up", 1000, 1000, 0.0), multiple=4)
    assert said.endswith("no family within these budgets with widths in multiples of 4 has a larger sum of values.")


@pytest.mark.parametrize(
    ("rules", "such"),
    [
        ({"keep": [], "align": None, "min_width": 1, "max_options": 512}, ""),
        (
            {"align": 8, "min_width": 4, "keep": ["stem*"]},
            " in multiples of 8, of at least 4 channels, with stem* whole",
        ),
        ({"align": 1, "min_width": 2}, " of at least 2 channels"),
        (None, ""),
    ],
)
def test_a_proof_holds_for_the_widths_that_the_settings_allow(rules: object, such: str) -> None:
    assert width_rules({"widths": rules}) == such
    proof = prove(subnetwork(0.5, DS_CNN_S, value=7, bound=7), False, False, such)
    assert proof.sentence == f"Proven optimal: no other choice of widths{such} within the budget keeps more importance."


def test_the_proof_of_a_family_names_those_that_were_chosen_together() -> None:
    record = FamilyRecord("bottom-up", 1000, 1000, 0.0)
    said = family_sentence(record, such=" in multiples of 8", names=["25 %", "50 %", "75 %"])
    assert said.startswith("Subnetworks 25 %, 50 % and 75 % were chosen from the smallest up: it is proven that no ")
    assert said.endswith("with widths in multiples of 8 has a larger sum of values.")
    assert family_sentence(record, names=["50 %"]) == ""


def test_without_a_record_of_a_family_there_is_no_sentence() -> None:
    assert family_sentence(None) == ""
