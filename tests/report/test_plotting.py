"""Interactive figures: what a page holds of them, and the library that draws them."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from importlib import resources

import pytest

from reds_core.errors import UnavailableError
from reds_core.report import plotting
from reds_core.report.page import scripts_for

CHECKSUM = "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba"


def test_plotly_js_is_the_file_of_its_package_and_fits_the_python_library() -> None:
    import plotly.offline

    vendor = resources.files("reds_core.report") / "vendor"
    content = (vendor / "plotly-basic.min.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == CHECKSUM
    version = re.search(rb"\(basic - minified\) v([\d.]+)", content)
    assert version is not None
    assert version[1].decode() in (vendor / "README.md").read_text(encoding="utf-8")
    major = plotly.offline.get_plotlyjs_version().partition(".")[0]
    assert version[1].decode().partition(".")[0] == major
    assert b"</script" not in content.lower()
    assert b"\r" not in content  # a page would hold another text, whose hash its policy does not allow


def test_a_figure_is_json_that_no_name_can_leave() -> None:
    figure = plotting.new_plot(x="x", y="y")
    name = "</script><b>&amp;\ud800"
    figure.add_scatter(x=[1, float("nan")], y=[1, 2], name=plotting.plain(name), marker={"color": plotting.ACCENT})
    picture = plotting.interactive(figure, "one", "a caption", 'says "<this>"')
    assert 'aria-label="says &quot;&lt;this&gt;&quot;"' in picture.html
    (text,) = re.findall(r'<script type="application/json" data-plot="one">(.*?)</script>', picture.html)
    assert not set("<>&") & set(text)
    (trace,) = json.loads(text)["data"]
    assert trace["name"] == "&lt;/script&gt;&lt;b&gt;&amp;amp;\\ud800"  # plotly.js shows the name, not its markup
    assert trace["x"] == [1, None]
    assert trace["marker"]["color"] == "var(--accent)"


def test_the_same_figure_gives_the_same_text() -> None:
    def made() -> str:
        figure = plotting.new_plot()
        figure.add_bar(x=[1, 2], y=["a", "b"], **plotting.fills(2)[0])
        return plotting.interactive(figure, "one", "a caption", "a description").html

    assert made() == made()


@pytest.mark.parametrize("count", [1, 2, 4, 6, 9])
def test_styles_differ_without_colour(count: int) -> None:
    styles = plotting.trace_styles([f"label {i}" for i in range(count)]).values()
    assert len({(s.symbol, s.dash) for s in styles}) == count
    hatches = [fill["marker"]["pattern"]["shape"] for fill in plotting.fills(count)]
    assert len(set(hatches)) == min(count, 8)


def test_a_control_holds_its_steps() -> None:
    figure = plotting.content_of(plotting.new_plot())
    steps = [plotting.ControlStep(f"{limit} % <of it>", {"value": str(limit)}, {"one": figure}) for limit in (25, 50)]
    for control in (plotting.slider("budget", "Budget", steps), plotting.select_box("budget", "Budget", steps)):
        (text,) = re.findall(r'data-control="budget">(.*?)</script>', control.html)
        assert [step["texts"] for step in json.loads(text)] == [{"value": "25"}, {"value": "50"}]
        assert "25 % &lt;of it&gt;" in control.html
        assert '<label for="budget">Budget</label>' in control.html


def test_a_step_holds_what_differs_from_the_first_one_shown() -> None:
    figures = [plotting.new_plot().add_bar(x=[1, 2], y=[width, 7]) for width in (3, 4)]
    steps = [plotting.ControlStep(str(i), {}, {"one": plotting.content_of(each)}) for i, each in enumerate(figures)]
    (text,) = re.findall(r'data-control="budget">(.*?)</script>', plotting.slider("budget", "Budget", steps, 1).html)
    assert [step["figures"]["one"] for step in json.loads(text)] == [{"data": {"0": {"y": {"=": [3, 7]}}}}, {}]


def test_only_pages_with_figures_hold_plotly_js() -> None:
    picture = plotting.interactive(plotting.new_plot(), "one", "a caption", "a description")
    assert len(scripts_for(picture.html)) == 2
    assert len(scripts_for("<p>class=&quot;plot&quot;</p>")) == 1


def test_without_plotly_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(UnavailableError, match=r"reports need plotly.*reds-core\[bench\]"):
        plotting.new_plot()
