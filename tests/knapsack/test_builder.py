"""Problems built by hand: the builder, its errors, the pages that show it, and problems as text."""

from __future__ import annotations

import pydoc
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import reds_core
from reds_core.bench.suites import suite
from reds_core.errors import InputError, UnavailableError
from reds_core.knapsack.builder import ProblemBuilder
from reds_core.knapsack.file import problem_digest
from reds_core.knapsack.levels import Dimension, Nesting
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource
from reds_core.knapsack.solution import Limit, Solution, Status
from reds_core.knapsack.solver import Solver
from reds_core.registry import Registry
from reds_core.testing.strategies import joint_problems, knapsack_problems

ROOT = Path(__file__).parents[2]


def test_a_built_problem_is_what_was_added() -> None:
    builder = ProblemBuilder("mine")
    builder.add_group("a", [1, 5, 6], [2, 3, 8], floor=1)
    builder.add_group("b/c", np.array([-1.0, 7.0]), ceiling=0)
    builder.add_group("d", [0])
    builder.add_sum("macs", 50, {"a": [1, 1, 9]}, base=3)
    builder.add_group("late", [0, 0])
    builder.add_costs("macs", {"late": [0, 4]})
    builder.add_product("macs", "b/c", "a", 2)
    builder.add_product("macs", "a", "b/c")  # adds up, also the other way round
    builder.add_pair_costs("macs", "a", "b/c", [[0, 0], [0, 1], [0, 2]])
    builder.add_pair_values("b/c", "a", [[1, 2, 3], [4, 5, 6]])
    builder.add_pair_values("d", "a", [[0, 0, 4]])
    builder.add_peak("ram", 20)
    builder.add_step("ram", {"b/c": [4, 8], "a": [1, 2, 3]}, base=1)
    builder.add_step("ram", {})
    problem = builder.build()
    assert [(g.name, g.widths.tolist(), g.values.tolist()) for g in problem.groups] == [
        ("a", [2, 3, 8], [1, 5, 6]),
        ("b/c", [1, 2], [-1, 7]),
        ("d", [1], [0]),
        ("late", [1, 2], [0, 0]),
    ]
    assert (problem.floors, problem.ceilings) == ((1, 0, 0, 0), (2, 0, 0, 1))
    assert [(p.first, p.second) for p in problem.pairs] == [(1, 0), (2, 0)]
    found = problem.evaluate([2, 1, 0, 1])
    assert found.value == 6 + 7 + 0 + 6 + 4
    assert found.usage == {"macs": 3 + 9 + 4 + 3 * 8 * 2 + 2, "ram": 1 + 8 + 3}
    assert not found.feasible


def test_the_builder_can_say_every_problem() -> None:
    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(knapsack_problems() | joint_problems())
    def trial(problem: KnapsackProblem) -> None:
        builder = ProblemBuilder(problem.name)
        names = [group.name for group in problem.groups]
        for group, low, high in zip(problem.groups, problem.floors, problem.ceilings, strict=True):
            levels: dict[str, dict[str, Any]] | None = None
            if group.levels is not None:
                levels = {}
                for dimension, column in zip(group.dimensions, group.levels.T, strict=True):
                    levels.setdefault(dimension.site, {})[dimension.what] = column
            widths = group.widths if group.has_widths else None
            builder.add_group(group.name, group.values, widths, levels=levels, floor=low, ceiling=high)
        for what, nesting in problem.nesting.items():
            builder.set_nesting(what, nesting.value)
        for resource in problem.resources:
            if isinstance(resource, SumResource):
                costs = {n: c for n, c in zip(names, resource.costs, strict=True) if c is not None}
                builder.add_sum(resource.name, resource.capacity, costs, base=resource.base)
            else:
                builder.add_peak(resource.name, resource.capacity)
                for step in resource.steps:
                    zeros = {names[g]: np.zeros(problem.groups[g].options, np.int64) for g in step.groups}
                    given = {names[g]: c for g, c in zip(step.groups, step.costs, strict=True) if c is not None}
                    builder.add_step(resource.name, zeros | given, base=step.base)
        for k, pair in enumerate(problem.pairs):
            ends = names[pair.first], names[pair.second]
            shape = [problem.groups[g].options for g in (pair.first, pair.second)]
            builder.add_pair_values(*ends, np.zeros(shape, np.int64) if pair.values is None else pair.values)
            for resource in problem.sum_resources:
                if resource.bilinear[k]:
                    builder.add_product(resource.name, *ends, resource.bilinear[k])
                table = resource.pair_costs[k]
                if table is not None:
                    builder.add_pair_costs(resource.name, *ends[::-1], table.T)
        assert problem_digest(builder.build()) == problem_digest(problem)

    trial()


def test_a_built_problem_does_not_change() -> None:
    builder = ProblemBuilder()
    values = np.array([0, 1])
    builder.add_group("a", values)
    first = builder.build()
    values[1] = 100
    builder.add_group("b", [0, 2])
    builder.add_sum("macs", 1)
    assert (len(first.groups), first.resources, first.evaluate([1]).value) == (1, (), 1)
    assert builder.build().evaluate([1, 1]).value == 3


def started() -> ProblemBuilder:
    builder = ProblemBuilder("p")
    builder.add_group("conv", [0, 1, 2])
    builder.add_group("dense", [0, 1])
    builder.add_group("last", [0])
    builder.add_sum("macs", 5, {"dense": [0, 0]})
    builder.add_peak("ram", 5)
    builder.add_pair_values("conv", "dense", np.zeros((3, 2)))
    builder.add_pair_costs("macs", "conv", "dense", np.zeros((3, 2)))
    return builder


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda b: b.add_group("conv", [1]), "there is a group 'conv' already"),
        (lambda b: b.add_group("", [1]), "'' is not a name of a group"),
        (lambda b: b.add_group(3, [1]), "3 is not a name of a group"),
        (lambda b: b.add_group("new", []), "group 'new' has no options"),
        (lambda b: b.add_group("new", [0.5]), "the values of group 'new' include a number that is not whole"),
        (lambda b: b.add_group("new", ["1"]), "values of group 'new' are not integers, but of type <U1"),
        (lambda b: b.add_group("new", [None]), "values of group 'new' are not integers, but other objects"),
        (lambda b: b.add_group("new", {1, 2}), "values of group 'new' are not integers, but other objects"),
        (lambda b: b.add_group("new", [10**20]), r"include a number above 2\^62; scale the numbers down"),
        (lambda b: b.add_group("new", [0, 2**63]), r"include a number above 2\^62"),
        (lambda b: b.add_group("new", [[1, 2], [3]]), "values of group 'new' have rows of different lengths"),
        (lambda b: b.add_group("new", [1, 2], [[1], [1, 2]]), "widths of group 'new' have rows of different lengths"),
        (
            lambda b: b.add_group("new", [[1, 2], [3, 4]]),
            r"values of group 'new' have shape \(2, 2\); give a list of one",
        ),
        (lambda b: b.add_group("new", 5), r"the values of group 'new' have shape \(\)"),
        (lambda b: b.add_group("x\0y", [1]), "has a character that files cannot contain; choose another name"),
        (lambda b: b.add_group("\ud800", [1]), "has a character that files cannot contain"),
        (
            lambda b: b.add_sum("new", np.array([5])),
            r"'new' is array\(\[5\]\), which is not a whole number; give an integer",
        ),
        (lambda b: b.add_sum("new", None), "'new' is None, which is not a whole number; give an integer"),
        (lambda b: b.add_sum("new", 9, [[1, 2, 3], [0, 1]]), "costs of 'new' are not given by group; give a dict"),
        (lambda b: b.add_step("ram", [[1, 2, 3], [0, 1]]), "costs of 'ram' are not given by group; give a dict"),
        (lambda b: b.add_pair_values("conv", "last", [[1], [2, 3], [4]]), "'last' have rows of different lengths"),
        (lambda b: b.add_group("new", [1, 2], [2, 2]), "widths of group 'new' do not rise strictly"),
        (lambda b: b.add_group("new", [1, 2], [2]), r"group 'new' has 2 values, but its widths have shape \(1,\)"),
        (lambda b: b.add_group("new", [1, 2], floor=2), "the floor 2 and the ceiling 1 of group 'new' leave no option"),
        (lambda b: b.add_group("new", [1, 2], floor=1, ceiling=0), "leave no option; give option indices from 0 to 1"),
        (lambda b: b.add_sum("macs", 1), "there is a resource 'macs' already"),
        (lambda b: b.add_peak("macs", 1), "there is a resource 'macs' already"),
        (lambda b: b.add_sum("new", 1.5), "the capacity of 'new' is 1.5, which is not a whole number; round it"),
        (lambda b: b.add_sum("new", 1, {"cnv": [1, 2, 3]}), "there is no group 'cnv'; did you mean 'conv'?"),
        (lambda b: b.add_sum("new", 1, {"x": [1]}), "there is no group 'x'; known: conv, dense, last"),
        (
            lambda b: b.add_sum("new", 1, {"conv": [1, 2]}),
            r"costs of 'new' for 'conv' have shape \(2,\); give .* \(3,\)",
        ),
        (lambda b: b.add_costs("macs", {"dense": [1, 2], "last": [1]}), "group 'dense' has costs of 'macs' already"),
        (lambda b: b.add_costs("macs", {"conv": [1, 2]}), "costs of 'macs' for 'conv' have shape"),
        (lambda b: b.add_costs("ram", {"conv": [1, 2, 3]}), "resource 'ram' is a peak"),
        (lambda b: b.add_step("rm", {}), "there is no resource 'rm'; did you mean 'ram'?"),
        (lambda b: b.add_step("macs", {}), "resource 'macs' is a sum, which has no steps"),
        (lambda b: b.add_step("ram", {"dense": [1]}), "costs of 'ram' for 'dense' have shape"),
        (lambda b: b.add_product("ram", "conv", "dense"), "resource 'ram' is a peak, whose costs belong to its steps"),
        (lambda b: b.add_product("macs", "conv", "conv"), "a pair joins group 'conv' with itself"),
        (lambda b: b.add_product("macs", "conv", "dens"), "there is no group 'dens'; did you mean 'dense'?"),
        (
            lambda b: b.add_product("macs", "last", "dense", 0.5),
            "a coefficient of 'macs' is 0.5, which is not a whole number",
        ),
        (
            lambda b: b.add_pair_values("dense", "conv", np.zeros((2, 3))),
            "have pair values already; add both tables up",
        ),
        (lambda b: b.add_pair_costs("macs", "dense", "conv", np.zeros((2, 3))), "have pair costs of 'macs' already"),
        (lambda b: b.add_pair_values("dense", "conv", np.zeros((3, 2))), r"have shape \(3, 2\); give .* \(2, 3\)"),
        (lambda b: b.add_sum("new", 2**62 + 1) or b.build(), r"could pass 2\^62"),
    ],
)
def test_mistakes_are_reported_at_once(step: Callable[[Any], None], why: str) -> None:
    builder = started()
    before = problem_digest(builder.build())
    with pytest.raises(InputError, match=why):
        step(builder)
    if "2\\^62" not in why:
        assert problem_digest(builder.build()) == before


def test_a_problem_needs_a_group() -> None:
    with pytest.raises(InputError, match="problem 'empty' has no groups; add one with add_group"):
        ProblemBuilder("empty").build()
    with pytest.raises(InputError, match="there is no group 'a'; add a group first"):
        ProblemBuilder("empty").add_sum("macs", 1, {"a": [1]})


def test_every_solver_takes_a_problem_by_name_and_as_an_object() -> None:
    (tiny,) = (each for each in suite("tiny") if each.problem.name == "tiny-kernels")
    registry = Registry()
    tried = set()
    for record in reds_core.plugins():
        if record.kind == "solver":
            try:
                solver = registry.create(Solver, record.name)
            except UnavailableError:
                continue
            values = [reds_core.solve(tiny.problem, each, time_limit=20).value for each in (record.name, solver)]
            assert all(value is not None and tiny.optimum is not None and value <= tiny.optimum for value in values)
            tried.add(record.name)
    assert {"dp", "lagrangian", "greedy", "cpsat", "scipy-milp", "pulp"} <= tried


# --- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["problems", "exchange"])
def test_the_snippets_of_the_pages_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reds_core.save_problem(started().build(), "half.npz")
    Path("half.sol").write_text('{"choice": [1, 1, 0]}', encoding="utf-8")
    text = (ROOT / "docs" / "guide" / f"{page}.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(snippets) >= 3
    namespace: dict[str, Any] = {"__name__": "page"}
    for snippet in snippets:
        exec(compile(snippet, f"docs/guide/{page}.md", "exec"), namespace)


def test_the_example_of_the_builder_runs() -> None:
    example = ProblemBuilder.__doc__.partition("Example:")[2] if ProblemBuilder.__doc__ else ""
    *lines, shown = [line.strip().removeprefix(">>> ") for line in example.strip().splitlines()]
    namespace: dict[str, Any] = {"reds_core": reds_core, "ProblemBuilder": ProblemBuilder}
    exec("\n".join(lines[:-1]), namespace)
    assert repr(eval(lines[-1], namespace)) == shown


# --- text -----------------------------------------------------------------------------------------------------------


def test_a_problem_as_text() -> None:
    builder = started()
    builder.add_group("fixed", [7], [4])
    builder.add_group("bounded", [1, 2000, 3], floor=1)
    builder.add_step("ram", {})
    problem = builder.build()
    assert repr(problem) == "<KnapsackProblem 'p': 5 groups, 10 options, 1 pair, macs <= 5, ram <= 5>"
    assert str(problem).splitlines() == [
        "problem 'p': 5 groups, 10 options, 1 pair",
        "  macs (sum): at most 5",
        "  ram (peak, 1 step): at most 5",
        "  conv: 3 options, widths 1 to 3, values 0 to 2",
        "  dense: 2 options, widths 1 to 2, values 0 to 1",
        "  last: 1 option, widths 1 to 1, values 0 to 0",
        "  fixed: 1 option, widths 4 to 4, values 7 to 7",
        "  bounded: 3 options (1 to 2 allowed), widths 1 to 3, values 1 to 2,000",
    ]


def test_a_large_problem_and_its_solution_fit_in_a_screen() -> None:
    groups = tuple(Group(f"g{i}", [1], [i]) for i in range(500))
    resources = tuple(SumResource(f"r{i}", 1) for i in range(30))
    problem = KnapsackProblem("large", groups, (), resources)
    solution = reds_core.solve(problem, "dp")
    for text in (str(problem), str(solution)):
        assert len(text.splitlines()) <= 50
    assert "and 492 more groups" in str(problem)
    assert "and 22 more resources" in str(problem)
    assert "and 488 more groups" in str(solution)
    assert max(len(repr(problem)), len(repr(solution))) < 300


def test_a_solution_as_text() -> None:
    found = Solution(
        Status.FEASIBLE, Limit.TIME, (1,), 4, 5, 0.25, {"a": 2}, {"macs": 3}, 0.5, None, "dp", "1", ("hurried",)
    )
    assert repr(found) == "<Solution feasible (time limit): value 4, bound 5, macs 3, by 'dp'>"
    assert [line.split(maxsplit=1) for line in str(found).splitlines()] == [
        ["status", "feasible (time limit)"],
        ["solver", "dp 1, 0.500 s"],
        ["value", "4"],
        ["bound", "5 (gap 25 %)"],
        ["macs", "3"],
        ["a", "2"],
        ["note", "hurried"],
    ]
    nothing = Solution(Status.INFEASIBLE, None, None, None, None, None, None, None, 0.5, None, "dp", "1")
    assert repr(nothing) == "<Solution infeasible: no choice, bound None, by 'dp'>"


def test_help_on_problems_can_be_read() -> None:
    text = pydoc.plain(pydoc.render_doc(KnapsackProblem))
    for part in ("multiple-choice knapsack problem", "ProblemBuilder", "evaluate(self", "with_capacities(self"):
        assert part in text
    assert not re.search(r"^ \|  _\w+\(", text.replace("__", ""), re.MULTILINE)


def test_names_of_problems_can_be_written_to_files() -> None:
    for name in (5, "a\0b", "\udcff"):
        with pytest.raises(InputError, match=r"is not a name of a problem|files cannot contain"):
            ProblemBuilder(name)  # type: ignore[arg-type]
        if isinstance(name, str):
            with pytest.raises(InputError, match="files cannot contain"):
                KnapsackProblem(name, (Group("a", [1], [0]),))


def test_a_builder_is_not_taken_for_a_problem() -> None:
    for call in (reds_core.solve, lambda builder: reds_core.convert_problem(builder, "p.mps")):
        with pytest.raises(InputError, match="problem of type ProblemBuilder is not a path"):
            call(started())


# --- levels ----------------------------------------------------------------------------------------------------------


def with_levels() -> ProblemBuilder:
    builder = ProblemBuilder("levels")
    builder.add_group("a", [0, 1, 2], levels={"a": {"width": [2, 1, 2]}, "a/1": {"bits": [4, 8, 8]}})
    builder.add_group("b", [0, 3], levels={"b/1": {"bits": [4, 8]}})
    builder.add_group("c", [0, 3])
    builder.add_sum("macs", 9)
    return builder


def test_levels_are_stated_by_site_and_kind() -> None:
    builder = with_levels()
    builder.set_nesting("bits", "equal")
    builder.add_product("macs", "a", "c", 2)
    problem = builder.build()
    assert problem.groups[0].dimensions == (Dimension("a", "width"), Dimension("a/1", "bits"))
    assert problem.groups[0].widths.tolist() == [2, 1, 2]
    assert [g.has_widths for g in problem.groups] == [True, False, True]
    assert problem.nesting["bits"] is Nesting.EQUAL
    assert problem.evaluate([1, 1, 1]).usage == {"macs": 4}
    assert problem.settings([1, 0, 1]).levels == {"a/1": {"bits": 8}, "b/1": {"bits": 4}}


def test_widths_beside_levels_need_not_be_a_level() -> None:
    builder = ProblemBuilder("levels")
    builder.add_group("a", [0, 1], widths=[3, 3], levels={"a/1": {"bits": [4, 8]}})
    builder.set_nesting("bits", Nesting.FREE)
    assert builder.build().widths([0]) == {"a": 3}


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([4, 8], "not given by site and kind"),
        ({"bits": [4, 8]}, "not given by site and kind"),
        ({}, "are empty"),
        ({"x": {}}, "are empty"),
        ({"x/1": {"bits": [4]}}, r"give an array of shape \(2,\)"),
        ({"x/1": {"bits": [4, 4.5]}}, "not whole"),
        ({"x/1": {"bits": [4, 4]}}, "same levels"),
        ({"y": {"width": [4, 8]}}, "width of 'y'"),
    ],
)
def test_levels_that_are_refused(levels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ProblemBuilder().add_group("x", [0, 1], levels=levels)


def test_products_need_widths_and_kinds_need_a_nesting() -> None:
    builder = with_levels()
    with pytest.raises(InputError, match="'b' has no widths to multiply"):
        builder.add_product("macs", "c", "b")
    with pytest.raises(InputError, match="how levels of 'bits' nest; say it with set_nesting"):
        builder.build()
    with pytest.raises(InputError, match=r"'sideways' is not a way .* rising, equal, free"):
        builder.set_nesting("bits", "sideways")
