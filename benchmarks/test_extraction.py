"""Time to extract a smaller model from a real one.

python -m pytest benchmarks/test_extraction.py --benchmark-only
"""

from __future__ import annotations

from typing import Any

import pytest

from reds_core.formulation import channel_order
from reds_core.framework import member_kept


def test_permute(subject: Any, benchmark: Any) -> None:
    """Permute all channels by their scores, which gives the full model of a family."""
    order = channel_order(subject.scores)
    full = benchmark.pedantic(
        lambda: subject.framework.extract(subject.model, subject.network, order), rounds=3, warmup_rounds=1
    )
    assert subject.framework.inspect(full).channels == subject.network.channels


@pytest.mark.parametrize("percent", [75, 25])
def test_extract(percent: int, subject: Any, benchmark: Any) -> None:
    """Extract a member of the family: the first channels of each group."""
    widths = {g: max(n * percent // 100, 1) for g, n in subject.network.channels.items()}
    kept = member_kept(widths)
    member = benchmark.pedantic(
        lambda: subject.framework.extract(subject.model, subject.network, kept), rounds=3, warmup_rounds=1
    )
    assert dict(subject.framework.inspect(member).channels) == widths
