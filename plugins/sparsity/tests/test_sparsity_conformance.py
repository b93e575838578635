"""Every behaviour that reds asks of a transform, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_sparsity import Sparsity
from reds_sparsity.options import SparsityOptions

from reds_core.testing import transform_conformance


@transform_conformance(Sparsity)
def test_sparsity(check: Callable[[], None]) -> None:
    check()


@transform_conformance(lambda: Sparsity(SparsityOptions(pattern="n:4", schedule="gradual", nesting="equal")))
def test_sparsity_of_every_four_inputs(check: Callable[[], None]) -> None:
    check()


@transform_conformance(lambda: Sparsity(SparsityOptions(pattern="block", schedule="one-shot", nesting="free")))
def test_sparsity_in_blocks(check: Callable[[], None]) -> None:
    check()


@transform_conformance(lambda: Sparsity(SparsityOptions(scope="global", sparsity="75")))
def test_sparsity_of_the_whole_network(check: Callable[[], None]) -> None:
    check()
