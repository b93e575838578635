"""Checks of scorers.

Each check is one function, and the first paragraph of its docstring is printed as the reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.errors import RedsError
from reds_core.framework.data import Arrays
from reds_core.framework.task import Task
from reds_core.scoring.scorer import ScoreLevel, Scorer, ScoreTable, score
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.plugin_checks import PluginSubject, check_declaration, imports_nothing_heavy
from reds_core.testing.report import Failure, Settings, Skip
from reds_core.testing.runner import Check
from reds_core.testing.tiny import TinyFramework, TinyModel, tiny_data, tiny_model

SHAPES = ((6, 5), (1, 7), (8,), (4, 4, 4))
"""Hidden widths of the models; a group may have a single channel."""


class ScorerSubject(PluginSubject[Scorer]):
    """A scorer under test, with the models that it is tested on."""

    def __init__(self, make: Callable[[], Scorer], settings: Settings) -> None:
        super().__init__(make, settings)
        self.framework = TinyFramework()
        self.data = tiny_data(0)
        self.models = [tiny_model(seed, *widths) for seed, widths in enumerate(SHAPES)]

    @property
    def given(self) -> Arrays | None:
        """The data, or None if the scorer declares that it needs none."""
        return self.data if self.plugin.needs_data else None

    @property
    def levels(self) -> list[ScoreLevel]:
        """The levels that the scorer declares, in the order of their definition."""
        return [level for level in ScoreLevel if level in self.plugin.levels]

    def ask(
        self, model: TinyModel, seed: int = 0, scorer: Scorer | None = None, data: Arrays | None = None
    ) -> list[ScoreTable]:
        """Scores at each level without the validation by reds, from `data` or, by default, `given`."""
        scorer, data = scorer or self.plugin, data or self.given
        asked = [scorer.score if level is ScoreLevel.CHANNEL else scorer.score_kernels for level in self.levels]
        network = self.framework.inspect(model)
        return [ask(self.framework, model, network, data, Task(), seed) for ask in asked]

    def needs_sense(self) -> None:
        """Skip the check if the scores do not depend on the function of the channels."""
        if not self.plugin.informed:
            raise Skip("declares that its scores do not depend on the channels")


def same(one: list[ScoreTable], other: list[ScoreTable], tolerance: float = 0.0) -> bool:
    """Whether tables hold the same scores, up to `tolerance` relative to the largest."""

    def near(a: Mapping[Any, FloatArray], b: Mapping[Any, FloatArray]) -> bool:
        return set(a) == set(b) and all(
            a[key].shape == b[key].shape
            and np.all(np.abs(a[key] - b[key]) <= tolerance * np.abs(a[key]).max(initial=0))
            for key in a
        )

    return all(
        near(a.channels, b.channels) and near(a.pairs, b.pairs) and near(a.curves, b.curves)
        for a, b in zip(one, other, strict=True)
    )


def declares_what_it_is(subject: ScorerSubject) -> None:
    """Discovery relies on these declarations, and a run asks for data at the start only if the scorer declares it."""
    check_declaration(subject.plugin)
    if not isinstance(getattr(subject.plugin, "needs_data", None), bool):
        raise Failure(f"needs_data is {getattr(subject.plugin, 'needs_data', None)!r}, not a bool")
    levels = subject.plugin.levels
    if not isinstance(levels, frozenset) or not levels or not all(isinstance(level, ScoreLevel) for level in levels):
        raise Failure(f"levels is {levels!r}, not a frozenset of ScoreLevel")


def scores_every_channel(subject: ScorerSubject) -> None:
    """Channels are compared by their scores, so every channel of every group needs a finite float64 score."""
    for model, level in itertools.product(subject.models, subject.levels):
        network = subject.framework.inspect(model)
        try:
            score(subject.plugin, subject.framework, model, network, subject.given, Task(), level=level)
        except RedsError as error:
            raise Failure(f"{error.what} (level {level.value})") from error


def scores_follow_the_channels(subject: ScorerSubject) -> None:
    """The order of channels does not change what a network computes, so each channel must keep its score."""
    subject.needs_sense()
    for seed, model in enumerate(subject.models):
        network = subject.framework.inspect(model)
        rng = np.random.default_rng(seed)
        order = {g.name: rng.permutation(g.channels) for g in network.groups}
        expected = [table.ordered(order) for table in subject.ask(model)]
        if not same(subject.ask(subject.framework.extract(model, network, order)), expected, 1e-4):
            raise Failure(f"the scores of a model of widths {model.widths[:-1]} change with the order of its channels")


def ranks_a_dead_channel_last(subject: ScorerSubject) -> None:
    """A channel whose weights are all zero has no effect; ranking it above others would remove useful channels."""
    subject.needs_sense()
    for model in subject.models[:1] + subject.models[2:]:
        dead = TinyModel([w.copy() for w in model.weights])
        network = subject.framework.inspect(dead)
        group = network.groups[0].name
        for weight, array in zip(network.weights, dead.weights, strict=True):
            for i, axis in enumerate(weight.axes):
                array[(slice(None),) * i + (axis.owners(group, network.channels) == 1,)] = 0
        for level, table in zip(subject.levels, subject.ask(dead), strict=True):
            totals = table.totals()[group]
            if totals[1] > np.delete(totals, 1).min():
                what = f"a channel without weights is scored {totals[1]:g}, others of its group less"
                raise Failure(f"{what}: {totals} (level {level.value})")


def answers_the_same_twice(subject: ScorerSubject) -> None:
    """One object scores many models, so no state of one call may change the scores of the next."""
    first = [subject.ask(model, scorer=subject.make()) for model in subject.models]
    for _ in range(2):
        for model, expected in zip(subject.models, first, strict=True):
            if not same(subject.ask(model), expected):
                raise Failure(f"a used object scores a model of widths {model.widths[:-1]} differently from a new one")


def repeats_itself_with_one_seed(subject: ScorerSubject) -> None:
    """Published results must be reproducible, so the same seed must give the same scores."""
    for model in subject.models:
        one, other = (subject.ask(model, seed=7, scorer=subject.make()) for _ in range(2))
        if not same(one, other):
            raise Failure(f"two scores of a model of widths {model.widths[:-1]} differ under one seed")


def leaves_model_and_data_unchanged(subject: ScorerSubject) -> None:
    """The model is cut and trained on the same data after scoring, so scoring must change neither."""
    model = tiny_model(9, 6, 5)
    given = Arrays(subject.data.x.copy(), subject.data.y.copy())
    before = [a.tobytes() for a in (*model.weights, given.x, given.y)]
    subject.ask(model, data=given if subject.plugin.needs_data else None)
    if [a.tobytes() for a in (*model.weights, given.x, given.y)] != before:
        raise Failure("scoring changed the model or the data")


def takes_data_it_does_not_need(subject: ScorerSubject) -> None:
    """Data are passed to every scorer if there are any; one that needs none must give the same scores without them."""
    if subject.plugin.needs_data:
        raise Skip("needs data")
    for model in subject.models:
        with_data = subject.ask(model, scorer=subject.make(), data=subject.data)
        if not same(with_data, subject.ask(model, scorer=subject.make())):
            raise Failure("scores differently with data, although it declares that it needs none")


def prints_nothing(subject: ScorerSubject) -> None:
    """With --json, stdout must contain nothing but JSON, so a plugin must not print."""
    with captured_stdout() as captured:
        subject.ask(subject.models[0])
    if captured.text:
        raise Failure(f"printed {captured.text[:80]!r}")


_GROUND = ("scores_every_channel",)
SCORER_CHECKS: tuple[Check[ScorerSubject], ...] = (
    Check(declares_what_it_is),
    Check(imports_nothing_heavy),
    Check(scores_every_channel, ("declares_what_it_is",)),
    *(
        Check(run, _GROUND)
        for run in (
            scores_follow_the_channels,
            ranks_a_dead_channel_last,
            repeats_itself_with_one_seed,
            leaves_model_and_data_unchanged,
            prints_nothing,
        )
    ),
    Check(takes_data_it_does_not_need, (*_GROUND, "repeats_itself_with_one_seed")),
    Check(answers_the_same_twice, (*_GROUND, "repeats_itself_with_one_seed")),
)
"""Every check of a scorer, in the order of the report."""
