"""Compares one knapsack over widths and bits with what other tools do instead, and writes
docs/results/worth-of-joint.md.

    python benchmarks/worth_of_joint.py [--networks resnet8] [--budgets 15,20] [--seeds 0] [--arms joint,uniform-4]
    python benchmarks/worth_of_joint.py --from-records

Each run prunes a network to one budget of weight bytes and half of its MACs, trains it, and writes an int8 .tflite file
with weights of 4 bits where these were chosen. Its predictions on the test set are saved beside its record, so that
arms are compared on the same examples. Runs that choose what another arm has chosen with the same seed are not trained
again, because their files would be the same. The most telling runs come first, and the same command resumes where it
stopped. With --from-records the page is written from benchmarks/records/worth. What is compared is in
benchmarks/worth_arms.py, and the page is written by benchmarks/worth_page.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from end_to_end import RECORDS
from kept_records import keep_records
from worth_arms import ARMS, BUDGETS, NETWORKS, SEEDS, TARGET, PlannedRun, planned
from worth_page import page
from worth_records import RUNS, WorthRecord, labels_file

from reds_core import prune
from reds_core.errors import InfeasibleError
from reds_core.system import make_folder, read_archive, temporary_folder, write_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "worth-of-joint.md"
KEPT = RECORDS / "worth"


def perform(run: PlannedRun, done: Sequence[WorthRecord], out: Path) -> WorthRecord:
    """Perform a run, or copy the results of one with the same choice, and return its record."""
    began, settings = time.perf_counter(), run.settings
    network = NETWORKS[run.network]
    base = WorthRecord(
        network=run.network,
        arm=run.arm,
        percent=run.percent,
        seed=run.seed,
        epochs=run.epochs,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    try:
        chosen = prune(network.model, network.data, settings=settings, dry_run=True, verbose=False)
    except InfeasibleError as error:
        return dataclasses.replace(base, infeasible=error.what, wall_s=time.perf_counter() - began)
    record = _with_choice(base, chosen)
    same = next((other for other in done if other.predictions and other.has_choice_of(record)), None)
    if same is not None:
        return dataclasses.replace(
            record,
            same_as=same.arm,
            accuracy=same.accuracy,
            stated_accuracy=same.stated_accuracy,
            keras_accuracy=same.keras_accuracy,
            file_bytes=same.file_bytes,
            predictions=same.predictions,
            wall_s=time.perf_counter() - began,
        )
    with temporary_folder() as folder:
        plan = prune(network.model, network.data, out=folder / "run", settings=settings, verbose=False)
        trained = _with_choice(base, plan)
        if not trained.has_choice_of(record):
            raise AssertionError(f"{run} trained another choice than its dry run showed")
        (member,) = plan.subnetworks
        file = member.files[TARGET]
        assert file is not None
        path = folder / "run" / file
        arrays = read_archive(Path(network.data))
        predicted = predictions(path, arrays["x_test"])
        name = f"{run.network}-{run.arm}-{run.percent}-seed{run.seed}-epochs{run.epochs}.npz"
        np.savez_compressed(out / name, predicted=predicted)
        np.savez_compressed(out / labels_file(run.network), labels=arrays["y_test"].ravel().astype(np.uint8))
        return dataclasses.replace(
            trained,
            accuracy=float((predicted == arrays["y_test"].ravel()).mean()),
            stated_accuracy=member.accuracy.exported.get(TARGET),
            keras_accuracy=member.accuracy.after,
            file_bytes=path.stat().st_size,
            predictions=name,
            wall_s=time.perf_counter() - began,
        )


def _with_choice(record: WorthRecord, plan: Any) -> WorthRecord:
    """A record with what a plan says about the choice of its only subnetwork."""
    (member,) = plan.subnetworks
    settings: Mapping[str, Mapping[str, int]] = member.settings or {}
    return dataclasses.replace(
        record,
        widths=dict(member.widths),
        bits={site: chosen["weight_bits"] for site, chosen in settings.items() if "weight_bits" in chosen},
        usage=dict(member.usage),
        full_usage=dict(plan.full.usage),
        value=member.value,
        bound=member.bound_independent,
        gap=member.gap,
    )


def predictions(path: Path, x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The class that a .tflite file predicts for each example, computed by LiteRT one example at a time."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = taken["quantization"]
    values = x.astype(np.float32)
    if scale:
        limits = np.iinfo(taken["dtype"])
        values = np.clip(np.rint(values / np.float32(scale)) + zero, limits.min, limits.max).astype(taken["dtype"])
    found = np.zeros(len(values), np.uint8)
    for index, example in enumerate(values):
        interpreter.set_tensor(taken["index"], example[None])
        interpreter.invoke()
        found[index] = interpreter.get_tensor(given["index"])[0].argmax()
    return found


def keep(out: Path) -> None:
    """Copy records and predictions to the repository, where records of other runs stay."""
    keep_records(RUNS, out, KEPT, lambda record: record.key)
    for path in out.glob("*.npz"):
        shutil.copyfile(path, KEPT / path.name)


def run_all(runs: Sequence[PlannedRun], out: Path) -> None:
    """Perform the runs that are not recorded yet, one after the other."""
    make_folder(out)
    with RUNS.opened(out) as file:
        done = list(file.before)
        known = {record.key for record in done}
        left = [run for run in runs if run.key not in known]
        for number, run in enumerate(left, 1):
            record = perform(run, done, out)
            file.append(record)
            done.append(record)
            sys.stdout.write(f"{number} of {len(left)}: {record}\n")
            sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="comma-separated")
    parser.add_argument("--arms", default=",".join(ARMS), help="comma-separated")
    parser.add_argument("--budgets", default=",".join(map(str, BUDGETS)), help="percent of the weight bytes")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="comma-separated")
    parser.add_argument(
        "--epochs", type=int, help="of training, in place of those of each network, on trial: nothing is kept"
    )
    parser.add_argument("--out", type=Path, default=Path("out/worth"), help="folder of records and predictions")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the tables go")
    parser.add_argument("--plan", action="store_true", help="only show the runs and their order")
    parser.add_argument("--from-records", action="store_true", help="write the page from kept records")
    given = parser.parse_args(arguments)
    runs = planned(
        given.networks.split(","),
        given.arms.split(","),
        [int(percent) for percent in given.budgets.split(",")],
        [int(seed) for seed in given.seeds.split(",")],
        given.epochs,
    )
    if given.plan:
        sys.stdout.write("".join(f"{run}\n" for run in runs))
        return
    if not given.from_records:
        try:
            run_all(runs, given.out.resolve())
        finally:
            if given.epochs is None:
                keep(given.out.resolve())
    records = RUNS.read(KEPT) if KEPT.exists() else ()
    write_text(given.page, page(records, KEPT))


if __name__ == "__main__":
    main()
