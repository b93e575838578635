"""The file format `reds-problem/1`: round trips, every instance, and every way a file can be wrong."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reds_core.errors import InputError
from reds_core.knapsack.file import load_problem, save_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, SumResource
from reds_core.testing.oracle import usages_of, values_of
from reds_core.testing.strategies import knapsack_problems

INSTANCES = Path(__file__).parents[2] / ".." / "shared" / "instances"
Contents = dict[str, Any]


def contents() -> tuple[Contents, Contents]:
    """A valid header and its arrays."""
    header = {
        "format": "reds-problem/1",
        "name": "small",
        "groups": ["a", "b/c"],
        "pairs": [["b/c", "a"]],
        "resources": [
            {"name": "macs", "kind": "sum", "capacity": 50, "base": 3},
            {"name": "ram", "kind": "peak", "capacity": 20, "steps": [{"base": 1, "groups": ["b/c"]}, {"groups": []}]},
        ],
        "bilinear": [{"macs": 2}],
        "floors": {"a": 1},
        "ceilings": {"b/c": 0},
    }
    arrays = {
        "widths/a": np.array([1, 2, 4]),
        "value/a": np.array([1, 5, 6]),
        "widths/b/c": np.array([2.0, 3.0]),
        "cost/macs/a": np.array([1, 1, 9]),
        "pair_value/0": np.array([[1, 2, 3], [4, 5, 6]]),
        "pair_cost/macs/0": np.array([[0, 0, 1], [0, 0, 2]]),
        "peak/ram/0/b/c": np.array([4, 8]),
        "kernel/0": np.ones((3, 4)),
    }
    return header, arrays


def write(path: Path, header: Any, arrays: Contents) -> Path:
    text = header if isinstance(header, str) else json.dumps(header)
    np.savez(path, header=np.array(text), **arrays)
    return path


def same(one: KnapsackProblem, other: KnapsackProblem) -> bool:
    """Equal in every number, absent tables standing for zeros."""

    def tables(problem: KnapsackProblem) -> list[Any]:
        counts = [g.options for g in problem.groups]
        shapes = [(counts[p.first], counts[p.second]) for p in problem.pairs]

        def full(table: Any, shape: Any) -> list[Any]:
            return (np.zeros(shape, np.int64) if table is None else table).tolist()

        found: list[Any] = [[g.name, g.widths.tolist(), g.values.tolist()] for g in problem.groups]
        for p, shape in zip(problem.pairs, shapes, strict=True):
            found.append([p.first, p.second, full(p.values, shape), None if p.kernel is None else p.kernel.tolist()])
        for r in problem.resources:
            found.append([r.name, r.capacity, type(r).__name__])
            if isinstance(r, SumResource):
                found.append([r.base, r.bilinear])
                found += [full(c, n) for c, n in zip(r.costs, counts, strict=True)]
                found += [full(c, s) for c, s in zip(r.pair_costs, shapes, strict=True)]
            else:
                for s in r.steps:
                    found.append([s.base, s.groups])
                    found += [full(c, counts[g]) for g, c in zip(s.groups, s.costs, strict=True)]
        return [problem.name, problem.floors, problem.ceilings, *found]

    return tables(one) == tables(other)


def test_a_file_says_what_it_says(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path / "p.npz", *contents()))
    assert [g.name for g in problem.groups] == ["a", "b/c"]
    assert (problem.floors, problem.ceilings) == ((1, 0), (2, 0))
    result = problem.evaluate([2, 0])
    assert result.value == 6 + 3
    assert result.usage == {"macs": 3 + 9 + 2 * 2 * 4 + 1, "ram": 1 + 4}
    assert result.feasible
    assert problem.pairs[0].kernel is not None
    choices = np.array([[0, 0], [2, 1]])
    assert values_of(problem, choices).tolist() == [problem.evaluate(c).value for c in choices]
    assert usages_of(problem, choices)["macs"].tolist() == [problem.evaluate(c).usage["macs"] for c in choices]


@given(problem=knapsack_problems())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_saved_and_loaded_is_the_same_problem(problem: KnapsackProblem, tmp_path: Path) -> None:
    save_problem(problem, tmp_path / "p.npz")
    assert same(load_problem(tmp_path / "p.npz"), problem)


@given(
    names=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=2, unique=True)
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_group_names_may_be_anything(names: list[str], tmp_path: Path) -> None:
    groups = tuple(Group(name, np.array([1, 2 + i]), np.array([i, -i - 1])) for i, name in enumerate(names))
    costs = tuple(np.array([i, 2 * i + 1]) for i in range(len(names)))
    peak = PeakResource("ram", 5, (PeakStep(0, (0, 1), (costs[0], costs[1])),))
    problem = KnapsackProblem("names", groups, (Pair(0, 1),), (SumResource("macs", 9, 0, costs, (1,)), peak))
    save_problem(problem, tmp_path / "p.npz")
    assert same(load_problem(tmp_path / "p.npz"), problem)


@pytest.mark.parametrize("name", ["file", "header", "x.npy", "/x", "../x", "a/b/c", "0", " "])
def test_awkward_group_names(name: str, tmp_path: Path) -> None:
    groups = (Group("x", np.array([1, 2]), np.array([1, 2])), Group(name, np.array([3, 4]), np.array([5, 6])))
    problem = KnapsackProblem("names", groups)
    save_problem(problem, tmp_path / "p.npz")
    assert same(load_problem(tmp_path / "p.npz"), problem)


def test_kernels_and_whole_floats_survive(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path / "p.npz", *contents()))
    save_problem(problem, tmp_path / "q.npz")
    assert same(load_problem(tmp_path / "q.npz"), problem)


def test_numbers_near_the_limit_survive(tmp_path: Path) -> None:
    groups = (Group("a", np.array([1]), np.array([2**61 + 1])), Group("b", np.array([1]), np.array([-(2**60) - 1])))
    resource = SumResource("r", 2**62, -(2**61) - 1, (np.array([2**59 + 1]), None))
    problem = KnapsackProblem("big", groups, (), (resource,))
    save_problem(problem, tmp_path / "p.npz")
    assert same(load_problem(tmp_path / "p.npz"), problem)


@pytest.mark.skipif(not INSTANCES.is_dir(), reason="the folder ../shared/instances is missing")
def test_every_instance_survives_a_round_trip(tmp_path: Path) -> None:
    for path in sorted(INSTANCES.glob("*.npz")):
        problem = load_problem(path)
        save_problem(problem, tmp_path / "p.npz")
        assert same(load_problem(tmp_path / "p.npz"), problem), path.stem


def test_optional_parts_may_be_absent(tmp_path: Path) -> None:
    header = {"format": "reds-problem/1", "name": "bare", "groups": ["a"], "pairs": [], "resources": []}
    problem = load_problem(write(tmp_path / "p.npz", header, {"widths/a": np.array([3])}))
    assert problem.evaluate([0]).value == 0
    assert (problem.floors, problem.ceilings) == ((0,), (0,))


# --- ambiguous names -------------------------------------------------------------------------------------------------


def ambiguous() -> KnapsackProblem:
    """The costs of 'b/c' in 'a' and those of 'c' in 'a/b' would both be the array cost/a/b/c."""
    groups = (Group("b/c", np.array([1, 2]), np.array([0, 1])), Group("c", np.array([1, 2]), np.array([0, 1])))
    resources = (SumResource("a", 5), SumResource("a/b", 5, 0, (None, np.array([1, 2]))))
    return KnapsackProblem("ambiguous", groups, (), resources)


@pytest.mark.parametrize(
    ("changes", "name"), [({"name": 7}, "7"), ({"floors": [], "ceilings": []}, "small"), ({"floors": None}, "small")]
)
def test_headers_of_other_writers_may_be_loose(changes: Contents, name: str, tmp_path: Path) -> None:
    header, arrays = contents()
    header = {key: part for key, part in header.items() if key not in ("floors", "ceilings")}
    found = load_problem(write(tmp_path / "p.npz", {**header, **changes}, arrays))
    assert (found.name, found.floors, found.ceilings) == (name, (0,) * 2, tuple(g.options - 1 for g in found.groups))


def test_names_that_share_an_array_are_refused_on_saving(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cost/a/b/c"):
        save_problem(ambiguous(), tmp_path / "p.npz")
    assert list(tmp_path.iterdir()) == []


def test_names_that_share_an_array_are_refused_on_loading(tmp_path: Path) -> None:
    header = {"format": "reds-problem/1", "name": "x", "groups": ["b/c", "c"], "pairs": []}
    header["resources"] = [{"name": n, "kind": "sum", "capacity": 5} for n in ("a", "a/b")]
    arrays = {"widths/b/c": np.array([1, 2]), "widths/c": np.array([1, 2]), "cost/a/b/c": np.array([1, 2])}
    with pytest.raises(InputError, match="cost/a/b/c"):
        load_problem(write(tmp_path / "p.npz", header, arrays))


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_problem(tmp_path / "none.npz")
    with pytest.raises(InputError, match="not a readable"):
        load_problem(tmp_path / ("long" * 100))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a readable \.npz"):
        load_problem(tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04N.", b"{}"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"\.npz"):
        load_problem(tmp_path / "p.npz")


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "p.npz").open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(InputError, match="single array"):
        load_problem(tmp_path / "p.npz")


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    header, arrays = contents()
    arrays["widths/a"] = np.array([1, 2, None], dtype=object)
    with pytest.raises(InputError, match="pickled"):
        load_problem(write(tmp_path / "p.npz", header, arrays))


def valid_bytes(tmp_path: Path) -> bytes:
    save_problem(load_problem(write(tmp_path / "plain.npz", *contents())), tmp_path / "valid.npz")
    return (tmp_path / "valid.npz").read_bytes()


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_cut_files_are_refused(share: float, tmp_path: Path) -> None:
    content = valid_bytes(tmp_path)
    (tmp_path / "cut.npz").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError):
        load_problem(tmp_path / "cut.npz")


@given(seed=st.integers(0, 10**9))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_raise_nothing_but_input_errors(seed: int, tmp_path: Path) -> None:
    content = bytearray(valid_bytes(tmp_path))
    rng = np.random.default_rng(seed)
    for position in rng.integers(0, len(content), int(rng.integers(1, 4))):
        content[position] = rng.integers(0, 256)
    (tmp_path / "damaged.npz").write_bytes(bytes(content))
    with suppress(InputError):
        load_problem(tmp_path / "damaged.npz")


def test_an_array_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    stored = io.BytesIO()
    np.lib.format.write_array_header_1_0(stored, {"descr": "<i8", "fortran_order": False, "shape": (2**50,)})
    write(tmp_path / "p.npz", *contents())
    with zipfile.ZipFile(tmp_path / "p.npz", "a") as archive:
        archive.writestr("value/b/c.npy", stored.getvalue())
    with pytest.raises(InputError):
        load_problem(tmp_path / "p.npz")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not of format"),
        ("3", "not of format"),
        ({"format": "reds-problem/3"}, "not of format"),
        ({"format": "reds-problem/2"}, "malformed header"),
        ({"format": ["reds-problem/2"]}, "not of format"),
        ({"format": "reds-problem/1"}, "malformed header"),
    ],
)
def test_bad_headers_are_refused(header: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load_problem(write(tmp_path / "p.npz", header, contents()[1]))


def test_a_header_that_is_no_string_is_refused(tmp_path: Path) -> None:
    for header in (np.array(3), np.array([json.dumps(contents()[0])]), np.array(b"{}")):
        np.savez(tmp_path / "p.npz", header=header, **contents()[1])
        with pytest.raises(InputError, match="no header string"):
            load_problem(tmp_path / "p.npz")
    np.savez(tmp_path / "p.npz", **contents()[1])
    with pytest.raises(InputError, match="no header string"):
        load_problem(tmp_path / "p.npz")


SUM = {"name": "macs", "kind": "sum", "capacity": 50}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": None}, "malformed header"),
        ({"groups": []}, "malformed header|no groups"),
        ({"groups": ["a", "a"]}, "claimed twice"),
        ({"groups": ["a", "z"]}, "widths/z"),
        ({"groups": 3}, "malformed header"),
        ({"pairs": [["a", "z"]]}, "malformed header"),
        ({"pairs": [["a"]]}, "malformed header"),
        ({"pairs": [["a", "a"]]}, "two different groups"),
        ({"pairs": [[["a"], "b/c"]]}, "malformed header"),
        ({"pairs": None}, "malformed header"),
        ({"bilinear": [{}, {}]}, "one entry for each pair"),
        ({"bilinear": [{"ram": 1}]}, "not a sum resource"),
        ({"bilinear": [{"x": 1}]}, "not a sum resource"),
        ({"bilinear": [{"macs": 0.5}]}, "whole"),
        ({"bilinear": [["macs"]]}, "malformed header"),
        ({"bilinear": 3}, "malformed header"),
        ({"resources": [SUM | {"capacity": 1.5}]}, "whole"),
        ({"resources": [SUM | {"capacity": float("inf")}]}, "whole"),
        ({"resources": [SUM | {"capacity": float("nan")}]}, "whole"),
        ({"resources": [SUM | {"capacity": "50"}]}, "whole"),
        ({"resources": [SUM | {"capacity": True}]}, "whole"),
        ({"resources": [SUM | {"capacity": None}]}, "whole"),
        ({"resources": [SUM | {"capacity": 10**30}]}, "2\\^62"),
        ({"resources": [SUM, {"name": "x", "kind": "max", "capacity": 1}]}, "neither sum nor peak"),
        ({"resources": [{"kind": "sum", "capacity": 1}]}, "malformed header"),
        ({"resources": [SUM, SUM]}, "used twice|claimed twice"),
        ({"resources": [{"name": "ram", "kind": "peak", "capacity": 1}]}, "malformed header|not a sum resource"),
        ({"resources": [SUM, {"name": "r", "kind": "peak", "capacity": 1, "steps": [{"groups": ["z"]}]}]}, "malformed"),
        ({"resources": [SUM, {"name": "r", "kind": "peak", "capacity": 1, "steps": [{}]}]}, "malformed header"),
        ({"floors": {"z": 0}}, "malformed header"),
        ({"floors": {"a": 3}}, "floor or ceiling"),
        ({"floors": {"a": -1}}, "floor or ceiling"),
        ({"ceilings": {"a": 0.5}}, "whole"),
        ({"ceilings": [1, 1]}, "malformed header"),
    ],
)
def test_inconsistent_headers_are_refused(changes: Contents, message: str, tmp_path: Path) -> None:
    header, arrays = contents()
    with pytest.raises(InputError, match=message):
        load_problem(write(tmp_path / "p.npz", header | changes, arrays))


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        ("value/z", np.array([1]), "'value/z' that its header does not refer to"),
        ("extra", np.array([1]), "'extra' that its header does not refer to"),
        ("cost/ram/a", np.array([1, 2, 3]), "its header does not refer to"),
        ("pair_value/1", np.array([[1]]), "its header does not refer to"),
        ("peak/ram/1/a", np.array([1, 2, 3]), "its header does not refer to"),
        ("kernel/0", np.ones((2, 2)), "channels x channels"),
        ("value/a", np.array([1, 2]), "shape"),
        ("value/a", np.array([1, 2, 2.5]), "not whole"),
        ("value/a", np.array(["1", "2", "3"]), "not integers"),
        ("widths/a", np.array([1, 1, 2]), "rise strictly"),
        ("widths/a", np.array(5), "have the shape ()"),
        ("pair_cost/macs/0", np.zeros((3, 2)), "shape"),
        ("cost/macs/a", np.array([2**62, 0, 1]), "2\\^62"),
    ],
)
def test_bad_arrays_are_refused(key: str, array: Any, message: str, tmp_path: Path) -> None:
    header, arrays = contents()
    with pytest.raises(InputError, match=message):
        load_problem(write(tmp_path / "p.npz", header, arrays | {key: array}))


def test_every_refusal_names_the_file(tmp_path: Path) -> None:
    header, arrays = contents()
    with pytest.raises(InputError, match=r"p\.npz"):
        load_problem(write(tmp_path / "p.npz", header, arrays | {"value/a": np.array([1, 2])}))


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path / "p.npz", *contents()))
    for path in (tmp_path / "none" / "q.npz", tmp_path / "p.npz" / "q.npz", tmp_path):
        with pytest.raises(InputError, match="cannot be written"):
            save_problem(problem, path)
    assert [p.name for p in tmp_path.iterdir()] == ["p.npz"]
