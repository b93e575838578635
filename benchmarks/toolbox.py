"""Compares transforms alone and together at equal bytes and at equal MACs, and writes docs/results/toolbox.md.

    python benchmarks/toolbox.py [--cells 'resnet8-*-bytes-50-seed0-*,ds-cnn-s-*']
    python benchmarks/toolbox.py --plan
    python benchmarks/toolbox.py --from-records

Each cell makes a trained network smaller by one transform, or by several that one knapsack decides together, to one
budget, trains it, and measures the .tflite file. The most telling cells come first, and the same command resumes where
it stopped. Cells whose transforms are not installed are left for later. With --from-records the page is written from
benchmarks/records/toolbox. The cells are in benchmarks/toolbox_cells.py, what is measured in benchmarks/study_files.py,
and the page is written by benchmarks/toolbox_page.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from study import Study, main
from toolbox_cells import cells
from toolbox_page import page

REPOSITORY = Path(__file__).resolve().parents[1]
STUDY = Study(
    script="toolbox.py",
    cells=cells,
    page=page,
    page_path=REPOSITORY / "docs" / "results" / "toolbox.md",
    kept=REPOSITORY / "benchmarks" / "records" / "toolbox",
)


def run(arguments: Sequence[str] | None = None) -> None:
    main(STUDY, __doc__, arguments)


if __name__ == "__main__":
    run()
