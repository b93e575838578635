"""The knapsack problem, the interface to its solvers, and what can be derived from a problem without a solver."""

from __future__ import annotations

from reds_core.arrays import IntArray, Table
from reds_core.knapsack.builder import ProblemBuilder
from reds_core.knapsack.cheapest import cheapest_answer, cheapest_choice, cheapest_where_memory_ends, trivial_bound
from reds_core.knapsack.file import load_problem, problem_digest, save_problem
from reds_core.knapsack.integers import largest
from reds_core.knapsack.levels import WIDTH, Dimension, LevelSettings, Nesting
from reds_core.knapsack.no_choice import least_usage
from reds_core.knapsack.option_rows import choice_of
from reds_core.knapsack.pair_terms import PairTerm
from reds_core.knapsack.problem import (
    Evaluation,
    Group,
    KnapsackProblem,
    Pair,
    PeakResource,
    PeakStep,
    Resource,
    Restricted,
    SumResource,
)
from reds_core.knapsack.sequence import first_within
from reds_core.knapsack.solution import Alignment, Answer, Limit, Solution, Status, relative_gap
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver, solve, why_not
from reds_core.knapsack.uniform import choice_at_largest_ratio

__all__ = [
    "WIDTH",
    "Alignment",
    "Answer",
    "Claim",
    "Control",
    "Controls",
    "Dimension",
    "Evaluation",
    "Feature",
    "Group",
    "IntArray",
    "KnapsackProblem",
    "LevelSettings",
    "Limit",
    "Nesting",
    "Pair",
    "PairTerm",
    "PeakResource",
    "PeakStep",
    "ProblemBuilder",
    "Resource",
    "Restricted",
    "Solution",
    "Solver",
    "Status",
    "SumResource",
    "Table",
    "cheapest_answer",
    "cheapest_choice",
    "cheapest_where_memory_ends",
    "choice_at_largest_ratio",
    "choice_of",
    "first_within",
    "largest",
    "least_usage",
    "load_problem",
    "problem_digest",
    "relative_gap",
    "save_problem",
    "solve",
    "trivial_bound",
    "why_not",
]
