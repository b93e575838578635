"""Checks that the answers of a solver are true.

Each check is one function, and the first paragraph of its docstring is printed as the reason. The foundations look for
one fault each, on simple problems with every combination of the declared features. The cases after them look for all
faults at once, each in a situation in which solvers are known to fail.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource
from reds_core.knapsack.solution import Status
from reds_core.knapsack.solver import Claim, Feature, features_of, why_not
from reds_core.testing import problems
from reds_core.testing.oracle import brute_force
from reds_core.testing.report import Failure, Skip
from reds_core.testing.runner import Check
from reds_core.testing.strategies import joint_problems, knapsack_problems
from reds_core.testing.subject import (
    Asked,
    SolverSubject,
    described,
    false_bound,
    false_infeasibility,
    false_optimum,
    over_budget,
)


def _none_has(subject: SolverSubject, fault: Callable[[Asked], str | None]) -> None:
    for asked in subject.plain:
        found = fault(asked)
        if found is not None:
            raise Failure(f"{found} on {described(asked.problem)}")


# --- foundations ------------------------------------------------------------------------------------------------------


def answers_in_form(subject: SolverSubject) -> None:
    """reds reads the status, choice, bound and limit of an answer, and rejects an answer that is malformed or claims
    more than the solver declares.
    """
    for asked in subject.plain:
        claims, answer = subject.solver.claims, asked.answer
        for made, claim in (
            (answer.status is Status.OPTIMAL, Claim.OPTIMAL),
            (answer.status is Status.INFEASIBLE, Claim.INFEASIBLE),
            (answer.bound is not None, Claim.BOUND),
        ):
            if made and claim not in claims:
                raise Failure(f"asserts {str(claim.name).lower()} without declaring it on {described(asked.problem)}")


def stays_within_the_budget(subject: SolverSubject) -> None:
    """A budget is a hard limit of the device: a network that exceeds it by a single unit may not run at all."""
    _none_has(subject, over_budget)


def never_claims_a_false_optimum(subject: SolverSubject) -> None:
    """Nobody looks for a better choice after OPTIMAL, so it must be true, and the bound must equal the value."""
    subject.needs(Claim.OPTIMAL)
    _none_has(subject, false_optimum)


def never_bounds_below_the_optimum(subject: SolverSubject) -> None:
    """A bound states that no choice has a higher value; if it is below the optimum, the gap that users see is wrong."""
    subject.needs(Claim.BOUND)
    _none_has(subject, false_bound)


def never_claims_false_infeasibility(subject: SolverSubject) -> None:
    """A user who is told INFEASIBLE gives up the budget, so this must never happen if the budget can be met."""
    subject.needs(Claim.INFEASIBLE)
    _none_has(subject, false_infeasibility)


FOUNDATIONS = (
    Check(answers_in_form),
    Check(stays_within_the_budget, ("answers_in_form",)),
    Check(never_claims_a_false_optimum, ("answers_in_form",)),
    Check(never_bounds_below_the_optimum, ("answers_in_form",)),
    Check(never_claims_false_infeasibility, ("answers_in_form",)),
)


# --- consistency with what the solver declares ------------------------------------------------------------------------


def proves_small_problems(subject: SolverSubject) -> None:
    """An exact solver must agree with brute force on small problems and prove its answer: OPTIMAL or INFEASIBLE.

    The check runs only if the author sets `Settings.proves`.
    """
    if not subject.settings.proves:
        raise Skip("does not promise proofs (Settings.proves)")
    for asked in subject.plain:
        subject.judge(asked.problem, asked.answer, asked.optimum)


def asserts_what_it_declares(subject: SolverSubject) -> None:
    """`--solver auto` chooses solvers by the claims that they declare; a claim that is never made misleads it."""
    answers = [asked.answer for asked in subject.plain]
    made = {
        Claim.OPTIMAL: any(a.status is Status.OPTIMAL for a in answers),
        Claim.INFEASIBLE: any(a.status is Status.INFEASIBLE for a in answers),
        Claim.BOUND: any(a.bound is not None for a in answers),
    }
    if not subject.solver.claims:
        raise Skip("declares no claims")
    for claim, seen in made.items():
        if claim in subject.solver.claims and not seen:
            raise Failure(f"declares {str(claim.name).lower()} and asserts it on none of {len(answers)} small problems")


def finds_a_choice_where_the_smallest_fits(subject: SolverSubject) -> None:
    """If the first option of every group meets all budgets, a feasible choice is obvious and must be found."""
    for asked in subject.plain:
        if asked.problem.name.startswith("roomy") and asked.answer.choice is None and asked.answer.limit is None:
            raise Failure(f"found no choice on {described(asked.problem)}")


# --- cases ------------------------------------------------------------------------------------------------------------


def meets_a_budget_exactly(subject: SolverSubject) -> None:
    """A choice that uses exactly the budget is feasible, and one that uses a unit more is not, even for huge numbers.

    Floating-point solvers accept a violation of about 1e-6 of the capacity: at costs near 1e10 that is 10,000 units.
    """
    subject.judge_all(
        problems.exact_budget(unit, short) for unit in (1, 1_000, 10_000_000, 10_000_000_000) for short in (0, 1)
    )


def breaks_ties(subject: SolverSubject) -> None:
    """Any of several equal options is correct, but a comparison that should be strict can loop forever or find none."""
    subject.judge_all(problems.ties(seed) for seed in subject.seeds)


def takes_groups_of_one_option(subject: SolverSubject) -> None:
    """A layer of fixed width is a group with a single option, whose value and cost must still be counted."""
    subject.judge_all([problems.one_option()])


def takes_problems_without_resources(subject: SolverSubject) -> None:
    """Without resources the best option of every group is optimal, and there is no capacity to divide by."""
    subject.judge_all([problems.no_resource()])


def takes_negative_values(subject: SolverSubject) -> None:
    """All values may be negative, so neither 0 nor -1 can be used to mark that no choice has been found yet."""
    subject.judge_all(problems.negative_values(seed) for seed in subject.seeds)


def tells_near_equal_values_apart(subject: SolverSubject) -> None:
    """Many libraries stop at a relative gap of 1e-4 by default and call the result optimal; set the gap to 0."""
    subject.judge_all(problems.near_equal_values(seed) for seed in subject.seeds)


def takes_pair_costs_that_are_no_product(subject: SolverSubject) -> None:
    """Pair costs need not be a product of two widths or increase with them: measured latencies do neither."""
    subject.judge_all(problems.pair_costs_no_product(seed) for seed in subject.seeds)


def counts_peaks_over_three_groups(subject: SolverSubject) -> None:
    """On a residual branch three tensors are in memory at once, so a peak is not always a sum over pairs of groups."""
    subject.judge_all(problems.peak_of_three(seed) for seed in subject.seeds)


def keeps_floors_and_ceilings(subject: SolverSubject) -> None:
    """Floors and ceilings keep the members of a family nested; a choice outside them breaks the nesting."""
    subject.judge_all(problems.bounded(seed) for seed in subject.seeds)


def sees_that_budgets_cannot_be_met_together(subject: SolverSubject) -> None:
    """Budgets that can be met one by one but not together are infeasible; a solver must consider them jointly."""
    subject.judge_all(problems.not_together(f) for f in (Feature.MULTI_RESOURCE, Feature.PEAK))


def survives_a_single_feasible_choice(subject: SolverSubject) -> None:
    """If only one choice is feasible, a single wrong cut or dominance rule removes it and leads to a false claim."""
    subject.judge_all(problems.single_point(seed) for seed in subject.seeds)


def answers_permuted_groups_alike(subject: SolverSubject) -> None:
    """The order of groups and the orientation of pairs carry no meaning and must not change the value of the answer."""
    cases = [p for p, _ in subject.plain_problems if len(features_of(p)) == len(subject.solver.features)]
    subject.judge_all(problems.permuted(p, seed) for seed in subject.seeds for p in cases[:2])


def answers_scaled_values_alike(subject: SolverSubject) -> None:
    """Scaling all values does not change which choice is best, but it exposes absolute tolerances."""
    cases = [p for p, _ in subject.plain_problems if len(features_of(p)) == len(subject.solver.features)]
    subject.judge_all(problems.scaled(p, factor) for factor in (7, 1_000_003) for p in cases[:2])


def takes_values_that_follow_costs(subject: SolverSubject) -> None:
    """If values follow costs, many choices are nearly optimal, bounds exclude few of them, and the search is long."""
    features = subject.solver.features & (Feature.PAIR_TERMS | Feature.MULTI_RESOURCE)
    subject.judge_all(problems.correlated(seed, f) for seed in subject.seeds for f in {Feature.NONE, features})


def takes_options_that_are_rows_of_levels(subject: SolverSubject) -> None:
    """An option may be a row of levels, such as a width and the bits of two layers: its index and its width then carry
    no order. A solver that needs widths that rise refuses such problems by `refusal`.
    """
    features = subject.solver.features & ~Feature.BOUNDS
    plain = [problems.random_problem(seed, f) for seed in subject.seeds for f in (Feature.NONE, features)]
    cases = [problems.leveled(problem, seed) for seed, problem in enumerate(plain)]
    if all(why_not(subject.solver, problem) is not None for problem in cases):
        raise Skip("refuses problems whose options are rows of levels")
    subject.judge_all(cases)


def agrees_with_brute_force_on_generated_problems(subject: SolverSubject) -> None:
    """Hypothesis searches for a problem with a wrong answer and reduces it to a small one that a person can read."""
    try:
        import hypothesis
    except ImportError:
        raise Skip("needs hypothesis: pip install hypothesis") from None

    @hypothesis.settings(
        max_examples=8 * subject.settings.seeds,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        knapsack_problems(subject.solver.features, groups=3, options=3)
        | joint_problems(subject.solver.features, groups=3, options=3)
    )
    def search(problem: KnapsackProblem) -> None:
        hypothesis.assume(why_not(subject.solver, problem) is None)
        hypothesis.assume(all(low <= high for low, high in zip(problem.floors, problem.ceilings, strict=True)))
        subject.judge(problem, subject.ask(problem), brute_force(problem).value)

    try:
        search()
    except hypothesis.errors.Unsatisfiable:
        raise Skip("refuses every generated problem") from None


def keeps_apart_what_floats_cannot(subject: SolverSubject) -> None:
    """Above 2^53 floats cannot represent every integer: values that differ by one become equal, and a bound may be
    rounded to below the optimum.
    """
    one = np.array([0, 1])
    groups = tuple(Group(f"g{g}", one + 1, (2**54 + one) * (g + 1)) for g in range(3))
    resource = SumResource("sum", 2, 0, (one, one, one))
    subject.judge_all([KnapsackProblem("keeps_apart_what_floats_cannot", groups, (), (resource,))])


_GROUND = tuple(check.name for check in FOUNDATIONS)
HONESTY = tuple(
    Check(run, _GROUND)
    for run in (proves_small_problems, asserts_what_it_declares, finds_a_choice_where_the_smallest_fits)
)
CASES = tuple(
    Check(run, (*_GROUND, "proves_small_problems"))
    for run in (
        meets_a_budget_exactly,
        breaks_ties,
        takes_groups_of_one_option,
        takes_problems_without_resources,
        takes_negative_values,
        tells_near_equal_values_apart,
        keeps_apart_what_floats_cannot,
        takes_pair_costs_that_are_no_product,
        counts_peaks_over_three_groups,
        keeps_floors_and_ceilings,
        sees_that_budgets_cannot_be_met_together,
        survives_a_single_feasible_choice,
        answers_permuted_groups_alike,
        answers_scaled_values_alike,
        takes_values_that_follow_costs,
        takes_options_that_are_rows_of_levels,
        agrees_with_brute_force_on_generated_problems,
    )
)
