"""Compares all solvers on the networks of the paper and writes the page.

    python benchmarks/comparison.py --out DIR [--page docs/comparison.md] [--only-page]

There are two comparisons of `reds bench`, which resume where they stopped: all solvers, with and without presolve, on
the suite `paper` for 60 s each (two hours on an idle machine, most of it without presolve), and the formulation of the
paper for 300 s on DS-CNN S. DIR/paper/report.html and DIR/kernel/report.html contain the figures.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from reds_core.bench import suite
from reds_core.cli import run
from reds_core.knapsack import save_problem

SOLVERS = "dp,lagrangian,greedy,uniform-width,global-threshold,cpsat,pulp,scipy-lp,scipy-milp"
WITHOUT_PRESOLVE = ",".join(f"{name}[presolve=false]" for name in ("cpsat", "pulp", "scipy-lp", "scipy-milp"))
SHARES = (25, 50, 75, 10)
"""Percentages of the MACs, in the outer loop, so that a comparison stopped early has solved every network."""


def problem_files(folder: Path, share: int, prefix: str = "") -> list[str]:
    """The problems of the suite at one share of the MACs, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for each in suite("paper"):
        name = each.problem.name
        if name.endswith(f"-{share}") and name.startswith(prefix):
            path = folder / f"{name}.npz"
            if not path.exists():
                save_problem(each.problem, path)
            files.append(str(path))
    return files


def compare(out: Path) -> None:
    """Start or resume both comparisons."""
    everything = ["bench", "--suite", "paper", "--solvers", SOLVERS, "--time-limit", "60", "--out", str(out / "paper")]
    _done(run(everything))
    for share in SHARES:
        files = problem_files(out / "problems", share)
        _done(run(["bench", *files, "--solvers", WITHOUT_PRESOLVE, "--time-limit", "60", "--out", str(out / "paper")]))
    files = [f for share in SHARES for f in problem_files(out / "problems", share, "ds-cnn-s-kernels")]
    _done(run(["bench", *files, "--solvers", "reds-kernel,dp", "--time-limit", "300", "--out", str(out / "kernel")]))


def _done(status: int) -> None:
    if status:
        sys.exit(status)


def page(out: Path, remark: str) -> str:
    """The page as Markdown: the summaries of both comparisons. remark: conditions of the measurement."""
    parts = [
        "# Solvers compared on the networks of the paper",
        "",
        "Made by `python benchmarks/comparison.py`.",
        "",
        *([remark, ""] if remark else []),
    ]
    titles = {
        "paper": "All solvers, 60 s each",
        "kernel": "The formulation of the paper with a binary variable for each kernel, 300 s each",
    }
    for name, title in titles.items():
        summary = (out / name / "summary.md").read_text()
        body = re.sub(r"\A# .*\n", "", summary)
        parts += [f"## {title}", re.sub(r"^#", "##", body, flags=re.MULTILINE).rstrip(), ""]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--page", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "comparison.md")
    parser.add_argument("--only-page", action="store_true", help="write the page from existing results")
    parser.add_argument(
        "--remark", default="", help="a sentence for the page, for example on what disturbed the measurement"
    )
    arguments = parser.parse_args()
    if not arguments.only_page:
        compare(arguments.out)
    arguments.page.write_text(page(arguments.out, arguments.remark))


if __name__ == "__main__":
    main()
