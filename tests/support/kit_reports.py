"""What the reports of conformance kits say."""

from __future__ import annotations

from reds_core.testing import CheckOutcome, Report


def failed(report: Report) -> dict[str, str]:
    """The reason of each check that failed, by its name."""
    return {r.name: r.reason for r in report.with_outcome(CheckOutcome.FAILED)}
