"""The file format `reds-problem/2`: round trips, and every way a file with levels can be wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reds_core.errors import InputError
from reds_core.knapsack.file import load_problem, problem_digest, save_problem
from reds_core.knapsack.levels import WIDTH, Dimension, Nesting
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.testing.oracle import all_choices
from reds_core.testing.strategies import joint_problems, knapsack_problems

Contents = dict[str, Any]


def contents() -> tuple[Contents, Contents]:
    """A valid header and its arrays: one group with widths and bits, one with bits alone, one with widths alone."""
    header = {
        "format": "reds-problem/2",
        "name": "small",
        "groups": ["a", "b/c", "plain"],
        "pairs": [["a", "plain"], ["b/c", "a"]],
        "resources": [{"name": "bits", "kind": "sum", "capacity": 50}],
        "bilinear": [{"bits": 2}, {}],
        "levels": {
            "a": [{"site": "a", "what": "width"}, {"site": "conv", "what": "weight_bits"}],
            "b/c": [{"site": "dense", "what": "weight_bits"}],
        },
        "nesting": {"weight_bits": "equal"},
    }
    arrays = {
        "widths/a": np.array([1, 2, 1, 2]),
        "level/a": np.array([[1, 4], [2, 4], [1, 8], [2, 8]]),
        "value/a": np.array([1, 5, 2, 6]),
        "level/b/c": np.array([[4.0], [8.0]]),
        "widths/plain": np.array([1, 3]),
        "pair_cost/bits/1": np.array([[0, 0, 1, 1], [0, 0, 2, 3]]),
    }
    return header, arrays


def write(path: Path, header: Any, arrays: Contents) -> Path:
    np.savez(path, header=np.array(json.dumps(header)), **arrays)
    return path


def test_a_file_says_what_it_says(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path / "p.npz", *contents()))
    assert problem.has_levels
    assert problem.groups[0].dimensions == (Dimension("a", WIDTH), Dimension("conv", "weight_bits"))
    assert problem.nesting == {"weight_bits": Nesting.EQUAL, WIDTH: Nesting.RISING}
    assert problem.widths([2, 1, 1]) == {"a": 1, "plain": 3}
    assert problem.settings([2, 1, 1]).levels == {"conv": {"weight_bits": 8}, "dense": {"weight_bits": 8}}
    assert problem.evaluate([3, 1, 1]).usage == {"bits": 2 * 2 * 3 + 3}
    assert problem.within(0).astype(int).tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]]


def test_widths_that_nothing_multiplies_may_be_left_out(tmp_path: Path) -> None:
    header, arrays = contents()
    del arrays["widths/a"]
    problem = load_problem(write(tmp_path / "p.npz", header | {"bilinear": None}, arrays))
    assert problem.groups[0].widths.tolist() == [1, 2, 1, 2]
    assert problem.groups[1].widths.tolist() == [0, 0]


@given(problem=joint_problems() | knapsack_problems())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_saved_and_loaded_is_the_same_problem(problem: KnapsackProblem, tmp_path: Path) -> None:
    save_problem(problem, tmp_path / "p.npz")
    copy = load_problem(tmp_path / "p.npz")
    header = json.loads(str(np.load(tmp_path / "p.npz")["header"]))
    assert header["format"] == ("reds-problem/2" if problem.has_levels else "reds-problem/1")
    assert problem_digest(copy) == problem_digest(problem)
    assert (copy.nesting, copy.floors, copy.ceilings) == (problem.nesting, problem.floors, problem.ceilings)
    for g, (one, other) in enumerate(zip(copy.groups, problem.groups, strict=True)):
        assert (one.dimensions, one.has_widths) == (other.dimensions, other.has_widths)
        np.testing.assert_array_equal(one.widths, other.widths)
        np.testing.assert_array_equal(copy.within(g), problem.within(g))
    for choice in all_choices(problem)[:20].tolist():
        assert copy.evaluate(choice) == problem.evaluate(choice)
        assert copy.settings(choice) == problem.settings(choice)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nesting": {"weight_bits": "sideways"}}, "not one of rising, equal, free"),
        ({"nesting": {}}, "does not say how levels of 'weight_bits' nest"),
        ({"nesting": None}, "malformed header"),
        ({"nesting": ["equal"]}, "malformed header"),
        ({"levels": {}}, "do not rise"),
        ({"levels": {"z": [{"site": "a", "what": "width"}]}}, "'z', which is not a group"),
        ({"levels": {"a": [{"site": "a"}], "b/c": []}}, "malformed header"),
        ({"levels": {"a": [["a", "width"]], "b/c": []}}, "malformed header"),
        ({"levels": [["a", "width"]]}, "malformed header"),
        ({"format": "reds-problem/1"}, "do not rise"),
        ({"bilinear": [{}, {"bits": 1}]}, "widths/b/c"),
    ],
)
def test_inconsistent_headers_are_refused(changes: Contents, message: str, tmp_path: Path) -> None:
    header, arrays = contents()
    with pytest.raises(InputError, match=message):
        load_problem(write(tmp_path / "p.npz", header | changes, arrays))


def dimensions(*own: tuple[str, str]) -> Contents:
    """The levels of a header in which group 'a' has the given dimensions."""
    header, _ = contents()
    return {"levels": header["levels"] | {"a": [{"site": site, "what": what} for site, what in own]}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dimensions(("a", "width"), ("a", "width")), "names a dimension twice"),
        (dimensions(("a", "width"), ("dense", "weight_bits")), "a dimension of two groups"),
        (dimensions(("b/c", "width"), ("conv", "weight_bits")), "width of 'b/c'"),
        (dimensions(("a", ""), ("conv", "weight_bits")), "not a text"),
        (dimensions(("a", "width")), "options x 1 dimensions"),
        (dimensions(("conv", "weight_bits"), ("a", "width")), "differ from the levels of its width"),
    ],
)
def test_wrong_dimensions_are_refused(changes: Contents, message: str, tmp_path: Path) -> None:
    header, arrays = contents()
    with pytest.raises(InputError, match=message):
        load_problem(write(tmp_path / "p.npz", header | changes, arrays))


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        ("level/a", None, "lacks the array 'level/a'"),
        ("widths/a", None, "lacks the array 'widths/a'"),
        ("widths/plain", None, "lacks the array 'widths/plain'"),
        ("level/a", np.array([[1, 4], [2, 4], [1, 4], [2, 8]]), "two options .* same levels"),
        ("level/a", np.array([[1, 4], [2, 4], [1, 8]]), "shape"),
        ("level/a", np.array([1, 2, 1, 2]), "shape"),
        ("level/a", np.zeros((4, 3)), "shape"),
        ("level/a", np.zeros((0, 2)), "shape"),
        ("level/a", np.array([["1", "4"], ["2", "4"], ["1", "8"], ["2", "8"]]), "not integers"),
        ("level/a", np.array([[1, 4.5], [2, 4], [1, 8], [2, 8]]), "not whole"),
        ("level/a", np.array([[2, 4], [1, 4], [1, 8], [2, 8]]), "differ from the levels of its width"),
        ("widths/a", np.array([1, 2, 1]), "shape"),
        ("widths/b/c", np.array([-1, 2]), "negative width"),
        ("widths/plain", np.array([3, 1]), "rise strictly"),
        ("level/plain", np.array([[1], [3]]), "its header does not refer to"),
        ("kernel/0", np.ones((2, 3)), "groups with dimensions"),
    ],
)
def test_bad_arrays_are_refused(key: str, array: Any, message: str, tmp_path: Path) -> None:
    header, arrays = contents()
    given_arrays = {name: each for name, each in {**arrays, key: array}.items() if each is not None}
    with pytest.raises(InputError, match=message):
        load_problem(write(tmp_path / "p.npz", header, given_arrays))


@given(seed=st.integers(0, 10**9))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_raise_nothing_but_input_errors(seed: int, tmp_path: Path) -> None:
    save_problem(load_problem(write(tmp_path / "plain.npz", *contents())), tmp_path / "valid.npz")
    content = bytearray((tmp_path / "valid.npz").read_bytes())
    rng = np.random.default_rng(seed)
    for position in rng.integers(0, len(content), int(rng.integers(1, 4))):
        content[position] = rng.integers(0, 256)
    (tmp_path / "damaged.npz").write_bytes(bytes(content))
    with suppress(InputError):
        load_problem(tmp_path / "damaged.npz")
