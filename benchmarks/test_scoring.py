"""Time to score the channels of a real model.

python -m pytest benchmarks/test_scoring.py --benchmark-only
"""

from __future__ import annotations

from typing import Any

import pytest

from reds_core import Registry
from reds_core.framework import Task
from reds_core.scoring import ScoreLevel, Scorer, score


@pytest.mark.parametrize("level", list(ScoreLevel), ids=lambda level: str(level.value))
@pytest.mark.parametrize("name", ["magnitude", "taylor"])
def test_score(name: str, level: ScoreLevel, subject: Any, benchmark: Any) -> None:
    """One scoring, on 512 examples where the scorer needs data; the first, which traces the model, is not counted."""
    scorer = Registry().create(Scorer, name)
    data = subject.train if scorer.needs_data else None
    if level not in scorer.levels:
        pytest.skip(f"{name} does not score {level.value}s")
    scores = benchmark.pedantic(
        lambda: score(scorer, subject.framework, subject.model, subject.network, data, Task(), 0, level),
        rounds=3,
        warmup_rounds=1,
    )
    assert {g: s.size for g, s in scores.channels.items()} == dict(subject.network.channels)
    assert bool(scores.pairs) == (level is ScoreLevel.KERNEL)


def test_inspect(subject: Any, benchmark: Any) -> None:
    """Channel groups and costs from the model."""
    network = benchmark.pedantic(lambda: subject.framework.inspect(subject.model), rounds=3, warmup_rounds=1)
    assert network.channels == subject.network.channels
