"""An audit as text, for a terminal."""

from __future__ import annotations

from reds_core.audit.findings import findings
from reds_core.audit.records import AuditRecord
from reds_core.audit.tables import networks_table
from reds_core.report import units
from reds_core.report.plan_table import table_text


def audit_text(audit: AuditRecord) -> str:
    """Return a short table with a row for each population, and the findings and notes below it."""
    said = (*findings(audit), *audit.notes)
    return "\n".join((table_text(networks_table(audit, is_short=True)), "", *map(units.on_terminal, said)))
