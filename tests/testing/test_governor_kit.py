"""The kit for governors: a good one passes, and each bad one fails the check that is meant for it."""

from __future__ import annotations

import pytest
import toy_governors as toys
from kit_reports import failed

from reds_core.errors import InputError
from reds_core.registry import Registry
from reds_core.runtime import Governor
from reds_core.testing import GOVERNOR_CHECKS, Settings, check, check_governor


def test_a_good_governor_passes() -> None:
    report = check_governor(toys.ToyGovernor)
    assert report.ok, str(report)
    assert (report.plugin, report.kind) == ("toy-governor", "governor")
    assert [each.name for each in report.results] == [each.name for each in GOVERNOR_CHECKS]


@pytest.mark.parametrize(
    ("governor", "name", "reason"),
    [
        (toys.Misnamed, "declares_what_it_is", "is not a lower-case word"),
        (toys.ChoosesMissingMembers, "decides_by_what_it_is_told", "chose member 3 of 3"),
        (toys.RemembersElsewhere, "decides_by_what_it_is_told", "answers differently when it is asked again"),
        (toys.RemembersFractions, "decides_by_what_it_is_told", "start is (0.5,), not a tuple of integers"),
        (toys.MissesRequests, "answers_all_requests_where_it_can", "requests are missed"),
        (toys.NeverSettles, "settles_where_nothing_changes", "members 0, 1, 2 run in turn for ever"),
        (toys.Prints, "prints_nothing", "printed 'hello"),
    ],
)
def test_each_bad_governor_fails_its_check(governor: type[Governor], name: str, reason: str) -> None:
    found = failed(check_governor(governor))
    assert list(found) == [name]
    assert reason in found[name]


def test_a_check_that_does_not_exist_cannot_be_expected_to_fail() -> None:
    with pytest.raises(InputError, match="is not a check"):
        check_governor(toys.ToyGovernor, Settings(expected_failures={"flies": "no"}))


def test_an_installed_governor_is_checked_by_its_name() -> None:
    (report,) = check("threshold", registry=Registry())
    assert report.ok, str(report)
