"""The conformance kit for realisations: an honest one passes, each bad one fails the check meant for it."""

from __future__ import annotations

import mock_realisations as mock
import pytest

from reds_core.testing import REALISATION_CHECKS, Settings, check_realisation
from reds_core.testing.realisation_checks import RealisationSubject
from reds_core.testing.report import Failure
from reds_core.transforms import Realisation


def test_an_honest_realisation_passes() -> None:
    report = check_realisation(mock.Honest)
    assert report.ok, str(report)
    assert report.kind == "transform"


@pytest.mark.parametrize(
    ("bad", "check", "reason"),
    [
        (mock.Reserved, "declares_what_it_is", "which runs use themselves"),
        (mock.Wide, "joins_to_the_width", "is not a finite float64 array of shape"),
        (mock.Endless, "joins_to_the_width", "is not a finite float64 array of shape"),
        (mock.Restless, "changes_nothing_at_full_width", "changes weights at full width"),
        (mock.Moody, "joins_the_same_twice", "differently each time"),
        (mock.Spoiling, "leaves_its_arguments_alone", "changes the weights"),
        (mock.Silent, "says_why_channels_are_dropped", "gives '' as the reason"),
        (mock.Idle, "realises_something", "drops channels in every group"),
        (mock.Loud, "prints_nothing", "printed 'merging"),
    ],
)
def test_a_bad_realisation_fails_its_check(bad: type[Realisation], check: str, reason: str) -> None:
    function = next(each.run for each in REALISATION_CHECKS if each.name == check)
    with pytest.raises(Failure, match=reason):
        function(RealisationSubject(bad, Settings()))
