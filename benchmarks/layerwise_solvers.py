"""Layer-wise pruning of DS-CNN S by five solvers; writes docs/results/layerwise-solvers.md.

`python benchmarks/layerwise_solvers.py`: resumes where it stopped, since finished runs in OUT are kept.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path

from reds_core import Plan, load_plan
from reds_core.cli import run
from reds_core.formulation import FULL_VALUE
from reds_core.plan import StepRecord

REPOSITORY = Path(__file__).resolve().parents[1]
ASSETS = REPOSITORY.parent / "shared" / "assets"
SOLVERS = ("dp", "cpsat", "pulp", "scipy-lp", "greedy")
EPOCHS, TIME_LIMIT_S = 10, 120


def arguments(solver: str) -> list[str]:
    """The command line of one run, without its folder."""
    return [
        *("prune", str(ASSETS / "models" / "arm_kws_ds_cnn_s.keras")),
        *("--data", str(ASSETS / "data" / "speech_commands.npz")),
        *("--pruner", "layerwise", "--budget", "macs=0.5", "--solver", solver),
        *("--finetune-epochs", str(EPOCHS), "--time-limit", str(TIME_LIMIT_S)),
    ]


def cuts(plan: Plan) -> list[StepRecord]:
    """The steps that decide a group."""
    return [step for step in plan.steps if step.groups]


def line(solver: str, plan: Plan) -> str:
    """One solver's line of the table."""
    (made,) = plan.subnetworks
    seconds = [step.search_s or 0.0 for step in cuts(plan)]
    gap = "-" if made.gap is None else f"{100 * made.gap:.2f} %"
    figures = (
        solver,
        f"{statistics.median(seconds):.3g}",
        f"{max(seconds):.3g}",
        f"{100 * (made.value or 0) / FULL_VALUE:.2f} %",
        gap,
        *(
            f"{100 * a:.1f}"
            for a in (made.accuracy.before or 0, made.accuracy.after or 0, made.accuracy.exported["tflite_int8"] or 0)
        ),
        ", ".join(str(w) for w in made.widths.values()),
    )
    return f"| {' | '.join(figures)} |"


def page(plans: Mapping[str, Plan]) -> str:
    """The whole page."""
    first = next(iter(plans.values()))
    columns = (
        "solver",
        "search, s for a cut: median",
        "longest",
        "value",
        "gap",
        "accuracy before",
        "after",
        "int8",
        "widths",
    )
    steps = "\n".join(
        f"| {cut.name} | {' | '.join(f'{cuts(plan)[i].search_s or 0:.3g}' for plan in plans.values())} |"
        for i, cut in enumerate(cuts(first))
    )
    shown = [str(Path(a).name) if "/" in a else a for a in arguments("SOLVER")]
    return "\n".join(
        [
            "# Layer by layer with five solvers",
            "",
            f"ARM's DS-CNN S on Speech Commands is pruned layer by layer to 50 % of its MACs with a total of {EPOCHS} "
            f"epochs of fine-tuning and seed {first.seed}. "
            "Made by `python benchmarks/layerwise_solvers.py`, which runs",
            "",
            "```sh",
            f"reds {' '.join(shown)}",
            "```",
            "",
            "A cut decides one group by solving the knapsack over all undecided groups. **Search** is the time of the "
            "solver, on a core that was shared with other work: only large factors are significant. **Value** is the "
            "objective computed from the scores of the input model, as a share of the full network's. **Gap** is how "
            "far the value is below its proven optimum, which layer-wise pruning does not maximise: each cut uses the "
            "scores of the current network. Accuracies are in percent on test data; the input model has "
            f"{100 * (first.full.accuracy.before or 0):.1f}. "
            "Differences of a point are noise (1,630 examples, one seed).",
            "",
            f"| {' | '.join(columns)} |",
            "| --- " * len(columns) + "|",
            *(line(solver, plan) for solver, plan in plans.items()),
            "",
            "Seconds of search at each cut:",
            "",
            f"| cut | {' | '.join(plans)} |",
            "| --- " * (len(plans) + 1) + "|",
            steps,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/layerwise-solvers"), help="folder of the runs")
    out = parser.parse_args().out
    plans = {}
    for solver in SOLVERS:
        status = run([*arguments(solver), "--out", str(out / solver), "--resume"])
        if status:
            sys.exit(status)
        plans[solver] = load_plan(out / solver)
    (REPOSITORY / "docs" / "results" / "layerwise-solvers.md").write_text(page(plans), encoding="utf-8")


if __name__ == "__main__":
    main()
