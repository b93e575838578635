"""Cases of a parametrised test, of which most are left to the slow tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

import pytest

C = TypeVar("C")


def slow_except(quick: Collection[C], cases: Iterable[C], name: Callable[[C], str] | None = None) -> list[Any]:
    """Return all cases for `pytest.mark.parametrize`, marked as slow except for some.

    Args:
        quick: The cases that always run.
        cases: All cases. A tuple is the values of several arguments.
        name: Returns the name of a case; None for those that pytest gives.

    Raises:
        ValueError: If a quick case is not one of the cases.
    """
    cases = list(cases)
    unknown = [case for case in quick if case not in cases]
    if unknown:
        raise ValueError(f"{unknown} are not among the cases")
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=() if case in quick else pytest.mark.slow,
            id=None if name is None else name(case),
        )
        for case in cases
    ]
