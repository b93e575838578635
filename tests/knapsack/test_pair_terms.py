"""Pairwise terms: every way of looking at one agrees with its table, and no entry passes its magnitude."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.arrays import IntArray
from reds_core.knapsack.inference.factors import build_factors
from reds_core.knapsack.pair_terms import ALL, PairTerm
from reds_core.testing.strategies import knapsack_problems

NUMBERS = st.integers(-50, 50)


def arrays(*shape: int) -> st.SearchStrategy[IntArray]:
    return st.lists(NUMBERS, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))).map(
        lambda found: np.array(found, np.int64).reshape(shape)
    )


@st.composite
def terms(draw: st.DrawFn) -> PairTerm:
    """Terms over widths in any order: what options stand for need not be sorted."""
    m, n = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    table = draw(st.one_of(st.none(), arrays(m, n)))
    return PairTerm(draw(st.integers(-3, 3)), draw(arrays(m)), draw(arrays(n)), table)


def dense(term: PairTerm) -> IntArray:
    """The term entry by entry, as its definition says."""
    return np.array(
        [
            [
                term.coefficient * int(a) * int(b) + (0 if term.table is None else int(term.table[i, j]))
                for j, b in enumerate(term.second)
            ]
            for i, a in enumerate(term.first)
        ],
        np.int64,
    )


@given(terms(), st.data())
@settings(max_examples=200, deadline=None)
def test_every_view_shows_the_same_term(term: PairTerm, data: st.DataObject) -> None:
    whole = dense(term)
    m, n = whole.shape
    rows = np.array(data.draw(st.lists(st.integers(0, m - 1), min_size=1, max_size=5)))
    columns = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=len(rows), max_size=len(rows))))
    i, j = int(rows[0]), int(columns[0])
    assert term.at(i, j) == whole[i, j]
    assert term.along(rows, columns).tolist() == whole[rows, columns].tolist()
    assert term.row(i).tolist() == whole[i].tolist()
    assert term.row(i, columns).tolist() == whole[i, columns].tolist()
    assert term.block(ALL, ALL).tolist() == whole.tolist()
    assert term.block(slice(0, m), slice(j, j + 1)).tolist() == whole[:, j : j + 1].tolist()
    assert term.block(rows, columns).tolist() == whole[np.ix_(rows, columns)].tolist()
    assert dense(term.turned).tolist() == whole.T.tolist()
    for first, second in ((ALL, ALL), (rows, columns), (rows, ALL), (ALL, columns)):
        found = np.full(whole[first][:, second].shape, np.nan)
        term.floats(first, second, out=found)
        assert found.tolist() == whole[first][:, second].tolist()


@given(terms())
@settings(max_examples=200, deadline=None)
def test_no_entry_passes_the_magnitude(term: PairTerm) -> None:
    assert np.abs(dense(term)).max() <= term.magnitude()


def test_the_magnitude_does_not_rely_on_rising_widths() -> None:
    term = PairTerm(2, np.array([64, 16, 1]), np.array([3, 30, 10]), None)
    assert term.magnitude() == 2 * 64 * 30
    assert term.magnitude(np.array([1, 2]), np.array([2])) == 2 * 16 * 10


@given(knapsack_problems())
@settings(max_examples=100, deadline=None)
def test_stacks_of_factors_hold_the_terms_and_stay_within_their_magnitudes(problem) -> None:  # type: ignore[no-untyped-def]
    factors = build_factors(problem)
    for factor, pair_terms in zip(factors.pairs, problem.pair_terms, strict=True):
        for row, term in enumerate(pair_terms):
            a, b = (factors.kept[g] for g in factor.scope)
            expected = np.zeros((len(a), len(b))) if term is None else dense(term)[np.ix_(a, b)]
            assert factor.stack[row].tolist() == expected.tolist()
            assert np.abs(factor.stack[row]).max() <= factors.magnitudes[row]


@pytest.mark.parametrize("coefficient", [0, 3])
def test_a_term_without_a_table_is_the_product_alone(coefficient: int) -> None:
    term = PairTerm(coefficient, np.array([1, 2]), np.array([1, 5]), None)
    assert term.block(ALL, ALL).tolist() == [[coefficient, 5 * coefficient], [2 * coefficient, 10 * coefficient]]
