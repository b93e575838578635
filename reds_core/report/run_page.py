"""The report of a pruning run: its summary, tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from reds_core.cost.resources import RESOURCES
from reds_core.framework.profile_records import load_profiles
from reds_core.plan import Plan
from reds_core.plan_details import Details, load_details
from reds_core.report import units
from reds_core.report.accuracy_plots import accuracy_pictures, usage_picture
from reds_core.report.budget_explorer import explorers
from reds_core.report.class_accuracy import class_report
from reds_core.report.device_tables import device_tables
from reds_core.report.drop import drop_sentences, drop_table
from reds_core.report.energy import energy_sentences
from reds_core.report.facts import OWN_WEIGHTS, FamilyFacts, Member, gather
from reds_core.report.latency_source import latency_sentences
from reds_core.report.layer_levels import levels_picture, levels_table
from reds_core.report.merged_channels import merging_sentences
from reds_core.report.network_view import network_view
from reds_core.report.page import render
from reds_core.report.plan_table import extraction_sentence
from reds_core.report.proof import Proof, family_sentence, proof_summary, prove, width_rules
from reds_core.report.run_tables import (
    channels_table,
    files_table,
    results_table,
    search_table,
    settings_table,
    steps_table,
)
from reds_core.report.table import prose_table
from reds_core.report.training_curves import training_pictures
from reds_core.report.width_plots import channels_picture
from reds_core.run_history import load_history

_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")


@dataclass(frozen=True)
class KeyFigure:
    """One figure of the summary: its title, value, and a comparison."""

    title: str
    text: str
    note: str


@dataclass(frozen=True)
class Verdict:
    """The proof of one subnetwork's choice."""

    label: str
    proof: Proof


def run_page(plan: Plan, folder: Path) -> str:
    """The report of a run as one HTML page.

    Args:
        plan: what the run decided.
        folder: where its files are. Its details and training curves are read if it has some, and the sizes of the
            other files.

    Raises:
        UnavailableError: if Jinja2 or Plotly is not installed.
        InputError: if the details or the training curves are damaged.
    """
    family, details = gather(plan, folder), load_details(folder) or Details()
    last, such = len(family.subnetworks) - 1, width_rules(plan.options)
    chosen = [m for m in family.subnetworks if m.record is not None and m.record.extraction is None]
    verdicts = tuple(
        Verdict(m.label, prove(m.record, index > 0, index < last, such))
        for index, m in enumerate(family.subnetworks)
        if m.record is not None
    )
    proofs = tuple(v.proof for v in verdicts)
    return render(
        "run.html",
        title=model_name(plan, folder),
        headline=headline(family, proofs),
        smallest=family.subnetworks[0].label if family.subnetworks else "",
        tiles=_tiles(family, proofs) if family.subnetworks else (),
        scorer=plan.scorer,
        pruner=plan.pruner,
        metric=family.metric,
        results=results_table(family),
        has_own_weights=any(member.mark == OWN_WEIGHTS for member in family.subnetworks),
        is_merged=any(record.merged for record in plan.subnetworks),
        sources=(
            *merging_sentences(plan.subnetworks),
            *energy_sentences([plan.energy_source]),
            *latency_sentences(plan.latency_machine),
        ),
        additions=tuple(_addition(member) for member in reversed(family.subnetworks) if member.mark),
        accuracy_pictures=accuracy_pictures(family),
        usage_picture=usage_picture(family),
        classes=class_report(family, details.classes),
        explorers=explorers(plan, family, details.explorations),
        channels_picture=channels_picture(plan, family),
        channels=channels_table(plan, family),
        network=network_view(plan, family, details),
        training=training_pictures(family, load_history(folder)),
        levels_picture=levels_picture(plan, family),
        levels=levels_table(plan, family),
        verdicts=tuple(reversed(verdicts)),
        family_sentence=family_sentence(
            plan.family,
            max((m.record.align or 1 for m in chosen if m.record), default=1),
            such,
            [m.label for m in chosen] if len(chosen) < len(family.subnetworks) else (),
        ),
        search=search_table(family, tuple(reversed(proofs))),
        steps=steps_table(plan),
        drop_sentences=drop_sentences(plan.max_drop, plan) if plan.max_drop else (),
        drop_table=drop_table(plan.max_drop, plan) if plan.max_drop else None,
        devices=device_tables(load_profiles(folder), _labels(family)),
        files=files_table(family),
        settings=settings_table(plan),
        options=prose_table("Options", "Option", {k: units.setting(v) for k, v in plan.options.items()}),
        versions=prose_table("Versions", "Part", plan.versions),
        hashes=prose_table("SHA-256 of the input", "Input", _hashes(plan)),
    )


def _hashes(plan: Plan) -> dict[str, str | None]:
    calibration = plan.hashes.calibration
    given = {} if calibration is None else {"calibration data": calibration}
    return {"model": plan.hashes.model, "data": plan.hashes.data, **given}


def _labels(family: FamilyFacts) -> dict[str, str]:
    """Return how the networks are labelled, by their names in profiles."""
    return {"full" if m.record is None else m.record.name: m.label for m in family.largest_first}


# --- summary --------------------------------------------------------------------------------------------------------


def model_name(plan: Plan, folder: Path) -> str:
    """Return the name of the run: the file name of its input model, or else its folder's name."""
    model = plan.options.get("model")
    if isinstance(model, str) and model.strip():
        return PurePath(model).name or model
    return folder.resolve().name


def headline(family: FamilyFacts, proofs: tuple[Proof, ...]) -> str:
    """Summarise the run in one sentence."""
    if not family.subnetworks:
        return "The run made no subnetwork."
    smallest, number = family.subnetworks[0], len(family.subnetworks)
    many = _WORDS[number] if number < len(_WORDS) else str(number)
    opening = "One subnetwork: it" if number == 1 else f"{many} nested subnetworks: the smallest"
    return f"{opening} needs {_need(smallest)} {_quality(family, smallest)}; {proof_summary(proofs)}."


def _need(member: Member) -> str:
    """Return the usage of the first resource with a budget, or of MACs."""
    budgeted = tuple(member.record.budget) if member.record else ()
    for resource in (*budgeted, "macs"):
        if resource in member.share:
            return f"{units.percent(member.share[resource])} of the full network's {units.resource_noun(resource)}"
    for resource in (*budgeted, "macs"):
        if resource in member.usage:
            return f"{units.amount(resource, member.usage[resource])} of {units.resource_noun(resource)}"
    return "less than the full network"


def _quality(family: FamilyFacts, member: Member) -> str:
    metric, reached = family.metric, member.accuracy.after
    if reached is None:
        return f"({metric.name} was not measured)"
    text = f"and reaches {metric.text(reached)} {metric.name}"
    return text if family.reference is None else f"{text}, where the input model has {metric.text(family.reference)}"


def _addition(member: Member) -> str:
    """Return how a member was added after the run."""
    sentence = extraction_sentence(member.record) if member.record else None
    return f"{member.label}: {sentence}"


def _tiles(family: FamilyFacts, proofs: tuple[Proof, ...]) -> tuple[KeyFigure, ...]:
    """Return the key figures of the smallest subnetwork."""
    smallest, full = family.subnetworks[0], family.full
    tiles = []
    for resource in (r.name for r in RESOURCES.values() if not r.is_measured):
        if resource in smallest.share:
            used, of = smallest.usage[resource], full.usage[resource]
            note = f"{units.amount(resource, used)} of {units.amount(resource, of)}"
            tiles.append(KeyFigure(units.resource_title(resource), units.percent(smallest.share[resource]), note))
    if smallest.accuracy.after is not None:
        text = family.metric.text(smallest.accuracy.after)
        tiles.append(KeyFigure(family.metric.name.capitalize(), text, _difference(family, smallest.accuracy.after)))
    if (file := smallest.smallest_file) is not None:
        tiles.append(KeyFigure("Smallest file", units.byte_size(file.size), file.kind.title))
    return (*tiles, _proof_tile(proofs))


def _proof_tile(proofs: tuple[Proof, ...]) -> KeyFigure:
    """Return how many choices are proven optimal, or how close to it all of them are if none is."""
    proven, gaps = sum(p.is_optimal for p in proofs), [p.gap for p in proofs if p.gap is not None]
    if proven == 0 and gaps and len(gaps) == len(proofs):
        return KeyFigure("Proof", units.small_percent(max(gaps)), "from the best possible choice, at most")
    return KeyFigure("Proof", f"{proven} of {len(proofs)}", "choices proven optimal")


def _difference(family: FamilyFacts, figure: float) -> str:
    """Return the difference between `figure` and that of the input model."""
    if family.reference is None:
        return ""
    if not family.metric.is_share:
        return f"input model {family.metric.text(family.reference)}"
    points = units.points(figure - family.reference)
    direction = {"+": "above", "−": "below", "±": "from"}[points[0]]
    return f"{points[1:]} points {direction} the input model"
