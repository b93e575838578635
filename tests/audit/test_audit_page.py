"""The page, the tables and the text of an audit."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from html_pages import (
    Page,
    assert_no_placeholder_shows,
    assert_nothing_is_fetched,
    assert_tables_and_figures_are_whole,
    plot_of,
)
from sample_audits import sample_audit, single_audit

import reds_core
from reds_core.audit.figures import changes_picture, prediction_picture
from reds_core.audit.findings import findings
from reds_core.audit.page import audit_page
from reds_core.audit.records import save_audit
from reds_core.audit.result import Audit, load_audit
from reds_core.audit.sheet import MOST_PICTURES, are_images, save_pictures, shown_exemplars
from reds_core.audit.writing import audit_tables, write_audit
from reds_core.errors import InputError


@pytest.fixture(scope="module")
def audit() -> Audit:
    return sample_audit()


@pytest.fixture(scope="module")
def page(audit: Audit, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("audit")
    indices = sorted(each.index for each in shown_exemplars(audit))
    images = np.random.default_rng(0).random((len(indices), 8, 8, 3))
    save_pictures(images, indices, folder)
    write_audit(audit, folder, pytest.fail)
    return (folder / "report.html").read_text()


def test_the_page_is_whole_and_fetches_nothing(page: str, audit: Audit, tmp_path: Path) -> None:
    for html in (page, audit_page(single_audit(), tmp_path)):
        assert_nothing_is_fetched(html)
        assert_no_placeholder_shows(html)
        assert_tables_and_figures_are_whole(html)


def test_the_page_shows_what_the_audit_found(page: str, audit: Audit) -> None:
    read = Page(page)
    for sentence in (*findings(audit), *audit.notes):
        assert sentence in read.texts
    cat = read.tables["Recall by class"]["cat"]
    assert [float(value) for _, value in cat[1:] if value is not None] == [
        *(audit.classes[0].before.recall, *(each.recall for each in audit.classes[0].after.values()))
    ]
    pictures = [attributes for tag, attributes in read.elements if tag == "img"]
    assert len(pictures) == min(len({each.index for each in audit.exemplars}), MOST_PICTURES) > 0
    assert all(each["src"].startswith("data:image/png;base64,") and each["alt"] for each in pictures)


def test_sections_without_content_are_left_out(tmp_path: Path) -> None:
    html = audit_page(single_audit(), tmp_path)
    for heading in ("Which groups suffer", "Which examples suffer", "Why they suffer"):
        assert heading not in html
    assert "McNemar’s exact test over examples" in html


def test_figures_hold_the_changes_and_areas(audit: Audit) -> None:
    changes, prediction = changes_picture(audit), prediction_picture(audit)
    assert changes is not None
    assert prediction is not None
    first = plot_of(changes)["data"][0]
    ordered = sorted(audit.classes, key=lambda each: each.after["25"].change or 0)
    assert first["x"] == pytest.approx([100 * (each.after["25"].change or 0) for each in ordered])
    assert [mark.endswith("-open") for mark in first["marker"]["symbol"]] == [
        not each.after["25"].is_hurt for each in ordered
    ]
    areas = [trace["x"] for trace in plot_of(prediction)["data"][:4]]
    members = [member.prediction for member in audit.members]
    assert areas == [
        pytest.approx([each.attribution.auc for each in members if each]),
        pytest.approx([each.baseline.auc for each in members if each]),
        pytest.approx([each.both.auc for each in members if each]),
        pytest.approx([each.at_equal_margin.auc for each in members if each and each.at_equal_margin]),
    ]


def test_an_audit_without_predictions_at_equal_margin_is_whole(audit: Audit, tmp_path: Path) -> None:
    first = audit.members[0]
    assert first.prediction is not None
    without = dataclasses.replace(first, prediction=dataclasses.replace(first.prediction, at_equal_margin=None))
    changed = dataclasses.replace(audit, members=(without, *audit.members[1:]))
    write_audit(changed, tmp_path, pytest.fail)
    assert load_audit(tmp_path) == changed
    assert_no_placeholder_shows((tmp_path / "report.html").read_text())
    picture = prediction_picture(changed)
    assert picture is not None
    assert [len(trace["x"]) for trace in plot_of(picture)["data"][:4]] == [2, 2, 2, 1]
    assert sum("Among examples of equal margin" in sentence for sentence in findings(changed)) == 1


def test_findings_name_what_is_hurt(audit: Audit) -> None:
    found = "\n".join(findings(audit))
    assert "25: cat (−" in found
    assert "loses more recall than the average, by more than chance" in found
    assert "the group with the least accuracy is" in found
    assert "predicts the lost examples better than chance" in found
    quiet = dataclasses.replace(audit, classes=audit.classes[2:])
    assert "no class loses more recall than the average by more than chance" in "\n".join(findings(quiet))


def test_the_text_is_a_table_with_sentences_below_it(audit: Audit) -> None:
    head, before, *rest = str(audit).splitlines()
    assert head.split()[:3] == ["Member", "Networks", "Accuracy"]
    assert before.startswith("before")
    assert rest[-1] == audit.notes[0]


def test_tables_hold_every_figure(audit: Audit) -> None:
    tables = {name: list(csv.DictReader(io.StringIO(text))) for name, text in audit_tables(audit).items()}
    assert len(tables["classes.csv"]) == 3 * len(audit.classes)
    assert len(tables["groups.csv"]) == 3 * len(audit.groups)
    assert [int(row["index"]) for row in tables["exemplars.csv"]] == [each.index for each in audit.exemplars]
    assert [row["network"] for row in tables["members.csv"]] == ["before", "25", "50"]
    assert float(tables["members.csv"][1]["ece"]) == audit.members[0].figures.ece
    assert tables["classes.csv"][0]["change"] == ""
    assert {row["kind"] for row in tables["overlaps.csv"]} == {"members", "methods", "networks"}


def test_audits_are_read_back_and_others_refused(audit: Audit, tmp_path: Path) -> None:
    save_audit(audit, tmp_path)
    assert load_audit(tmp_path) == audit == load_audit(tmp_path / "audit.json")
    assert reds_core.write_report(tmp_path) == tmp_path / "report.html"
    text = (tmp_path / "audit.json").read_text()
    for wrong in (text.replace("reds-audit/1", "reds-audit/2"), "[]", text[:100], text.replace('"flips"', '"flops"')):
        (tmp_path / "audit.json").write_text(wrong)
        with pytest.raises(InputError, match="does not hold an audit of format reds-audit/1"):
            load_audit(tmp_path)
    with pytest.raises(InputError, match=r"audit '.*' cannot be read"):
        load_audit(tmp_path / "none.json")


def test_pictures_are_scaled_and_those_of_an_earlier_audit_removed(tmp_path: Path) -> None:
    from PIL import Image

    grey = np.linspace(-1, 3, 128).reshape(2, 8, 8, 1)
    save_pictures(grey, [4, 17], tmp_path)
    read = np.asarray(Image.open(tmp_path / "exemplars" / "4.png"))
    assert read.shape == (8, 8)
    assert (read.min(), np.asarray(Image.open(tmp_path / "exemplars" / "17.png")).max()) == (0, 255)
    bytes_ = np.full((1, 8, 8, 3), 100, np.uint8)
    save_pictures(bytes_, [2], tmp_path)
    assert [path.name for path in (tmp_path / "exemplars").iterdir()] == ["2.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "exemplars" / "2.png")), bytes_[0])


def test_only_images_are_shown_as_pictures() -> None:
    assert are_images(np.zeros((2, 8, 8, 3)))
    assert are_images(np.zeros((2, 49, 10, 1)))
    for other in (np.zeros((2, 8, 8)), np.zeros((2, 8, 8, 2)), np.zeros((2, 3, 8, 1)), (np.zeros((2, 8, 8, 3)),)):
        assert not are_images(other)
