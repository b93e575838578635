"""Compares `reds prune` with the most cited pruners on MobileNetV2, and writes docs/results/mobilenetv2.md.

    python benchmarks/mobilenetv2_base.py --out out/mobilenetv2
    python benchmarks/mobilenetv2_base.py --out out/mobilenetv2 --penalty 1e-4
    python benchmarks/mobilenetv2.py [--cells '*-macs-50-seed0-*']
    python benchmarks/mobilenetv2.py --from-records

Each cell prunes the same network to one budget, fine-tunes it with the same settings, seed and order of the examples,
and measures the int8 .tflite file. The most telling cells come first, and the same command resumes where it stopped.
Run the script in the folder in which out/mobilenetv2 is. With --from-records the page is written from
benchmarks/records/mobilenetv2. The cells are in benchmarks/mobilenetv2_cells.py, and the page is written by
benchmarks/mobilenetv2_page.py.
"""

from __future__ import annotations

from mobilenetv2_cells import cells
from mobilenetv2_page import page
from study import study

STUDY = study("mobilenetv2.py", cells, page)

if __name__ == "__main__":
    STUDY.main(__doc__)
