"""The page of an audit: one HTML file that fetches nothing."""

from __future__ import annotations

from pathlib import Path

from reds_core.audit import tables
from reds_core.audit.calibration import BINS
from reds_core.audit.figures import changes_picture, prediction_picture
from reds_core.audit.findings import findings, tests_made
from reds_core.audit.records import AuditRecord
from reds_core.audit.sheet import MOST_PICTURES, shown_exemplars, tiles
from reds_core.report import units
from reds_core.report.page import render
from reds_core.report.table import prose_table

_SOURCES = {
    "input model": "the input model of the runs",
    "input models": "the input models of the runs",
    "seeds": "the input model, trained further with several seeds as the runs trained",
}


def audit_page(audit: AuditRecord, folder: Path) -> str:
    """Render an audit as one HTML page.

    Args:
        audit: the audit.
        folder: its folder, of which the pictures of exemplars are read if there are any.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
    """
    overlaps = tables.overlaps_table(audit)
    return render(
        "audit.html",
        "reds_core.audit",
        audit=audit,
        title=_title(audit),
        headline=_headline(audit),
        findings=findings(audit),
        networks=tables.networks_table(audit),
        changes=changes_picture(audit),
        classes=tables.classes_table(audit),
        false_positives=tables.false_positives_table(audit),
        groups=tables.groups_table(audit) if audit.groups else None,
        has_exemplars=any(each.exemplars is not None for each in audit.members),
        exemplar_figures=tables.exemplar_figures_table(audit),
        exemplars=tables.exemplars_table(audit),
        overlaps=overlaps,
        tiles=tiles(audit, folder),
        is_cut=len({each.index for each in audit.exemplars}) > len(shown_exemplars(audit)),
        most_pictures=MOST_PICTURES,
        predictions=tables.predictions_table(audit),
        prediction_picture=prediction_picture(audit),
        attribution=_attribution_sentence(audit),
        tests=tests_made(audit),
        bins=BINS,
        facts=prose_table("The audit", "Fact", _facts(audit)),
        versions=prose_table("Versions", "Part", audit.versions),
    )


def _title(audit: AuditRecord) -> str:
    return "Whom compression hurts: " + units.listed(tuple(dict.fromkeys(Path(each).name for each in audit.folders)))


def _headline(audit: AuditRecord) -> str:
    after = units.many(len(audit.folders), "run")
    before = units.many(len(audit.before.files), "uncompressed network")
    return f"The members of {after} against {before}, on {units.many(audit.examples, 'test example')}."


def _attribution_sentence(audit: AuditRecord) -> str:
    found = audit.attribution
    if found is None:
        return ""
    checked = (
        "could not be checked, since no margin varies"
        if found.correlation is None
        else f"correlate with the measured ones by {found.correlation:.2f} in the mean over the examples"
    )
    repair = ", with the batch-norm statistics of each ablated network measured anew" * found.is_repaired
    return (
        f"{units.many(found.ablations, 'random ablation')} of the input model, each of which sets "
        f"{units.percent(found.fraction, 0)} of its {units.count(found.channels)} channels to zero, were measured on "
        f"{units.many(found.examples, 'test example')}{repair}. On the {found.held_out} ablations that the regression "
        f"did not see, the predicted margins {checked}."
    )


def _facts(audit: AuditRecord) -> dict[str, str]:
    found = {
        "Runs": ", ".join(audit.folders),
        "Data": audit.data,
        "Uncompressed networks": _SOURCES.get(audit.before.source, audit.before.source),
        "Their files": ", ".join(audit.before.files),
        "Seed": str(audit.seed),
        "Tests": tests_made(audit),
        "Correction for the number of classes": "Benjamini and Hochberg",
    }
    if len(audit.methods) > 1:
        found["Methods"] = "; ".join(f"{each.name} ({', '.join(each.folders)})" for each in audit.methods)
    return found
