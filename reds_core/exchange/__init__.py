"""Problems in the file formats of other solvers, and the solution files that these solvers write.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.exchange.checking import CheckedSolution, check_solution
from reds_core.exchange.cost_network import cost_network
from reds_core.exchange.formats import SUFFIXES, Conversion, convert_problem
from reds_core.exchange.linear_files import write_lp, write_mps
from reds_core.exchange.solution_files import SolutionFile, choice_of_solution, read_solution
from reds_core.exchange.toulbar2_files import write_cfn, write_wcsp

__all__ = [
    "SUFFIXES",
    "CheckedSolution",
    "Conversion",
    "SolutionFile",
    "check_solution",
    "choice_of_solution",
    "convert_problem",
    "cost_network",
    "read_solution",
    "write_cfn",
    "write_lp",
    "write_mps",
    "write_wcsp",
]
