"""Budgets that the full network already meets are remarked, since they give an unpruned copy."""

from __future__ import annotations

import pytest
from toy_framework import chain_model, describe

from reds_core.cost.budget import parse_budgets
from reds_core.formulation.slack import slack_warnings
from reds_core.formulation.statement import Statement

STATEMENT = Statement(describe(chain_model((24, 40, 16), features=5, positions=3)))
FULL = STATEMENT.full_usage("macs")


def warnings(*texts: str) -> list[str]:
    return slack_warnings(STATEMENT, parse_budgets(texts))


@pytest.mark.parametrize("amount", ["1e9", "100%", "1.0", f"{FULL}MAC", f"{FULL}"])
def test_a_budget_that_does_not_bind_is_remarked(amount: str) -> None:
    [said] = warnings(f"macs={amount}")
    assert said.startswith(f"budget '{parse_budgets([f'macs={amount}'])[0].name}' does not bind: ")
    assert f"the full network uses {FULL:,} of macs" in said


@pytest.mark.parametrize("amount", ["0.5", "99.9%", f"{FULL - 1}"])
def test_a_budget_that_binds_is_not(amount: str) -> None:
    assert warnings(f"macs={amount}") == []


def test_a_slack_limit_beside_a_tight_one_is_not() -> None:
    assert warnings("macs=0.5", "peak_ram=1MiB") == []
    [said] = warnings("macs=1.0", "peak_ram=1MiB")
    assert "of macs and " in said
    assert "1,048,576" in said


def test_only_those_of_several_that_do_not_bind_are() -> None:
    [said] = warnings("macs=0.5,100%,0.25")
    assert "budget '100'" in said
