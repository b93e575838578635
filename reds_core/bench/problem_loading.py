"""Loads the problems of a comparison from files and suites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from reds_core.bench.record import ProblemFacts
from reds_core.errors import InputError, argument
from reds_core.knapsack.file import load_problem, problem_digest, save_problem
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.system.files import absolute, temporary_folder


@dataclass(frozen=True, eq=False)
class BenchProblem:
    """A problem with its description in records."""

    facts: ProblemFacts
    problem: KnapsackProblem

    @cached_property
    def content(self) -> bytes:
        """The content of a file of format reds-problem/1."""
        with temporary_folder() as folder:
            path = folder / "problem.npz"
            save_problem(self.problem, path)
            return path.read_bytes()


def load_problems(paths: Sequence[Path], suites: Sequence[str]) -> tuple[BenchProblem, ...]:
    """Load the problems of the suites, followed by those of the files.

    A file is named by its stem, preceded by as many parent folders as make the name unique.

    Raises:
        InputError: if there are no problems, a file or suite cannot be loaded, or two problems are the same.
    """
    located = Counter(absolute(path) for path in paths)
    twice = [path for path, count in located.items() if count > 1]
    if twice:
        raise InputError(f"problem file '{twice[0]}' is named twice", "name it once")
    found = [each for name in suites for each in _from_suite(name)]
    taken = [each.facts.name for each in found]
    for path, name in zip(paths, _names(paths, taken), strict=True):
        found.append(_from_file(name, load_problem(path)))
    if not found:
        raise InputError("there is nothing to solve", f"name problem files, or suites with {argument('suites')}")
    by_digest: dict[str, str] = {}
    for each in found:
        same = by_digest.setdefault(each.facts.sha256, each.facts.name)
        if same != each.facts.name:
            raise InputError(f"problems '{same}' and '{each.facts.name}' are the same", "leave one of them out")
    repeated = [name for name, count in Counter(each.facts.name for each in found).items() if count > 1]
    if repeated:
        raise InputError(f"problem '{repeated[0]}' is named twice", "name it once")
    return tuple(found)


def _from_suite(name: str) -> list[BenchProblem]:
    from reds_core.bench.suites import suite

    return [_bench_problem(each.problem.name, each.problem, each.optimum, each.lp_bound) for each in suite(name)]


def _from_file(name: str, problem: KnapsackProblem) -> BenchProblem:
    """Make a problem from a file; facts are also known if the file holds an instance of a suite."""
    from reds_core.bench.suites import read_facts

    digest = problem_digest(problem)
    known = next((facts for facts in read_facts().values() if facts.sha256 == digest), None)
    return _bench_problem(name, problem, *((None, None) if known is None else (known.optimum, known.lp_bound)))


def _bench_problem(name: str, problem: KnapsackProblem, optimum: int | None, lp_bound: int | None) -> BenchProblem:
    facts = ProblemFacts(
        name=name,
        sha256=problem_digest(problem),
        groups=len(problem.groups),
        options=sum(group.options for group in problem.groups),
        pairs=len(problem.pairs),
        resources=tuple(resource.name for resource in problem.resources),
        optimum=optimum,
        lp_bound=lp_bound,
    )
    return BenchProblem(facts, problem)


def _names(paths: Sequence[Path], taken: Sequence[str]) -> list[str]:
    """Stems of the files, each preceded by as many folders as make it unique."""
    parts = [(*path.absolute().parent.parts[1:], path.stem) for path in paths]
    names = [own[-1] for own in parts]
    for length in range(2, max(map(len, parts), default=0) + 1):
        counts = Counter([*names, *taken])
        names = ["/".join(own[-length:]) if counts[name] > 1 else name for own, name in zip(parts, names, strict=True)]
    return names
