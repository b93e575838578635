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

from study import study
from toolbox_cells import cells
from toolbox_page import page

STUDY = study("toolbox.py", cells, page)

if __name__ == "__main__":
    STUDY.main(__doc__)
