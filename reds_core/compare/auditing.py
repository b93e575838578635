"""The audit of a single run of a comparison, and what records hold of it."""

from __future__ import annotations

from pathlib import Path

from reds_core.audit.findings import worst_class
from reds_core.audit.records import AUDIT_FILE
from reds_core.audit.result import Audit, load_audit
from reds_core.compare.record import SubnetworkAudit
from reds_core.errors import InputError, RedsError
from reds_core.plan import load_plan
from reds_core.registry import Registry
from reds_core.runs.auditing import run_audit
from reds_core.runs.folder import Mode
from reds_core.system.users_code import import_names
from reds_core.watcher import Watcher


def audit_finished(run: Path, out: Path, watcher: Watcher, registry: Registry | None = None) -> str:
    """Audit a finished run against its input model, unless that is done already.

    Channels are not attributed, which takes long.

    Args:
        run: the folder of the run.
        out: the folder of its audit.
        watcher: notified of progress and warnings.
        registry: the plugins to choose from; None for all that are installed.

    Returns:
        Why the run cannot be audited, for example because it has no classes; empty if it is audited.
    """
    if (out / AUDIT_FILE).exists():
        return ""
    options = load_plan(run).options
    try:
        imports = import_names(tuple(options.get("imports") or ()))  # the recipe that the user gave names them
        run_audit(
            run,
            options.get("data"),
            out,
            ablations=0,
            mode=Mode.OVERWRITE,
            imports=imports,
            registry=registry,
            watcher=watcher,
        )
    except RedsError as error:
        watcher.warn(f"the run is not audited: {error}")
        return str(error)
    return ""


def audit_of(folder: Path | None) -> Audit | None:
    """Return the audit in a folder; None if there is none, or if it cannot be read."""
    if folder is None or not (folder / AUDIT_FILE).exists():
        return None
    try:
        return load_audit(folder)
    except InputError:
        return None


def subnetwork_audit(audit: Audit | None, name: str) -> SubnetworkAudit | None:
    """Return what an audit of one run says of a subnetwork; None if it says nothing."""
    member = None if audit is None else next((each for each in audit.members if each.name == name), None)
    if audit is None or member is None:
        return None
    worst = worst_class(audit, name)
    return SubnetworkAudit(
        None if worst is None else worst.name,
        None if worst is None else worst.after[name].change,
        sum(each.after[name].is_hurt is True for each in audit.classes),
        round(member.flips.changed),
        member.figures.ece - audit.before.figures.ece,
    )
