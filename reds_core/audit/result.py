"""What an audit returns, and how it is read back from its file."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

from reds_core.audit.records import AUDIT_FILE, FORMAT, AuditRecord
from reds_core.audit.text import audit_text
from reds_core.errors import InputError, command
from reds_core.system.files import given_path
from reds_core.system.machine_faults import reason_of, shown
from reds_core.system.records import from_plain, parse_json


@dataclass(frozen=True)
class Audit(AuditRecord):
    """Whom compression hurts: what an audit of finished runs finds. As text, it is a short table."""

    def __str__(self) -> str:
        return audit_text(self)


def load_audit(path: str | PathLike[str]) -> Audit:
    """Read what `reds audit` found.

    Args:
        path: The file audit.json, or the folder that holds it.

    Raises:
        InputError: If the file is missing, damaged, or has another format.
    """
    path = given_path(path, "path")
    path = path / AUDIT_FILE if path.is_dir() else path
    again = f"run {command('audit')} again"
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError("another format")
        audit: Audit = from_plain(Audit, content)
        return audit
    except OSError as error:
        raise InputError(f"audit {shown(path)} cannot be read ({reason_of(error)})", again) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{shown(path)} does not hold an audit of format {FORMAT}", again) from error
