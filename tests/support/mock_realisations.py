"""Realisations: an honest one, and others that each break one rule."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from reds_core.transforms import Joining, Narrowing, Realisation


class Honest(Realisation):
    """The last new channel is the mean of all channels that are not kept, and of itself."""

    name = "honest"

    def joined(self, narrowing: Narrowing) -> Joining:
        if narrowing.width == narrowing.channels:
            return narrowing.dropping()
        kept = np.asarray(narrowing.order)[: narrowing.width]
        clusters = np.full(narrowing.channels, narrowing.width - 1)
        clusters[kept] = np.arange(narrowing.width)
        members = np.eye(narrowing.width)[clusters]
        return Joining(kept, clusters, members.T / members.sum(axis=0)[:, None], members)


class Reserved(Honest):
    name = "best"


class Wide(Honest):
    def joined(self, narrowing: Narrowing) -> Joining:
        return super().joined(dataclasses.replace(narrowing, width=min(narrowing.width + 1, narrowing.channels)))


class Endless(Honest):
    def joined(self, narrowing: Narrowing) -> Joining:
        found = super().joined(narrowing)
        return dataclasses.replace(found, combine=found.combine + np.inf)


class Restless(Honest):
    def joined(self, narrowing: Narrowing) -> Joining:
        found = super().joined(narrowing)
        return dataclasses.replace(found, combine=2 * found.combine)


COUNTER = itertools.count()


class Moody(Honest):
    def joined(self, narrowing: Narrowing) -> Joining:
        found = super().joined(narrowing)
        if narrowing.width == narrowing.channels:
            return found
        return dataclasses.replace(found, expand=found.expand + next(COUNTER))


class Spoiling(Honest):
    def joined(self, narrowing: Narrowing) -> Joining:
        found = super().joined(narrowing)
        narrowing.weights[0][...] = 0
        return found


class Silent(Honest):
    def joined(self, narrowing: Narrowing) -> Joining:
        return narrowing.dropping()


class Idle(Honest):
    def joined(self, narrowing: Narrowing) -> Joining:
        return narrowing.dropping("nothing suits it")


class Loud(Honest):
    def joined(self, narrowing: Narrowing) -> Joining:
        print("merging")
        return super().joined(narrowing)
