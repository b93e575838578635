"""Times the stages of a run except training and conversion: `python benchmarks/stages.py MODEL DATA`.

Importing TensorFlow and reading the data are timed separately.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from reds_core import Registry, Search, load_data
from reds_core.cost import resource_forms
from reds_core.formulation import formulate
from reds_core.framework import Task, member_kept
from reds_core.scoring import Scorer, score

T = TypeVar("T")


def timed(name: str, work: Callable[[], T]) -> T:
    """Return the result of `work` and print the time that it took."""
    started = time.perf_counter()
    result = work()
    sys.stdout.write(f"{name:<28} {time.perf_counter() - started:7.3f} s\n")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data")
    parser.add_argument("--budget", type=float, default=0.5, help="share of the MACs")
    arguments = parser.parse_args()
    registry = Registry()
    framework = registry.default_framework()
    model = timed("import and load", lambda: framework.load_model(arguments.model))
    data = timed("read data", lambda: load_data(arguments.data, framework, framework.input_shape(model)))
    train = framework.check_data(model, data.train, Task(), "training data")
    network = timed("inspect", lambda: framework.inspect(model))
    scorer = registry.create(Scorer, "taylor")
    scores = timed("score (taylor)", lambda: score(scorer, framework, model, network, train, Task(), 0))
    forms = resource_forms(network, ["macs"])
    capacity = int(arguments.budget * forms["macs"].at(network.channels))
    stated = timed("formulate", lambda: formulate(network, scores, forms, {"macs": capacity}, "stages"))
    solution = timed("solve", lambda: Search(registry).choose(stated.problem))
    full = timed("permute", lambda: framework.extract(model, network, stated.order))
    widths = solution.widths or {}
    timed("extract", lambda: framework.extract(full, network, member_kept(widths)))


if __name__ == "__main__":
    main()
