"""Latency tables: where samples are taken, what is made of them, and the file."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reds_core.cost import resources
from reds_core.cost.latency_sampling import (
    Sample,
    Segment,
    Timing,
    levels,
    narrow_widths,
    rounds,
    summed_times,
    touched_groups,
    wanted_samples,
)
from reds_core.cost.latency_table import LatencySettings, LatencyTable, load_latency_table, save_latency_table
from reds_core.errors import InputError
from reds_core.formulation.formulation import formulate
from reds_core.network.axis import Channels, Concat, Fixed
from reds_core.network.description import ChannelGroup, Layer, MacsTerm, Network, Tensor
from reds_core.scoring.scorer import ScoreTable
from reds_core.system.machine import Machine
from reds_core.system.records import to_json

A, B, C = Channels("a"), Channels("b"), Channels("c")
CHANNELS = {"a": 12, "b": 9, "c": 40}


def network() -> Network:
    """input - one(a) - two(b) - three(c); joined: reads a, b and c side by side and writes c again."""
    tensors = tuple(Tensor(4, axis, i) for i, axis in enumerate((Fixed(3), A, B, C, Concat((A, B)), C)))

    def layer(name: str, inputs: tuple[int, ...], output: int, *factors: object) -> Layer:
        return Layer(name, "Dense", inputs, (output,), (), (MacsTerm(4, tuple(factors)),), (4, 1))  # type: ignore[arg-type]

    layers = (
        layer("one", (0,), 1, Fixed(3), A),
        layer("two", (1,), 2, A, B),
        layer("three", (2,), 3, B, C),
        layer("joined", (4,), 5, Concat((A, B)), C),
    )
    groups = tuple(ChannelGroup(g, n, ()) for g, n in CHANNELS.items())
    return Network("n", groups, layers, tensors, (), (0,), (5,))


NAMES = ("one", "two", "three", "joined")
SEGMENTS = tuple(Segment(i, (name,), (i,), touched_groups(network(), (i,))) for i, name in enumerate(NAMES))


def time_ns(segment: int, widths: dict[str, int]) -> float:
    """What the segments of this file take: not monotone, not a product, a formula only where it has to be."""
    a, b, c = (widths.get(g, 0) for g in "abc")
    return {
        0: 100 + 7 * a + 5 * (a % 4),
        1: 50 + a * b + 3 * abs(a - b),
        2: 20 + 2 * b + c * c / 10,
        3: 10 + 0.5 * 4 * (a + b) * c + 2 * 4 * c,
    }[segment]


def sampled(points: int, overhead: float = 0.0) -> list[Sample]:
    groups = {s.index: s.groups for s in SEGMENTS}
    return [
        Sample(index, widths, Timing(time_ns(index, dict(zip(groups[index], widths, strict=True))) + overhead, 0.0, 10))
        for index, widths in wanted_samples(SEGMENTS, CHANNELS, points)
    ]


def test_a_segment_depends_on_the_groups_of_its_tensors() -> None:
    assert [s.groups for s in SEGMENTS] == [("a",), ("a", "b"), ("b", "c"), ("a", "b", "c")]


@given(st.integers(1, 2000), st.integers(2, 9))
def test_levels_rise_from_one_to_the_full_width(channels: int, points: int) -> None:
    found = levels(channels, points)
    assert found[0] == 1
    assert found[-1] == channels
    assert len(found) <= points or len(found) == channels
    assert all(low < high for low, high in itertools.pairwise(found))


def test_levels_between_are_multiples_of_eight() -> None:
    assert levels(96, 5) == (1, 24, 48, 72, 96)
    assert levels(4, 5) == (1, 2, 3, 4)


@pytest.mark.parametrize("points", [2, 3, 5])
def test_rounds_take_every_sample_once_at_widths_that_it_is_of(points: int) -> None:
    wanted = wanted_samples(SEGMENTS, CHANNELS, points)
    groups = {s.index: s.groups for s in SEGMENTS}
    taken = []
    for widths, served in rounds(SEGMENTS, wanted, CHANNELS):
        assert widths.keys() == CHANNELS.keys()
        for index, own in served:
            assert tuple(widths[g] for g in groups[index]) == own
        taken += served
    assert sorted(taken) == sorted(wanted)


def test_a_form_of_all_widths_gives_back_what_was_measured() -> None:
    """With every width sampled nothing is left to interpolate; the segment of three groups follows its formula."""
    form = summed_times(network(), SEGMENTS, sampled(100), 0.0).form()
    random = np.random.default_rng(0)
    for _ in range(50):
        widths = {g: int(random.integers(1, n + 1)) for g, n in CHANNELS.items()}
        exact = sum(time_ns(i, widths) for i in range(4))
        assert form.at(widths) == pytest.approx(exact, abs=6)  # six tables, each rounded once


def test_overhead_is_counted_once_and_scale_counts_everything() -> None:
    plain = summed_times(network(), SEGMENTS, sampled(100), 0.0).form()
    with_overhead = summed_times(network(), SEGMENTS, sampled(100, overhead=1000.0), 1000.0).form()
    assert with_overhead.at(CHANNELS) == pytest.approx(plain.at(CHANNELS) + 1000, abs=6)
    assert summed_times(network(), SEGMENTS, sampled(100), 0.0).form(2.0).at(CHANNELS) == pytest.approx(
        2 * plain.at(CHANNELS), abs=12
    )


def test_between_samples_times_lie_between_their_neighbours() -> None:
    samples = [Sample(0, (w,), Timing(t, 0.0, 1)) for w, t in ((1, 10.0), (5, 50.0), (12, 120.0))]
    form = summed_times(network(), SEGMENTS[:1], samples, 0.0).form()
    assert [form.at({**CHANNELS, "a": w}) for w in (1, 3, 5, 12)] == [10, 30, 50, 120]


def test_a_problem_counts_latency_as_the_form_does() -> None:
    form = summed_times(network(), SEGMENTS, sampled(4), 0.0).form()
    full = form.at(CHANNELS)
    scores = ScoreTable({g: np.arange(1.0, n + 1) for g, n in CHANNELS.items()})
    problem = formulate(network(), scores, {"latency": form}, {"latency": full // 2}, "p").problem
    random = np.random.default_rng(1)
    for _ in range(30):
        choice = tuple(int(random.integers(n)) for n in CHANNELS.values())
        assert problem.evaluate(choice).usage["latency"] == form.at(problem.widths(choice))


# --- the file ---------------------------------------------------------------------------------------------------------


NARROW = Timing(1200.0, 1.0, 10)


def table(complete: bool = True) -> LatencyTable:
    full = Timing(4 * sum(time_ns(i, CHANNELS) for i in range(4)), 1.0, 10)
    machine = Machine("Linux", "a processor", 2, 2**30, "3.11")
    return LatencyTable(
        "n", "0" * 64, CHANNELS, LatencySettings(4), machine, {"x": "1"}, SEGMENTS, Timing(0.0, 0.0, 10), full, NARROW,
        tuple(sampled(4)), (), complete,
    )  # fmt: skip


def test_a_table_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    save_latency_table(table(), tmp_path / "t.json")
    assert load_latency_table(tmp_path / "t.json") == table()


def test_the_full_network_takes_what_was_measured() -> None:
    form = table().forms_for(network(), 4)["latency"]
    assert form.at(CHANNELS) == pytest.approx(table().full.ns, abs=30)
    assert form.at(narrow_widths(CHANNELS)) == pytest.approx(NARROW.ns, abs=30)


def test_noise_that_makes_the_narrow_network_slower_is_not_scaled_up() -> None:
    odd = dataclasses.replace(table(), narrow=dataclasses.replace(NARROW, ns=2 * table().full.ns))
    plain = summed_times(network(), SEGMENTS, odd.samples, 0.0).form()
    share = plain.at(narrow_widths(CHANNELS)) / plain.at(CHANNELS)
    form = odd.form(network())
    assert form.at(narrow_widths(CHANNELS)) == pytest.approx(share * odd.full.ns, rel=0.01)


def test_tables_of_something_else_are_refused() -> None:
    other = Network("m", (ChannelGroup("a", 3, ()),), (), (), (), (), ())
    with pytest.raises(InputError, match="is of network 'n', not of this one"):
        table().forms_for(other, 4)
    with pytest.raises(InputError, match="element size of 4 bytes, the run for 1"):
        table().forms_for(network(), 1)["latency"]
    with pytest.raises(InputError, match="incomplete"):
        table(complete=False).forms_for(network(), 4)["latency"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "reds-latency/1"}', '{"format": "reds-latency/2"}'])
def test_files_that_are_no_table_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(InputError, match="not a latency table"):
        load_latency_table(tmp_path / "t.json")


@pytest.mark.parametrize("how", ["gone", "segment", "more", "fewer", "wide", "time", "call", "group"])
@pytest.mark.parametrize("segment", range(len(SEGMENTS)))
def test_tables_that_do_not_hold_together_are_refused(how: str, segment: int, tmp_path: Path) -> None:
    """Samples that are gone, of unknown segments or of other widths, and calls that the network does not make."""
    content = json.loads(to_json(table()))
    sample = next(s for s in content["samples"] if s["segment"] == segment)
    if how == "gone":
        content["samples"] = [s for s in content["samples"] if s["segment"] != sample["segment"]]
    elif how == "segment":
        sample["segment"] = 99
    elif how == "more":
        sample["widths"] = [*sample["widths"], 1]
    elif how == "fewer":
        sample["widths"] = sample["widths"][:-1] if sample["widths"] else [1]
    elif how == "wide":
        sample["widths"] = [w + 1000 for w in sample["widths"]] or [1]
    elif how == "time":
        content["full"]["ns"] = 1e999
    elif how == "call":
        content["segments"][sample["segment"]]["calls"] = [99]
    else:
        content["segments"][sample["segment"]]["groups"] = ["nobody"]
    path = tmp_path / "table.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"is not a latency table|not of this one"):
        load_latency_table(path).forms_for(network(), 4)["latency"]


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json' cannot be read .No such file or directory.; make one"):
        load_latency_table(tmp_path / "nowhere.json")


def test_unknown_entries_are_refused(tmp_path: Path) -> None:
    save_latency_table(table(), tmp_path / "t.json")
    content = json.loads((tmp_path / "t.json").read_text())
    (tmp_path / "t.json").write_text(json.dumps({**content, "surprise": 1}))
    with pytest.raises(InputError, match="not a latency table"):
        load_latency_table(tmp_path / "t.json")


@pytest.mark.parametrize(("name", "figure"), [("threads", 0), ("repeats", 9), ("points", 1), ("checks", -1)])
def test_settings_out_of_range_are_refused(name: str, figure: int) -> None:
    with pytest.raises(InputError, match=f"the number of {name} {figure} is below"):
        LatencySettings(**{name: figure})


def test_latency_budgets_need_a_table() -> None:
    with pytest.raises(InputError, match=r"a latency budget needs measurements; make them with `reds_core.m"):
        resources.check_resources(["latency"])
