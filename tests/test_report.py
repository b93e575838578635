"""The report of a pruning run: facts, sentences, the page, figures and the table for the terminal."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from html_pages import (
    Page,
    assert_drawings_are_whole,
    assert_no_placeholder_shows,
    assert_nothing_is_fetched,
    assert_tables_and_figures_are_whole,
)
from hypothesis import given
from hypothesis import strategies as st

from reds_core.errors import InputError, UnavailableError
from reds_core.plan import (
    Accuracy,
    Files,
    FullAccuracy,
    FullRecord,
    GroupRecord,
    Hashes,
    Plan,
    StepRecord,
    SubnetworkRecord,
)
from reds_core.report import drawing, figures, units, write_report
from reds_core.report.facts import FILE_KINDS, gather
from reds_core.report.proof import Proof, proof_summary, prove
from reds_core.report.table import Block, Cell, Row, Table
from reds_core.report.terminal import summary_table

DS_CNN_S = {"conv2d": 64, "depthwise_1": 64, "depthwise_2": 64, "depthwise_3": 64, "pointwise_4": 64}
RESNET = {f"stage{1 + i // 5}/block{i % 5}/conv": 16 * 2 ** (i // 5) for i in range(20)}
SIXTY = {f"conv4_block{i}_2_conv": 8 + 4 * i for i in range(60)}
FULL_MACS, FULL_PARAMS, FULL_PEAK_RAM = 2_656_768, 23_756, 16_384
KERAS_SIZE, LITERT_SIZE, INT8_SIZE = 161_234, 96_532, 34_816


def subnetwork(fraction: float, channels: Mapping[str, int], **changes: Any) -> SubnetworkRecord:
    """A subnetwork of about `fraction` of the MACs, found without proof and measured, but for `changes`."""
    name = f"{100 * fraction:g}"
    wave = [1 + 0.5 * math.sin(1.7 * i) * (1 - fraction) for i in range(len(channels))]
    share = [min(1.0, math.sqrt(fraction) * w) for w in wave]
    widths = {g: max(1, round(n * s)) for (g, n), s in zip(channels.items(), share, strict=True)}
    record = SubnetworkRecord(
        name=name,
        budget={"macs": fraction},
        widths=widths,
        kept={g: tuple(range(w)) for g, w in widths.items()},
        usage={
            "macs": int(FULL_MACS * fraction) - 1234,
            "params": int(FULL_PARAMS * (0.1 + 0.9 * fraction)),
            "peak_ram": int(FULL_PEAK_RAM * (0.4 + 0.6 * fraction)),
        },
        value=int(2**31 * fraction**0.5),
        bound=None,
        status="feasible",
        solver="greedy",
        wall_s=0.0123,
        accuracy=Accuracy(
            before=0.12 + 0.8 * fraction**2,
            after=0.9431 - 0.032 * (1 - fraction) ** 2,
            tflite=0.9429 - 0.032 * (1 - fraction) ** 2,
            tflite_int8=0.9402 - 0.035 * (1 - fraction) ** 2,
        ),
        files=Files(f"subnet-{name}.keras", f"subnet-{name}.tflite", f"subnet-{name}-int8.tflite"),
    )
    return dataclasses.replace(record, **changes)


def proven(fraction: float, channels: Mapping[str, int], **changes: Any) -> SubnetworkRecord:
    """The same, proven optimal by dp; nesting costs up to a third of a percent."""
    value = int(2**31 * fraction**0.5)
    free = int(value * 1.0033)
    settings: dict[str, Any] = {"bound": value, "gap": 0.0, "status": "optimal", "solver": "dp"}
    return subnetwork(fraction, channels, **{**settings, "bound_independent": free, **changes})


def plan_of(channels: Mapping[str, int], subnetworks: Sequence[SubnetworkRecord], **changes: Any) -> Plan:
    """A plan with one step and usual options, but for `changes`."""
    plan = Plan(
        full=FullRecord(FULL_MACS, FULL_PARAMS, FULL_PEAK_RAM, FullAccuracy(0.9437, 0.9446)),
        groups=tuple(GroupRecord(g, n, (g, f"{g}_bn", f"{g}_relu")) for g, n in channels.items()),
        subnetworks=tuple(subnetworks),
        pruner="nested",
        scorer="taylor",
        steps=(StepRecord(0, "decide all groups", tuple(channels), {}, 0.21, 74.6),),
        seed=0,
        options={
            "model": "models/arm_kws_ds_cnn_s.keras",
            "data": "speech_commands.npz",
            "budget": ["macs=0.75,0.5,0.25"],
            "finetune-epochs": 10,
            "solver": "auto",
            "time-limit": 60.0,
            "threads": None,
            "resume": False,
        },
        versions={"reds": "0.1.0", "keras": "3.15.0", "tensorflow": "2.21.0", "numpy": "2.2.1"},
        hashes=Hashes("0f" * 32, "a7" * 32),
    )
    return dataclasses.replace(plan, **changes)


def complete() -> Plan:
    """DS-CNN S at 75, 50 and 25 %: one proven, one with a gap, one without a bound."""
    quarter = proven(0.25, DS_CNN_S, bound_independent=2**30)
    half = proven(0.5, DS_CNN_S, status="feasible", bound=int(2**31 * 0.5**0.5 * 1.0031), gap=0.0031, solver="cpsat")
    return plan_of(DS_CNN_S, [quarter, half, subnetwork(0.75, DS_CNN_S)])


def deep() -> Plan:
    """A residual network of 20 groups, decided in 4 steps, under two budgets."""
    records = []
    for fraction in (0.25, 0.5):
        record = proven(fraction, RESNET)
        record = dataclasses.replace(
            record,
            budget={"macs": fraction, "peak_ram": 12 * 1024, "latency": 2_000_000},
            usage={**record.usage, "latency": int(2_000_000 * fraction)},
        )
        records.append(record)
    names = list(RESNET)
    steps = [StepRecord(i, f"stage {i + 1}", tuple(names[5 * i : 5 * i + 5]), {}, 1.5 + i, 61.0 * i) for i in range(4)]
    return plan_of(RESNET, records, steps=tuple(steps), pruner="layerwise")


def without_data() -> Plan:
    """Pruned by magnitude, nothing measured."""
    records = [proven(f, DS_CNN_S, accuracy=Accuracy()) for f in (0.25, 0.5)]
    full = FullRecord(FULL_MACS, FULL_PARAMS, FULL_PEAK_RAM)
    return plan_of(DS_CNN_S, records, full=full, scorer="magnitude", hashes=Hashes("0f" * 32))


ODD = (
    "<script>alert(1)</script>",
    "a/b",
    "$x^$",
    "quote\"'&amp;",
    "bell\x07\x1b[31m",
    "ns:é漢字",
    "long/" * 30,
    "lone\ud800",
)


def odd() -> Plan:
    """Names that no one should trust."""
    channels = dict.fromkeys(ODD, 16)
    record = subnetwork(0.5, channels, name=ODD[0], solver=ODD[0], budget={"macs": 0.5, ODD[0]: 7.0})
    record = dataclasses.replace(record, usage={**record.usage, ODD[0]: 6, "$x^$": 3})
    return plan_of(
        channels,
        [record],
        pruner=ODD[0],
        scorer="[bold]x[/bold]",
        options={"model": "javascript:alert(1)//<img src=http://x.example/>", ODD[4]: {"k": [1, None, float("nan")]}},
        versions={name: name for name in ODD},
        steps=(StepRecord(0, ODD[0], ODD, {}),),
    )


def one_budget() -> Plan:
    return plan_of(DS_CNN_S, [proven(0.5, DS_CNN_S)])


def sixty_groups() -> Plan:
    return plan_of(SIXTY, [proven(f, SIXTY) for f in (0.125, 0.25, 0.5, 0.75, 0.9)])


def nothing_known() -> Plan:
    """The least that the format allows; figures that are not numbers among it."""
    record = SubnetworkRecord("64KiB", {"peak_ram": 65536}, {}, {}, {}, accuracy=Accuracy(after=float("nan")))
    full = FullRecord(0, 0, 0)
    return plan_of({}, [record], full=full, steps=(), options={}, versions={}, hashes=Hashes())


def no_subnetwork() -> Plan:
    return plan_of(DS_CNN_S, [])


PLANS = (complete, deep, without_data, odd, one_budget, sixty_groups, nothing_known, no_subnetwork)


def write_files(plan: Plan, folder: Path) -> None:
    """Files of the sizes that a run of this size has, zeros within."""
    (folder / "nested.keras").write_bytes(bytes(2 * KERAS_SIZE))
    for index, record in enumerate(plan.subnetworks, start=1):
        for name, size in zip(
            (record.files.keras, record.files.tflite, record.files.tflite_int8),
            (KERAS_SIZE, LITERT_SIZE, INT8_SIZE),
            strict=True,
        ):
            if name is not None and "/" not in name:
                (folder / name).write_bytes(bytes(size * index // len(plan.subnetworks)))


THIN = units.THIN


def html_of(plan: Plan, folder: Path) -> str:
    write_files(plan, folder)
    return write_report(plan, folder).read_text(encoding="utf-8")


def page_of(plan: Plan, folder: Path) -> Page:
    return Page(html_of(plan, folder))


@pytest.fixture(scope="module", params=PLANS, ids=lambda make: make.__name__)
def any_html(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    plan: Plan = request.param()
    return html_of(plan, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def complete_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(complete(), tmp_path_factory.mktemp("run"))


RESULTS, SEARCH, CHANNELS = (
    "The full network and its subnetworks",
    "What the search found",
    "Channels kept in each group",
)


# --- every page -----------------------------------------------------------------------------------------------------


def test_nothing_is_fetched_and_nothing_runs(any_html: str) -> None:
    assert_nothing_is_fetched(any_html)


def test_no_placeholder_of_a_missing_figure_shows(any_html: str) -> None:
    assert_no_placeholder_shows(any_html)


def test_svg_is_well_formed_described_and_refers_to_itself_only(any_html: str) -> None:
    assert_drawings_are_whole(any_html)


def test_tables_and_figures_are_whole(any_html: str) -> None:
    assert_tables_and_figures_are_whole(any_html)


def test_same_plan_and_files_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "run", tmp_path / "b" / "run"
    first.mkdir(parents=True)
    second.mkdir(parents=True)
    assert html_of(complete(), first) == html_of(complete(), second)


# --- facts ----------------------------------------------------------------------------------------------------------


def test_costs_accuracies_and_sizes_are_the_plans_largest_first(complete_page: Page) -> None:
    plan, page = complete(), complete_page
    records = plan.subnetworks[::-1]
    assert page.columns[RESULTS] == ["Network", "full", f"75{THIN}%", f"50{THIN}%", f"25{THIN}%"]
    full, cost, quality = plan.full, "Cost of one inference", "Accuracy on test data"
    assert page.row(RESULTS, f"{cost}: MACs") == [full.macs, *(r.usage["macs"] for r in records)]
    assert page.row(RESULTS, f"{cost}: Parameters") == [full.params, *(r.usage["params"] for r in records)]
    assert page.row(RESULTS, f"{cost}: Peak RAM") == [full.peak_ram, *(r.usage["peak_ram"] for r in records)]
    assert page.row(RESULTS, f"{cost}: MACs, budget") == [None, 0.75, 0.5, 0.25]
    accuracies = [r.accuracy for r in records]
    assert page.row(RESULTS, f"{quality}: Before fine-tuning") == [0.9437, *(a.before for a in accuracies)]
    assert page.row(RESULTS, f"{quality}: Keras") == [0.9446, *(a.after for a in accuracies)]
    assert page.row(RESULTS, f"{quality}: LiteRT float32") == [None, *(a.tflite for a in accuracies)]
    assert page.row(RESULTS, f"{quality}: LiteRT int8") == [None, *(a.tflite_int8 for a in accuracies)]
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
    assert proof_summary((close, close)) == "no choice is proven optimal, but how close each is stands below"
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
    record = proven(0.5, DS_CNN_S, accuracy=Accuracy(2.31, 1.625, 1.63, 1.7))
    full = FullRecord(FULL_MACS, FULL_PARAMS, FULL_PEAK_RAM, FullAccuracy(1.5, 1.5))
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
    names = Files("../secret.keras", str(secret), "bad\0name")
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


# --- names that no one should trust ---------------------------------------------------------------------------------


def test_names_are_shown_as_they_are_and_rule_nothing(tmp_path: Path) -> None:
    html = html_of(odd(), tmp_path)
    page = Page(html)
    assert "<script" not in html.lower()
    assert "alert(1)" in page.text
    for name in ODD:
        assert units.printable(name) in page.tables[CHANNELS]
    assert "\x1b" not in html
    assert "bell\\x07\\x1b[31m" in page.text
    assert "lone\\ud800" in page.text
    assert page.tables["Options"]["bell\\x07\\x1b[31m"] == [("k=1, –, –", None)]


def test_an_odd_name_is_drawn_as_text_not_as_formula(tmp_path: Path) -> None:
    plan = odd()
    (figure,) = figures.channel_figures(plan, gather(plan, tmp_path))
    assert "$x^$" in [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert ">$x^$<" in drawing.inline_svg(figure, "p", "description")


def test_no_page_has_markup_from_a_cell() -> None:
    table = Table("<b>", "<i>", ("<u>",), (Block("<s>", (Row("<q>", (Cell("<a>", 1, "<em>"),)),)),))
    from reds_core.report.page import render

    html = render("run.html", **{**EMPTY_PAGE, "results": table})
    assert not {"b", "i", "u", "s", "q", "a", "em"} & {tag for tag, _ in Page(html).elements}


NO_TABLE = Table("", "", (), ())
EMPTY_PAGE: dict[str, Any] = {
    **dict.fromkeys(("title", "headline", "smallest", "scorer", "pruner"), ""),
    **dict.fromkeys(("tiles", "accuracy_pictures", "channel_pictures", "verdicts"), ()),
    **dict.fromkeys(("channels", "search", "steps", "files", "settings", "options", "versions", "hashes"), NO_TABLE),
    "usage_picture": None,
    "metric": None,
}


# --- proofs ---------------------------------------------------------------------------------------------------------


def alone(record: SubnetworkRecord) -> Proof:
    return prove(record, has_smaller=False, has_larger=False)


def test_an_optimum_is_called_proven() -> None:
    proof = prove(proven(0.5, DS_CNN_S), has_smaller=True, has_larger=False)
    assert proof.is_optimal
    assert proof.badge == "optimal"
    assert proof.sentence == (
        "Proven optimal: no other choice of widths within the budget that contains the smaller subnetworks "
        "keeps more importance."
    )
    assert proof.nesting.startswith(f"Nesting costs at most 0.33{THIN}%")
    assert proof.price == pytest.approx(0.0033, abs=1e-5)


@pytest.mark.parametrize(
    ("has_smaller", "has_larger", "limits"),
    [
        (True, False, "that contains the smaller subnetworks"),
        (False, True, "that lies within the larger ones"),
        (True, True, "that contains the smaller subnetworks and lies within the larger ones"),
    ],
)
def test_a_proof_speaks_of_what_fits_between_the_neighbours(has_smaller: bool, has_larger: bool, limits: str) -> None:
    for bound in (10, 11, None):
        record = proven(0.5, DS_CNN_S, value=10, bound=bound, gap=None, status="feasible", bound_independent=20)
        proof = prove(record, has_smaller, has_larger)
        assert limits in proof.sentence
        assert proof.nesting.startswith(f"Nesting costs at most 100.0{THIN}%")
        assert proof.price == 1


@pytest.mark.parametrize(("has_smaller", "has_larger"), [(True, False), (False, True), (True, True)])
def test_a_proof_that_needs_no_neighbours_names_none(has_smaller: bool, has_larger: bool) -> None:
    record = proven(0.5, DS_CNN_S, value=10, bound=10, bound_independent=10)
    proof = prove(record, has_smaller, has_larger)
    assert proof.sentence == "Proven optimal: no other choice of widths within the budget keeps more importance."
    assert proof.nesting == "Nesting costs nothing: a choice free of it could not be better."
    assert proof.price == 0


def test_a_lone_subnetwork_pays_nothing_for_nesting_and_is_told_nothing_of_it() -> None:
    proof = alone(proven(0.5, DS_CNN_S))
    assert (proof.nesting, proof.price) == ("", None)
    assert "smaller" not in proof.sentence
    assert "larger" not in proof.sentence


def test_a_gap_is_said_in_percent() -> None:
    proof = alone(proven(0.5, DS_CNN_S, status="feasible", value=1000, bound=1003, gap=0.003))
    assert not proof.is_optimal
    assert proof.badge == f"gap 0.3{THIN}%"
    assert proof.sentence == (
        f"Within 0.3{THIN}% of the best possible: no choice of widths within the budget can be better by more."
    )


def test_no_bound_is_no_proof_and_names_the_solver() -> None:
    proof = prove(subnetwork(0.5, DS_CNN_S), has_smaller=True, has_larger=False)
    assert not proof.is_optimal
    assert proof.badge == "no bound"
    assert proof.sentence.startswith("No proof: solver greedy gives no bound")
    assert proof.nesting.startswith("What nesting costs is unknown")
    assert proof.price is None


def test_a_bound_that_is_met_is_a_proof_whatever_the_status() -> None:
    assert alone(subnetwork(0.5, DS_CNN_S, value=7, bound=7)).is_optimal


def test_no_gap_at_value_zero_but_the_bound_is_told() -> None:
    proof = alone(subnetwork(0.5, DS_CNN_S, value=0, bound=1234))
    assert proof.badge == "bounded"
    assert f"above 1{THIN}234" in proof.sentence


def test_without_a_search_nothing_is_claimed() -> None:
    record = subnetwork(0.5, DS_CNN_S, value=None, status=None, solver=None)
    proof = prove(record, has_smaller=True, has_larger=True)
    assert proof.sentence == "No search was recorded for this subnetwork."
    assert proof.nesting == ""
    assert not proof.is_optimal


# --- figures --------------------------------------------------------------------------------------------------------


def test_points_are_the_plans_and_the_folders(tmp_path: Path) -> None:
    plan = complete()
    write_files(plan, tmp_path)
    family = gather(plan, tmp_path)
    points = figures.accuracy_points(family, "macs")
    assert list(points) == list(FILE_KINDS)
    assert [(p.x, p.y) for p in points["keras"]] == [
        *((r.usage["macs"], r.accuracy.after) for r in plan.subnetworks),
        (plan.full.macs, plan.full.accuracy.after),
    ]
    sizes = figures.accuracy_points(family, figures.FILE_SIZE)
    assert [p.x for p in sizes["tflite_int8"]] == [INT8_SIZE * i // 3 for i in (1, 2, 3)]


def test_lines_of_a_figure_are_its_points_in_units(tmp_path: Path) -> None:
    plan = complete()
    family = gather(plan, tmp_path)
    figure = figures.accuracy_figure(family, "macs")
    assert figure is not None
    (axes,) = figure.axes
    assert axes.get_xlabel() == "MACs (MMAC)"
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert set(lines) == set(FILE_KINDS.values())
    assert list(lines["Keras"].get_xdata()) == [p.x / 1e6 for p in figures.accuracy_points(family, "macs")["keras"]]
    markers = {(line.get_marker(), line.get_linestyle()) for line in lines.values()}
    assert len(markers) == 3  # told apart without colour
    assert {t.get_text() for t in axes.texts} == {"full", *(m.label for m in family.subnetworks)}


def test_files_that_are_missing_have_no_size_to_draw(tmp_path: Path) -> None:
    assert figures.accuracy_figure(gather(complete(), tmp_path), figures.FILE_SIZE) is None


def test_bars_reach_to_the_width_of_each_subnetwork(tmp_path: Path) -> None:
    plan = complete()
    (figure,) = figures.channel_figures(plan, gather(plan, tmp_path))
    bars: dict[int, list[tuple[int, int]]] = {}
    for bar in figure.axes[0].patches:
        box = bar.get_bbox()
        bars.setdefault(round((box.y0 + box.y1) / 2), []).append((round(box.x0 * 64), round(box.x1 * 64)))
    for row, name in enumerate(DS_CNN_S):
        ends = [0, *(r.widths[name] for r in plan.subnetworks), 64]
        assert bars[row] == list(itertools.pairwise(ends))


def test_many_groups_take_several_figures_of_equal_height(tmp_path: Path) -> None:
    plan = sixty_groups()
    drawn = figures.channel_figures(plan, gather(plan, tmp_path))
    assert len(drawn) == 2
    assert len({tuple(f.get_size_inches()) for f in drawn}) == 1
    labels = [label.get_text() for f in drawn for label in f.axes[0].get_yticklabels()]
    assert labels == list(SIXTY)


def test_subnetworks_differ_without_colour(tmp_path: Path) -> None:
    plan = complete()
    (figure,) = figures.channel_figures(plan, gather(plan, tmp_path))
    *bars, removed = figure.legends[0].get_patches()
    assert len({bar.get_hatch() for bar in bars}) == 3
    greys = [sum(bar.get_facecolor()[:3]) for bar in (*bars, removed)]
    assert greys == sorted(greys)
    assert min(b - a for a, b in itertools.pairwise(greys)) > 0.2


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_figure_is_saved_alike_each_time(suffix: str, start: bytes, tmp_path: Path) -> None:
    contents = []
    for attempt in range(2):
        figure = figures.accuracy_figure(gather(complete(), tmp_path), "macs")
        assert figure is not None
        path = tmp_path / f"{attempt}{suffix}"
        drawing.save_figure(figure, path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(start)


def test_the_users_matplotlib_settings_are_neither_used_nor_changed(tmp_path: Path) -> None:
    import matplotlib

    had_pyplot = "matplotlib.pyplot" in sys.modules
    before = html_of(complete(), tmp_path)
    with matplotlib.rc_context({"font.size": 31, "axes.labelsize": 30, "svg.fonttype": "path"}):
        assert html_of(complete(), tmp_path) == before
        assert matplotlib.rcParams["font.size"] == 31
        assert matplotlib.rcParams["svg.fonttype"] == "path"
    assert ("matplotlib.pyplot" in sys.modules) == had_pyplot


# --- what can go wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["matplotlib", "jinja2"])
def test_a_missing_library_is_named_with_what_to_install(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnavailableError, match=rf"reports need {library}.*reds-core\[bench\]"):
        write_report(complete(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_report(complete(), tmp_path / "missing")


def test_importing_the_report_imports_no_optional_library() -> None:
    code = (
        "import sys, reds_core.report, reds_core.report.terminal\n"
        "print(sorted({'matplotlib', 'jinja2', 'rich', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# --- terminal -------------------------------------------------------------------------------------------------------


def terminal_lines(plan: Plan, folder: Path) -> list[str]:
    from rich.console import Console

    console = Console(width=100, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(summary_table(plan, folder))
    return captured.get().splitlines()


@pytest.mark.parametrize("make", PLANS, ids=lambda make: make.__name__)
def test_the_summary_is_one_line_a_network_within_100_columns(make: Any, tmp_path: Path) -> None:
    plan = make()
    write_files(plan, tmp_path)
    lines = terminal_lines(plan, tmp_path)
    assert max(map(len, lines)) <= 100
    assert len(lines) == 3 + 1 + len(plan.subnetworks)
    assert not re.search(r"None|nan|\x1b", "\n".join(lines))


def test_the_summary_tells_each_figure(tmp_path: Path) -> None:
    plan = complete()
    write_files(plan, tmp_path)
    lines = [" ".join(line.split()) for line in terminal_lines(plan, tmp_path)]
    assert lines[-4] == "full 2.66 M 100 % 23.2 KiB 16.0 KiB 94.4 → 94.5 % – – – –"
    assert lines[-2] == "50 % 1.33 M 50 % 12.8 KiB 11.2 KiB 32.0 → 93.5 % 93.1 % 22.7 KiB gap 0.31 % 12.3 ms"
    assert lines[-1] == "25 % 663 k 25 % 7.54 KiB 8.80 KiB 17.0 → 92.5 % 92.1 % 11.3 KiB optimal 12.3 ms"


# --- figures as people read them ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (units.count(1234567), "1 234 567"),
        (units.count(None), "–"),
        (units.MACS.text(999), "999 MAC"),
        (units.MACS.text(999_999), "1.00 MMAC"),
        (units.MACS.text(2_656_768), "2.66 MMAC"),
        (units.BYTES.text(1023), "1 023 B"),
        (units.BYTES.text(1024), "1.00 KiB"),
        (units.BYTES.text(23_756), "23.2 KiB"),
        (units.BYTES.text(float("nan")), "–"),
        (units.percent(0.9437), "94.4 %"),
        (units.small_percent(0.0), "0 %"),
        (units.small_percent(0.0031), "0.31 %"),
        (units.small_percent(0.000034), "0.0034 %"),
        (units.small_percent(1e-9), "< 0.001 %"),
        (units.small_percent(0.123), "12.3 %"),
        (units.points(-0.0123), "−1.2"),
        (units.points(0.0), "±0.0"),
        (units.points(-0.0001), "±0.0"),
        (units.seconds(0.0123), "12.3 ms"),
        (units.seconds(0.0), "0 s"),
        (units.seconds(59.6), "1 min"),
        (units.seconds(130), "2 min 10 s"),
        (units.seconds(3599.7), "1 h"),
        (units.seconds(3900), "1 h 5 min"),
        (units.seconds(None), "–"),
        (units.budget_text("macs", 0.125), "≤ 12.5 %"),
        (units.budget_text("latency", 2_000_000), "≤ 2.00 ms"),
        (units.shortened("a" * 30, 11), "aaaaa…aaaaa"),
        (units.listed(("a", "b", "c", "d", "e")), "a, b, c and 2 more"),
        (units.listed(("a", "b", "c", "d")), "a, b, c, d"),
        (units.setting([0.5, True, None, {"a": 1}]), "0.5, yes, –, a=1"),
    ],
)
def test_units(text: str, expected: str) -> None:
    assert text.replace(THIN, " ") == expected


@given(st.integers(1, 2**62), st.sampled_from([units.MACS, units.BYTES, units.NANOSECONDS]))
def test_a_scaled_amount_reads_back_to_half_a_percent(number: int, scale: units.Scale) -> None:
    *figure, unit = scale.text(number).split(THIN)
    shown = float("".join(figure))
    assert shown * scale.step ** scale.units.index(unit) == pytest.approx(number, rel=0.0051)
    assert shown < scale.step or unit == scale.units[-1]


@given(st.text(max_size=40), st.integers(3, 12))
def test_a_printable_text_can_be_written_and_shortened(text: str, limit: int) -> None:
    shown = units.printable(text)
    shown.encode("utf-8")
    assert not any(ord(c) < 32 for c in shown)
    assert len(units.shortened(text, limit)) <= limit
    if text.isprintable():
        assert shown == text
