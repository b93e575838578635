"""Measures what widths in multiples of 4 cost real models, for docs/guide/widths.md: `python benchmarks/alignment.py`.

Every model of ../shared/assets is pruned to 75, 50 and 25 % of its MACs, once with any widths (`--align 1`) and once by
default, where each search takes multiples of 4 if they cost at most 0.1 % of the value. Models with data are
fine-tuned. Search times are CPU milliseconds for the problem of the budget alone, the minimum of 9 solves, with all
widths and with multiples of 4; by default, both are solved. The command resumes where it stopped, since finished runs
in OUT are kept.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from end_to_end import with_part
from real_models import ASSETS, flat_speech_commands

from reds_core import FinetuneSettings, Plan, Registry, RunSettings, Search, load_scores, prune
from reds_core.cost import resource_forms
from reds_core.formulation import WidthRules, formulate
from reds_core.system import make_folder, this_machine, write_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "widths.md"
MODELS = {
    "arm_kws_ds_cnn_s.keras": "speech_commands.npz",
    "arm_kws_ds_cnn_m.keras": "speech_commands.npz",
    "arm_kws_cnn_s.keras": "speech_commands.npz",
    "arm_kws_dnn_s.keras": "flat",
    "mlperf_tiny_resnet8_cifar10.h5": "cifar10.npz",
    "mlperf_tiny_kws_ds_cnn.keras": None,
    "mlperf_tiny_streaming_wakeword.keras": None,
    "mlperf_tiny_vww_96.keras": None,
}
"""Each model with its data; without data, channels are scored by magnitude and nothing is trained."""
REPEATS = 9
RULES = {"any": WidthRules(align=1), "auto": WidthRules()}


def pruned(model: str, data: str | None, rules: str, out: Path) -> Plan:
    """The plan of one run, which is taken from OUT if it has finished before."""
    source = None if data is None else str(flat_speech_commands(out) if data == "flat" else ASSETS / "data" / data)
    settings = RunSettings(widths=RULES[rules], int8=False)
    if source is None:
        settings = RunSettings(widths=RULES[rules], int8=False, scorer="magnitude", finetune=FinetuneSettings(epochs=0))
    folder = run_folder(out, model, rules)
    return prune(str(ASSETS / "models" / model), source, settings=settings, out=folder, mode="resume")


def run_folder(out: Path, model: str, rules: str) -> Path:
    """The folder of a run."""
    return out / f"{Path(model).stem}-{rules}"


def search_ms(folder: Path, share: float) -> tuple[float, float]:
    """The CPU time to solve the problem of a budget of MACs with all widths and with multiples of 4.

    Args:
        folder: A finished run.
        share: The budget as a share of the full network's MACs.
    """
    registry = Registry()
    framework = registry.default_framework()
    network = framework.inspect(framework.load_model(folder / "nested.keras"))
    scores, forms = load_scores(folder / "scores.npz"), resource_forms(network, ["macs"])
    capacity = {"macs": int(share * forms["macs"].at(network.channels))}
    least = []
    for multiple in (1, 4):
        stated = formulate(network, scores, forms, capacity, "alignment", rules=WidthRules(align=multiple))
        times = []
        for _ in range(REPEATS):
            started = time.process_time()
            Search(registry).choose(stated.problem)
            times.append(time.process_time() - started)
        least.append(min(times))
    return 1000 * least[0], 1000 * least[1]


def percent(share: float | None, digits: int = 1) -> str:
    """A share as text, or a dash."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def rows(model: str, free: Plan, auto: Plan, folder: Path) -> list[str]:
    """Lines of the table, one for each budget, largest first."""
    lines = []
    for any_width, chosen in reversed(list(zip(free.subnetworks, auto.subnetworks, strict=True))):
        cells = (
            Path(model).stem,
            f"{any_width.name} %",
            percent(chosen.align_price, 3),
            "multiples of 4" if chosen.align and chosen.align > 1 else "any",
            *(f"{ms:.0f}" for ms in search_ms(folder, chosen.budget["macs"])),
            percent(any_width.accuracy.after),
            percent(chosen.accuracy.after),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/alignment"), help="folder of the runs")
    parser.add_argument("--write", action="store_true", help="write the table into docs/guide/widths.md")
    given = parser.parse_args()
    make_folder(given.out)
    columns = ("network", "MACs", "price of multiples of 4", "default takes", "search, CPU ms: all widths")
    columns += ("multiples of 4", "accuracy: any widths", "default")
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for model, data in MODELS.items():
        free, auto = (pruned(model, data, rules, given.out) for rules in RULES)
        lines += rows(model, free, auto, run_folder(given.out, model, "auto"))
        sys.stdout.write("\n".join(lines[-3:]) + "\n")
        sys.stdout.flush()
    if given.write:
        text = f"Made by `python benchmarks/alignment.py --write` on {this_machine().cpu}:\n\n" + "\n".join(lines)
        write_text(PAGE, with_part(PAGE.read_text(encoding="utf-8"), "alignment", text))


if __name__ == "__main__":
    main()
