"""Seeded problems, one function a kind. Small enough for `oracle.brute_force`, save where the docstring says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reds_core.arrays import IntArray, Table
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, Resource, SumResource
from reds_core.knapsack.solver import Feature
from reds_core.testing.leveled import leveled

__all__ = [
    "bounded",
    "correlated",
    "exact_budget",
    "infeasible",
    "large",
    "leveled",
    "long_chain",
    "near_equal_values",
    "negative_values",
    "no_resource",
    "not_together",
    "one_option",
    "pair_costs_no_product",
    "peak_of_three",
    "permuted",
    "random_problem",
    "roomy",
    "scaled",
    "single_point",
    "ties",
]


def _widths(rng: np.random.Generator, options: int) -> IntArray:
    return np.cumsum(rng.integers(1, 4, options))


def _maybe(rng: np.random.Generator, table: IntArray) -> Table:
    """`table`, or None one time in four: an absent table stands for zeros."""
    return None if rng.random() < 0.25 else table


def _edges(rng: np.random.Generator, groups: int) -> list[tuple[int, int]]:
    """A random tree and, one time in two, one edge more; orientation at random."""
    edges = [(int(rng.integers(0, g)), g) for g in range(1, groups)]
    if groups > 2 and rng.random() < 0.5:
        a, b = (int(g) for g in rng.choice(groups, 2, replace=False))
        if not {(a, b), (b, a)} & set(edges):
            edges.append((a, b))
    return [(b, a) if rng.random() < 0.3 else (a, b) for a, b in edges]


def _resources(rng: np.random.Generator, groups: list[Group], pairs: list[Pair], features: Feature) -> list[Resource]:
    """Resources with capacity 0; the caller sets what can be used."""
    resources: list[Resource] = []
    for r in range(int(rng.integers(2, 4)) if Feature.MULTI_RESOURCE in features else 1):
        costs = tuple(_maybe(rng, rng.integers(-5, 40, g.options)) for g in groups)
        bilinear = tuple(int(rng.integers(0, 4)) for _ in pairs)
        tables = tuple(
            _maybe(rng, rng.integers(-5, 20, (groups[p.first].options, groups[p.second].options))) for p in pairs
        )
        resources.append(SumResource(f"sum{r}", 0, int(rng.integers(0, 20)), costs, bilinear, tables))
    if Feature.PEAK in features:
        steps = []
        for _ in range(int(rng.integers(1, 4))):
            size = int(rng.integers(1, min(3, len(groups)) + 1))
            members = tuple(int(g) for g in rng.choice(len(groups), size, replace=False))
            step_costs = tuple(_maybe(rng, rng.integers(0, 30, groups[g].options)) for g in members)
            steps.append(PeakStep(int(rng.integers(0, 10)), members, step_costs))
        resources.append(PeakResource("peak", 0, tuple(steps)))
    return resources


def _budgeted(problem: KnapsackProblem, rng: np.random.Generator, low: float, high: float) -> KnapsackProblem:
    """`problem` with each capacity between the quantiles `low` and `high` of the use of random choices."""
    uses = [problem.evaluate([int(rng.integers(0, g.options)) for g in problem.groups]).usage for _ in range(64)]
    share = float(rng.uniform(low, high))
    return problem.with_capacities(
        {r.name: int(np.quantile([u[r.name] for u in uses], share)) for r in problem.resources}
    )


def random_problem(
    seed: int, features: Feature, groups: int = 4, options: int = 5, low: float = 0.1, high: float = 0.8
) -> KnapsackProblem:
    """Arbitrary values and costs of either sign, with exactly `features`; it may be infeasible.

    Args:
        groups: how many groups.
        options: the most options a group has.
        low: The least quantile of the use of random choices at which a capacity may lie.
        high: The greatest such quantile.
    """
    rng = np.random.default_rng(seed)
    shift = 0 if rng.random() < 0.75 else 90  # so that now and then the optimum is negative
    members = []
    for g in range(groups):
        count = int(rng.integers(2, options + 1))
        values = np.sort(rng.integers(-20, 100, count)) if rng.random() < 0.7 else rng.integers(-50, 100, count)
        members.append(Group(f"g{g}", _widths(rng, count), values - shift))
    pairs = []
    if Feature.PAIR_TERMS in features:
        for a, b in _edges(rng, groups):
            shape = members[a].options, members[b].options
            pairs.append(Pair(a, b, _maybe(rng, rng.integers(-30, 60, shape))))
    floors: tuple[int, ...] = ()
    ceilings: tuple[int, ...] = ()
    if Feature.BOUNDS in features:
        bounds = [sorted(int(k) for k in rng.integers(0, m.options, 2)) for m in members]
        bounds[0] = [1, members[0].options - 1]  # so that a bound excludes an option for certain
        floors, ceilings = tuple(b[0] for b in bounds), tuple(b[1] for b in bounds)
    resources = _resources(rng, members, pairs, features)
    name = f"random_problem(seed={seed}, features={_names(features)})"
    problem = KnapsackProblem(name, tuple(members), tuple(pairs), tuple(resources), floors, ceilings)
    return _budgeted(problem, rng, low, high)


def _names(features: Feature) -> str:
    return "|".join(str(f.name) for f in Feature if f in features and f.name) or "NONE"


def roomy(seed: int, features: Feature) -> KnapsackProblem:
    """A problem whose smallest choice is feasible: costs and widths rise, nothing is negative, no floors."""
    problem = random_problem(seed, features & ~Feature.BOUNDS)
    rng = np.random.default_rng([seed, 1])

    def rising(table: Table) -> Table:
        if table is None:
            return None
        result = np.abs(table)
        for axis in range(result.ndim):
            result = np.maximum.accumulate(result, axis=axis)
        return result

    resources: list[Resource] = []
    for r in problem.resources:
        if isinstance(r, SumResource):
            costs, tables = tuple(map(rising, r.costs)), tuple(map(rising, r.pair_costs))
            resources.append(SumResource(r.name, 0, r.base, costs, r.bilinear, tables))
        else:
            steps = tuple(PeakStep(s.base, s.groups, tuple(map(rising, s.costs))) for s in r.steps)
            resources.append(PeakResource(r.name, 0, steps))
    name = f"roomy(seed={seed}, features={_names(features & ~Feature.BOUNDS)})"
    free = KnapsackProblem(name, problem.groups, problem.pairs, tuple(resources))
    least = free.evaluate([0] * len(free.groups)).usage
    most = free.evaluate([g.options - 1 for g in free.groups]).usage
    share = float(rng.uniform(0.2, 0.6))
    return free.with_capacities({r: least[r] + int(share * (most[r] - least[r])) for r in least})


def infeasible(features: Feature) -> KnapsackProblem:
    """What no group influences is already above every capacity, so that no relaxation hides the infeasibility."""
    problem = roomy(0, features)
    least = problem.evaluate([0] * len(problem.groups)).usage
    tight = problem.with_capacities({r: least[r] - 1 for r in least})
    return KnapsackProblem("infeasible", tight.groups, tight.pairs, tight.resources)


def exact_budget(unit: int, short: int) -> KnapsackProblem:
    """Two full groups cost the capacity plus `short`, in multiples of `unit`: 0 fits exactly, 1 is one too many.

    Args:
        unit: about the size of one cost; 10**10 lies beyond the relative tolerances of MILP solvers.
    """
    first = Group("a", np.array([1, 2, 3]), np.array([0, 10, 30]))
    second = Group("b", np.array([1, 2, 3]), np.array([0, 7, 20]))
    costs = np.array([0, 1, 2]) * unit
    resource = SumResource("sum", 4 * unit + 3 - short, 0, (costs + 1, costs + 2))
    return KnapsackProblem(f"exact_budget(unit={unit}, short={short})", (first, second), (), (resource,))


def ties(seed: int) -> KnapsackProblem:
    """Every option of a group costs and is worth the same, so that there are many optima and many equal labels."""
    rng = np.random.default_rng(seed)
    groups = tuple(Group(f"g{g}", np.arange(1, 5), np.full(4, int(rng.integers(1, 4)))) for g in range(4))
    costs = tuple(np.full(4, int(rng.integers(1, 4))) for _ in groups)
    used = sum(int(c[0]) for c in costs)
    return KnapsackProblem(f"ties(seed={seed})", groups, (), (SumResource("sum", used, 0, costs),))


def one_option() -> KnapsackProblem:
    """Groups that leave nothing to decide, one of them beside a group that does."""
    groups = (
        Group("only", np.array([8]), np.array([5])),
        Group("free", np.array([2, 4]), np.array([1, 9])),
        Group("last", np.array([3]), np.array([-4])),
    )
    return KnapsackProblem(
        "one_option", groups, (), (SumResource("sum", 40, 2, (np.array([8]), np.array([10, 30]), None)),)
    )


def no_resource() -> KnapsackProblem:
    """Nothing is limited: each group takes its best option, which is not the last."""
    groups = tuple(Group(f"g{g}", np.array([1, 2, 3]), np.array([4, 9, 6 - g])) for g in range(3))
    return KnapsackProblem("no_resource", groups)


def negative_values(seed: int) -> KnapsackProblem:
    """Every value is negative, so that -1, 0 or "no value yet" cannot serve as a mark for nothing found."""
    rng = np.random.default_rng(seed)
    groups = tuple(Group(f"g{g}", np.arange(1, 5), np.sort(-rng.integers(1, 1000, 4))) for g in range(4))
    costs = tuple(np.arange(1, 5) * int(rng.integers(1, 9)) for _ in groups)
    capacity = sum(int(c[0]) for c in costs) + 12
    return KnapsackProblem(f"negative_values(seed={seed})", groups, (), (SumResource("sum", capacity, 0, costs),))


def near_equal_values(seed: int) -> KnapsackProblem:
    """Values near 2^31 that differ in the last digits: a relative gap of 1e-4, or 1e-6, hides the optimum."""
    rng = np.random.default_rng(seed)
    groups = []
    for g in range(5):
        values = np.arange(1, 6) * 100_000_000 + rng.integers(0, 50, 5)
        groups.append(Group(f"g{g}", np.arange(1, 6), values))
    costs = tuple(np.arange(1, 6) for _ in groups)
    return KnapsackProblem(f"near_equal_values(seed={seed})", tuple(groups), (), (SumResource("sum", 14, 0, costs),))


def pair_costs_no_product(seed: int) -> KnapsackProblem:
    """Pair costs that fall where widths rise: solvers that assume width x width go wrong here."""
    rng = np.random.default_rng(seed)
    groups = tuple(Group(f"g{g}", np.arange(1, 5), np.sort(rng.integers(0, 50, 4))) for g in range(3))
    pairs = (Pair(0, 1), Pair(2, 1, rng.integers(-20, 20, (4, 4))))
    tables = tuple(rng.integers(0, 30, (4, 4)) for _ in pairs)
    costs = tuple(rng.integers(0, 10, 4) for _ in groups)
    problem = KnapsackProblem(
        f"pair_costs_no_product(seed={seed})", groups, pairs, (SumResource("sum", 0, 0, costs, (), tables),)
    )
    return _budgeted(problem, rng, 0.1, 0.4)


def peak_of_three(seed: int) -> KnapsackProblem:
    """A step in which three groups are alive at once (a residual branch), beside steps of one and two."""
    rng = np.random.default_rng(seed)
    groups = tuple(Group(f"g{g}", np.arange(1, 6), np.cumsum(rng.integers(1, 30, 5))) for g in range(4))
    members = ((0,), (0, 1), (0, 1, 2), (2, 3))
    steps = tuple(PeakStep(1, m, tuple(np.arange(1, 6) * int(rng.integers(1, 5)) for _ in m)) for m in members)
    problem = KnapsackProblem(f"peak_of_three(seed={seed})", groups, (), (PeakResource("peak", 0, steps),))
    return _budgeted(problem, rng, 0.2, 0.6)


def bounded(seed: int) -> KnapsackProblem:
    """A floor that the best choice would pass below and a ceiling that it would pass above."""
    rng = np.random.default_rng(seed)
    falling = Group("falling", np.arange(1, 6), np.sort(rng.integers(0, 50, 5))[::-1].copy())
    rising = Group("rising", np.arange(1, 6), np.sort(rng.integers(0, 50, 5)))
    fixed = Group("fixed", np.arange(1, 6), rng.integers(0, 50, 5))
    resource = SumResource("sum", 20, 0, tuple(np.arange(1, 6) for _ in range(3)))
    groups = (falling, rising, fixed)
    return KnapsackProblem(f"bounded(seed={seed})", groups, (), (resource,), floors=(2, 0, 3), ceilings=(4, 2, 3))


def not_together(features: Feature) -> KnapsackProblem:
    """Each budget can be met alone, both at once cannot. The second is a peak where `features` says so."""
    groups = tuple(Group(f"g{g}", np.array([1, 2]), np.array([1, 2])) for g in range(2))
    rising, falling = np.array([0, 10]), np.array([10, 0])
    small = SumResource("small", 10, 0, (rising, rising))
    second: Resource
    if Feature.PEAK in features:
        second = PeakResource("large", 5, (PeakStep(0, (0,), (falling,)), PeakStep(0, (1,), (falling,))))
    else:
        second = SumResource("large", 5, 0, (falling, falling))
    return KnapsackProblem(f"not_together({_names(features)})", groups, (), (small, second))


def single_point(seed: int) -> KnapsackProblem:
    """Exactly one choice is feasible, and it is neither the smallest nor the largest."""
    rng = np.random.default_rng(seed)
    target = rng.integers(1, 4, 4)
    groups = tuple(Group(f"g{g}", np.arange(1, 6), np.sort(rng.integers(0, 90, 5))) for g in range(4))
    costs = tuple(np.abs(np.arange(5) - t) * int(rng.integers(3, 9)) for t in target)
    return KnapsackProblem(f"single_point(seed={seed})", groups, (), (SumResource("sum", 0, 0, costs),))


def permuted(problem: KnapsackProblem, seed: int) -> KnapsackProblem:
    """The same problem with its groups in another order and its pairs turned round."""
    order = [int(g) for g in np.random.default_rng(seed).permutation(len(problem.groups))]
    place = {g: i for i, g in enumerate(order)}

    def turned(table: Table) -> Table:
        return None if table is None else table.T

    pairs = tuple(Pair(place[p.second], place[p.first], turned(p.values)) for p in problem.pairs)
    resources: list[Resource] = []
    for r in problem.resources:
        if isinstance(r, SumResource):
            costs, tables = tuple(r.costs[g] for g in order), tuple(turned(t) for t in r.pair_costs)
            resources.append(SumResource(r.name, r.capacity, r.base, costs, r.bilinear, tables))
        else:
            steps = tuple(PeakStep(s.base, tuple(place[g] for g in s.groups), s.costs) for s in r.steps)
            resources.append(PeakResource(r.name, r.capacity, steps))
    return KnapsackProblem(
        f"permuted({problem.name}, seed={seed})",
        tuple(problem.groups[g] for g in order),
        pairs,
        tuple(resources),
        tuple(problem.floors[g] for g in order),
        tuple(problem.ceilings[g] for g in order),
        problem.nesting,
    )


def scaled(problem: KnapsackProblem, factor: int) -> KnapsackProblem:
    """The same problem with every value multiplied by `factor`."""
    groups = tuple(replace(g, values=g.values * factor) for g in problem.groups)
    pairs = tuple(Pair(p.first, p.second, None if p.values is None else p.values * factor) for p in problem.pairs)
    name = f"scaled({problem.name}, factor={factor})"
    return replace(problem, name=name, groups=groups, pairs=pairs)


def long_chain(seed: int, groups: int = 10, options: int = 12, linked: bool = False) -> KnapsackProblem:
    """Value = cost + noise, the hard family of knapsacks, for time limits. `oracle.chain_optimum` knows its optimum.

    Args:
        linked: join neighbours by a bilinear cost.
    """
    rng = np.random.default_rng(seed)
    members, costs = [], []
    for g in range(groups):
        cost = np.cumsum(rng.integers(3, 12, options))
        costs.append(cost)
        members.append(Group(f"g{g}", np.arange(1, options + 1), cost * 1000 + rng.integers(0, 1000, options)))
    pairs = tuple(Pair(g, g + 1) for g in range(groups - 1)) if linked else ()
    resource = SumResource("sum", 0, 0, tuple(costs), (1,) * len(pairs))
    name = f"long_chain(seed={seed}, groups={groups}, options={options}, linked={linked})"
    problem = KnapsackProblem(name, tuple(members), pairs, (resource,))
    return problem.with_capacities({"sum": problem.evaluate(problem.ceilings).usage["sum"] // 2})


def correlated(seed: int, features: Feature) -> KnapsackProblem:
    """Value = cost + noise on a ring of groups with pair values, akin to `long_chain`: bounds are of little use."""
    rng = np.random.default_rng(seed)
    chain = long_chain(seed, groups=5, options=7, linked=Feature.PAIR_TERMS in features)
    pairs = chain.pairs
    resource = chain.sum_resources[0]
    if pairs:
        ends = Pair(0, 4, rng.integers(0, 900, (7, 7)))
        pairs = (*(Pair(p.first, p.second, rng.integers(0, 900, (7, 7))) for p in pairs), ends)
        resource = SumResource("sum", 0, 0, resource.costs, (1,) * len(pairs))
    resources: list[Resource] = [resource]
    if Feature.MULTI_RESOURCE in features:
        resources.append(SumResource("other", 0, 0, tuple(rng.integers(0, 60, 7).cumsum() for _ in chain.groups)))
    name = f"correlated(seed={seed}, features={_names(features)})"
    problem = KnapsackProblem(name, chain.groups, pairs, tuple(resources))
    return problem.with_capacities({r: u // 2 for r, u in problem.evaluate(problem.ceilings).usage.items()})


def large(seed: int, features: Feature, groups: int = 40, options: int = 64) -> KnapsackProblem:
    """Near-equal scores on many groups: more work than a short time limit allows. Its optimum is not known."""
    rng = np.random.default_rng(seed)
    members = tuple(
        Group(f"g{g}", np.arange(1, options + 1), np.cumsum(rng.integers(95, 106, options))) for g in range(groups)
    )
    pairs = tuple(Pair(g, g + 1) for g in range(groups - 1)) if Feature.PAIR_TERMS in features else ()
    resources: list[Resource] = []
    for r in range(2 if Feature.MULTI_RESOURCE in features else 1):
        costs = tuple(np.cumsum(rng.integers(1, 9, options)) for _ in members)
        resources.append(SumResource(f"sum{r}", 0, 0, costs, tuple(int(rng.integers(1, 4)) for _ in pairs)))
    problem = KnapsackProblem(
        f"large(seed={seed}, groups={groups}, options={options})", members, pairs, tuple(resources)
    )
    most = problem.evaluate(problem.ceilings).usage
    return problem.with_capacities({name: use // 3 for name, use in most.items()})
