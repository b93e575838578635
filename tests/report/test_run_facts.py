"""The page of a pruning run tells the figures of its plan and the sizes of its files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from html_pages import (
    Page,
)
from sample_plans import (
    CHANNELS,
    DS_CNN_S,
    FULL_USAGE,
    INT8_SIZE,
    KERAS_SIZE,
    LITERT_SIZE,
    RESULTS,
    SEARCH,
    SIXTY,
    THIN,
    complete,
    deep,
    named_files,
    no_subnetwork,
    nothing_known,
    page_of,
    plan_of,
    proven,
    sixty_groups,
    subnetwork,
    without_data,
)

from reds_core.plan import (
    Accuracy,
    FullAccuracy,
    FullRecord,
)
from reds_core.report import units
from reds_core.report.facts import gather
from reds_core.report.proof import proof_summary, prove


@pytest.fixture(scope="module")
def complete_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(complete(), tmp_path_factory.mktemp("run"))


def test_costs_accuracies_and_sizes_are_the_plans_largest_first(complete_page: Page) -> None:
    plan, page = complete(), complete_page
    records = plan.subnetworks[::-1]
    assert page.columns[RESULTS] == ["Network", "full", f"75{THIN}%", f"50{THIN}%", f"25{THIN}%"]
    full, cost, quality = plan.full, "Cost of one inference", "Accuracy on test data"
    assert page.row(RESULTS, f"{cost}: MACs") == [full.usage["macs"], *(r.usage["macs"] for r in records)]
    assert page.row(RESULTS, f"{cost}: Parameters") == [full.usage["params"], *(r.usage["params"] for r in records)]
    assert page.row(RESULTS, f"{cost}: Peak RAM") == [full.usage["peak_ram"], *(r.usage["peak_ram"] for r in records)]
    assert page.row(RESULTS, f"{cost}: MACs, budget") == [None, 0.75, 0.5, 0.25]
    accuracies = [r.accuracy for r in records]
    assert page.row(RESULTS, f"{quality}: Before fine-tuning") == [0.9437, *(a.before for a in accuracies)]
    assert page.row(RESULTS, f"{quality}: Keras") == [0.9446, *(a.after for a in accuracies)]
    assert page.row(RESULTS, f"{quality}: LiteRT float32") == [None, *(a.exported["tflite"] for a in accuracies)]
    assert page.row(RESULTS, f"{quality}: LiteRT int8") == [None, *(a.exported["tflite_int8"] for a in accuracies)]
    assert page.row(RESULTS, "File size: Keras") == [2 * KERAS_SIZE, *(KERAS_SIZE * i // 3 for i in (3, 2, 1))]
    assert page.row(RESULTS, "File size: LiteRT float32") == [None, *(LITERT_SIZE * i // 3 for i in (3, 2, 1))]
    assert page.row(RESULTS, "File size: LiteRT int8") == [None, *(INT8_SIZE * i // 3 for i in (3, 2, 1))]


def test_shown_texts_round_the_exact_figures(complete_page: Page) -> None:
    cells = complete_page.tables[RESULTS]
    assert [text for text, _ in cells["Cost of one inference: MACs"]] == [
        f"2.66{THIN}MMAC",
        f"1.99{THIN}MMAC|75.0{THIN}%",
        f"1.33{THIN}MMAC|50.0{THIN}%",
        f"663{THIN}kMAC|25.0{THIN}%",
    ]
    assert cells["Accuracy on test data: Keras"][0][0] == f"94.5{THIN}%|+0.1{THIN}pt"
    assert cells["Accuracy on test data: Keras"][3][0] == f"92.5{THIN}%|−1.9{THIN}pt"


def test_search_figures_are_the_plans(complete_page: Page) -> None:
    records, page = complete().subnetworks[::-1], complete_page
    assert page.row(SEARCH, "Value") == [r.value for r in records]
    assert page.row(SEARCH, "Bound") == [r.bound for r in records]
    assert page.row(SEARCH, "Bound without nesting") == [r.bound_independent for r in records]
    assert page.row(SEARCH, "Gap") == [None, 0.0031, 0.0]
    assert page.row(SEARCH, "Search time") == [0.0123] * 3
    assert [text for text, _ in page.tables[SEARCH]["Solver"]] == ["greedy", "cpsat", "dp"]
    assert [text for text, _ in page.tables[SEARCH]["Status"]] == ["feasible", "feasible", "optimal"]


def test_the_search_table_says_what_ended_a_search_early(tmp_path: Path) -> None:
    plan = complete()
    first, *others = plan.subnetworks
    page = page_of(dataclasses.replace(plan, subnetworks=(dataclasses.replace(first, limit="gap"), *others)), tmp_path)
    assert [text for text, _ in page.tables[SEARCH]["Stopped at"]] == ["–", "–", "the gap asked for"]


def test_channels_of_every_group_are_the_plans(tmp_path: Path) -> None:
    plan = sixty_groups()
    page = page_of(plan, tmp_path)
    assert len(page.tables[CHANNELS]) == 60
    for name, channels in SIXTY.items():
        kept = [r.widths[name] for r in plan.subnetworks[::-1]]
        assert page.row(CHANNELS, name)[1:] == [channels, *kept]


def test_method_options_versions_hashes_and_steps_are_told(tmp_path: Path) -> None:
    page = page_of(deep(), tmp_path)

    def told(caption: str) -> dict[str, str]:
        return {heading: cells[0][0] for heading, cells in page.tables[caption].items()}

    assert told("Method") == {"pruner": "layerwise", "scorer": "taylor", "solver": "dp", "seed": "0"}
    assert told("Options")["budget"] == "macs=0.75,0.5,0.25"
    assert told("Options")["threads"] == units.DASH
    assert told("Options")["resume"] == "no"
    assert told("Versions") == dict(deep().versions)
    assert told("SHA-256 of the input") == {"model": "0f" * 32, "data": "a7" * 32}
    assert page.row("Steps of the run", "stage 3") == [None, 3.5, 122.0]
    assert page.row("Steps of the run", "All steps") == [None, 12.0, 366.0]


def test_several_resources_each_have_budget_usage_and_plot(tmp_path: Path) -> None:
    page = page_of(deep(), tmp_path)
    assert page.row(RESULTS, "Cost of one inference: Latency") == [None, 1_000_000, 500_000]
    assert page.tables[RESULTS]["Cost of one inference: Peak RAM, budget"][1][0] == f"≤{THIN}12.0{THIN}KiB"
    captions = [text for text in page.texts if text.startswith("Accuracy against")]
    assert captions == [f"Accuracy against {r}" for r in ("MACs", "parameters", "peak RAM", "latency", "file size")]


def test_without_data_there_is_no_accuracy_but_usage(tmp_path: Path) -> None:
    page = page_of(without_data(), tmp_path)
    assert "accuracy was not measured" in page.text
    assert not [heading for heading in page.tables[RESULTS] if heading.startswith("Accuracy")]
    assert "Accuracy against MACs" not in page.text
    assert "What each subnetwork uses of the full network's cost" in page.text
    assert page.columns["Files in the folder of this report"] == ["File", "Network", "Kind", "Size"]


def test_the_headline_says_what_was_reached(complete_page: Page, tmp_path: Path) -> None:
    assert (
        f"Three nested subnetworks: the smallest needs 25.0{THIN}% of the full network's MACs and reaches 92.5{THIN}% "
        f"accuracy, where the input model has 94.4{THIN}%; 1 of 3 choices is proven optimal."
    ) in complete_page.text
    empty = page_of(no_subnetwork(), tmp_path)
    assert "made no subnetwork" in empty.text
    assert "svg" not in {tag for tag, _ in empty.elements}


def test_the_headline_sums_the_proofs_up() -> None:
    best, close, open_ended = (
        prove(record, has_smaller=False, has_larger=False)
        for record in (
            proven(0.5, DS_CNN_S),
            proven(0.5, DS_CNN_S, status="feasible", value=1000, bound=1003, gap=0.003),
            subnetwork(0.5, DS_CNN_S),
        )
    )
    assert proof_summary((best,)) == "its choice is proven optimal"
    assert proof_summary((best, best)) == "both choices are proven optimal"
    assert proof_summary((best, best, best)) == "all 3 choices are proven optimal"
    assert proof_summary((best, close, best)) == "2 of 3 choices are proven optimal"
    assert proof_summary((close, close)) == f"both choices are proven to be within 0.3{THIN}% of the best possible"
    assert proof_summary((close, open_ended)) == "no choice is proven optimal"
    assert proof_summary((open_ended,)) == "no choice comes with a proof, since the solver gives no bound"


def test_figures_that_are_not_numbers_are_as_if_missing(tmp_path: Path) -> None:
    page = page_of(nothing_known(), tmp_path)
    assert "64KiB" in page.columns[RESULTS]
    assert "no choice is proven optimal." in page.text
    assert page.tables[RESULTS]["Cost of one inference: Peak RAM, budget"] == [
        ("–", None),
        (f"≤{THIN}64.0{THIN}KiB", "65536"),
    ]


def test_another_metric_is_no_percentage(tmp_path: Path) -> None:
    record = proven(0.5, DS_CNN_S, accuracy=Accuracy(2.31, 1.625, {"tflite": 1.63, "tflite_int8": 1.7}))
    full = FullRecord(FULL_USAGE, FullAccuracy(1.5, 1.5))
    plan = plan_of(DS_CNN_S, [record], full=full, options={"task": {"loss": None, "metric": "mean_absolute_error"}})
    page = page_of(plan, tmp_path)
    assert "reaches 1.625 mean_absolute_error, where the input model has 1.5" in page.text
    row = page.tables[RESULTS]["Mean_absolute_error on test data: LiteRT int8"]
    assert row == [("–", None), ("1.7", "1.7")]
    assert " points " not in page.text


def test_only_files_within_the_folder_are_measured(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    secret = tmp_path / "secret.keras"
    secret.write_bytes(b"12345")
    names = named_files("../secret.keras", str(secret), "bad\0name")
    (member,) = gather(plan_of(DS_CNN_S, [proven(0.5, DS_CNN_S, files=names)]), folder).subnetworks
    assert [f.size for f in member.files] == [None, None, None]
    assert member.smallest_file is None


def test_a_member_is_labelled_percent_only_where_its_name_is_one(tmp_path: Path) -> None:
    plan = plan_of(
        DS_CNN_S,
        [
            subnetwork(0.125, DS_CNN_S, name="64KiB", budget={"peak_ram": 65536, "macs": 0.125}),
            subnetwork(0.125, DS_CNN_S, name="12.5", budget={"macs": 0.125}),
            subnetwork(0.5, DS_CNN_S, name="50", budget={"params": 50.0}),
        ],
    )
    assert [m.label for m in gather(plan, tmp_path).subnetworks] == ["64KiB", f"12.5{THIN}%", "50"]
