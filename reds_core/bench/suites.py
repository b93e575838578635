"""Suites of problems for the comparison of solvers, with the known facts of each instance.

`suite_facts.json` holds by name the SHA-256 of each problem, the optimum that two exact solvers agree on, and the
bound of the LP relaxation. Facts are ignored if the problem has changed since. `benchmarks/suites.py --write`
regenerates the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reds_core.bench.graphs import TOPOLOGIES, chain
from reds_core.bench.shapes import NETWORKS
from reds_core.bench.synthetic import KINDS, knapsack
from reds_core.errors import InputError
from reds_core.knapsack.file import problem_digest
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.system.records import from_plain, parse_json

FACTS = Path(__file__).with_name("suite_facts.json")


@dataclass(frozen=True)
class Facts:
    """The known facts of an instance.

    Attributes:
        sha256: digest of the problem that the facts belong to.
        optimum: proven optimal value; None if the problem is infeasible or no proof is known.
        infeasible: whether it is proven that no choice meets the budgets.
        lp_bound: value of the LP relaxation, rounded down, or None.
        proved_by: solvers that independently proved the optimum or infeasibility.
    """

    sha256: str
    optimum: int | None
    infeasible: bool
    lp_bound: int | None
    proved_by: tuple[str, ...]


@dataclass(frozen=True)
class SuiteProblem:
    """One instance of a suite.

    Attributes:
        problem: the problem; its name is unique among all suites.
        reason: why the suite contains it, in a clause.
        optimum: proven optimal value; None if the problem is infeasible or no proof is known.
        lp_bound: value of the LP relaxation, rounded down, or None.
        infeasible: whether it is proven that no choice meets the budgets.
        proved_by: solvers that independently proved the optimum or infeasibility.
    """

    problem: KnapsackProblem
    reason: str
    optimum: int | None = None
    lp_bound: int | None = None
    infeasible: bool = False
    proved_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class SuiteRecord:
    """What a suite contains.

    Attributes:
        name: name of the suite.
        description: what its problems have in common, as a sentence.
        source: where its networks and numbers come from, in sentences.
        problems: number of its problems.
        proved: number of problems of which the optimum, or infeasibility, is proven.
        groups, options, pairs: the largest number of groups, of options and of pairs in a problem.
    """

    name: str
    description: str
    source: str
    problems: int
    proved: int
    groups: int
    options: int
    pairs: int


Instances = Iterator[tuple[KnapsackProblem, str]]


@dataclass(frozen=True)
class _Suite:
    description: str
    source: str
    build: Callable[[], Instances]


def suite(name: str) -> tuple[SuiteProblem, ...]:
    """Return the instances of a suite, which are the same on every call and machine.

    Raises:
        InputError: if there is no suite of that name.
    """
    if name not in _SUITES:
        raise InputError(f"unknown suite '{name}'", f"choose one of {', '.join(SUITES)}")
    facts = read_facts()
    return tuple(_known(problem, reason, facts.get(problem.name)) for problem, reason in _SUITES[name].build())


def suites() -> tuple[SuiteRecord, ...]:
    """List the suites of problems that come with reds.

    This is what `reds suite list` does. `export_suite` writes a suite to a folder, and `run_bench` compares solvers on
    it.

    Returns:
        One record for each suite.

    Example:
        >>> [(suite.name, suite.problems, suite.proved) for suite in reds_core.suites()]
    """
    return tuple(suite_record(name, suite(name)) for name in SUITES)


def suite_record(name: str, instances: Sequence[SuiteProblem]) -> SuiteRecord:
    """The record of the suite `name`, which contains `instances`."""
    return SuiteRecord(
        name,
        _SUITES[name].description,
        _SUITES[name].source,
        problems=len(instances),
        proved=sum(each.optimum is not None or each.infeasible for each in instances),
        groups=max(len(each.problem.groups) for each in instances),
        options=max(sum(group.options for group in each.problem.groups) for each in instances),
        pairs=max(len(each.problem.pairs) for each in instances),
    )


def read_facts() -> Mapping[str, Facts]:
    """Return the known facts of the instances by name; empty if the file does not exist."""
    if not FACTS.exists():
        return {}
    facts: Mapping[str, Facts] = from_plain(Mapping[str, Facts], parse_json(FACTS.read_text(encoding="utf-8")))
    return facts


def _known(problem: KnapsackProblem, reason: str, facts: Facts | None) -> SuiteProblem:
    if facts is None or facts.sha256 != problem_digest(problem):
        return SuiteProblem(problem, reason)
    return SuiteProblem(problem, reason, facts.optimum, facts.lp_bound, facts.infeasible, facts.proved_by)


def _at_percent(problem: KnapsackProblem, percent: int) -> KnapsackProblem:
    """Set the capacity of every resource to `percent` of the full network's use, and append it to the name."""
    full = problem.evaluate([g.options - 1 for g in problem.groups]).usage
    budgeted = problem.with_capacities({r: use * percent // 100 for r, use in full.items()})
    return replace(budgeted, name=f"{problem.name}-{percent}")


# --- paper ------------------------------------------------------------------------------------------------------------

_PAPER = (
    ("ds-cnn-s", 1, "depthwise-separable chain of the REDS paper, the size its search times are given for"),
    ("ds-cnn-m", 1, "the same with 172 channels a layer: four times the table entries"),
    ("ds-cnn-l", 1, "the same with 276 channels and a block more, for which three hours of search were suggested"),
    ("cnn-s", 1, "few groups of unlike widths, one pair with nearly all the costs"),
    ("cnn-m", 1, "the same, with a narrow layer between wide ones"),
    ("cnn-l", 1, "the same, with a wider dense layer"),
    ("dnn-s", 1, "dense layers only: products of widths are all there is"),
    ("dnn-m", 1, "the same with 256 units in each layer"),
    ("dnn-l", 1, "the same with 436 units in each layer"),
    ("mobilenet-v1-0.25-96", 1, "the microcontroller's image network, every width on offer"),
    ("mobilenet-v1", 8, "14 groups of up to 1,024 channels in steps of 8, as compilers for phones like widths"),
    ("vit-b", 8, "a star: one embedding joined to heads and hidden layer of every block"),
)
_PERCENT = (10, 25, 50, 75)


def _paper() -> Instances:
    """The networks of the REDS paper, at several percentages of the full network's MACs."""
    for network, step, reason in _PAPER:
        problem = replace(knapsack(NETWORKS[network](), step=step), name=network)
        for percent in _PERCENT:
            yield _at_percent(problem, percent), f"{reason}; {percent} % of the MACs"
    problem = replace(knapsack(NETWORKS["ds-cnn-s"](), seed=1, kernels=True), name="ds-cnn-s-kernels")
    for percent in _PERCENT:
        yield _at_percent(problem, percent), f"DS-CNN S with the score of every kernel; {percent} % of the MACs"


# --- graphs -----------------------------------------------------------------------------------------------------------

_SIZES = (6, 12, 24)
_SCORES = {
    "lognormal": "scores as trained networks have them",
    "near-equal": "kernels within 1 % of each other, so that hardly any option can be ruled out",
    "convex": "value grows faster than cost, so that mixtures of choices are worth more than choices",
    "cost-noise": "value is cost and a little noise, so that all choices near the budget are nearly optimal",
}
_GRAPHS = {
    "chain": "each group feeds the next",
    "tree": "each group feeds any number of others",
    "residual": "blocks add to what they read, which closes circles",
}


def _graphs() -> Instances:
    """Random networks of growing size, for every score distribution."""
    for topology, shape in _GRAPHS.items():
        for size in _SIZES:
            network = TOPOLOGIES[topology](size, size)
            for kind in KINDS:
                problem = replace(knapsack(network, kind, seed=size), name=f"{network.name}-{kind}")
                yield _at_percent(problem, 40), f"{size} groups, {shape}; {_SCORES[kind]}"


# --- tiny -------------------------------------------------------------------------------------------------------------


def _tiny() -> Instances:
    """One small instance for each feature of a problem; every solver that supports it solves it quickly."""

    def named(name: str, problem: KnapsackProblem) -> KnapsackProblem:
        return replace(problem, name=f"tiny-{name}")

    both = ("macs", "params")
    all_three = (*both, "peak_ram")
    yield named("brute", knapsack(chain(4, 5))), "625 choices: brute force knows the answer"
    yield named("kernels", knapsack(chain(3, 8), kernels=True)), "kernel scores, for solvers that choose kernels"
    tree = TOPOLOGIES["tree"](5, 2)
    yield (
        named("two-sums", knapsack(tree, step=4, resources=both, fraction={"macs": 0.5, "params": 0.4})),
        "two sums that bind at once, on a tree",
    )
    yield (
        named("peak", knapsack(TOPOLOGIES["residual"](5, 3), step=4, resources=all_three, fraction=0.6)),
        "a peak beside two sums, on a residual network",
    )
    below = knapsack(chain(4, 6))
    least = below.evaluate([0] * len(below.groups)).usage
    yield (
        named("infeasible", below.with_capacities({r: use - 1 for r, use in least.items()})),
        "one unit below the least that can be reached",
    )
    bounded = knapsack(chain(5, 8))
    yield (
        named("bounds", bounded.with_bounds([2, 0, 3, 0, 1], [7, 4, 7, 7, 5])),
        "floors and ceilings, as members of a family have them",
    )
    yield named("near-equal", knapsack(chain(5, 12), "near-equal")), "near-equal scores: bounds are of little use"
    yield named("convex", knapsack(chain(5, 12), "convex")), "convex scores: the LP relaxation is weak"
    network = NETWORKS["ds-cnn-s"]()
    yield named("ds-cnn-s", _at_percent(knapsack(network, step=8), 25)), "the DS-CNN S of the paper in steps of 8"


_SCORES_SOURCE = (
    "Scores of channels are random numbers of NumPy's PCG64 generator with fixed seeds. No weights of trained networks "
    "and no data of third parties are contained."
)
_SUITES: Mapping[str, _Suite] = {
    "paper": _Suite(
        "The networks of the REDS paper, MobileNetV1 and ViT-B, at 10, 25, 50 and 75 % of their MACs.",
        "Layer shapes are those of the networks in 'REDS: Resource-Efficient Deep Subnetworks for Dynamic Resource "
        "Constraints' (Corti et al., arXiv 2311.13349), of MobileNetV1 (arXiv 1704.04861) and of ViT-B (arXiv "
        f"2010.11929). {_SCORES_SOURCE}",
        _paper,
    ),
    "graphs": _Suite(
        "Random chains, trees and residual networks of 6, 12 and 24 groups, with four distributions of scores.",
        f"Networks are random, with fixed seeds. {_SCORES_SOURCE}",
        _graphs,
    ),
    "tiny": _Suite(
        "One small problem for each feature of the format, to try out a solver.",
        f"Networks are small chains, trees and residual networks, and the DS-CNN S of the REDS paper. {_SCORES_SOURCE}",
        _tiny,
    ),
}
SUITES: tuple[str, ...] = tuple(_SUITES)
"""Names of the suites."""
