"""Every behaviour that reds asks of a solver, each a test of its own."""

from reds_greedy import GreedySolver

from reds_core.testing import Conformance, conformance_of


@conformance_of(GreedySolver)
def test_conformance(check: Conformance) -> None:
    check()
