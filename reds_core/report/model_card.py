"""The model card of a run: a README.md with a YAML header, as hubs of models display it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reds_core.plan import Plan
from reds_core.report import units
from reds_core.report.energy import energy_sentences, resource_title
from reds_core.report.facts import FamilyFacts, Member, gather
from reds_core.report.markdown import escaped
from reds_core.system.files import write_text

CARD_FILE = "README.md"
MARKER = "<!-- written by reds: it is replaced when the run changes; remove this line to keep your own text -->"
"""The line by which a card that reds may replace is recognised."""

_LOADING = Path(__file__).parent / "templates" / "loading"
_OF_DATA = "The accuracies were measured on the test data of the run and say nothing about other data."
_LIMITS = (
    "What limits the original model, such as biases of its training data, limits these models as well.",
    "Figures such as MACs are counted from the layers of a network, and were not measured on a device.",
)


def write_model_card(plan: Plan, folder: Path) -> Path | None:
    """Write FOLDER/README.md, the model card of the files in the folder.

    The same plan and files give the same bytes. A README.md that was not written by reds is left as it is.

    Args:
        plan: The plan of the run.
        folder: The folder of the run.

    Returns:
        The path of the card; None if there is a README.md of the user.

    Raises:
        InputError: If the file cannot be written.
    """
    path = folder / CARD_FILE
    if path.exists() and not is_model_card(path):
        return None
    write_text(path, model_card(plan, folder))
    return path


def is_model_card(path: Path) -> bool:
    """Whether a file is a model card that reds wrote and may replace."""
    try:
        return MARKER in path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False


def model_card(plan: Plan, folder: Path) -> str:
    """Return the model card of a run as Markdown with a YAML header."""
    import yaml

    facts = gather(plan, folder)
    header = yaml.safe_dump(_metadata(plan, facts), sort_keys=False, allow_unicode=True)
    data = _data_name(plan)
    on_data = "" if data is None else f", on the data set {escaped(data)}"
    merged = any(record.merged for record in plan.subnetworks)
    weights = "whose channels were merged, each with weights of its own" if merged else "which share their weights"
    figures = [each for m in facts.largest_first for each in (m.accuracy.after, *m.accuracy.exported.values())]
    limits = (*([_OF_DATA] if any(figure is not None for figure in figures) else []), *_LIMITS)
    parts = [
        f"---\n{header}---\n{MARKER}",
        "# Nested subnetworks of one trained network",
        f"This is a family of {units.many(len(facts.subnetworks), 'subnetwork')} of one network, {weights}{on_data}. "
        "The channels of each were chosen by [reds]"
        "(https://arxiv.org/abs/2311.13349), which solves that choice as a knapsack problem under the budgets of the "
        "run. Each file is an ordinary model that can be used by itself.",
        "## Members\n\n" + _members(facts),
        "## Files\n\n" + _files(facts),
        "## How to load them\n\n" + "\n".join(_loading(facts)),
        "## How they were made\n\n" + _making(plan, folder),
        "## Limits\n\n" + "\n".join(f"- {sentence}" for sentence in limits),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _metadata(plan: Plan, facts: FamilyFacts) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "library_name": facts.kinds.model.name,
        "tags": ["reds", "pruning", "model-compression", *sorted({k.format.lower() for k in facts.kinds.exported})],
    }
    data = _data_name(plan)
    if data is not None:
        metadata["datasets"] = [data]
    measured = [member for member in facts.largest_first if member.accuracy.after is not None]
    if measured:
        metadata["model-index"] = [
            {"name": _name(member), "results": [_result(member, facts, data)]} for member in measured
        ]
    return metadata


def _result(member: Member, facts: FamilyFacts, data: str | None) -> dict[str, Any]:
    metric = facts.metric.name
    return {
        "task": {"type": "other"},
        "dataset": {"name": data or "the test data of the run", "type": data or "other"},
        "metrics": [{"type": metric.lower(), "name": metric, "value": round(float(member.accuracy.after or 0.0), 6)}],
    }


def _data_name(plan: Plan) -> str | None:
    """The name of the data set. Paths are left out, since they say something about one machine only."""
    data = plan.options.get("data")
    if not isinstance(data, str) or "/" in data or "\\" in data or data.startswith(".") or Path(data).suffix:
        return None
    return data.removeprefix("tfds:")


def _name(member: Member) -> str:
    return "full" if member.record is None else f"subnet-{member.record.name}"


def _members(facts: FamilyFacts) -> str:
    columns = ["network", *(resource_title(r, facts.energy) for r in facts.resources), facts.metric.name]
    columns += [f"{facts.metric.name} as {kind.title}" for kind in facts.kinds.exported]
    rows = [
        [
            escaped(f"{_name(member)} ({member.mark})" if member.mark else _name(member)),
            *(escaped(units.amount(r, member.usage.get(r))) for r in facts.resources),
            escaped(facts.metric.text(member.accuracy.after)),
            *(escaped(facts.metric.text(member.accuracy_of(kind))) for kind in facts.kinds.exported),
        ]
        for member in facts.largest_first
    ]
    sentences = [facts.metric.meaning] if facts.metric.meaning else []
    return "\n\n".join((_table(columns, rows), *map(escaped, (*sentences, *energy_sentences([facts.energy])))))


def _files(facts: FamilyFacts) -> str:
    rows = [
        [
            f"[{escaped(file.name)}]({file.name})",
            *map(escaped, (_name(member), file.kind.title, units.byte_size(file.size))),
        ]
        for member in facts.largest_first
        for file in member.files
        if file.size is not None
    ]
    return _table(["file", "network", "format", "size"], rows)


def _table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown, of which the cells are Markdown and the titles of columns are not."""
    lines = [[escaped(column) for column in columns], ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _loading(facts: FamilyFacts) -> list[str]:
    """How the files are loaded, for each format that reds describes; of a format, the first file is the example."""
    example = {
        path.stem: next(
            (
                f.name
                for m in facts.subnetworks
                for f in m.files
                if f.size is not None and f.name.endswith(f".{path.stem}")
            ),
            None,
        )
        for path in sorted(_LOADING.glob("*.md"))
    }
    texts = [
        (_LOADING / f"{stem}.md").read_text(encoding="utf-8").replace("{file}", name)
        for stem, name in example.items()
        if name is not None
    ]
    return texts or ["Each file is loaded by the library that its format belongs to."]


def _making(plan: Plan, folder: Path) -> str:
    version = plan.versions.get("reds-core")
    sentences = [
        f"They were made by `reds prune`{f', version {version}' if version else ''}, with the pruner `{plan.pruner}`, "
        f"the scorer `{plan.scorer}` and seed {plan.seed}.",
        "`reds prune` makes the same plan again with `recipe.yaml` as its recipe; `plan.json` "
        "holds every figure and which channels each network keeps, and `report.html` shows them.",
    ]
    return " ".join(sentences)
