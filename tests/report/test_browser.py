"""The page of a run in a real browser: its figures, controls, tables and themes work, and it requests nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, MISSING, Browser
from sample_details import write_details

from reds_core.report import write_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "subnet-25.keras").write_bytes(b"model")
    return write_report(write_details(folder), folder)


@pytest.fixture(scope="module")
def started(path: Path) -> Iterator[Browser]:
    with Browser() as browser:
        browser.open(path)
        yield browser


@pytest.fixture
def browser(started: Browser, path: Path) -> Iterator[Browser]:
    """The open page. Tests leave it as other tests expect it, since opening it takes a second."""
    yield started
    assert started.complaints == []
    assert started.requests == [path.as_uri()]


def test_every_figure_is_drawn(browser: Browser) -> None:
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    browser.run("new Promise((done) => setTimeout(done, 100))")
    drawn = "[...document.querySelectorAll('.plot')].map((p) => p.querySelectorAll('.main-svg').length > 0)"
    found = browser.run(drawn)
    assert len(found) > 8
    assert all(found)


def test_the_slider_changes_texts_and_figures_and_listens_to_keys(browser: Browser) -> None:
    value = "document.querySelector('[data-slot=\"explore-0/value\"]').textContent"
    bars = "document.getElementById('explore-0-widths').data[0].x[0]"
    assert browser.run(value).startswith("50.0")
    assert browser.run(bars) == 25
    browser.run("document.getElementById('explore-0').focus()")
    browser.press("ArrowRight")
    assert browser.run(value).startswith("70.7")
    assert browser.run(bars) == 50
    assert "of the full network" in browser.run("document.getElementById('explore-0').getAttribute('aria-valuetext')")


def test_the_select_box_shows_the_layers_of_one_member(browser: Browser) -> None:
    shown = "[...document.querySelectorAll('[data-step]')].map((part) => part.hidden)"
    assert browser.run(shown) == [False, True, True]
    peak = browser.run("document.querySelector('[data-slot=\"network/peak\"]').textContent")
    browser.run("{const s = document.getElementById('network'); s.value = 2; s.dispatchEvent(new Event('input'));}")
    assert browser.run(shown) == [True, True, False]
    assert browser.run("document.querySelector('[data-slot=\"network/peak\"]').textContent") != peak


def test_a_click_in_the_legend_hides_a_series_and_the_theme_keeps_it_hidden(browser: Browser) -> None:
    toggle = "document.querySelector('#accuracy-0 .legendtoggle')"
    box = browser.run(
        f"{{const b = {toggle}.getBoundingClientRect(); [b.x + b.width / 2, b.y + scrollY + b.height / 2];}}"
    )
    browser.click(*box)
    browser.run("new Promise((done) => setTimeout(done, 600))")  # plotly.js waits for a second click
    visible = "document.getElementById('accuracy-0')._fullData[0].visible"
    assert browser.run(visible) == "legendonly"
    browser.run("document.getElementById('theme').click()")
    assert browser.run(visible) == "legendonly"
    browser.run("document.getElementById('theme').click()")


def test_the_theme_follows_the_system_until_the_reader_chooses(browser: Browser, path: Path) -> None:
    colours = (
        "[getComputedStyle(document.body).backgroundColor,"
        " document.getElementById('accuracy-0')._fullLayout.font.color]"
    )
    browser.run("localStorage.clear()")
    browser.open(path)
    light = browser.run(colours)
    browser.prefer(dark=True)
    browser.run("new Promise((done) => setTimeout(done, 200))")
    dark = browser.run(colours)
    assert not set(light) & set(dark)
    browser.run("document.getElementById('theme').click()")
    assert browser.run(colours) == light
    assert browser.run("localStorage.getItem('reds-theme')") == "light"
    browser.open(path, dark=True)
    assert browser.run(colours) == light  # the choice is remembered
    browser.run("localStorage.clear()")
    browser.prefer(dark=False)


def test_a_heading_sorts_rows_and_a_button_gives_them_as_csv(browser: Browser) -> None:
    table = "[...document.querySelectorAll('table')].find((t) => t.caption.textContent === 'Recall by class')"
    rows = f"[...{table}.tBodies[0].rows].map((row) => row.cells[0].textContent)"
    assert browser.run(rows) == ["no", "yes", "<b>up</b>"]
    browser.run(f"{table}.tHead.rows[0].cells[0].querySelector('button').click()")
    assert browser.run(rows) == ["<b>up</b>", "no", "yes"]
    heading = f"{table}.tHead.rows[0].cells[6]"
    browser.run(f"{heading}.querySelector('button').click()")
    assert browser.run(rows) == ["no", "yes", "<b>up</b>"]
    browser.run(f"{heading}.querySelector('button').click()")
    assert browser.run(rows) == ["yes", "no", "<b>up</b>"]  # a missing figure stays last
    assert browser.run(f"{heading}.getAttribute('aria-sort')") == "descending"
    browser.run(
        "URL.createObjectURL = (blob) => { window.made = blob.text(); return 'data:,'; };"
        "HTMLAnchorElement.prototype.click = function () { window.named = this.download; };"
        f"{table}.closest('.scroller').nextElementSibling.click()"
    )
    assert browser.run("window.named") == "recall-by-class.csv"
    lines = browser.run("window.made").split("\r\n")
    assert lines[0].startswith("Class,Examples,input model,")
    assert lines[1] == "yes,40,0.95,0.95,0.95,0.9,0.85"
    assert lines[3].startswith("<b>up</b>,0,–")


def test_the_page_fits_a_phone(browser: Browser) -> None:
    browser.resize(400, 900)
    browser.run("new Promise((done) => setTimeout(done, 300))")
    wide = "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 401)"
    inside = f"{wide}.filter((e) => !e.closest('.scroller')).map((e) => e.outerHTML.slice(0, 80))"
    assert browser.run(inside) == []
    # titles of axes may be cut off without being wider than the page
    titles = "[...document.querySelectorAll('.plot .xtitle')].filter((t) => !t.closest('.scroller'))"
    assert (
        browser.run(f"{titles}.map((t) => t.getBoundingClientRect()).filter((b) => b.left < 0 || b.right > 400)") == []
    )
    assert browser.run("document.documentElement.scrollWidth") <= 400
    browser.resize(1280, 900)


def test_files_are_links(browser: Browser) -> None:
    assert browser.run("document.querySelector('a[href$=\".keras\"]').getAttribute('href')") == "./subnet-25.keras"


def test_paper_shows_the_light_theme_and_all_figures_without_controls(browser: Browser) -> None:
    colour = "document.getElementById('accuracy-0')._fullLayout.font.color"
    light = browser.run(colour)
    browser.prefer(dark=True)
    folded = browser.run("document.querySelectorAll('details:not([open])').length")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(colour) == light
    assert browser.run("document.querySelectorAll('details:not([open])').length") == 0
    widths = browser.run(
        "[...document.querySelectorAll('.plot')].map((p) => p.querySelector('.main-svg')?.clientWidth)"
    )
    assert max(widths) <= 680
    assert min(widths) > 0
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.querySelectorAll('details:not([open])').length") == folded
    browser.prefer(dark=False)
    browser.paper(True)
    hidden = (
        "[...document.querySelectorAll('#theme, .csv, .control, .modebar')].map((e) => getComputedStyle(e).display)"
    )
    assert set(browser.run(hidden)) == {"none"}
    assert browser.run("getComputedStyle(document.querySelector('div:has(> .network)')).overflow") == "visible"
    browser.paper(False)


def test_without_javascript_the_page_says_so_and_shows_its_tables(browser: Browser, path: Path) -> None:
    browser.allow_scripts(False)
    browser.open(path)
    text = browser.run("document.body.innerText")
    assert text.startswith("JavaScript is off")
    assert "Three nested subnetworks" in text
    assert browser.run("document.querySelectorAll('table')[0].offsetHeight") > 100
    assert browser.run("[...document.querySelectorAll('figure')].every((f) => f.offsetHeight === 0)")
    browser.allow_scripts(True)
    browser.open(path)
